//! How does Slack write whom a command means, and for whom does it vouch?

use anyhow::ensure;
use tapdesk_tests::slack::{Email, Person};
use tapdesk_tests::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn every_way_in_which_slack_writes_jane_means_jane() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.jane.person.with_mail("Jane@contoso.com");
    world.chat.has_address(&world.jane.account, "jane@contoso.com");
    let longest = "y".repeat(300);
    for (naming, reason, shown) in [
        ("<@U0JANE|jane.doe>", longest.as_str(), longest.as_str()),
        ("<mailto:jane.doe@contoso.com|jane.doe@contoso.com>", "lost her phone", "lost her phone"),
        (
            "<mailto:JANE@contoso.com|the old one>",
            "R&amp;D: lost her phone &lt;again&gt;",
            "R&D: lost her phone <again>",
        ),
    ] {
        let read = world.asks(&world.ada, &format!("for {naming} {reason}")).await?;
        ensure!(read.iter().any(|text| text.contains("for Jane Doe is with")), "{naming}: {read:#?}");
        let card = world.card(&world.mary, "Approve")?.visible_text();
        ensure!(card.contains("For\nJane Doe (jane.doe@contoso.com)"), "{naming}: {card}");
        ensure!(card.contains(&format!("Reason\n{shown}")), "{naming}: {card}");
        world.presses(&world.mary, "Deny").await?;
        world.everybody_reads();
    }
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_slack_makes_of_channels_and_links_is_nobody() -> anyhow::Result<()> {
    let world = World::start().await?;
    for text in ["for <!channel> lost their phones", "for <https://contoso.com|jane> lost her phone"] {
        world.is_turned_away(&world.ada, text, "I could not tell who that is").await?;
    }
    ensure!(world.graph.wire.seen().is_empty(), "the directory was asked");
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shortcut_that_is_not_in_the_manifest_does_nothing() -> anyhow::Result<()> {
    let world = World::start().await?;
    let reply = world.slack().shortcut(world.ada.account.in_slack(), "other").await;
    ensure!(reply.is_accepted(), "{reply:?}");
    world.settle().await?;
    ensure!(world.chat.modal(&world.ada.account).is_none(), "something opened");
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

/// Slack wants an answer within three seconds, whatever has to be looked up.
#[tokio::test(flavor = "multi_thread")]
async fn what_has_to_be_looked_up_is_acknowledged_at_once() -> anyhow::Result<()> {
    let world = World::start().await?;
    let asked = world.types(&world.ada, "status jane.doe@contoso.com").await;
    ensure!(asked.body.contains("One moment: I look that up."), "{asked:?}");
    let revoked = world.types(&world.ada, "revoke jane.doe@contoso.com").await;
    ensure!(revoked.body.contains("One moment: I look up what you may revoke."), "{revoked:?}");
    ensure!(revoked.body.contains("If you do not read here within two minutes"), "{revoked:?}");
    world.settle().await?;
    world.everybody_reads();
    world.finish().await
}
