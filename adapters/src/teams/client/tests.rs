use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tapdesk_core::form::Purpose;
use tapdesk_core::ports::{Clock, Entropy, Store};
use tapdesk_core::ticket::Revealed;
use tempfile::TempDir;

use super::super::verify::testing::{APP, Asked, Loopback, NOW, Set, TENANT};
use super::super::{ISSUER, TOKEN_SCOPE, TeamsConfig};
use super::*;
use crate::secret::Secret;
use crate::stores::embedded::Embedded;

const JANE: &str = "7faf8511-d4b6-4a0b-8ed4-0e3ffda4f8a5";

struct CountUp(std::sync::atomic::AtomicU8);

impl Entropy for CountUp {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
    }
}

/// Teams against a service on loopback, with a store of its own.
struct Bench {
    teams: Teams,
    service: Loopback,
    clock: Arc<Set>,
    store: Arc<dyn Store>,
    _directory: TempDir,
}

impl Bench {
    /// The service grants tokens, and answers everything else as `answer` says.
    async fn with(answer: impl Fn(&Asked) -> (u16, Value) + Send + Sync + 'static) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let granted = std::sync::atomic::AtomicU32::new(0);
        let service = Loopback::answering(move |_, asked| {
            if asked.path.ends_with("/oauth2/v2.0/token") {
                let nth = granted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                return (
                    200,
                    json!({"token_type": "Bearer", "expires_in": 3599, "access_token": format!("t{nth}")}),
                );
            }
            answer(asked)
        })
        .await;
        let clock = Set::to(NOW);
        let directory = tempfile::tempdir().unwrap();
        let store: Arc<dyn Store> = Arc::new(Embedded::open(directory.path().join("store")).unwrap());
        let config = TeamsConfig {
            tenant: TENANT.parse().unwrap(),
            app_id: APP.to_owned(),
            app_secret: Secret::new("canary-secret".to_owned()),
            command: "tap".to_owned(),
            openid_url: format!("{}/openid", service.base).parse().unwrap(),
            issuer: ISSUER.to_owned(),
            authority: service.base.parse().unwrap(),
            token_scope: TOKEN_SCOPE.to_owned(),
            service_hosts: vec!["127.0.0.1".to_owned()],
            outgoing_secrets: Vec::new(),
        };
        let http = crate::http::client(crate::http::Limits::default()).unwrap();
        let entropy = Arc::new(CountUp(std::sync::atomic::AtomicU8::new(0)));
        let told = Arc::<Set>::clone(&clock) as Arc<dyn Clock>;
        let teams = Teams::new(config, http, told, entropy, Arc::clone(&store)).unwrap();
        Self { teams, service, clock, store, _directory: directory }
    }

    fn way(&self, personal: bool) -> Way {
        let conversation = if personal { "a:1" } else { "19:c@thread.tacv2;messageid=7" };
        Way {
            service_url: format!("{}/emea", self.service.base),
            conversation: conversation.to_owned(),
            user: "29:1jane".to_owned(),
            personal,
            zone: Some("Europe/Berlin".to_owned()),
        }
    }

    async fn knows(self, personal: bool) -> Self {
        let routes = Routes { learnt: vec![(jane(), self.way(personal))], gone: Vec::new() };
        self.teams.keep(&routes).await.unwrap();
        self
    }

    async fn is_known(&self) -> bool {
        self.store.conversation(&jane()).await.unwrap().is_some()
    }

    /// Method, path and token of every call of the service.
    fn calls(&self) -> Vec<String> {
        let calls = self.service.asked().into_iter().filter(|asked| asked.path.starts_with("/emea/"));
        calls.map(|asked| format!("{} {} {}", asked.method, asked.path, asked.authorization)).collect()
    }
}

fn jane() -> ChatUser {
    ChatUser { chat: ChatName::from(NAME), workspace: TENANT.to_owned(), id: JANE.to_owned() }
}

fn taken() -> (u16, Value) {
    (201, json!({"id": "1:activity"}))
}

