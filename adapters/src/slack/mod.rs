//! What does Slack need to be one of tapdesk's chats?
//!
//! Inbound: [`Slack::receive`] turns the raw bytes of a signed request into a wish of the core, or says how to
//! answer it otherwise. Outbound: [`Slack`] implements the core's `Chat`. Slack vouches for people by a mail
//! address, which counts only where the configuration says that the workspace enforces single sign-on.

mod client;
mod parse;
mod render;
mod verify;

use std::fmt;
use std::sync::Arc;

use reqwest::header::{HeaderMap, HeaderValue};
use serde_json::{Value, json};
use tapdesk_core::card::Card;
use tapdesk_core::ports::Clock;
use url::Url;
use zeroize::Zeroizing;

use crate::secret::Secret;
use client::Conversations;
use parse::Ours;

pub use parse::{NotOurs, Parsed, Surface};
pub use render::form::mend;
pub use verify::NotVerified;

/// The name of this chat in every `ChatUser` and `MessageRef`.
pub const NAME: &str = "slack";
/// Where Slack's Web API is, unless the configuration says otherwise.
pub const BASE_URL: &str = "https://slack.com/api/";

/// Everything about Slack that an organisation decides.
pub struct SlackConfig {
    /// Where the Web API is, usually [`BASE_URL`]; plain HTTP only on loopback.
    pub base_url: Url,
    /// The app's signing secret, or two while it is replaced.
    pub signing_secrets: Vec<Secret>,
    /// The bot token, `xoxb-…`.
    pub bot_token: Secret,
    /// The app's id, `A…`: requests of other apps are refused.
    pub app_id: String,
    /// Workspaces (`T…`) and organisations (`E…`) whose people may act. Never empty.
    pub teams: Vec<String>,
    /// Whether a mail address in a Slack profile proves who somebody is: only where single sign-on is enforced.
    pub trust_email: bool,
    /// Further hosts, `name` or `name:port`, that ephemeral answers may be posted to. Slack's own are known.
    pub response_hosts: Vec<String>,
    /// The slash command, as the app's manifest names it.
    pub command: String,
}

/// A configuration that would be unsafe or cannot work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Misconfigured {
    /// No signing secret, more than two, or an empty one, whose signatures anybody could make.
    #[error("Slack needs one signing secret, or two while they rotate, none of them empty")]
    SigningSecrets,
    /// A token that cannot be sent.
    #[error("Slack's bot token is empty or has characters that no token has")]
    BotToken,
    /// No app id.
    #[error("Slack's app_id is empty")]
    AppId,
    /// Nobody is allowed: an empty list must not come to mean everybody.
    #[error("Slack's list of teams is empty or has an empty entry")]
    Teams,
    /// The token would travel in the clear.
    #[error("Slack's base_url has to be https, except on loopback")]
    BaseUrl,
}

/// What a raw request turned out to be; [`Slack::receive`] says how each is answered.
pub type Received = Result<Parsed, NotVerified>;

/// Slack, both directions.
pub struct Slack {
    base: Url,
    signing_secrets: Vec<Secret>,
    authorization: HeaderValue,
    ours: Ours,
    trust_email: bool,
    command: String,
    http: reqwest::Client,
    clock: Arc<dyn Clock>,
    conversations: Conversations,
}

