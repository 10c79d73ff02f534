//! What does a person want, once Slack's signature is known to be right?
//!
//! Slack sends commands as a form and button presses as JSON inside a form. Unknown fields are ignored and any
//! field may be missing or null: organisation-wide installs leave out what others have.

mod event;
pub(super) mod spelling;

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;
use tapdesk_core::card::Choice;
use tapdesk_core::command;
use tapdesk_core::ids::{ChatName, ChatUser, DeliveryId};
use tapdesk_core::inbound::{Inbound, Wish};
use tapdesk_core::ports::Reply;
use tapdesk_core::ticket::sha256_hex;
use url::{Url, form_urlencoded};

use self::spelling::Spelling;
use super::render::{NUMBER_SIGN, form};
use super::{NAME, is_safe};

/// Hosts that Slack gives out response addresses on; the second is for government workspaces.
const RESPONSE_HOSTS: [&str; 2] = ["hooks.slack.com", "hooks.slack-gov.com"];

/// The global shortcut that opens the form, as the app's manifest names it.
const ASK_SHORTCUT: &str = "ask";

/// Which of the app's addresses a request came in on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Surface {
    /// The command's request URL.
    Commands,
    /// The interactivity request URL.
    Interactions,
    /// The request URL of the Events API.
    Events,
}

/// What a verified request is.
pub enum Parsed {
    /// A person wants something.
    Inbound(Box<Inbound>),
    /// Slack looks at our certificate.
    SslCheck,
    /// Slack asks whether the address is ours.
    UrlVerification {
        /// What it wants to read back.
        challenge: String,
    },
    /// Something that we never asked for, such as a closed view.
    NotForUs,
    /// It concerns an app or people that the configuration does not allow.
    Refused(NotOurs),
    /// It is not what Slack documents.
    Malformed,
}

/// Why a genuine request is not ours to serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NotOurs {
    /// Another app.
    App,
    /// Neither the workspace nor its organisation is allowed.
    Workspace,
    /// The sender is at home in another company, as in a channel that two companies share.
    Sender,
}

/// Which app this is, whose people it serves, and where their answers may go.
pub(super) struct Ours {
    pub(super) app_id: String,
    pub(super) teams: Vec<String>,
    pub(super) response_hosts: Vec<String>,
}

impl Ours {
    /// Whether the configuration allows this workspace or organisation.
    pub(super) fn allows(&self, team: &str) -> bool {
        self.teams.iter().any(|ours| ours == team)
    }

    /// The address of an ephemeral answer, if it is on a host that we may post to. Posting to any host that a
    /// payload names would let whoever forges one reach into our network.
    pub(super) fn response_url(&self, text: &str) -> Option<Url> {
        let url = Url::parse(text).ok()?;
        if !url.username().is_empty() || url.password().is_some() {
            return None;
        }
        let host = url.host_str()?;
        let slacks = RESPONSE_HOSTS.contains(&host) && url.scheme() == "https" && url.port().is_none();
        let with_port = url.port_or_known_default().map(|port| format!("{host}:{port}"));
        let named = |entry: &String| entry == host || Some(entry) == with_port.as_ref();
        (slacks || is_safe(&url) && self.response_hosts.iter().any(named)).then_some(url)
    }

    /// The order of the checks is that of their cost to an attacker.
    pub(super) fn check(&self, origin: &Origin<'_>) -> Result<(), NotOurs> {
        if origin.app != Some(self.app_id.as_str()) {
            return Err(NotOurs::App);
        }
        let in_our_organisation = origin.enterprise.is_some_and(|id| self.allows(id));
        if !in_our_organisation && !self.allows(origin.workspace) {
            return Err(NotOurs::Workspace);
        }
        // Within an organisation, people's home workspaces differ from the one they act in; there, looking the
        // account up decides. Outside of one, another home is another company.
        let elsewhere = origin.home.is_some_and(|home| !self.allows(home));
        if origin.enterprise.is_none() && elsewhere { Err(NotOurs::Sender) } else { Ok(()) }
    }
}

