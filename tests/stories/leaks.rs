//! Where do passcode, code and PIN end up, and would it show if they ended up elsewhere?

use std::collections::BTreeSet;
use std::panic::catch_unwind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use anyhow::{Context as _, ensure};
use async_trait::async_trait;
use tapdesk::app::Parts;
use tapdesk::system::SystemEntropy;
use tapdesk_core::card::{Card, PinCard};
use tapdesk_core::form::Form;
use tapdesk_core::ids::{ChatName, ChatUser, RequestId};
use tapdesk_core::inbound::Ask;
use tapdesk_core::ledger::Record;
use tapdesk_core::pass::{NewPass, Passcode};
use tapdesk_core::people::{Contact, ContactKind, ContactSource, Naming, Person};
use tapdesk_core::policy::Route;
use tapdesk_core::ports::{
    Abilities, Account, Chat, Commit, Courier, Entropy, Home, Ledger, Message, PortError, Reply,
    RequesterCap, SayError, Store, Vouched,
};
use tapdesk_core::request::{Asker, MessageRef, Request};
use tapdesk_core::ticket::{Client, Code, Pin, ReportToken, Revealed};
use tapdesk_tests::chance;
use tapdesk_tests::check::{self, Kind, Place, Secret};
use tapdesk_tests::forge::Knock;
use tapdesk_tests::wire::lock;
use tapdesk_tests::world::{Setting, World};

/// The main path with every way to fail that shows somebody an answer: wrong PINs, a lost response, another browser,
/// a link that a gateway encoded, a report.
async fn an_eventful_claim(world: &World) -> anyhow::Result<Vec<String>> {
    let (code, pin) = world.ticket_for_jane().await?;
    let mut answers = Vec::new();
    let encoded = Knock::new(reqwest::Method::GET, &format!("/c%23{code}"));
    answers.push(world.knock(&encoded).await?.body);
    answers.push(world.knock(&Knock { path: format!("/{code}"), ..encoded }).await?.body);
    let browser = world.browser();
    answers.push(format!("{:?}", browser.status(&code).await?));
    for wrong in ["00000000", "99999999"] {
        answers.push(format!("{:?}", browser.claim(&code, wrong).await?));
    }
    answers.push(format!("{:?}", browser.claim("no code", &pin).await?));
    answers.push(format!("{:?}", browser.claim(&code, &format!("{pin}0")).await?));
    let lost = browser.claim(&code, &pin).await?.passcode()?;
    answers.push(format!("{:?}", world.browser().claim(&code, &pin).await?));
    let seen = browser.claims_and_sees(&code, &pin).await?;
    ensure!(lost != seen, "a pass was shown a second time");
    answers.push(format!("{:?}", world.browser().claim(&code, &pin).await?));
    world.settle().await?;
    answers.push(format!("{:?}", browser.report(&code).await?));
    answers.push(format!("{:?}", browser.claim(&code, &pin).await?));
    answers.push(format!("{:?}", browser.status(&code).await?));
    world.settle().await?;
    Ok(answers)
}

#[tokio::test(flavor = "multi_thread")]
async fn passcode_nowhere() -> anyhow::Result<()> {
    let world = World::start().await?;
    let answers = an_eventful_claim(&world).await?;
    let secrets = check::secrets(&world);
    let kinds = [Kind::Passcode, Kind::Code, Kind::Pin, Kind::ReportToken];
    let handle = world.chat.has_handles().then_some(Kind::Handle);
    for kind in kinds.into_iter().chain([Kind::Credential, Kind::Personal]).chain(handle) {
        ensure!(secrets.iter().any(|secret| secret.kind == kind), "the story had no {kind:?} to lose");
    }
    // The owner of the code is told for whom the pass is; nothing else of anybody comes back.
    let mut places = check::places(&world)?;
    places.push(Place::new("answers other than the pass", answers.join("\n"), &[]));
    let found = check::search(&secrets, &places);
    ensure!(found.is_empty(), "{found:#?}");
    let log = world.logged();
    ensure!(log.contains("\"level\":\"DEBUG\""), "the log was not at TRACE");
    for asked in ["/c%23", "c#", "chat.postMessage?", "lookupByEmail?", "/authentication/phoneMethods/"] {
        ensure!(!log.contains(asked), "{asked} is in the log");
    }
    for body in
        ["temporaryAccessPass\\\"", "displayName", "userPrincipalName", "access_token", "client_secret"]
    {
        ensure!(!log.contains(body), "a body of Graph is in the log: {body}");
    }
    world.finish_unread().await
}