fn refused(status: u16, code: &str) -> (u16, Value) {
    (status, json!({"error": {"code": code, "message": "…"}}))
}

fn reply(modal: Option<&str>) -> Reply {
    Reply { modal: modal.map(str::to_owned), whisper: None, to: jane() }
}

fn pin() -> PinCard {
    PinCard {
        title: "PIN to tell".to_owned(),
        before: vec!["Tell it.".to_owned()],
        pin: Revealed::new("1234 5678".to_owned()),
        after: Vec::new(),
        close: "Done".to_owned(),
    }
}

fn form() -> Form {
    Form {
        purpose: Purpose::Doubt,
        value: "opaque".to_owned(),
        title: "What looks wrong?".to_owned(),
        text: Vec::new(),
        fields: Vec::new(),
        submit: "Report".to_owned(),
        close: "Back".to_owned(),
    }
}

#[tokio::test]
async fn a_card_goes_to_the_private_chat_and_is_edited_where_it_is() {
    let bench = Bench::with(|_| taken()).await.knows(true).await;
    let message = bench.teams.say(&jane(), &Card::line("Hello")).await.unwrap();
    assert_eq!(message.message, "1:activity");
    bench.teams.edit(&message, &Card::line("Over")).await.unwrap();
    assert_eq!(
        bench.calls(),
        [
            "POST /emea/v3/conversations/a%3A1/activities Bearer t0",
            "PUT /emea/v3/conversations/a%3A1/activities/1%3Aactivity Bearer t0",
        ]
    );
    let asked = bench.service.asked();
    assert_eq!(asked[0].path, format!("/{TENANT}/oauth2/v2.0/token"));
    for part in [
        "grant_type=client_credentials",
        "client_secret=canary-secret",
        "scope=https%3A%2F%2Fapi.botframework.com",
    ] {
        assert!(asked[0].body.contains(part), "{part}");
    }
    let sent: Value = serde_json::from_str(&asked[1].body).unwrap();
    assert_eq!((&sent["type"], &sent["summary"]), (&json!("message"), &json!("Hello")));
}

#[tokio::test]
async fn whoever_was_met_in_a_channel_is_written_to_in_a_private_chat_that_is_begun_once() {
    let bench = Bench::with(|asked| {
        if asked.path.ends_with("/conversations") { (201, json!({"id": "a:new"})) } else { taken() }
    })
    .await
    .knows(false)
    .await;
    for _ in 0..2 {
        bench.teams.say(&jane(), &Card::line("Hello")).await.unwrap();
    }
    let post = "POST /emea/v3/conversations/a%3Anew/activities Bearer t0";
    assert_eq!(bench.calls(), ["POST /emea/v3/conversations Bearer t0", post, post]);
    let wanted: Value = serde_json::from_str(&bench.service.asked()[1].body).unwrap();
    assert_eq!(
        wanted,
        json!({
            "bot": {"id": format!("28:{APP}")}, "isGroup": false, "members": [{"id": "29:1jane"}],
            "tenantId": TENANT, "channelData": {"tenant": {"id": TENANT}},
        })
    );
}

#[tokio::test]
async fn whoever_blocked_or_removed_the_app_is_forgotten_and_cannot_be_asked() {
    for code in ["MessageWritesBlocked", "BotNotInConversationRoster"] {
        let bench = Bench::with(move |_| refused(403, code)).await.knows(true).await;
        let said = bench.teams.say(&jane(), &Card::line("Hello")).await;
        assert!(matches!(said, Err(SayError::Closed)), "{code}");
        assert!(!bench.is_known().await, "{code}");
    }
    let sub_code = json!({"error": {"code": "Forbidden", "subCode": "MessageWritesBlocked"}});
    let bench = Bench::with(move |_| (403, sub_code.clone())).await.knows(true).await;
    assert!(matches!(bench.teams.say(&jane(), &Card::line("Hello")).await, Err(SayError::Closed)));
    let asked = bench.calls().len();
    assert!(matches!(bench.teams.say(&jane(), &Card::line("Hello")).await, Err(SayError::Closed)));
    assert_eq!(bench.calls().len(), asked, "nobody is asked where somebody unknown is");
}