/// Reads the raw body of a verified request.
pub(super) fn parse(surface: Surface, body: &[u8], ours: &Ours) -> Parsed {
    if surface == Surface::Events {
        return event::parse(body, ours);
    }
    if body.trim_ascii_start().starts_with(b"{") {
        return handshake(body);
    }
    let Some(form) = fields(body) else { return Parsed::Malformed };
    if form.get("ssl_check").is_some_and(|flag| flag == "1") {
        return Parsed::SslCheck;
    }
    let inbound = match surface {
        Surface::Commands => typed(&form, body, ours),
        Surface::Interactions | Surface::Events => interaction(&form, body, ours),
    };
    inbound.map_or_else(|other| other, |inbound| Parsed::Inbound(Box::new(inbound)))
}

/// Where a request says that it comes from.
pub(super) struct Origin<'a> {
    pub(super) app: Option<&'a str>,
    pub(super) workspace: &'a str,
    pub(super) enterprise: Option<&'a str>,
    pub(super) home: Option<&'a str>,
}

#[derive(Deserialize)]
struct Handshake {
    #[serde(rename = "type")]
    kind: Option<String>,
    challenge: Option<String>,
}

/// A JSON body is never a command or a press, but may be Slack testing an address.
fn handshake(body: &[u8]) -> Parsed {
    match serde_json::from_slice(body) {
        Ok(Handshake { kind: Some(kind), challenge: Some(challenge) }) if kind == "url_verification" => {
            Parsed::UrlVerification { challenge }
        }
        Ok(_) => Parsed::NotForUs,
        Err(_) => Parsed::Malformed,
    }
}

/// The fields of a form. Two of one name are malformed, since readers disagree on which of them counts.
fn fields(body: &[u8]) -> Option<HashMap<String, String>> {
    std::str::from_utf8(body).ok()?;
    let mut fields = HashMap::new();
    for (name, value) in form_urlencoded::parse(body) {
        if fields.insert(name.into_owned(), value.into_owned()).is_some() {
            return None;
        }
    }
    Some(fields)
}

fn typed(form: &HashMap<String, String>, body: &[u8], ours: &Ours) -> Result<Inbound, Parsed> {
    let field = |name: &str| some(form.get(name));
    let workspace = field("team_id").ok_or(Parsed::Malformed)?;
    let user = field("user_id").ok_or(Parsed::Malformed)?;
    let enterprise = field("enterprise_id");
    ours.check(&Origin { app: field("api_app_id"), workspace, enterprise, home: None })
        .map_err(Parsed::Refused)?;
    let wish = command::read(field("text").unwrap_or_default(), &Spelling { workspace });
    Ok(inbound(account(workspace, user), wish, field("trigger_id"), field("response_url"), body, ours))
}

#[derive(Deserialize)]
struct Interaction {
    #[serde(rename = "type")]
    kind: Option<String>,
    api_app_id: Option<String>,
    team: Option<Named>,
    enterprise: Option<Named>,
    user: Option<User>,
    view: Option<View>,
    callback_id: Option<String>,
    trigger_id: Option<String>,
    response_url: Option<String>,
    actions: Option<Vec<Action>>,
}

#[derive(Deserialize)]
struct Named {
    id: Option<String>,
}

#[derive(Deserialize)]
struct User {
    id: Option<String>,
    team_id: Option<String>,
}

#[derive(Deserialize)]
struct View {
    id: Option<String>,
    callback_id: Option<String>,
    private_metadata: Option<String>,
    app_installed_team_id: Option<String>,
    #[serde(default)]
    state: Value,
}

#[derive(Deserialize)]
struct Action {
    action_id: Option<String>,
    value: Option<String>,
}