/// The parts of a running tapdesk, for leaks through its own channels.
#[derive(Clone, Default)]
struct Channels {
    kept: Arc<Mutex<Option<Kept>>>,
    /// What stands above the next PIN, although it must not.
    above_pin: Arc<Mutex<Option<String>>>,
}

/// A chat that shows more than a PIN.
struct Careless {
    inner: Arc<dyn Chat>,
    above_pin: Arc<Mutex<Option<String>>>,
}

#[async_trait]
impl Chat for Careless {
    fn name(&self) -> ChatName {
        self.inner.name()
    }

    fn abilities(&self) -> Abilities {
        self.inner.abilities()
    }

    fn command(&self) -> &str {
        self.inner.command()
    }

    async fn say(&self, to: &ChatUser, card: &Card) -> Result<MessageRef, SayError> {
        self.inner.say(to, card).await
    }

    async fn edit(&self, message: &MessageRef, card: &Card) -> Result<(), PortError> {
        self.inner.edit(message, card).await
    }

    async fn whisper(&self, reply: &Reply, card: &Card) -> Result<(), PortError> {
        self.inner.whisper(reply, card).await
    }

    async fn reveal(&self, reply: &Reply, card: &PinCard) -> Result<(), PortError> {
        let Some(text) = lock(&self.above_pin).take() else { return self.inner.reveal(reply, card).await };
        let careless = PinCard {
            title: "PIN to tell".to_owned(),
            before: vec![text],
            pin: Revealed::new("0000".to_owned()),
            after: Vec::new(),
            close: "Done".to_owned(),
        };
        self.inner.reveal(reply, &careless).await
    }

    async fn open_form(&self, reply: &Reply, form: &Form) -> Result<(), PortError> {
        self.inner.open_form(reply, form).await
    }

    async fn show_home(&self, to: &ChatUser, seen: Option<&str>, card: &Card) -> Result<Home, PortError> {
        self.inner.show_home(to, seen, card).await
    }

    async fn vouch(&self, user: &ChatUser) -> Result<Vouched, PortError> {
        self.inner.vouch(user).await
    }

    async fn account_of(&self, person: &Person) -> Result<Option<Account>, PortError> {
        self.inner.account_of(person).await
    }
}

struct Kept {
    chat: Arc<dyn Chat>,
    couriers: Vec<Arc<dyn Courier>>,
    ledger: Arc<dyn Ledger>,
    store: Arc<dyn Store>,
}

impl Channels {
    fn keep(&self, parts: &mut Parts) {
        let Some(first) = parts.chats.first_mut() else { return };
        let chat: Arc<dyn Chat> =
            Arc::new(Careless { inner: Arc::clone(first), above_pin: Arc::clone(&self.above_pin) });
        *first = Arc::clone(&chat);
        let (couriers, ledger) = (parts.couriers.clone(), Arc::clone(&parts.ledger));
        *lock(&self.kept) = Some(Kept { chat, couriers, ledger, store: Arc::clone(&parts.store) });
    }
}