#[tokio::test]
async fn an_edit_of_a_message_that_is_gone_is_done() {
    for (status, code) in [(404, "ActivityNotFoundInConversation"), (403, "MessageWritesBlocked")] {
        let bench = Bench::with(move |_| refused(status, code)).await;
        let place = bench.way(true).place();
        let message = MessageRef {
            chat: ChatName::from(NAME),
            conversation: place.to_string(),
            message: "1".to_owned(),
        };
        bench.teams.edit(&message, &Card::line("Over")).await.unwrap();
    }
}

#[tokio::test]
async fn what_passes_is_tried_again_later_and_what_stays_is_not() {
    for status in [429, 412, 500, 502, 503, 504] {
        let bench = Bench::with(move |_| refused(status, "Busy")).await.knows(true).await;
        let Err(SayError::Port(PortError::Retry { after, .. })) =
            bench.teams.say(&jane(), &Card::line("x")).await
        else {
            panic!("{status}")
        };
        assert_eq!(after, Some(Duration::from_secs(7)), "{status}");
        assert!(bench.is_known().await);
    }
    for (status, code) in [(413, "MessageSizeTooBig"), (403, "BotDisabledByAdmin"), (400, "BadSyntax")] {
        let bench = Bench::with(move |_| refused(status, code)).await.knows(true).await;
        let said = bench.teams.say(&jane(), &Card::line("x")).await;
        assert!(matches!(said, Err(SayError::Port(PortError::Fatal { .. }))), "{code}");
    }
}

#[tokio::test]
async fn a_token_is_kept_until_five_minutes_before_its_end_and_renewed_once_when_refused() {
    let bench =
        Bench::with(|asked| if asked.authorization == "Bearer t1" { (401, json!({})) } else { taken() })
            .await
            .knows(true)
            .await;
    let say = async || bench.teams.say(&jane(), &Card::line("x")).await;
    say().await.unwrap();
    bench.clock.on(3298);
    say().await.unwrap();
    bench.clock.on(1);
    say().await.unwrap();
    let tokens: Vec<String> =
        bench.calls().iter().map(|call| call.rsplit_once(' ').unwrap().1.to_owned()).collect();
    assert_eq!(tokens, ["t0", "t0", "t1", "t2"]);
    let bench = Bench::with(|_| (401, json!({}))).await.knows(true).await;
    let said = bench.teams.say(&jane(), &Card::line("x")).await;
    assert!(matches!(said, Err(SayError::Port(PortError::Fatal { .. }))));
    assert_eq!(bench.calls().len(), 2);
}

#[tokio::test]
async fn no_token_goes_to_a_service_that_is_not_on_the_list() {
    let bench = Bench::with(|_| taken()).await;
    let elsewhere = Way { service_url: "https://evil.example".to_owned(), ..bench.way(true) };
    let routes = Routes { learnt: vec![(jane(), elsewhere)], gone: Vec::new() };
    bench.teams.keep(&routes).await.unwrap();
    let said = bench.teams.say(&jane(), &Card::line("x")).await;
    assert!(matches!(said, Err(SayError::Port(PortError::Fatal { .. }))));
    assert_eq!(bench.service.asked().len(), 0, "not even a token is asked for");
}

