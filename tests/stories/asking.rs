//! What can be typed, by whom, and for whom?

use anyhow::ensure;
use tapdesk_tests::world::World;

const BARE: &str = "for @colleague REASON, or /tap help";

#[tokio::test(flavor = "multi_thread")]
async fn help_says_what_to_type() -> anyhow::Result<()> {
    let world = World::start().await?;
    for text in ["help", "HELP", "help me"] {
        let read = world.asks(&world.otto, text).await?;
        ensure!(read.len() == 1, "{text:?}: {read:#?}");
        ensure!(read[0].starts_with("tapdesk gets a locked-out colleague back in"), "{text:?}: {read:#?}");
        ensure!(read[0].contains("/tap for @colleague REASON asks for one"), "{text:?}: {read:#?}");
        world.nobody_is_bothered()?;
    }
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_gets_a_clear_question_and_asks_nobody() -> anyhow::Result<()> {
    let world = World::start().await?;
    let (jane, mary) = (world.jane.account.mention(), world.mary.account.mention());
    let too_long = "x".repeat(301);
    for (text, question) in [
        ("unlock".to_owned(), "I do not know that command."),
        (format!("{jane} lost her phone"), "I do not know that command."),
        ("for".to_owned(), "For whom? Name a colleague."),
        ("for Jane Doe lost her phone".to_owned(), "I could not tell who that is"),
        ("for @jane.doe lost her phone".to_owned(), "The chat did not recognise that @name"),
        (format!("for {jane} {mary} lost their phones"), "name one person, then the reason"),
        (format!("for {jane}, otto.oncall@contoso.com lost it"), "name one person, then the reason"),
        (format!("for {jane}"), "Add a reason of 5 to 300 characters"),
        (format!("for {jane} lost"), "Add a reason of 5 to 300 characters"),
        (format!("for {jane}  a    b "), "Add a reason of 5 to 300 characters"),
        (format!("for {jane} {too_long}"), "Add a reason of 5 to 300 characters"),
    ] {
        world.is_turned_away(&world.ada, &text, question).await?;
    }
    let read = world.asks(&world.ada, "what?").await?;
    ensure!(read[0].contains(BARE), "{read:?}");
    ensure!(world.graph.wire.seen().is_empty(), "the directory was asked");
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_to_name_jane_means_jane() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.jane.person.with_mail("Jane@contoso.com");
    world.chat.has_address(&world.jane.account, "jane@contoso.com");
    let shortest = "five!";
    let longest = "y".repeat(300);
    for (naming, reason) in [
        (world.jane.account.mention(), shortest),
        ("jane.doe@contoso.com".to_owned(), longest.as_str()),
        ("Jane.Doe@Contoso.COM".to_owned(), "lost her phone"),
        ("jane@contoso.com,".to_owned(), "lost her phone"),
    ] {
        let read = world.asks(&world.ada, &format!("for {naming} {reason}")).await?;
        ensure!(read.iter().any(|text| text.contains("for Jane Doe is with")), "{naming}: {read:#?}");
        let card = world.card(&world.mary, "Approve")?.visible_text();
        ensure!(card.contains("For\nJane Doe (jane.doe@contoso.com)"), "{naming}: {card}");
        ensure!(card.contains(&format!("Reason\n{reason}")), "{naming}: {card}");
        world.presses(&world.mary, "Deny").await?;
        world.everybody_reads();
    }
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_has_to_mean_exactly_one_enabled_member() -> anyhow::Result<()> {
    let world = World::start().await?;
    let twin = world.company.person("Jane Dough", "jane.dough@contoso.com");
    twin.with_mail("jane@contoso.com");
    world.jane.person.with_mail("jane@contoso.com");
    let text = "for jane@contoso.com lost her phone";
    world.is_turned_away(&world.ada, text, "Several people in the directory have that address.").await?;
    twin.removed();
    let text = "for jane.doe@contoso.com lost her phone";

    let unknown = "for jane.doo@contoso.com lost her phone";
    world.is_turned_away(&world.ada, unknown, "Nobody in the directory has that address.").await?;

    world.jane.person.disabled();
    world.is_turned_away(&world.ada, text, "Their account is disabled").await?;
    world.jane.person.enabled();

    let guest = world.company.guest("Gus Guest", "gus@fabrikam.com");
    let text = "for gus@fabrikam.com lost his phone";
    world.is_turned_away(&world.ada, text, "They are a guest").await?;
    guest.removed();

    world.jane.person.internal_guest();
    world.is_refused(&world.ada, &world.jane, "They are a guest").await?;
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_requester_is_one_enabled_member_of_the_directory() -> anyhow::Result<()> {
    let world = World::start().await?;
    let words = "Your chat address belongs to no single enabled member of the directory.";

    let stray = world.colleague("Sam Stray", "stray@contoso.com");
    stray.person.removed();
    world.is_refused(&stray, &world.jane, words).await?;

    world.ada.person.disabled();
    world.is_refused(&world.ada, &world.jane, words).await?;
    world.ada.person.enabled();

    world.ada.person.internal_guest();
    world.is_refused(&world.ada, &world.jane, words).await?;

    let guest = world.colleague("Gus Guest", "gus@fabrikam.com");
    guest.person.removed();
    world.helpdesk.member(&world.company.guest("Gus Guest", "gus@fabrikam.com"));
    world.is_refused(&guest, &world.jane, words).await?;
    world.finish().await
}