impl Slack {
    /// Joins the configuration with the one HTTP client; does no I/O.
    pub fn new(
        config: SlackConfig,
        http: reqwest::Client,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Misconfigured> {
        config.check()?;
        Ok(Self {
            base: with_trailing_slash(config.base_url),
            authorization: bearer(&config.bot_token)?,
            signing_secrets: config.signing_secrets,
            ours: Ours { app_id: config.app_id, teams: config.teams, response_hosts: config.response_hosts },
            trust_email: config.trust_email,
            command: config.command,
            http,
            clock,
            conversations: Conversations::default(),
        })
    }

    /// Verifies, parses and checks against the allow-list, in this order; does no I/O.
    ///
    /// Answers, each with an empty body unless said otherwise: `Err` 401 · [`Parsed::Inbound`] 200 once it is
    /// durable, with [`acknowledge`] for a command · [`Parsed::SslCheck`] and [`Parsed::NotForUs`] 200 ·
    /// [`Parsed::UrlVerification`] 200 with the challenge as `text/plain` · [`Parsed::Refused`] 403 ·
    /// [`Parsed::Malformed`] 400.
    pub fn receive(&self, surface: Surface, headers: &HeaderMap, body: &[u8]) -> Received {
        verify::verify(headers, body, &self.signing_secrets, self.clock.now())?;
        Ok(parse::parse(surface, body, &self.ours))
    }
}

/// The answer to a command: a card that only the sender sees. It never echoes the command, which may hold
/// personal data.
#[must_use]
pub fn acknowledge(card: &Card) -> Value {
    let mut answer = render::message(card);
    answer["response_type"] = json!("ephemeral");
    answer
}

impl SlackConfig {
    fn check(&self) -> Result<(), Misconfigured> {
        let secrets = &self.signing_secrets;
        if !(1..=2).contains(&secrets.len()) || secrets.iter().any(|secret| secret.expose().is_empty()) {
            return Err(Misconfigured::SigningSecrets);
        }
        if self.app_id.is_empty() {
            return Err(Misconfigured::AppId);
        }
        if self.teams.is_empty() || self.teams.iter().any(String::is_empty) {
            return Err(Misconfigured::Teams);
        }
        if is_safe(&self.base_url) { Ok(()) } else { Err(Misconfigured::BaseUrl) }
    }
}

impl fmt::Debug for SlackConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SlackConfig")
            .field("base_url", &self.base_url.as_str())
            .field("app_id", &self.app_id)
            .field("teams", &self.teams)
            .field("trust_email", &self.trust_email)
            .field("response_hosts", &self.response_hosts)
            .finish_non_exhaustive()
    }
}

/// Whether a secret may travel to `url`: https anywhere, http only within this machine.
fn is_safe(url: &Url) -> bool {
    let loopback = match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    };
    url.scheme() == "https" || (url.scheme() == "http" && loopback)
}

/// Without the slash, joining a method's name would replace the last segment.
fn with_trailing_slash(mut url: Url) -> Url {
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    url
}

