//! What does a person want, once the Connector's token is known to be right?
//!
//! Identity is `from.aadObjectId` in our tenant and nothing else: names, addresses and Teams' own ids prove nothing, and
//! whoever installs an app of theirs elsewhere can name our bot in it. What a card brings back is the client's word: it
//! only says which card it was.

mod activity;
pub(super) mod back;
mod spelling;
#[cfg(test)]
mod tests;

use serde_json::Value;
use tapdesk_core::command;
use tapdesk_core::form::Filled;
use tapdesk_core::ids::{ChatName, ChatUser, DeliveryId, PersonId};
use tapdesk_core::inbound::{Inbound, Wish};
use tapdesk_core::ports::Reply;
use tapdesk_core::ticket::sha256_hex;
use url::Url;
use uuid::Uuid;

use self::activity::{Activity, Party, some};
use self::back::{Back, Brought};
use self::spelling::Spelled;
use super::client::{Place, Way};
use super::verify::{NotVerified, Verified};
use super::{NAME, is_loopback};

/// The word that shows what the home page shows on other platforms: a bot has no page here.
const HOME: &str = "home";
/// People that one event can bring or take.
const MOST_MEMBERS: usize = 100;

/// What a verified activity is.
pub enum Parsed {
    /// A person wants something.
    Inbound(Box<Message>),
    /// Somebody's client asks how a card looks for them now. Nothing may change by it.
    Look(Box<Look>),
    /// Nobody wants anything, but routes to people came or went.
    Routes(Routes),
    /// A press that no button of ours makes, answered as such.
    NoButton,
    /// Something that we never asked for.
    NotForUs,
    /// It concerns a service, a bot or people that are not ours.
    Refused(NotOurs),
    /// The token does not go with it.
    NotVerified(NotVerified),
    /// It is not what Microsoft documents.
    Malformed,
}

/// A wish, and how it is answered.
pub struct Message {
    /// The wish.
    pub inbound: Inbound,
    /// How its sender is answered.
    pub answered: Answered,
    /// What it tells about where people are reached.
    pub routes: Routes,
    /// The own mark of the form that was filled in, which it keeps when it has to be mended.
    pub mark: Option<String>,
}

/// How the sender of a wish is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answered {
    /// By messages to their private chat.
    ByMessage {
        /// Where others read along, if they do: at most one neutral line goes there.
        among: Option<Among>,
    },
    /// In the response, which takes the place of the card.
    InCard {
        /// The message that the card is in.
        shown: Option<Shown>,
    },
    /// In the response, which opens or ends a dialog.
    InDialog,
}

/// A conversation of several, and the message in it that is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Among {
    pub(super) place: Place,
    pub(super) message: String,
}

/// A message with a card that somebody sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    pub(super) place: Place,
    pub(super) message: String,
}

impl Shown {
    /// Teams' id of the message.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

/// A card that somebody's client shows anew.
pub struct Look {
    /// Whose client.
    pub viewer: ChatUser,
    /// What the card's buttons carry.
    pub value: String,
    /// The message that it is in.
    pub shown: Option<Shown>,
}

/// Where people are reached, as activities tell.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Routes {
    pub(super) learnt: Vec<(ChatUser, Way)>,
    pub(super) gone: Vec<(ChatUser, String)>,
}

/// Why a genuine activity is not ours to serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NotOurs {
    /// It names a service that no token of ours may go to.
    Service,
    /// It is for another bot.
    Recipient,
    /// It is from another tenant, or does not say from which.
    Tenant,
    /// Its sender has no account in the directory: anonymous, or no person.
    Sender,
}

/// Which bot this is, whose people it serves, and where their answers may go.
pub(super) struct Ours {
    pub(super) app_id: String,
    pub(super) tenant: Uuid,
    pub(super) command: String,
    pub(super) service_hosts: Vec<String>,
}

impl Ours {
    /// Whether that is our own id.
    pub(super) fn is_us(&self, id: &str) -> bool {
        id.strip_prefix("28:").is_some_and(|app| app.eq_ignore_ascii_case(&self.app_id))
    }

    /// An account of our tenant.
    pub(super) fn user(&self, id: &str) -> ChatUser {
        ChatUser { chat: ChatName::from(NAME), workspace: self.tenant.to_string(), id: id.to_owned() }
    }

    /// The service's address, if a token of ours may go there. A token that went elsewhere would let its finder write as
    /// us to everybody.
    pub(super) fn service(&self, text: &str) -> Option<Url> {
        let url = Url::parse(text).ok()?;
        let is_plain = url.username().is_empty() && url.password().is_none();
        let is_base = url.query().is_none() && url.fragment().is_none();
        let host = url.host_str()?;
        let with_port = url.port().map(|port| format!("{host}:{port}"));
        let is_named = |entry: &String| match entry.strip_prefix("*.") {
            Some(domain) => {
                host.strip_suffix(domain).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
            }
            None => {
                entry == host && (url.port().is_none() || is_loopback(&url))
                    || Some(entry) == with_port.as_ref()
            }
        };
        let is_private = url.scheme() == "https" || url.scheme() == "http" && is_loopback(&url);
        (is_plain && is_base && is_private && self.service_hosts.iter().any(is_named)).then_some(url)
    }