#[tokio::test]
async fn a_member_is_vouched_for_by_object_id_and_guests_and_strangers_are_not() {
    let member = |changes: &[(&str, Value)]| {
        let mut member = json!({
            "id": "29:1jane", "aadObjectId": JANE, "objectId": JANE, "email": "ceo@contoso.com",
            "userPrincipalName": "ceo@contoso.com", "tenantId": TENANT, "userRole": "user",
        });
        for (key, value) in changes {
            member[*key] = value.clone();
        }
        member
    };
    let person: PersonId = JANE.parse().unwrap();
    let elsewhere = json!("99999999-0000-4000-8000-000000000009");
    for (member, expected) in [
        (member(&[]), Vouched::Object(person)),
        (member(&[("userRole", json!("guest"))]), Vouched::Nobody(NotVouched::Guest)),
        (member(&[("userRole", json!("anonymous"))]), Vouched::Nobody(NotVouched::Stranger)),
        (member(&[("tenantId", elsewhere.clone())]), Vouched::Nobody(NotVouched::Stranger)),
        (member(&[("aadObjectId", elsewhere)]), Vouched::Nobody(NotVouched::Stranger)),
    ] {
        let answer = member.clone();
        let bench = Bench::with(move |_| (200, answer.clone())).await.knows(true).await;
        assert_eq!(bench.teams.vouch(&jane()).await.unwrap(), expected, "{member}");
        assert_eq!(bench.calls(), ["GET /emea/v3/conversations/a%3A1/members/29%3A1jane Bearer t0"]);
    }
}

#[tokio::test]
async fn somebody_mentioned_is_whom_teams_says_and_somebody_picked_whom_the_directory_says() {
    let answer = json!({"id": "29:1jane", "aadObjectId": JANE, "tenantId": TENANT, "userRole": "user"});
    let bench = Bench::with(move |_| (200, answer.clone())).await;
    let mentioned = ChatUser { id: "29:1jane".to_owned(), ..jane() };
    assert_eq!(bench.teams.vouch(&mentioned).await.unwrap(), Vouched::Nobody(NotVouched::Gone));
    assert_eq!(bench.teams.vouch(&jane()).await.unwrap(), Vouched::Object(JANE.parse().unwrap()));
    let routes = Routes { learnt: vec![(mentioned.clone(), bench.way(false))], gone: Vec::new() };
    bench.teams.keep(&routes).await.unwrap();
    assert_eq!(bench.teams.vouch(&mentioned).await.unwrap(), Vouched::Object(JANE.parse().unwrap()));
}

fn person() -> Person {
    Person {
        id: JANE.parse().unwrap(),
        name: "Jane".to_owned(),
        upn: "jane@contoso.com".to_owned(),
        mail: None,
        enabled: true,
        member: true,
        management_restricted: false,
        mobile_phone: None,
        other_mails: Vec::new(),
    }
}

#[tokio::test]
async fn a_guest_somebody_else_and_somebody_who_is_gone_have_no_account_here() {
    let member = |id: &str, role: &str| json!({"aadObjectId": id, "tenantId": TENANT, "userRole": role});
    let closed = json!({"error": {"code": "BotNotInConversationRoster", "message": "…"}});
    let gone = json!({"error": {"code": "MemberNotFoundInConversation", "message": "…"}});
    for (status, answer, is_kept) in [
        (200, member(JANE, "guest"), true),
        (200, member("f1d1b1a1-0000-4000-8000-000000000001", "user"), true),
        (404, gone, true),
        (403, closed, false),
    ] {
        let bench = Bench::with(move |_| (status, answer.clone())).await.knows(true).await;
        assert_eq!(bench.teams.account_of(&person()).await.unwrap(), None);
        assert_eq!(bench.is_known().await, is_kept, "{status}");
    }
    let bench = Bench::with(|_| (502, json!({}))).await.knows(true).await;
    assert!(bench.teams.account_of(&person()).await.is_err(), "nobody is left out for an outage");
}

#[tokio::test]
async fn only_who_was_met_has_an_account_here() {
    let answer = json!({"id": "29:1jane", "aadObjectId": JANE, "tenantId": TENANT, "userRole": "user"});
    let bench = Bench::with(move |_| (200, answer.clone())).await;
    let person = person();
    assert_eq!(bench.teams.account_of(&person).await.unwrap(), None);
    let bench = bench.knows(true).await;
    let account = bench.teams.account_of(&person).await.unwrap().unwrap();
    assert_eq!((account.user, account.zone), (jane(), "Europe/Berlin".parse().ok()));
    let elsewhere = Routes { learnt: Vec::new(), gone: vec![(jane(), "19:other".to_owned())] };
    bench.teams.keep(&elsewhere).await.unwrap();
    assert!(bench.is_known().await, "leaving another conversation changes nothing");
    let removed = Routes { learnt: Vec::new(), gone: vec![(jane(), "a:1".to_owned())] };
    bench.teams.keep(&removed).await.unwrap();
    assert_eq!(bench.teams.account_of(&person).await.unwrap(), None);
}

