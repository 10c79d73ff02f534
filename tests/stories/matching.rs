//! Stories of number matching: an approver who was not called by the requester approves nothing.

use anyhow::{Context as _, ensure};
use tapdesk_tests::check::ledger_lines;
use tapdesk_tests::scene::{lettered, rulebook, said};
use tapdesk_tests::world::{SECURITY, World};

/// Ada has asked for Jane under a rule that wants the number matched; returns her number.
async fn asked(rule: &str) -> anyhow::Result<(World, String)> {
    let world = World::under(rulebook("", &[&format!("match = true\n{rule}")])).await?;
    world.ada_asks_for_jane().await?;
    let read = world.reads(&world.ada).join("\n");
    let (_, rest) = read.split_once("Your number is ").with_context(|| read.clone())?;
    Ok((world, rest[..2].to_owned()))
}

fn another(choices: &[String], number: &str) -> anyhow::Result<String> {
    choices.iter().find(|choice| *choice != number).cloned().context("there is only one number")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_approver_chooses_the_number_that_the_requester_tells_them() -> anyhow::Result<()> {
    let (world, number) = asked("").await?;
    let offered = world.numbers_on_card(&world.mary)?;
    ensure!(offered.len() == 3 && offered.contains(&number), "{offered:?} without {number}");
    ensure!(
        world.numbers_on_card(&world.otto)? == offered,
        "two cards that are compared give the number away"
    );
    insta::assert_snapshot!(lettered(&world.newest(&world.mary)?, &offered), @"
    Ada Agent asks for a pass for Jane Doe: approve?
    For
    Jane Doe (jane.doe@contoso.com)
    Asked by
    Ada Agent (ada.agent@contoso.com)
    Reason
    lost her phone, INC0012345
    Code goes to
    +49…12 (sms)
    Pass
    good for 1 hour and one sign-in, from the moment they open it
    Rule
    helpdesk for staff
    Approve only if you know that Jane Doe really is locked out: call them on a number that you already had. Until 14:00 UTC.
    Ada Agent sees a number and tells it to you in a call. Choosing it approves. You have one try: a wrong number ends the request, so never guess.
    [AA] [BB] [CC] [Deny] [This looks wrong]
    ");
    world.presses(&world.mary, &number).await?;
    world.presses(&world.mary, "Show PIN").await?;
    let ticket = (world.code_at("+491701234512")?, world.pin_before(&world.mary)?);
    world.jane_gets_her_pass(&ticket.0, &ticket.1).await?;
    let lines = ledger_lines(&world.files.path().join("ledger"))?;
    let given: Vec<_> = lines.iter().filter(|line| line["what"] == "approval.given").collect();
    ensure!(given.len() == 1 && given[0]["facts"]["proof"] == "number matched", "{given:?}");
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_requester_is_shown_the_number() -> anyhow::Result<()> {
    let world = World::under(rulebook("", &["match = true"])).await?;
    world.ada_asks_for_jane().await?;
    let read = world.reads(&world.ada).join("\n");
    let number =
        read.split_once("Your number is ").map(|(_, rest)| rest[..2].to_owned()).context("no number")?;
    insta::assert_snapshot!(said(&read).replace(&number, "NN"), @"
    Checking… (request ……)
    I look up both of you in the directory and then write to you here, whatever comes out.
    Request …… for Jane Doe is with its approvers.
    I asked Mary Major, Otto Oncall. You will hear from me when they decide.
    Your number is NN. They approve by choosing it among three: call them and tell it to them. Tell it only in a call that you make, and write it nowhere.
    ");
    for who in [&world.mary, &world.otto] {
        let card = world.card(who, "Deny")?;
        let buttons = card.buttons();
        let looks: Vec<bool> =
            buttons.iter().filter(|one| one.label.len() == 2).map(|one| one.stands_out).collect();
        ensure!(looks == [false; 3], "one number looks different: {buttons:?}");
        ensure!(buttons.iter().all(|one| one.label != "Approve"), "who saw no number can approve");
    }
    world.everybody_reads();
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_number_ends_the_request_and_security_hears_of_it() -> anyhow::Result<()> {
    let (world, number) = asked("").await?;
    let offered = world.numbers_on_card(&world.mary)?;
    let (right, wrong) = (world.value_of(&world.mary, &number)?, another(&offered, &number)?);
    world.reads(&world.mary);
    world.presses(&world.mary, &wrong).await?;
    insta::assert_snapshot!(said(&world.reads(&world.mary).join("\n")), @"
    Pass for Jane Doe: stopped, Mary Major chose another number
    For
    Jane Doe (jane.doe@contoso.com)
    Asked by
    Ada Agent (ada.agent@contoso.com)
    Reason
    lost her phone, INC0012345
    Code goes to
    +49…12 (sms)
    Pass
    good for 1 hour and one sign-in, from the moment they open it
    Rule
    helpdesk for staff
    That is not the number that the requester was shown: the request is over.
    If somebody told it to you, they are not who asked. I have told security; tell them who it was. If you guessed, tell them that, too.
    ");
    insta::assert_snapshot!(said(&world.reads(&world.ada).join("\n")), @"
    Request …… for Jane Doe is with its approvers.
    Since then: stopped, Mary Major chose another number.
    Request …… for Jane Doe is over: Mary Major chose another number than the one that I had shown to who asked.
    If it is still needed, ask again: you get a new number. Tell it to them in a call that you make.
    ");
    let mail = world.smtp.read(SECURITY).pop().context("security was not told")?;
    ensure!(!mail.text.contains(&format!(" {number}")), "the mail tells the number");
    insta::assert_snapshot!(said(&mail.subject), @"tapdesk: Request …… for Jane Doe is over: Mary Major chose another number than the one that I had shown to who asked.");
    for who in [&world.mary, &world.otto] {
        world.has_no_button(who)?;
        ensure!(world.numbers_on_card(who).is_err(), "{} can still choose", who.account.name);
        ensure!(world.newest(who)?.contains("Mary Major chose another number"));
    }
    // One try: the right number comes too late.
    let told = world.presses_with(&world.mary, "pick.1", &right).await?;
    ensure!(told.contains("is over"), "{told}");
    ensure!(world.events("approval.given")? == 0 && world.events("approval.mismatched")? == 1);
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn each_of_several_approvers_has_to_choose_it() -> anyhow::Result<()> {
    let (world, number) = asked("approvals = [\"manager\", \"group:{oncall}\"]").await?;
    world.presses(&world.mary, &number).await?;
    ensure!(world.events("request.approved")? == 0, "one number was enough");
    let again = world.presses_with(&world.mary, "pick", "").await?;
    ensure!(again.contains("not yours to decide"), "{again}");
    let wrong = another(&world.numbers_on_card(&world.otto)?, &number)?;
    world.presses(&world.otto, &wrong).await?;
    world.hears(&world.ada, "Otto Oncall chose another number")?;
    ensure!(world.events("request.approved")? == 0 && world.events("request.mismatched")? == 1);
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn no_other_press_stands_for_the_number() -> anyhow::Result<()> {
    let (world, number) = asked("").await?;
    let right = world.value_of(&world.mary, &number)?;
    let (card, _) = right.rsplit_once('.').context("no number in the button")?;
    let ottos = world.value_of(&world.otto, &number)?;
    for (who, choice, value, answer) in [
        (&world.mary, "approve", card.to_owned(), "choose on the card the one that you were told"),
        (&world.mary, "pick.1", card.to_owned(), "not yours to decide"),
        (&world.mary, "pick.1", format!("{card}."), "not yours to decide"),
        (&world.mary, "pick.1", format!("{right}0"), "not yours to decide"),
        (&world.mary, "pick.1", ottos, "not yours to decide"),
        (&world.ada, "pick.1", right.clone(), "not yours to decide"),
        (&world.jane, "pick.1", right.clone(), "not yours to decide"),
    ] {
        let told = world.presses_with(who, choice, &value).await?;
        ensure!(told.contains(answer), "{choice} {value}: {told}");
    }
    ensure!(world.events("approval.given")? + world.events("approval.mismatched")? == 0, "something counted");
    world.presses(&world.mary, &number).await?;
    ensure!(world.events("request.approved")? == 1, "the number itself does not count");
    world.everybody_reads();
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_without_a_number_is_worth_nothing_once_the_rule_wants_one() -> anyhow::Result<()> {
    let mut world = World::under(rulebook("", &[""])).await?;
    let ticket = world.ticket_for_jane().await?;
    world.restart_under(&rulebook("", &["match = true"])).await?;
    world.claim_is_refused(&ticket, "The rules changed since this was asked").await?;
    world.everybody_reads();
    world.finish().await
}