    fn has_tenant(&self, said: &Activity) -> bool {
        let is_ours = |tenant: &str| Uuid::try_parse(tenant) == Ok(self.tenant);
        said.tenants().next().is_some() && said.tenants().all(is_ours)
    }
}

/// Reads the raw body of an activity, and holds its token against it.
pub(super) fn parse(body: &[u8], token: &Verified, ours: &Ours) -> Parsed {
    let Ok(said) = serde_json::from_slice::<Activity>(body) else { return Parsed::Malformed };
    match read(&said, token, ours) {
        Ok(parsed) | Err(parsed) => parsed,
    }
}

fn read(said: &Activity, token: &Verified, ours: &Ours) -> Result<Parsed, Parsed> {
    let service = some(said.service_url.as_ref()).unwrap_or_default();
    token
        .goes_with(service, some(said.channel_id.as_ref()).unwrap_or_default())
        .map_err(Parsed::NotVerified)?;
    if ours.service(service).is_none() {
        return Err(Parsed::Refused(NotOurs::Service));
    }
    let recipient = said.recipient.as_ref().and_then(|recipient| some(recipient.id.as_ref()));
    if !recipient.is_some_and(|id| ours.is_us(id)) {
        return Err(Parsed::Refused(NotOurs::Recipient));
    }
    if !ours.has_tenant(said) {
        return Err(Parsed::Refused(NotOurs::Tenant));
    }
    match some(said.kind.as_ref()).ok_or(Parsed::Malformed)? {
        "message" => message(said, ours),
        "invoke" => invoke(said, ours),
        "installationUpdate" => installation(said, ours),
        "conversationUpdate" => Ok(Parsed::Routes(members(said, ours))),
        // Reactions, typing, edits and whatever Teams thinks of next.
        _ => Err(Parsed::NotForUs),
    }
}

fn message(said: &Activity, ours: &Ours) -> Result<Parsed, Parsed> {
    let sender = Sender::of(said, ours)?;
    let entities = said.entities.as_deref().unwrap_or_default();
    let spelled = Spelled::read(said.text.as_deref().unwrap_or_default(), entities, ours);
    let mut routes = sender.routes(said);
    let among = (!said.is_personal()).then(|| sender.among(said)).flatten();
    let answered = Answered::ByMessage { among };
    if let (None, Some(value)) = (some(said.text.as_ref()), &said.value) {
        let wish = match back::read(value, ours) {
            Some(Back { brought: Brought::Press(wish), .. }) => wish,
            Some(Back { brought: Brought::Fill(filled), form }) => {
                return Ok(sender.fill(filled, form.as_deref(), answered, routes));
            }
            Some(Back { brought: Brought::Close, .. }) | None => return Err(Parsed::NotForUs),
        };
        return Ok(sender.wish(wish, answered, routes));
    }
    for (user, id) in spelled.to_look_up() {
        routes.learnt.push((
            user.clone(),
            Way { user: id.to_owned(), personal: false, zone: None, ..sender.way(said) },
        ));
    }
    let command = spelled.command(&ours.command);
    let wish = if command.eq_ignore_ascii_case(HOME) {
        Wish::Home { seen: None }
    } else {
        command::read(command, &spelled)
    };
    Ok(sender.wish(wish, answered, routes))
}

fn invoke(said: &Activity, ours: &Ours) -> Result<Parsed, Parsed> {
    let name = some(said.name.as_ref()).ok_or(Parsed::Malformed)?;
    if !["adaptiveCard/action", "task/fetch", "task/submit"].contains(&name) {
        return Err(Parsed::NotForUs);
    }
    let sender = Sender::of(said, ours)?;
    let value = said.value.as_ref().ok_or(Parsed::NoButton)?;
    if name == "adaptiveCard/action" {
        return pressed(said, &sender, value, ours);
    }
    let back = back::read(&value["data"], ours).ok_or(Parsed::NoButton)?;
    let routes = sender.routes(said);
    match back.brought {
        Brought::Press(wish) => Ok(sender.wish(wish, Answered::InDialog, routes)),
        Brought::Fill(filled) => Ok(sender.fill(filled, back.form.as_deref(), Answered::InDialog, routes)),
        Brought::Close => Err(Parsed::NotForUs),
    }
}