fn interaction(form: &HashMap<String, String>, body: &[u8], ours: &Ours) -> Result<Inbound, Parsed> {
    let payload = form.get("payload").ok_or(Parsed::Malformed)?;
    let said: Interaction = serde_json::from_str(payload).map_err(|_| Parsed::Malformed)?;
    let Some(kind) = Kind::named(some(said.kind.as_ref()).ok_or(Parsed::Malformed)?) else {
        return Err(Parsed::NotForUs);
    };
    let user = said.user.as_ref().ok_or(Parsed::Malformed)?;
    let home = some(user.team_id.as_ref());
    let workspace = workspace(&said).or(home).ok_or(Parsed::Malformed)?;
    let enterprise = said.enterprise.as_ref().and_then(|named| some(named.id.as_ref()));
    ours.check(&Origin { app: some(said.api_app_id.as_ref()), workspace, enterprise, home })
        .map_err(Parsed::Refused)?;
    let id = some(user.id.as_ref()).ok_or(Parsed::Malformed)?;
    let wish = match kind {
        Kind::Press => said.actions.iter().flatten().find_map(press),
        Kind::Submission => said.view.as_ref().and_then(|view| submission(view, workspace)),
        Kind::Shortcut => (some(said.callback_id.as_ref()) == Some(ASK_SHORTCUT)).then_some(Wish::Form),
    };
    let wish = wish.ok_or(Parsed::NotForUs)?;
    let (trigger, response) = (some(said.trigger_id.as_ref()), some(said.response_url.as_ref()));
    // In an organisation an account belongs to its home, wherever it is used: there it was found and asked.
    let sender = account(home.unwrap_or(workspace), id);
    let mut inbound = inbound(sender, wish, trigger, response, body, ours);
    // Whoever submits a form again that was not confirmed means the same request.
    if let (Kind::Submission, Some(view)) = (kind, said.view.and_then(|view| view.id)) {
        inbound.delivery = delivery(Some(&view), body);
    }
    Ok(inbound)
}

/// What people do that reaches us as an interaction.
#[derive(Clone, Copy)]
enum Kind {
    Press,
    Submission,
    Shortcut,
}

impl Kind {
    fn named(name: &str) -> Option<Self> {
        match name {
            "block_actions" => Some(Self::Press),
            "view_submission" => Some(Self::Submission),
            "shortcut" => Some(Self::Shortcut),
            // Closed views, message shortcuts and whatever Slack thinks of next.
            _ => None,
        }
    }
}

fn submission(view: &View, workspace: &str) -> Option<Wish> {
    let metadata = view.private_metadata.as_deref().unwrap_or_default();
    form::filled(view.callback_id.as_deref()?, metadata, &view.state["values"], workspace).map(Wish::Fill)
}

/// Where the app is installed, as far as the payload says. An organisation-wide install has `team: null`.
fn workspace(said: &Interaction) -> Option<&str> {
    let team = said.team.as_ref().and_then(|named| some(named.id.as_ref()));
    let installed = || said.view.as_ref().and_then(|view| some(view.app_installed_team_id.as_ref()));
    team.or_else(installed)
}

fn press(action: &Action) -> Option<Wish> {
    let name = action.action_id.as_deref()?.split(NUMBER_SIGN).next()?;
    let choice = Choice::named(name)?;
    Some(Wish::Press { choice, value: action.value.clone().unwrap_or_default() })
}

fn inbound(
    sender: ChatUser,
    wish: Wish,
    trigger: Option<&str>,
    response: Option<&str>,
    body: &[u8],
    ours: &Ours,
) -> Inbound {
    let whisper = response.and_then(|text| ours.response_url(text)).map(String::from);
    let reply = Reply { modal: trigger.map(str::to_owned), whisper, to: sender.clone() };
    Inbound { delivery: delivery(trigger, body), sender, wish, reply }
}

/// Slack makes a trigger id for every single interaction, so it names the delivery; only its hash does, since
/// what opens a modal is not for the store. Without one the body has to do: a replay repeats it byte for byte, while
/// every press and command carries a time or a response address of its own.
fn delivery(trigger: Option<&str>, body: &[u8]) -> DeliveryId {
    DeliveryId(format!("{NAME}:{}", sha256_hex(trigger.map_or(body, str::as_bytes))))
}