impl Kept {
    /// Lets the text out wherever a careless line of code could.
    async fn leak(&self, world: &World, text: &str) -> anyhow::Result<()> {
        let mary = world.mary.account.user();
        tracing::trace!(target: "tapdesk_core::desk", careless = text, "a careless line");
        self.chat.say(&mary, &Card::line(text)).await?;
        for courier in &self.couriers {
            let (kind, address) = match courier.route() {
                Route::Sms => (ContactKind::Phone, "+491701234512"),
                Route::Email | Route::Approver | Route::Manager => {
                    (ContactKind::Mail, "jane.doe@contoso.com")
                }
            };
            let to = Contact { source: ContactSource::OtherMails, kind, address: address.to_owned() };
            courier
                .send(
                    &to,
                    &Message { subject: "News".into(), text: Revealed::new(text.to_owned()), mark: None },
                )
                .await?;
        }
        let now = world.hands.now();
        let head = self.ledger.append(vec![Record::service(now, "careless").with("line", text)]).await?;
        let id = RequestId::fresh(&SystemEntropy);
        let subject = Naming::Address("jane.doe@contoso.com".to_owned());
        let change = Request::open(id, Asker::Account(mary), Ask::new(subject, text.to_owned()), now);
        let delivery = Some(tapdesk_core::ids::DeliveryId(text.to_owned()));
        let commit = Commit { request: change.next, tasks: Vec::new(), head, delivery, fresh_tries: false };
        self.store
            .open(commit, RequesterCap { most: 99, window: std::time::Duration::from_secs(1) }, now)
            .await?;
        metrics::counter!("tapdesk_careless_total", "label" => text.to_owned()).increment(1);
        std::fs::write(world.files.path().join("ledger").join("notes"), text)?;
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deliberate_leak_is_found_wherever_it_happens() -> anyhow::Result<()> {
    let channels = Channels::default();
    let keep = channels.clone();
    let fit = Arc::new(move |parts: &mut Parts| keep.keep(parts));
    let world = World::with(Setting { fit, ..Setting::default() }).await?;
    an_eventful_claim(&world).await?;
    ensure!(
        check::search(&check::secrets(&world), &check::places(&world)?).is_empty(),
        "it leaked by itself"
    );
    world.advance(std::time::Duration::from_hours(2)).await?;
    let kim = world.colleague("Kim Kunde", "kim.kunde@contoso.com");
    kim.person.manager(&world.mary.person).mobile("+491709876543");
    world.types(&world.ada, "for kim.kunde@contoso.com left the phone in a taxi").await;
    world.settle().await?;
    // What is this story's alone, as it really was; where other stories have the same, something made up.
    let mut leaked = BTreeSet::<Secret>::new();
    for kind in [Kind::Passcode, Kind::Code, Kind::Pin, Kind::ReportToken] {
        leaked.extend(check::secrets(&world).into_iter().find(|secret| secret.kind == kind));
    }
    for kind in [Kind::Credential, Kind::Handle, Kind::Personal] {
        leaked
            .insert(Secret { kind, text: chance::text("canary", "abcdefghjkmnpqrstuvwxyz23456789+/\"", 20) });
    }
    ensure!(leaked.len() == 7, "{leaked:?}");
    let texts: Vec<&str> = leaked.iter().map(|secret| secret.text.as_str()).collect();
    *lock(&channels.above_pin) = Some(format!("({})", texts.join(") (")));
    world.presses(&world.mary, "Approve").await?;
    world.presses(&world.mary, "Show PIN").await?;
    let kept = lock(&channels.kept).take().context("tapdesk has started")?;
    kept.leak(&world, &format!("({})", texts.join(") ("))).await?;
    drop(kept);
    let places = check::places(&world)?;
    let found = check::search(&leaked, &places);
    let mut looked_at = 0;
    // The locks are empty files that hold nothing of anybody, and some files of Redis tapdesk has no way into.
    let redis_alone = [".base.rdb", ".manifest", ".acl"];
    let is_open = |place: &&Place| {
        !place.content.is_empty() && !redis_alone.iter().any(|suffix| place.name.ends_with(suffix))
    };
    for place in places.iter().filter(is_open) {
        for secret in leaked.iter().filter(|secret| !place.may_hold.contains(&secret.kind)) {
            // Each place has its own way to write it: Slack escapes what JSON does not, and JSON what text does not.
            let leak = format!("{:?} in {} (", secret.kind, place.name);
            ensure!(
                found.iter().any(|found| found.starts_with(&leak)),
                "not found: {leak}…), but {found:#?}"
            );
            looked_at += 1;
        }
    }
    ensure!(looked_at > 40, "only {looked_at} leaks were looked at in {} places", places.len());
    // And the check at the end of every story would have stopped this one.
    let error = world.finish_unread().await.expect_err("a story that leaks must not pass").to_string();
    ensure!(error.contains("secrets leaked") && error.contains("Passcode in chat messages"), "{error}");
    Ok(())
}

#[test]
fn secrets_print_nothing_of_themselves() -> anyhow::Result<()> {
    let code = Code::parse("0123456789ABC")?;
    let printed = [
        format!("{:?}", Passcode::new(b"0123456789ABC".to_vec())),
        format!("{:?} {:?}", code.reveal(), code),
        format!("{:?}", Pin::parse("01234567")?),
        format!("{:?}", Client::parse("0123456789abcdef0123456789abcdef")?),
        format!("{:?}", ReportToken::parse("0123456789ABCDEFGHJKMNPQRS")?),
        format!("{:?}", tapdesk_adapters::secret::Secret::new("0123456789ABC".to_owned())),
        format!(
            "{:?}",
            Message { subject: "Your code".into(), text: Revealed::new("0123-4567".into()), mark: None }
        ),
    ];
    for text in printed {
        assert!(!text.contains("0123"), "{text}");
    }
    let assert_debug = |_: fn(&NewPass) -> String| ();
    assert_debug(|pass| format!("{pass:?}"));
    Ok(())
}

/// Randomness that fails in the worst way: with a secret in its last words.
struct Failing {
    armed: Arc<AtomicBool>,
}

const LAST_WORDS: &str = "LastWords+4711";

impl Entropy for Failing {
    fn fill(&self, bytes: &mut [u8]) {
        assert!(!self.armed.swap(false, Ordering::Relaxed), "no randomness while {LAST_WORDS} was in hand");
        SystemEntropy.fill(bytes);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_in_a_handler_is_survived_and_its_words_go_nowhere() -> anyhow::Result<()> {
    let armed = Arc::new(AtomicBool::new(false));
    let entropy: Arc<dyn Entropy> = Arc::new(Failing { armed: Arc::clone(&armed) });
    let fit = Arc::new(move |parts: &mut Parts| parts.entropy = Arc::clone(&entropy));
    let world = World::with(Setting { fit, ..Setting::default() }).await?;
    world.ada_asks_for_jane().await?;
    world.presses(&world.mary, "Approve").await?;
    armed.store(true, Ordering::Relaxed);
    world.presses(&world.mary, "Show PIN").await?;
    ensure!(!armed.load(Ordering::Relaxed), "nothing panicked");
    // No PIN: what a chat shows where one would stand says why.
    let window = world.chat.modal(&world.mary.account).map(|view| view.visible_text());
    let told = window.unwrap_or_else(|| world.reads(&world.mary).join("\n"));
    ensure!(told.contains("I could not confirm that this was stored"), "{told}");
    ensure!(world.pin_before(&world.mary).is_err(), "a PIN is shown");
    world.presses(&world.mary, "Show PIN").await?;
    let (code, pin) = (world.code_at("+491701234512")?, world.pin_before(&world.mary)?);
    world.browser().claims_and_sees(&code, &pin).await?;
    world.settle().await?;
    // The panic of the hook itself, which the whole process would share, is played apart from the story.
    let usual = std::panic::take_hook();
    tapdesk::telemetry::hide_panic_payloads();
    let unwound = catch_unwind(|| assert!(LAST_WORDS.is_empty(), "{LAST_WORDS}"));
    std::panic::set_hook(usual);
    ensure!(unwound.is_err());
    let log = world.logged();
    ensure!(log.contains("a task panicked") && log.contains("leaks.rs"), "the panic was not logged");
    ensure!(!log.contains(LAST_WORDS), "a panic's words are in the log");
    world.everybody_reads();
    world.finish_unread().await
}
