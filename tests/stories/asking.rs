//! What can be typed, by whom, and for whom?

use anyhow::ensure;
use tapdesk_tests::slack::{Email, Person};
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
        ("for <!channel> lost their phones".to_owned(), "I could not tell who that is"),
        ("for <https://contoso.com|jane> lost her phone".to_owned(), "I could not tell who that is"),
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
        ("<@U0JANE|jane.doe>".to_owned(), longest.as_str()),
        ("jane.doe@contoso.com".to_owned(), "lost her phone"),
        ("Jane.Doe@Contoso.COM".to_owned(), "lost her phone"),
        ("jane@contoso.com,".to_owned(), "lost her phone"),
        ("<mailto:jane.doe@contoso.com|jane.doe@contoso.com>".to_owned(), "lost her phone"),
        ("<mailto:JANE@contoso.com|the old one>".to_owned(), "R&amp;D: lost her phone &lt;again&gt;"),
    ] {
        let read = world.asks(&world.ada, &format!("for {naming} {reason}")).await?;
        ensure!(read.iter().any(|text| text.contains("for Jane Doe is with")), "{naming}: {read:#?}");
        let card = world.card(&world.mary, "Approve")?.visible_text();
        ensure!(card.contains("For\nJane Doe (jane.doe@contoso.com)"), "{naming}: {card}");
        let shown = reason.replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">");
        ensure!(card.contains(&format!("Reason\n{shown}")), "{naming}: {card}");
        world.presses(&world.mary, "Deny").await?;
        world.everybody_reads();
    }
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_of_an_organisation_is_named_like_any_other() -> anyhow::Result<()> {
    let world = World::start().await?;
    let kim = world.company.person("Kim Kunde", "kim.kunde@contoso.com");
    kim.manager(&world.mary.person).mobile("+491709876543");
    world.slack().user("W0KIM", "kim.kunde", "Kim.Kunde@Contoso.com");
    for naming in ["<@W0KIM>", "<@W0KIM|kim.kunde>", "<@W0KIM|Kim Kunde (she)>,"] {
        let read = world.asks(&world.ada, &format!("for {naming} lost her phone")).await?;
        ensure!(read.iter().any(|text| text.contains("for Kim Kunde is with")), "{naming}: {read:#?}");
        world.presses(&world.mary, "Deny").await?;
        world.everybody_reads();
    }
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_has_to_mean_exactly_one_enabled_member() -> anyhow::Result<()> {
    let world = World::start().await?;
    let twin = world.company.person("Jane Dough", "jane.dough@contoso.com");
    twin.with_mail("jane.doe@contoso.com");
    let text = "for jane.doe@contoso.com lost her phone";
    world.is_refused(&world.ada, &world.jane, "Several people in the directory have that address.").await?;
    twin.removed();

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

/// A change of a Slack profile, and the words that say why it stands for nobody.
type Unfit = (fn(&mut Person), &'static str);

/// Every way in which a Slack account can be one that nobody may be recognised by.
const UNFIT: [Unfit; 9] = [
    (|person| person.is_deleted = true, "the chat account is deactivated or unknown"),
    (|person| person.is_bot = true, "that is a bot"),
    (|person| person.is_restricted = true, "the chat account is a guest"),
    (|person| person.is_ultra_restricted = true, "the chat account is a guest"),
    (|person| person.is_stranger = true, "the chat account belongs to another organisation"),
    (|person| "T0OTHERS".clone_into(&mut person.team_id), "the chat account belongs to another organisation"),
    (|person| person.email = Email::Missing, "the chat account has no mail address"),
    (|person| person.email = Email::Null, "the chat account has no mail address"),
    (|person| person.email = Email::Given(String::new()), "the chat account has no mail address"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_requester_whom_slack_does_not_vouch_for_is_nobody() -> anyhow::Result<()> {
    let world = World::start().await?;
    let ada = world.ada.account.in_slack().clone();
    for (change, why) in UNFIT {
        // Ada's client still sends what it sent before: the profile is what decides.
        let now = world.slack().change(&ada, change);
        // Slack brings nothing to deactivated accounts and bots, so these read the acknowledgement only.
        let words = if now.is_deleted || now.is_bot {
            "Checking…".to_owned()
        } else {
            format!("I cannot tell who you are in the directory: {why}.")
        };
        world.is_refused(&world.ada, &world.jane, &words).await?;
        world.slack().change(&ada, |person| *person = ada.clone());
    }
    ensure!(world.graph.wire.seen().is_empty(), "the directory was asked for nobody");
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mentioned_subject_whom_slack_does_not_vouch_for_is_asked_for_by_address() -> anyhow::Result<()> {
    let world = World::start().await?;
    let jane = world.jane.account.in_slack().clone();
    for (change, why) in UNFIT {
        world.slack().change(&jane, change);
        let words = format!("{why}. Ask again with their address.");
        world.is_refused(&world.ada, &world.jane, &words).await?;
        world.slack().change(&jane, |person| *person = jane.clone());
    }
    let text = "for <@U0NOBODY> lost her phone";
    world.is_turned_away(&world.ada, text, "the chat account is deactivated or unknown").await?;
    // A locked-out person often has no chat account that works; their address is enough.
    let read = world.asks(&world.ada, "for jane.doe@contoso.com lost her phone").await?;
    ensure!(read.iter().any(|text| text.contains("for Jane Doe is with its approvers")), "{read:#?}");
    world.advance(std::time::Duration::from_hours(4)).await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn without_trust_in_slacks_addresses_nobody_is_identified() -> anyhow::Result<()> {
    let mut world = World::start().await?;
    world
        .restart_configured(|config| config.slack.iter_mut().for_each(|slack| slack.trust_email = false))
        .await?;
    world.is_refused(&world.ada, &world.jane, "does not trust addresses from this chat").await?;
    ensure!(world.graph.wire.seen().is_empty(), "the directory was asked");
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_requester_is_one_enabled_member_of_the_directory() -> anyhow::Result<()> {
    let world = World::start().await?;
    let words = "Your chat address belongs to no single enabled member of the directory.";

    let stray = world.slack().user("U0STRAY", "stray", "stray@contoso.com");
    let stray = tapdesk_tests::world::Colleague { account: stray.into(), ..world.ada.clone() };
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