pub(super) fn account(workspace: &str, id: &str) -> ChatUser {
    ChatUser { chat: ChatName::from(NAME), workspace: workspace.to_owned(), id: id.to_owned() }
}

/// Slack leaves a field out, sends null or sends an empty text, and means the same.
pub(super) fn some(text: Option<&String>) -> Option<&str> {
    text.map(String::as_str).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use tapdesk_core::inbound::Ask;
    use tapdesk_core::people::Naming;

    fn ours() -> Ours {
        let teams = ["T1", "E1"].map(str::to_owned).into();
        Ours { app_id: "A1".to_owned(), teams, response_hosts: vec!["127.0.0.1:4000".to_owned()] }
    }

    /// A command's form with some fields replaced, added or (with an empty text) left out.
    fn command_with(changes: &[(&str, &str)]) -> Parsed {
        let mut fields = HashMap::from([
            ("token", "gIkuvaNzQIHg97ATvDxqgjtO"),
            ("team_id", "T1"),
            ("team_domain", "example"),
            ("channel_id", "C2147483705"),
            ("user_id", "U7"),
            ("user_name", "steve"),
            ("command", "/tap"),
            ("text", "for jane@contoso.com lost phone"),
            ("response_url", "https://hooks.slack.com/commands/1234/5678"),
            ("trigger_id", "13345224609.738474920.8088930838d88f008e0"),
            ("api_app_id", "A1"),
            ("is_enterprise_install", "false"),
        ]);
        fields.extend(changes.iter().copied());
        let fields = fields.iter().filter(|(_, value)| !value.is_empty());
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        parse(Surface::Commands, body.as_bytes(), &ours())
    }

    fn pressed(payload: &Value) -> Parsed {
        let mut form = form_urlencoded::Serializer::new(String::new());
        let body = form.append_pair("payload", &payload.to_string()).finish();
        parse(Surface::Interactions, body.as_bytes(), &ours())
    }

    /// A press as an organisation-wide install sends it, with changes.
    fn press_with(changes: Value) -> Parsed {
        let mut payload = json!({
            "type": "block_actions",
            "user": {"id": "W111", "username": "owner", "name": "owner", "team_id": "T1"},
            "api_app_id": "A1",
            "token": "fixed-value",
            "container": {"type": "message", "message_ts": "1643113871.000700", "channel_id": "D1"},
            "trigger_id": "111.222.xxx",
            "team": null,
            "enterprise": {"id": "E1", "name": "Sandbox Org"},
            "is_enterprise_install": true,
            "channel": {"id": "D1", "name": "directmessage"},
            "state": {"values": {}},
            "response_url": "https://hooks.slack.com/actions/E1/111/xxx",
            "actions": [{
                "action_id": "approve", "block_id": "b", "text": {"type": "plain_text", "text": "Approve"},
                "value": "0123", "type": "button", "action_ts": "1643113877.645417",
            }],
        });
        let Value::Object(changes) = changes else { panic!("changes are an object") };
        payload.as_object_mut().unwrap().extend(changes);
        pressed(&payload)
    }

    #[track_caller]
    fn inbound(parsed: Parsed) -> Inbound {
        match parsed {
            Parsed::Inbound(inbound) => *inbound,
            Parsed::Refused(why) => panic!("refused: {why:?}"),
            _ => panic!("not an inbound message"),
        }
    }

    #[track_caller]
    fn refused(parsed: &Parsed) -> NotOurs {
        let Parsed::Refused(why) = *parsed else { panic!("not refused") };
        why
    }

    fn asks_for_jane() -> Wish {
        let subject = Naming::Address("jane@contoso.com".to_owned());
        Wish::Ask(Ask::new(subject, "lost phone".to_owned()))
    }

    #[test]
    fn a_command_becomes_a_wish_with_its_sender_and_its_ways_back() {
        let command = inbound(command_with(&[]));
        assert_eq!(command.wish, asks_for_jane());
        assert_eq!(command.sender, account("T1", "U7"));
        assert!(!command.delivery.as_str().contains("13345224609"), "a trigger would be stored");
        assert_eq!(command.reply.modal.as_deref(), Some("13345224609.738474920.8088930838d88f008e0"));
        assert_eq!(command.reply.whisper.as_deref(), Some("https://hooks.slack.com/commands/1234/5678"));
        assert_eq!(command.reply.to, command.sender);
    }

    #[test]
    fn a_press_of_an_organisation_wide_install_has_no_team_and_is_read_all_the_same() {
        let press = inbound(press_with(json!({})));
        assert_eq!(press.wish, Wish::Press { choice: Choice::Approve, value: "0123".to_owned() });
        assert_eq!(press.sender, account("T1", "W111"));
        assert_eq!(press.delivery.as_str(), format!("slack:{}", sha256_hex(b"111.222.xxx")));
    }

    #[test]
    fn the_account_belongs_to_its_home_then_to_the_team_then_to_where_the_app_is_installed() {
        let of = |changes| inbound(press_with(changes)).sender.workspace;
        let view = json!({"app_installed_team_id": "T8"});
        let (homeless, team) = (json!({"id": "W111"}), json!({"id": "T9", "domain": "example"}));
        assert_eq!(of(json!({"team": team, "view": view})), "T1");
        assert_eq!(of(json!({"user": homeless, "team": team, "view": view})), "T9");
        assert_eq!(of(json!({"user": homeless, "view": view})), "T8");
    }

    #[test]
    fn other_apps_workspaces_and_companies_are_refused() {
        assert_eq!(refused(&command_with(&[("api_app_id", "A2")])), NotOurs::App);
        assert_eq!(refused(&command_with(&[("api_app_id", "")])), NotOurs::App);
        assert_eq!(refused(&command_with(&[("team_id", "T2")])), NotOurs::Workspace);
        assert_eq!(refused(&command_with(&[("team_id", "T2"), ("enterprise_id", "E2")])), NotOurs::Workspace);
        inbound(command_with(&[("team_id", "T2"), ("enterprise_id", "E1")]));

        assert_eq!(refused(&press_with(json!({"api_app_id": null}))), NotOurs::App);
        let elsewhere = json!({"team": {"id": "T2"}, "enterprise": {"id": "E2"}});
        assert_eq!(refused(&press_with(elsewhere)), NotOurs::Workspace);
        let guest = json!({"id": "U5", "team_id": "T2"});
        let shared = json!({"team": {"id": "T1"}, "enterprise": null, "user": guest});
        assert_eq!(refused(&press_with(shared)), NotOurs::Sender);
    }

    #[test]
    fn an_answer_goes_to_slacks_own_hosts_or_a_configured_one_and_nowhere_else() {
        let kept = |url| inbound(press_with(json!({"response_url": url}))).reply.whisper.is_some();
        for url in [
            "https://hooks.slack.com/actions/1/2",
            "https://hooks.slack-gov.com/actions/1/2",
            "http://127.0.0.1:4000/respond/1",
        ] {
            assert!(kept(url), "{url}");
        }
        for url in [
            "http://hooks.slack.com/actions/1/2",
            "https://hooks.slack.com:8443/actions/1/2",
            "https://hooks.slack.com.evil.example/1",
            "https://hooks.slack.com@evil.example/1",
            "https://user@hooks.slack.com/1",
            "http://127.0.0.1:4001/respond/1",
            "http://169.254.169.254/latest",
            "file:///etc/passwd",
            "hooks.slack.com",
            "",
        ] {
            assert!(!kept(url), "{url}");
        }
    }

    #[test]
    fn what_we_never_asked_for_is_ignored() {
        for kind in
            ["view_closed", "view_submission", "shortcut", "message_action", "block_suggestion", "new"]
        {
            // Neither the view nor the shortcut is one of ours.
            assert!(matches!(press_with(json!({"type": kind})), Parsed::NotForUs), "{kind}");
        }
        for actions in [json!(null), json!([]), json!([{"action_id": "WaXA"}]), json!([{"action_id": null}])]
        {
            assert!(matches!(press_with(json!({"actions": actions})), Parsed::NotForUs), "{actions}");
        }
    }

    #[test]
    fn a_shortcut_opens_the_form_and_a_submission_names_its_view() {
        let shortcut = inbound(press_with(json!({"type": "shortcut", "callback_id": "ask"})));
        assert_eq!(shortcut.wish, Wish::Form);
        assert_eq!(shortcut.reply.modal.as_deref(), Some("111.222.xxx"));
        let submitted = |trigger: &str| {
            let view =
                json!({"id": "V1", "callback_id": "ask", "private_metadata": "x", "state": {"values": {}}});
            inbound(press_with(json!({"type": "view_submission", "view": view, "trigger_id": trigger})))
        };
        let Wish::Fill(filled) = submitted("1").wish else { panic!("not a form") };
        assert_eq!((filled.value.as_str(), filled.entries.len()), ("x", 0));
        assert_eq!(submitted("1").delivery, submitted("2").delivery, "submitting again is not the same");
    }

    #[test]
    fn slack_may_check_the_certificate_and_the_address() {
        for surface in [Surface::Commands, Surface::Interactions] {
            assert!(matches!(parse(surface, b"ssl_check=1&token=x", &ours()), Parsed::SslCheck));
            let body = br#" {"token": "x", "challenge": "3eZb", "type": "url_verification"}"#;
            let parsed = parse(surface, body, &ours());
            assert!(matches!(parsed, Parsed::UrlVerification { challenge } if challenge == "3eZb"));
            assert!(matches!(parse(surface, br#"{"type": "event_callback"}"#, &ours()), Parsed::NotForUs));
        }
    }

    #[test]
    fn without_a_trigger_the_body_names_the_delivery() {
        let id = |ts: &str| {
            let actions = json!([{"action_id": "deny", "value": null, "action_ts": ts}]);
            inbound(press_with(json!({"trigger_id": null, "actions": actions}))).delivery
        };
        assert_eq!(id("1"), id("1"));
        assert_ne!(id("1"), id("2"));
        assert!(id("1").as_str().starts_with("slack:"));
    }

    #[test]
    fn nonsense_is_malformed_and_never_a_panic() {
        let deep = format!("payload={}", "[".repeat(200_000));
        let ignored = format!("payload={{\"type\":\"view_closed\",\"x\":{}", "[".repeat(200_000));
        let bodies: [&[u8]; 8] = [
            b"",
            b"payload=",
            b"payload={}",
            b"payload=%FF%FE",
            b"text=\xff",
            b"{\"type\":",
            deep.as_bytes(),
            ignored.as_bytes(),
        ];
        for body in bodies {
            for surface in [Surface::Commands, Surface::Interactions] {
                let parsed = parse(surface, body, &ours());
                assert!(
                    matches!(parsed, Parsed::Malformed),
                    "{}",
                    String::from_utf8_lossy(&body[..body.len().min(40)])
                );
            }
        }
        let twice = b"team_id=T1&user_id=U1&api_app_id=A1&user_id=U2";
        assert!(matches!(parse(Surface::Commands, twice, &ours()), Parsed::Malformed));
        for missing in [json!({"user": null}), json!({"user": {"id": null, "team_id": "T1"}})] {
            assert!(matches!(press_with(missing), Parsed::Malformed));
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(body: Vec<u8>, text: String) {
            parse(Surface::Commands, &body, &ours());
            parse(Surface::Interactions, &body, &ours());
            command_with(&[("text", &format!("for {text}"))]);
        }
    }
}