fn pressed(said: &Activity, sender: &Sender, value: &Value, ours: &Ours) -> Result<Parsed, Parsed> {
    let data = &value["action"]["data"];
    let shown = sender.shown(said);
    let is_press = value["trigger"] != "automatic" && value["action"]["verb"] != back::REFRESH;
    if !is_press {
        let value = data[back::VALUE].as_str().ok_or(Parsed::NoButton)?.to_owned();
        return Ok(Parsed::Look(Box::new(Look { viewer: sender.user.clone(), value, shown })));
    }
    let back = back::read(data, ours).ok_or(Parsed::NoButton)?;
    let (answered, routes) = (Answered::InCard { shown }, sender.routes(said));
    match back.brought {
        Brought::Press(wish) => Ok(sender.wish(wish, answered, routes)),
        Brought::Fill(filled) => Ok(sender.fill(filled, back.form.as_deref(), answered, routes)),
        Brought::Close => Err(Parsed::NoButton),
    }
}

/// The app was installed or removed. Whoever installs it for themselves sees what they would see on their own page.
fn installation(said: &Activity, ours: &Ours) -> Result<Parsed, Parsed> {
    if !said.is_personal() {
        return Err(Parsed::NotForUs);
    }
    let Ok(sender) = Sender::of(said, ours) else { return Err(Parsed::NotForUs) };
    match some(said.action.as_ref()) {
        Some("add" | "add-upgrade") => {
            let routes = sender.routes(said);
            let home = Wish::Home { seen: None };
            Ok(if some(said.action.as_ref()) == Some("add") {
                sender.wish(home, Answered::ByMessage { among: None }, routes)
            } else {
                Parsed::Routes(routes)
            })
        }
        Some("remove" | "remove-upgrade") => {
            let gone = vec![(sender.user, sender.conversation)];
            Ok(Parsed::Routes(Routes { learnt: Vec::new(), gone }))
        }
        _ => Err(Parsed::NotForUs),
    }
}

/// People came into a conversation that we are in, or left it.
fn members(said: &Activity, ours: &Ours) -> Routes {
    let mut routes = Sender::of(said, ours).map(|sender| sender.routes(said)).unwrap_or_default();
    let Some((service_url, conversation)) = where_from(said) else { return routes };
    let conversation = without_thread(&conversation).to_owned();
    let user = |party: &Party| {
        Some((account(some(party.aad_object_id.as_ref())?, ours)?, some(party.id.as_ref())?.to_owned()))
    };
    let (personal, zone) = (said.is_personal(), None::<String>);
    for (person, id) in said.members_added.iter().flatten().take(MOST_MEMBERS).filter_map(user) {
        if routes.learnt.iter().all(|(known, _)| *known != person) {
            let (service_url, conversation) = (service_url.clone(), conversation.clone());
            routes
                .learnt
                .push((person, Way { service_url, conversation, user: id, personal, zone: zone.clone() }));
        }
    }
    for (person, _) in said.members_removed.iter().flatten().take(MOST_MEMBERS).filter_map(user) {
        routes.learnt.retain(|(known, _)| *known != person);
        routes.gone.push((person, conversation.clone()));
    }
    routes
}

fn where_from(said: &Activity) -> Option<(String, String)> {
    let conversation = said.conversation.as_ref().and_then(|conversation| some(conversation.id.as_ref()))?;
    let service = some(said.service_url.as_ref())?.trim_end_matches('/');
    let is_sound = |text: &str| !text.contains(char::is_whitespace) && !text.chars().all(|c| c == '.');
    (is_sound(conversation) && is_sound(service)).then(|| (service.to_owned(), conversation.to_owned()))
}

/// A channel's conversation names one thread of it; its members are those of the whole.
fn without_thread(conversation: &str) -> &str {
    conversation.split_once(";messageid=").map_or(conversation, |(channel, _)| channel)
}

/// The account with that object id, if it is one.
fn account(object_id: &str, ours: &Ours) -> Option<ChatUser> {
    object_id.parse::<PersonId>().ok().map(|id| ours.user(&id.to_string()))
}

/// Somebody who acts.
struct Sender {
    user: ChatUser,
    id: String,
    service_url: String,
    conversation: String,
    delivery: DeliveryId,
    /// The message that they wrote, if it is one.
    typed: Option<String>,
    is_personal: bool,
}

impl Sender {
    fn of(said: &Activity, ours: &Ours) -> Result<Self, Parsed> {
        let from = said.from.as_ref().ok_or(Parsed::Malformed)?;
        let object_id = some(from.aad_object_id.as_ref()).ok_or(Parsed::Refused(NotOurs::Sender))?;
        let user = account(object_id, ours).ok_or(Parsed::Refused(NotOurs::Sender))?;
        let id = some(from.id.as_ref()).ok_or(Parsed::Malformed)?.to_owned();
        let (service_url, conversation) = where_from(said).ok_or(Parsed::Malformed)?;
        let activity = some(said.id.as_ref()).ok_or(Parsed::Malformed)?;
        let delivery = delivery(&["activity", &conversation, activity]);
        let is_message =
            some(said.kind.as_ref()) == Some("message") && !activity.contains(char::is_whitespace);
        let typed = is_message.then(|| activity.to_owned());
        Ok(Self { user, id, service_url, conversation, delivery, typed, is_personal: said.is_personal() })
    }