#[tokio::test]
async fn a_pin_is_shown_in_the_dialog_that_waits_for_it_and_nowhere_else() {
    let bench = Bench::with(|_| taken()).await.knows(true).await;
    let mut pending = bench.teams.wait_in_dialog();
    bench.teams.reveal(&reply(Some(pending.handle())), &pin()).await.unwrap();
    let said = pending.answer().await.unwrap();
    assert!(said.is_secret && said.body.contains("1234 5678"));
    let handle = pending.handle().to_owned();
    assert!(bench.teams.reveal(&reply(Some(&handle)), &pin()).await.is_err(), "once");
    let late = bench.teams.wait_in_dialog();
    let handle = late.handle().to_owned();
    drop(late);
    assert!(bench.teams.reveal(&reply(Some(&handle)), &pin()).await.is_err(), "nobody waits");
    let in_card = bench.teams.wait_in_card();
    assert!(bench.teams.reveal(&reply(Some(in_card.handle())), &pin()).await.is_err(), "no dialog");
    assert!(bench.teams.reveal(&reply(None), &pin()).await.is_err(), "a message");
    assert_eq!(bench.calls(), Vec::<String>::new());
}

#[tokio::test]
async fn an_answer_goes_to_the_invoke_that_waits_and_later_to_the_private_chat() {
    let bench = Bench::with(|_| taken()).await.knows(true).await;
    let mut pending = bench.teams.wait_in_card();
    let reply = reply(Some(pending.handle()));
    bench.teams.whisper(&reply, &Card::line("Not yours.")).await.unwrap();
    let said: Value = serde_json::from_str(&pending.answer().await.unwrap().body).unwrap();
    let kind = "application/vnd.microsoft.activity.message";
    assert_eq!(said, json!({"statusCode": 200, "type": kind, "value": "Not yours."}));
    assert_eq!(bench.calls().len(), 0);
    bench.teams.whisper(&reply, &Card::line("Later.")).await.unwrap();
    assert_eq!(bench.calls().len(), 1);
}

#[tokio::test]
async fn a_form_opens_in_the_dialog_that_waits_or_is_a_message() {
    let bench = Bench::with(|_| taken()).await.knows(true).await;
    let mut pending = bench.teams.wait_in_dialog();
    bench.teams.open_form(&reply(Some(pending.handle())), &form()).await.unwrap();
    let said: Value = serde_json::from_str(&pending.answer().await.unwrap().body).unwrap();
    assert_eq!(said["task"]["type"], "continue");
    assert_eq!(said["task"]["value"]["title"], "What looks wrong?");
    bench.teams.open_form(&reply(None), &form()).await.unwrap();
    assert_eq!(bench.calls(), ["POST /emea/v3/conversations/a%3A1/activities Bearer t0"]);
}

#[tokio::test]
async fn an_invoke_to_which_nothing_is_said_is_not_waited_for() {
    let bench = Bench::with(|_| taken()).await;
    let mut pending = bench.teams.wait_in_card();
    bench.teams.wait_no_more(pending.handle());
    assert!(pending.answer().await.is_none());
}

#[tokio::test]
async fn a_channel_gets_one_line_below_what_was_written_there() {
    let bench = Bench::with(|_| taken()).await;
    let among = Among { place: bench.way(false).place(), message: "42".to_owned() };
    bench.teams.note(&among, &Card::line("I answered *in private*.")).await.unwrap();
    let asked = bench.service.asked().pop().unwrap();
    assert_eq!(asked.path, "/emea/v3/conversations/19%3Ac%40thread.tacv2%3Bmessageid%3D7/activities/42");
    let sent: Value = serde_json::from_str(&asked.body).unwrap();
    assert_eq!(sent, json!({"type": "message", "text": r"I answered \*in private\*."}));
}
