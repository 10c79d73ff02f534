//! Where do passcode, code and PIN end up?

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::ensure;
use tapdesk::app::Parts;
use tapdesk::config::Config;
use tapdesk::system::SystemEntropy;
use tapdesk_core::card::Card;
use tapdesk_core::ids::ChatUser;
use tapdesk_core::pass::Passcode;
use tapdesk_core::people::{Contact, ContactKind, ContactSource};
use tapdesk_core::policy::Route;
use tapdesk_core::ports::Message;
use tapdesk_core::ticket::Revealed;
use tapdesk_tests::check::{self, Kind, Secret};
use tapdesk_tests::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn passcode_nowhere() -> anyhow::Result<()> {
    let world = World::start().await?;
    let (code, pin) = world.ticket_for_jane().await?;
    let browser = world.browser();
    browser.claim(&code, "00000000").await?;
    let lost = browser.claim(&code, &pin).await?.passcode()?;
    let seen = browser.claims_and_sees(&code, &pin).await?;
    ensure!(lost != seen, "a pass was shown a second time");
    world.browser().claim(&code, &pin).await?;
    browser.report(&code).await?;
    world.settle().await?;
    let secrets = check::secrets(&world);
    for kind in [Kind::Passcode, Kind::Code, Kind::Pin, Kind::ReportToken] {
        ensure!(secrets.iter().any(|secret| secret.kind == kind), "the story had no {kind:?} to lose");
    }
    let log = world.logged();
    ensure!(
        log.contains("\"level\":\"TRACE\"") || log.contains("\"level\":\"DEBUG\""),
        "the log was not at TRACE"
    );
    for secret in [
        world.entra.client_secret(),
        world.slack.workspace().bot_token,
        world.slack.workspace().signing_secret,
        "twilio-auth-token".to_owned(),
    ] {
        ensure!(!log.contains(&secret), "a credential is in the log");
    }
    for private in ["+491701234512", "hooks.slack.com", "/commands/"] {
        ensure!(!log.contains(private), "{private} is in the log");
    }
    world.finish_unread().await
}

/// A leak through the real channel of each place is found by the same search.
#[tokio::test(flavor = "multi_thread")]
async fn a_deliberate_leak_is_found_wherever_it_happens() -> anyhow::Result<()> {
    let world = World::start().await?;
    let canary = "Canary+4711/leak";
    let contact = |kind, address: &str| Contact {
        source: ContactSource::OtherMails,
        kind,
        address: address.to_owned(),
    };
    let message = || Message { subject: canary.to_owned(), text: Revealed::new(canary.to_owned()) };
    let text = world.config_text().replace("tapdesk.db", "spare.db").replace("/ledger\"", "/spare\"");
    let config = Config::parse("spare.toml", &text)?;
    let parts = Parts::build(&config, Arc::new(world.hands.clone()), Arc::new(SystemEntropy))?;
    let workspace = world.slack.workspace().team_id;
    let ada = ChatUser { chat: "slack".into(), workspace, id: world.ada.account.id.clone() };
    tracing::trace!(target: "tapdesk", canary, "a careless line");
    let slack = parts.slack.ok_or_else(|| anyhow::anyhow!("no Slack"))?;
    tapdesk_core::ports::Chat::say(&*slack, &ada, &Card::line(canary)).await?;
    for courier in parts.couriers {
        let to = match courier.route() {
            Route::Sms => contact(ContactKind::Phone, "+491701234512"),
            Route::Email | Route::Approver | Route::Manager => {
                contact(ContactKind::Mail, "jane.doe@contoso.com")
            }
        };
        courier.send(&to, &message()).await?;
    }
    std::fs::write(world.files.path().join("ledger").join("notes"), canary)?;
    let secret = BTreeSet::from([Secret { kind: Kind::Passcode, text: canary.to_owned() }]);
    let found = check::search(&secret, &check::places(&world)?);
    for place in ["the log at TRACE", "chat messages", "text messages", "mail", "file notes"] {
        ensure!(found.iter().any(|leak| leak.contains(place)), "a leak in {place} was not found: {found:#?}");
    }
    Ok(())
}

#[test]
fn secrets_print_nothing_of_themselves() {
    let passcode = Passcode::new(b"+drkzqAD".to_vec());
    let message = Message { subject: "Your code".into(), text: Revealed::new("0123-4567-89ABC".into()) };
    let printed = format!("{passcode:?} {message:?}");
    assert!(!printed.contains("drkz") && !printed.contains("4567"), "{printed}");
}