    fn way(&self, said: &Activity) -> Way {
        Way {
            service_url: self.service_url.clone(),
            conversation: without_thread(&self.conversation).to_owned(),
            user: self.id.clone(),
            personal: self.is_personal,
            zone: said.zone().map(str::to_owned),
        }
    }

    fn routes(&self, said: &Activity) -> Routes {
        Routes { learnt: vec![(self.user.clone(), self.way(said))], gone: Vec::new() }
    }

    fn place(&self) -> Place {
        let (service_url, conversation) = (self.service_url.clone(), self.conversation.clone());
        Place { service_url, conversation, user: self.id.clone() }
    }

    fn among(&self, said: &Activity) -> Option<Among> {
        some(said.id.as_ref()).map(|message| Among { place: self.place(), message: message.to_owned() })
    }

    fn shown(&self, said: &Activity) -> Option<Shown> {
        some(said.reply_to_id.as_ref())
            .map(|message| Shown { place: self.place(), message: message.to_owned() })
    }

    fn wish(&self, wish: Wish, answered: Answered, routes: Routes) -> Parsed {
        self.with(wish, self.delivery.clone(), answered, (routes, None))
    }

    /// Whoever submits a form again that was not confirmed means the same request: its own mark names the delivery.
    fn fill(&self, filled: Filled, form: Option<&str>, answered: Answered, routes: Routes) -> Parsed {
        let marked = form.map(|mark| delivery(&["form", &self.user.id, mark]));
        let delivery = marked.unwrap_or_else(|| self.delivery.clone());
        self.with(Wish::Fill(filled), delivery, answered, (routes, form.map(str::to_owned)))
    }

    fn with(
        &self,
        wish: Wish,
        delivery: DeliveryId,
        answered: Answered,
        (routes, mark): (Routes, Option<String>),
    ) -> Parsed {
        let place = self.place();
        let here = self.typed.as_ref().map_or_else(|| place.to_string(), |typed| place.answering(typed));
        let whisper = self.is_personal.then_some(here);
        let reply = Reply { modal: None, whisper, to: self.user.clone() };
        let inbound = Inbound { delivery, sender: self.user.clone(), wish, reply };
        Parsed::Inbound(Box::new(Message { inbound, answered, routes, mark }))
    }
}

fn delivery(parts: &[&str]) -> DeliveryId {
    DeliveryId(format!("{NAME}:{}", sha256_hex(parts.join("\n").as_bytes())))
}

/// What came by a team's outgoing webhook.
pub enum Outgoing {
    /// A person wants something.
    Inbound(Box<Inbound>),
    /// It is from another tenant, or by nobody in the directory.
    Refused(NotOurs),
    /// It is not what Microsoft documents.
    Malformed,
    /// It was sent some time ago.
    Stale,
}

/// Reads the raw body of a message that an outgoing webhook signed. It has no entities: its own name comes first.
pub(super) fn outgoing(body: &[u8], ours: &Ours, is_recent: impl Fn(jiff::Timestamp) -> bool) -> Outgoing {
    let Ok(said) = serde_json::from_slice::<Activity>(body) else { return Outgoing::Malformed };
    if !ours.has_tenant(&said) {
        return Outgoing::Refused(NotOurs::Tenant);
    }
    match some(said.timestamp.as_ref()).and_then(|sent| sent.parse().ok()) {
        Some(sent) if is_recent(sent) => {}
        Some(_) => return Outgoing::Stale,
        None => return Outgoing::Malformed,
    }
    let sender = match Sender::of(&said, ours) {
        Ok(sender) => sender,
        Err(Parsed::Refused(why)) => return Outgoing::Refused(why),
        Err(_) => return Outgoing::Malformed,
    };
    let text = said.text.as_deref().unwrap_or_default();
    let spelled = Spelled::read(without_name(text), &[], ours);
    let wish = command::read(spelled.command(&ours.command), &spelled);
    let reply = Reply { modal: None, whisper: None, to: sender.user.clone() };
    Outgoing::Inbound(Box::new(Inbound { delivery: sender.delivery, sender: sender.user, wish, reply }))
}

fn without_name(text: &str) -> &str {
    let name = text.trim_start().strip_prefix("<at>").and_then(|rest| rest.split_once("</at>"));
    name.map_or(text, |(_, rest)| rest)
}
