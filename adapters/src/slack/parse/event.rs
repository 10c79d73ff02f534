//! What does Slack tell without being asked? (The Events API.)
//!
//! The one event that tapdesk wants says that somebody looks at the app's home tab. Slack sends an event again, up to three
//! times, when it was not acknowledged within three seconds; drawing a page twice does no harm.

use serde::Deserialize;
use tapdesk_core::ids::DeliveryId;
use tapdesk_core::inbound::{Inbound, Wish};
use tapdesk_core::ports::Reply;
use tapdesk_core::ticket::sha256_hex;

use super::super::NAME;
use super::{Origin, Ours, Parsed, account, some};

#[derive(Deserialize)]
struct Envelope {
    #[serde(rename = "type")]
    kind: Option<String>,
    challenge: Option<String>,
    api_app_id: Option<String>,
    team_id: Option<String>,
    enterprise_id: Option<String>,
    event_id: Option<String>,
    event: Option<Event>,
}

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "type")]
    kind: Option<String>,
    user: Option<String>,
    tab: Option<String>,
    view: Option<View>,
}

#[derive(Deserialize)]
struct View {
    hash: Option<String>,
}

/// Reads the raw body of a verified event.
pub(super) fn parse(body: &[u8], ours: &Ours) -> Parsed {
    let Ok(said) = serde_json::from_slice::<Envelope>(body) else { return Parsed::Malformed };
    match (some(said.kind.as_ref()), some(said.challenge.as_ref())) {
        (None, _) => Parsed::Malformed,
        (Some("url_verification"), Some(challenge)) => {
            Parsed::UrlVerification { challenge: challenge.to_owned() }
        }
        (Some("event_callback"), _) => {
            let inbound = callback(&said, ours);
            inbound.map_or_else(|other| other, |inbound| Parsed::Inbound(Box::new(inbound)))
        }
        (Some(_), _) => Parsed::NotForUs,
    }
}

fn callback(said: &Envelope, ours: &Ours) -> Result<Inbound, Parsed> {
    let workspace = some(said.team_id.as_ref()).ok_or(Parsed::Malformed)?;
    let enterprise = some(said.enterprise_id.as_ref());
    ours.check(&Origin { app: some(said.api_app_id.as_ref()), workspace, enterprise, home: None })
        .map_err(Parsed::Refused)?;
    let event = said.event.as_ref().ok_or(Parsed::Malformed)?;
    let is_home = some(event.kind.as_ref()) == Some("app_home_opened");
    if !is_home || some(event.tab.as_ref()) != Some("home") {
        return Err(Parsed::NotForUs);
    }
    let user = some(event.user.as_ref()).ok_or(Parsed::Malformed)?;
    let id = some(said.event_id.as_ref()).ok_or(Parsed::Malformed)?;
    let seen = event.view.as_ref().and_then(|view| some(view.hash.as_ref())).map(str::to_owned);
    let sender = account(workspace, user);
    Ok(Inbound {
        delivery: DeliveryId(format!("{NAME}:{}", sha256_hex(id.as_bytes()))),
        reply: Reply { modal: None, whisper: None, to: sender.clone() },
        sender,
        wish: Wish::Home { seen },
    })
}

#[cfg(test)]
mod tests {
    use super::super::NotOurs;
    use super::*;
    use serde_json::{Value, json};

    fn ours() -> Ours {
        Ours { app_id: "A1".to_owned(), teams: vec!["T1".to_owned()], response_hosts: Vec::new() }
    }

    fn opened(changes: &Value) -> Parsed {
        let mut event = json!({
            "token": "fixed", "team_id": "T1", "api_app_id": "A1", "type": "event_callback", "event_id": "Ev1",
            "event_time": 1_643_113_877,
            "event": {
                "type": "app_home_opened", "user": "U7", "channel": "D1", "tab": "home", "event_ts": "1.2",
                "view": {"id": "V1", "type": "home", "hash": "1643113877.abc", "blocks": []},
            },
            "authorizations": [{"enterprise_id": null, "team_id": "T1", "user_id": "U0BOT", "is_bot": true}],
        });
        for (key, value) in changes.as_object().unwrap() {
            match event.pointer_mut(key) {
                Some(place) => *place = value.clone(),
                None => panic!("{key} is not there"),
            }
        }
        parse(event.to_string().as_bytes(), &ours())
    }

    #[test]
    fn whoever_opens_the_home_tab_wants_to_see_it_and_the_event_names_the_delivery() {
        let Parsed::Inbound(inbound) = opened(&json!({})) else { panic!("not for us") };
        assert_eq!(inbound.wish, Wish::Home { seen: Some("1643113877.abc".to_owned()) });
        assert_eq!(inbound.sender, account("T1", "U7"));
        assert_eq!(inbound.delivery.as_str(), format!("slack:{}", sha256_hex(b"Ev1")));
        let Parsed::Inbound(first) = opened(&json!({"/event/view": null})) else { panic!("not for us") };
        assert_eq!(first.wish, Wish::Home { seen: None });
    }

    #[test]
    fn other_tabs_events_and_kinds_are_not_for_us() {
        for changes in [
            json!({"/event/tab": "messages"}),
            json!({"/event/tab": null}),
            json!({"/event/type": "app_uninstalled"}),
            json!({"/type": "app_rate_limited"}),
            json!({"/type": "url_verification"}),
        ] {
            assert!(matches!(opened(&changes), Parsed::NotForUs), "{changes}");
        }
    }

    #[test]
    fn other_apps_and_workspaces_are_refused_and_what_is_missing_is_malformed() {
        let refused = |changes| match opened(&changes) {
            Parsed::Refused(why) => Some(why),
            _ => None,
        };
        assert_eq!(refused(json!({"/api_app_id": "A2"})), Some(NotOurs::App));
        assert_eq!(refused(json!({"/api_app_id": null})), Some(NotOurs::App));
        assert_eq!(refused(json!({"/team_id": "T2"})), Some(NotOurs::Workspace));
        for changes in [
            json!({"/team_id": null}),
            json!({"/event": null}),
            json!({"/event/user": ""}),
            json!({"/event_id": null}),
            json!({"/type": ""}),
        ] {
            assert!(matches!(opened(&changes), Parsed::Malformed), "{changes}");
        }
    }

    #[test]
    fn the_address_is_verified_with_the_challenge_and_nonsense_is_malformed() {
        let body = br#"{"token": "x", "challenge": "3eZb", "type": "url_verification"}"#;
        assert!(matches!(parse(body, &ours()), Parsed::UrlVerification { challenge } if challenge == "3eZb"));
        let deep = "[".repeat(200_000);
        for body in ["", "{", "[]", "7", "payload=%7B%7D", &deep] {
            assert!(matches!(parse(body.as_bytes(), &ours()), Parsed::Malformed));
        }
    }
}
