//! What if a person has two accounts: in the chat, or in the directory?

use anyhow::ensure;
use insta::assert_snapshot;
use tapdesk_tests::scene::rulebook;
use tapdesk_tests::world::{Colleague, World};

/// A second Slack account that stands for the same person: the first has their mail address, this one their sign-in name.
fn second_account(world: &World, who: &Colleague, mail: &str) -> Colleague {
    who.person.with_mail(mail);
    world.chat.has_address(&who.account, mail);
    let (id, name) = (format!("{}2", who.account.id), format!("{}.2", who.account.name));
    let account = world.slack().user(&id, &name, &who.person.upn()).into();
    Colleague { account, ..who.clone() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_chat_account_makes_nobody_a_second_person() -> anyhow::Result<()> {
    let rule = "requester = \"manager-of-subject\"\napprovals = [\"manager | group:{oncall}\"]";
    let world = World::under(rulebook("", &[rule])).await?;
    let marys_other = second_account(&world, &world.mary, "mary@contoso.com");
    let read = world.asks_for(&marys_other, &world.jane).await?;
    ensure!(read.iter().any(|text| text.contains("I asked Otto Oncall.")), "{read:#?}");
    // Mary is Jane's manager, and she asked: her first account is not asked to approve it.
    ensure!(world.reads(&world.mary).is_empty(), "Mary may approve what she asked for");
    // Nor does a button that she learnt of make her first account an approver.
    let card = world.card(&world.otto, "Approve")?;
    for account in [&world.mary.account, &marys_other.account] {
        world.chat.press_as(account, &world.otto.account, &card, "Approve").await?;
        world.settle().await?;
    }
    ensure!(world.events("approval.given")? == 0, "somebody approved their own request");
    world.presses(&world.otto, "Deny").await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_left_to_approve_when_the_other_account_is_ones_own() -> anyhow::Result<()> {
    let rule = "requester = \"user:{mary}\"\napprovals = [\"manager\"]";
    let world = World::under(rulebook("", &[rule])).await?;
    let marys_other = second_account(&world, &world.mary, "mary@contoso.com");
    let read = world.asks_for(&marys_other, &world.jane).await?;
    assert_snapshot!(read.last().map_or("", String::as_str), @r"
    Request …… for your colleague cannot go on.
    Nobody can approve this: it would take their manager Mary Major. Nobody approves what they asked for or what is for them. Ask a colleague of the help desk to make the request, or your administrator to name another approver.
    ");
    world.nobody_is_bothered()?;
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_chat_accounts_of_the_subject_are_one_subject() -> anyhow::Result<()> {
    let world = World::start().await?;
    let janes_other = second_account(&world, &world.jane, "jane@contoso.com");
    world.asks_for(&world.ada, &world.jane).await?;
    let read = world.asks_for(&world.ada, &janes_other).await?;
    ensure!(read.iter().any(|text| text.contains("There is an open request for them already")), "{read:#?}");
    world.presses(&world.mary, "Deny").await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_requester_whose_address_two_directory_accounts_have_is_told_why_they_are_nobody()
-> anyhow::Result<()> {
    let world = World::start().await?;
    let admin = world.company.person("Ada Admin", "adm-ada@contoso.com").with_mail("ada.agent@contoso.com");
    let read = world.asks_for(&world.ada, &world.jane).await?;
    assert_snapshot!(read.last().map_or("", String::as_str), @r"
    Request …… for your colleague cannot go on.
    Several accounts in the directory have your chat address, so I cannot tell which of them you are. Ask your Entra administrator to leave it to one of them.
    ");
    world.nobody_is_bothered()?;
    admin.removed();
    let read = world.asks_for(&world.ada, &world.jane).await?;
    ensure!(read.iter().any(|text| text.contains("is with its approvers")), "{read:#?}");
    world.presses(&world.mary, "Deny").await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_directory_accounts_with_one_address_the_sign_in_name_means_one() -> anyhow::Result<()> {
    let world = World::start().await?;
    let admin = world.company.person("Jane Admin", "adm-jane@contoso.com").with_mail("jane.doe@contoso.com");
    admin.manager(&world.mary.person).mobile("+491709876543");
    // Her chat account has the address of both.
    let read = world.asks_for(&world.ada, &world.jane).await?;
    assert_snapshot!(read.last().map_or("", String::as_str), @r"
    Request …… for your colleague cannot go on.
    Several people in the directory have that address. Ask again with the user principal name.
    ");
    for (typed, meant) in [("Jane.Doe@contoso.com", "Jane Doe"), ("adm-jane@contoso.com", "Jane Admin")] {
        let read = world.asks(&world.ada, &format!("for {typed} lost her phone")).await?;
        let words = format!("for {meant} is with its approvers");
        ensure!(read.iter().any(|text| text.contains(&words)), "{typed}: {read:#?}");
        world.presses(&world.mary, "Deny").await?;
        world.everybody_reads();
    }
    // A mail address that is nobody's sign-in name still means neither.
    world.jane.person.with_mail("shared@contoso.com");
    admin.with_mail("shared@contoso.com");
    let text = "for shared@contoso.com lost her phone";
    world.is_turned_away(&world.ada, text, "Several people in the directory have that address.").await?;
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_asked_for_is_theirs_from_either_account() -> anyhow::Result<()> {
    let world = World::start().await?;
    let adas_other = second_account(&world, &world.ada, "ada@contoso.com");
    world.ada_asks_for_jane().await?;
    world.everybody_reads();
    for account in [&world.ada, &adas_other] {
        let told = world.asks(account, "status").await?.join("\n");
        ensure!(told.contains("Jane Doe (request ……, asked by Ada Agent): waiting for"), "{told}");
        let told = world.asks(account, "pending").await?.join("\n");
        ensure!(told.contains("You asked for:\nJane Doe"), "{told}");
    }
    world.presses(&world.mary, "Approve").await?;
    world.everybody_reads();
    ensure!(world.texts() == 1);
    world.asks(&adas_other, "resend").await?;
    ensure!(world.texts() == 2, "no new code was sent");
    world.everybody_reads();
    let told = world.asks(&adas_other, &format!("cancel {}", world.jane.account.mention())).await?.join("\n");
    ensure!(told.contains("for Jane Doe is cancelled"), "{told}");
    world.hears(&world.ada, "Since then: cancelled by the requester.")?;
    ensure!(world.events("request.cancelled")? == 1);
    let told = world.asks(&world.ada, "cancel").await?.join("\n");
    ensure!(told.contains("You have no open request"), "{told}");
    let told = world.asks(&world.ada, "status").await?.join("\n");
    ensure!(told.contains("Ended since yesterday:\nJane Doe"), "{told}");
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_that_is_repeated_cancels_once() -> anyhow::Result<()> {
    let world = World::start().await?;
    let adas_other = second_account(&world, &world.ada, "ada@contoso.com");
    world.ada_asks_for_jane().await?;
    world.asks(&adas_other, "cancel").await?;
    world.ada_asks_for_jane().await?;
    let deliveries = world.chat.deliveries();
    let cancelling =
        deliveries.iter().rev().find(|one| String::from_utf8_lossy(&one.body).contains("cancel"));
    let cancelling = cancelling.ok_or_else(|| anyhow::anyhow!("nothing was cancelled"))?;
    world.chat.replay(cancelling).await;
    world.settle().await?;
    ensure!(
        world.events("request.cancelled")? == 1,
        "the second request was cancelled by the first one's delivery"
    );
    world.presses(&world.mary, "Deny").await?;
    world.everybody_reads();
    world.finish().await
}