fn bearer(token: &Secret) -> Result<HeaderValue, Misconfigured> {
    if token.expose().is_empty() {
        return Err(Misconfigured::BotToken);
    }
    let text = Zeroizing::new(format!("Bearer {}", token.expose()));
    let mut value = HeaderValue::from_str(&text).map_err(|_| Misconfigured::BotToken)?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use jiff::Timestamp;
    use tapdesk_core::card::PinCard;
    use tapdesk_core::ids::{ChatName, ChatUser};
    use tapdesk_core::people::Person;
    use tapdesk_core::ports::{Chat, NotVouched, PortError, Reply, Vouched};
    use tapdesk_core::request::MessageRef;
    use tapdesk_core::ticket::Revealed;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    const NOW: i64 = 1_700_000_000;

    struct Fixed;

    impl Clock for Fixed {
        fn now(&self) -> Timestamp {
            Timestamp::from_second(NOW).unwrap()
        }
    }

    fn config(base_url: &str) -> SlackConfig {
        SlackConfig {
            base_url: base_url.parse().unwrap(),
            signing_secrets: vec![Secret::new("canary-signing".to_owned())],
            bot_token: Secret::new("xoxb-canary".to_owned()),
            app_id: "A1".to_owned(),
            teams: vec!["T1".to_owned()],
            trust_email: true,
            response_hosts: vec!["127.0.0.1".to_owned()],
            command: "/tap".to_owned(),
        }
    }

    fn slack(config: SlackConfig) -> Result<Slack, Misconfigured> {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        Slack::new(config, crate::http::client(crate::http::Limits::default()).unwrap(), Arc::new(Fixed))
    }

    /// Answers calls with the given bodies in turn and keeps what was asked.
    struct Script {
        base: String,
        asked: Arc<Mutex<Vec<String>>>,
    }

    impl Script {
        async fn of(answers: &[(u16, Value)]) -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let base = format!("http://{}/api", listener.local_addr().unwrap());
            let asked = Arc::new(Mutex::new(Vec::new()));
            let (answers, log) = (answers.to_vec(), Arc::clone(&asked));
            tokio::spawn(async move {
                for (status, body) in answers {
                    let (mut stream, _) = listener.accept().await.unwrap();
                    let request = read(&mut stream).await;
                    log.lock().unwrap().push(request);
                    answer(&mut stream, status, &body.to_string()).await;
                }
            });
            Self { base, asked }
        }

        fn slack(&self) -> Slack {
            slack(config(&self.base)).unwrap()
        }

        /// Method and body of every call, once all answers were fetched.
        fn asked(&self) -> Vec<(String, String)> {
            let asked = self.asked.lock().unwrap();
            let split = |request: &String| {
                let (head, body) = request.split_once("\r\n\r\n").unwrap();
                let path = head.split(' ').nth(1).unwrap().trim_start_matches("/api/").to_owned();
                let authorized = head.to_lowercase().contains("authorization: bearer xoxb-canary");
                assert_eq!(authorized, !path.starts_with('/'), "the token goes to the Web API only");
                (path, body.to_owned())
            };
            asked.iter().map(split).collect()
        }

        fn methods(&self) -> Vec<String> {
            self.asked().into_iter().map(|(method, _)| method).collect()
        }
    }

    async fn read(stream: &mut TcpStream) -> String {
        let mut request = String::new();
        let mut bytes = [0; 4096];
        while !is_whole(&request) {
            let read = stream.read(&mut bytes).await.unwrap();
            request.push_str(std::str::from_utf8(&bytes[..read]).unwrap());
        }
        request
    }

    async fn answer(stream: &mut TcpStream, status: u16, body: &str) {
        let length = body.len();
        let head = format!("HTTP/1.1 {status} x\r\nretry-after: 7\r\nconnection: close\r\n");
        let answer = format!("{head}content-length: {length}\r\n\r\n{body}");
        stream.write_all(answer.as_bytes()).await.unwrap();
    }

    fn is_whole(request: &str) -> bool {
        let Some((head, body)) = request.split_once("\r\n\r\n") else { return false };
        let length = head
            .to_lowercase()
            .split_once("content-length: ")
            .map_or(0, |(_, rest)| rest.split("\r\n").next().unwrap().parse().unwrap());
        body.len() >= length
    }

    fn ok() -> (u16, Value) {
        (200, json!({"ok": true}))
    }

    fn error(error: &str) -> (u16, Value) {
        (200, json!({"ok": false, "error": error}))
    }

    fn opened() -> (u16, Value) {
        (200, json!({"ok": true, "channel": {"id": "D1"}}))
    }

    fn posted() -> (u16, Value) {
        (200, json!({"ok": true, "channel": "D1", "ts": "1.2"}))
    }

    fn profile(email: &str) -> (u16, Value) {
        (200, json!({"ok": true, "user": {"id": "U7", "team_id": "T1", "profile": {"email": email}}}))
    }

    fn user() -> ChatUser {
        ChatUser { chat: ChatName::from(NAME), workspace: "T1".to_owned(), id: "U7".to_owned() }
    }

    fn reply(whisper: Option<String>) -> Reply {
        Reply { modal: Some("trigger".to_owned()), whisper, to: user() }
    }

    fn place() -> MessageRef {
        MessageRef { chat: ChatName::from(NAME), conversation: "D1".to_owned(), message: "1.2".to_owned() }
    }

    fn jane() -> Person {
        Person {
            id: "00000000-0000-4000-8000-000000000001".parse().unwrap(),
            name: "Jane".to_owned(),
            upn: "Jane.Doe@contoso.com".to_owned(),
            mail: Some("jane@contoso.com".to_owned()),
            enabled: true,
            member: true,
            management_restricted: false,
            mobile_phone: None,
            other_mails: Vec::new(),
        }
    }

    #[tokio::test]
    async fn a_card_goes_to_the_private_conversation_which_is_opened_once() {
        let script = Script::of(&[opened(), posted(), posted()]).await;
        let slack = script.slack();
        for _ in 0..2 {
            assert_eq!(slack.say(&user(), &Card::line("Hello")).await.unwrap(), place());
        }
        assert_eq!(script.methods(), ["conversations.open", "chat.postMessage", "chat.postMessage"]);
        let sent: Value = serde_json::from_str(&script.asked()[1].1).unwrap();
        assert_eq!(sent["channel"], "D1");
        assert_eq!(sent["text"], "Hello");
        assert_eq!((&sent["unfurl_links"], &sent["unfurl_media"]), (&json!(false), &json!(false)));
    }

    #[tokio::test]
    async fn a_conversation_that_is_gone_is_opened_afresh_next_time() {
        let script = Script::of(&[opened(), error("channel_not_found"), opened(), posted()]).await;
        let slack = script.slack();
        assert!(slack.say(&user(), &Card::line("Hello")).await.is_err());
        slack.say(&user(), &Card::line("Hello")).await.unwrap();
        assert_eq!(script.methods().len(), 4);
    }

    #[tokio::test]
    async fn an_edit_of_a_message_that_is_gone_is_done() {
        let gone = ["message_not_found", "cant_update_message", "edit_window_closed"].map(error);
        let script = Script::of(&[ok(), gone[0].clone(), gone[1].clone(), gone[2].clone()]).await;
        let slack = script.slack();
        for _ in 0..4 {
            slack.edit(&place(), &Card::line("Over")).await.unwrap();
        }
        let sent: Value = serde_json::from_str(&script.asked()[0].1).unwrap();
        assert_eq!((&sent["channel"], &sent["ts"]), (&json!("D1"), &json!("1.2")));
        assert!(sent["blocks"].is_array());
    }

    #[tokio::test]
    async fn a_whisper_falls_back_to_a_message_when_its_address_is_used_up() {
        let used = (404, json!({"ok": false, "error": "used_url"}));
        let script = Script::of(&[ok(), used, opened(), posted(), posted()]).await;
        let slack = script.slack();
        let address = Some(script.base.replace("/api", "/respond/secret"));
        slack.whisper(&reply(address.clone()), &Card::line("Heard")).await.unwrap();
        slack.whisper(&reply(address), &Card::line("Heard")).await.unwrap();
        slack.whisper(&reply(Some("https://evil.example/".to_owned())), &Card::line("Heard")).await.unwrap();
        assert_eq!(
            script.methods(),
            [
                "/respond/secret",
                "/respond/secret",
                "conversations.open",
                "chat.postMessage",
                "chat.postMessage"
            ]
        );
        let sent: Value = serde_json::from_str(&script.asked()[0].1).unwrap();
        assert_eq!((&sent["response_type"], &sent["replace_original"]), (&json!("ephemeral"), &json!(false)));
    }

    #[tokio::test]
    async fn a_modal_that_comes_too_late_asks_for_another_press() {
        let script = Script::of(&[ok(), error("expired_trigger_id")]).await;
        let slack = script.slack();
        let card = || PinCard {
            title: "PIN".to_owned(),
            before: Vec::new(),
            pin: Revealed::new("1234 5678".to_owned()),
            after: Vec::new(),
            close: "Done".to_owned(),
        };
        slack.reveal(&reply(None), &card()).await.unwrap();
        let late = slack.reveal(&reply(None), &card()).await.unwrap_err();
        assert!(matches!(late, PortError::Fatal { .. }) && late.to_string().contains("do it again"));
    }

    #[tokio::test]
    async fn a_person_is_found_by_mail_then_by_principal_name_if_the_profile_agrees() {
        let found = (200, json!({"ok": true, "user": {"id": "U7"}}));
        let script = Script::of(&[
            error("users_not_found"),
            found.clone(),
            profile("jane.doe@contoso.com"),
            found,
            profile("somebody.else@contoso.com"),
            error("users_not_found"),
        ])
        .await;
        let slack = script.slack();
        let account = slack.account_of(&jane()).await.unwrap().unwrap();
        assert_eq!((account.user, account.zone), (user(), None));
        assert_eq!(slack.account_of(&jane()).await.unwrap(), None);
        assert_eq!(script.asked()[1].1, "email=jane.doe%40contoso.com");
    }

    #[tokio::test]
    async fn an_unknown_account_is_gone_and_a_busy_slack_is_asked_later() {
        let script = Script::of(&[error("user_not_found"), (429, json!({"ok": false}))]).await;
        let slack = script.slack();
        assert_eq!(slack.vouch(&user()).await.unwrap(), Vouched::Nobody(NotVouched::Gone));
        let busy = slack.vouch(&user()).await.unwrap_err();
        assert!(matches!(busy, PortError::Retry { after: Some(wait), .. } if wait.as_secs() == 7));
    }

    #[tokio::test]
    async fn without_trust_in_addresses_nobody_is_asked_for_an_account() {
        let slack = slack(SlackConfig { trust_email: false, ..config("http://127.0.0.1:9/") }).unwrap();
        assert_eq!(slack.account_of(&jane()).await.unwrap(), None);
    }

    #[test]
    fn a_request_is_verified_before_anything_else() {
        let slack = slack(config(BASE_URL)).unwrap();
        let body = b"ssl_check=1&token=x";
        let genuine = verify::testing::signed("canary-signing", body, NOW);
        assert!(matches!(slack.receive(Surface::Commands, &genuine, body), Ok(Parsed::SslCheck)));
        let forged = verify::testing::signed("another", body, NOW);
        assert!(matches!(slack.receive(Surface::Commands, &forged, body), Err(NotVerified::Signature)));
    }

    #[test]
    fn a_command_is_answered_to_its_sender_alone() {
        let answer = acknowledge(&Card::line("Checking…"));
        assert_eq!(answer["response_type"], "ephemeral");
        assert_eq!(answer["text"], "Checking…");
    }

    #[test]
    fn an_unsafe_configuration_does_not_start_and_none_prints_a_secret() {
        let refused = |change: fn(&mut SlackConfig)| {
            let mut config = config(BASE_URL);
            change(&mut config);
            slack(config).err()
        };
        assert_eq!(refused(|_| ()), None);
        assert_eq!(refused(|c| c.signing_secrets.clear()), Some(Misconfigured::SigningSecrets));
        assert_eq!(
            refused(|c| c.signing_secrets.push(Secret::new(String::new()))),
            Some(Misconfigured::SigningSecrets)
        );
        assert_eq!(refused(|c| c.bot_token = Secret::new("a\nb".to_owned())), Some(Misconfigured::BotToken));
        assert_eq!(refused(|c| c.teams.clear()), Some(Misconfigured::Teams));
        assert_eq!(refused(|c| c.app_id.clear()), Some(Misconfigured::AppId));
        let clear = |c: &mut SlackConfig| c.base_url = "http://slack.com/api/".parse().unwrap();
        assert_eq!(refused(clear), Some(Misconfigured::BaseUrl));
        assert!(!format!("{:?}", config(BASE_URL)).contains("canary"));
    }
}
