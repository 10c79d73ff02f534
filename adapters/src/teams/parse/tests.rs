use std::sync::Arc;

use serde_json::{Value, json};
use tapdesk_core::card::Choice;
use tapdesk_core::form::{Entry, FieldName, Purpose};
use tapdesk_core::inbound::{Ask, Unclear};
use tapdesk_core::people::Naming;

use super::super::verify::Verifier;
use super::super::verify::testing::{APP, Loopback, NOW, SERVICE, Set, TENANT, TestKey, authorized, claims};
use super::super::{ISSUER, SERVICE_HOSTS};
use super::*;

const MANAGER: &str = "11111111-2222-4333-8444-555555555555";
const JANE: &str = "7faf8511-d4b6-4a0b-8ed4-0e3ffda4f8a5";

fn ours() -> Ours {
    Ours {
        app_id: APP.to_owned(),
        tenant: TENANT.parse().unwrap(),
        command: "tap".to_owned(),
        service_hosts: SERVICE_HOSTS.map(str::to_owned).into(),
    }
}

/// A token as the Connector makes them.
async fn token() -> Verified {
    let key = TestKey::fresh("genuine");
    let published = json!({ "keys": [key.published(&json!(["msteams"]))] });
    let microsoft = Loopback::answering(move |base, asked| {
        let metadata = json!({ "jwks_uri": format!("{base}/keys") });
        (200, if asked.path == "/openid" { metadata } else { published.clone() })
    })
    .await;
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let http = crate::http::client(crate::http::Limits::default()).unwrap();
    let openid_url = format!("{}/openid", microsoft.base).parse().unwrap();
    let verifier = Verifier::new(APP.to_owned(), ISSUER.to_owned(), openid_url, http, Set::to(NOW) as Arc<_>);
    let token = format!("Bearer {}", key.token(&key.header(), &claims()));
    verifier.token(&authorized(&token)).await.unwrap()
}

/// An invoke from a card in a channel.
fn invoke() -> Value {
    json!({
        "type": "invoke", "name": "adaptiveCard/action", "id": "f:inv-1", "timestamp": "2026-11-22T19:14:41Z",
        "serviceUrl": SERVICE, "channelId": "msteams",
        "from": {"id": "29:1manager", "name": "Manager", "aadObjectId": MANAGER},
        "conversation": {
            "isGroup": true, "conversationType": "channel", "id": "19:c@thread.tacv2;messageid=1690000000000",
            "tenantId": TENANT,
        },
        "recipient": {"id": format!("28:{APP}"), "name": "TapBot"}, "replyToId": "1690000000000",
        "channelData": {
            "channel": {"id": "19:c@thread.tacv2"}, "team": {"id": "19:t@thread.tacv2"}, "tenant": {"id": TENANT},
            "source": {"name": "message"}, "legacy": {"replyToId": "1:legacy"},
        },
        "locale": "en-US",
        "value": {
            "action": {
                "type": "Action.Execute", "id": "approve", "verb": "approve",
                "data": {"choice": "approve", "value": "req.prompt"},
            },
            "trigger": "manual",
        },
    })
}

/// A message in the private chat.
fn written(text: &str) -> Value {
    json!({
        "type": "message", "text": text, "textFormat": "plain", "id": "1690000000001", "serviceUrl": SERVICE,
        "timestamp": "2026-11-22T19:14:41Z", "channelId": "msteams", "localTimezone": "Europe/Berlin",
        "from": {"id": "29:1manager", "name": "Manager", "aadObjectId": MANAGER},
        "conversation": {"conversationType": "personal", "id": "a:1", "tenantId": TENANT},
        "recipient": {"id": format!("28:{APP}"), "name": "TapBot"},
        "channelData": {"tenant": {"id": TENANT}},
        "entities": [{"type": "clientInfo", "locale": "en-US", "platform": "Windows"}],
    })
}

fn with(mut activity: Value, changes: &[(&str, Value)]) -> Value {
    for (path, value) in changes {
        let (parent, key) = path.rsplit_once('/').unwrap();
        activity.pointer_mut(parent).unwrap()[key] = value.clone();
    }
    activity
}

fn understood(activity: &Value, token: &Verified) -> Parsed {
    parse(activity.to_string().as_bytes(), token, &ours())
}

fn message(parsed: Parsed) -> Message {
    match parsed {
        Parsed::Inbound(message) => *message,
        Parsed::Look(_) => panic!("a look"),
        Parsed::Routes(_) => panic!("routes"),
        Parsed::NoButton => panic!("no button"),
        Parsed::NotForUs => panic!("not for us"),
        Parsed::Refused(why) => panic!("refused: {why:?}"),
        Parsed::NotVerified(why) => panic!("not verified: {why:?}"),
        Parsed::Malformed => panic!("malformed"),
    }
}

fn refused(parsed: &Parsed) -> Option<NotOurs> {
    if let Parsed::Refused(why) = parsed { Some(*why) } else { None }
}

fn user(id: &str) -> ChatUser {
    ours().user(id)
}

#[tokio::test]
async fn a_press_is_by_whom_the_activity_says_and_names_its_card() {
    let token = token().await;
    let pressed = message(understood(&invoke(), &token));
    let wish = Wish::Press { choice: Choice::Approve, value: "req.prompt".to_owned() };
    assert_eq!(pressed.inbound.wish, wish);
    assert_eq!(pressed.inbound.sender, user(MANAGER));
    let Answered::InCard { shown: Some(shown) } = &pressed.answered else { panic!("{:?}", pressed.answered) };
    assert_eq!(shown.message(), "1690000000000");
    let again = message(understood(&invoke(), &token)).inbound.delivery;
    assert_eq!(again, pressed.inbound.delivery, "sent again, it is the same");
    let other = message(understood(&with(invoke(), &[("/id", json!("f:inv-2"))]), &token));
    assert_ne!(other.inbound.delivery, pressed.inbound.delivery);
}

#[tokio::test]
async fn what_a_client_does_by_itself_is_never_a_press() {
    let token = token().await;
    let by_itself = with(invoke(), &[("/value/trigger", json!("automatic"))]);
    let drawn_anew = with(invoke(), &[("/value/action/verb", json!("refresh"))]);
    for activity in [by_itself, drawn_anew] {
        let Parsed::Look(look) = understood(&activity, &token) else { panic!("{activity}") };
        assert_eq!((look.viewer, look.value.as_str()), (user(MANAGER), "req.prompt"));
    }
}

#[tokio::test]
async fn other_tenants_bots_services_and_people_without_an_account_are_refused() {
    let token = token().await;
    let elsewhere = json!("99999999-0000-4000-8000-000000000009");
    let refusal = |changes: &[(&str, Value)]| refused(&understood(&with(invoke(), changes), &token));
    assert_eq!(refusal(&[("/conversation/tenantId", elsewhere.clone())]), Some(NotOurs::Tenant));
    assert_eq!(refusal(&[("/channelData/tenant/id", elsewhere.clone())]), Some(NotOurs::Tenant));
    let neither = [("/conversation/tenantId", json!(null)), ("/channelData/tenant", json!(null))];
    assert_eq!(refusal(&neither), Some(NotOurs::Tenant));
    assert_eq!(refusal(&[("/channelData", json!(null))]), None, "one that says so is enough");
    assert_eq!(refusal(&[("/recipient/id", json!(format!("28:{TENANT}")))]), Some(NotOurs::Recipient));
    assert_eq!(refusal(&[("/recipient/id", json!(APP))]), Some(NotOurs::Recipient));
    assert_eq!(refusal(&[("/recipient", json!(null))]), Some(NotOurs::Recipient));
    for aad in [json!(null), json!(""), json!("29:1manager"), json!("00000000-0000-0000-0000-0000000000020")]
    {
        assert_eq!(refusal(&[("/from/aadObjectId", aad.clone())]), Some(NotOurs::Sender), "{aad}");
    }
    assert!(matches!(
        understood(&with(invoke(), &[("/channelId", json!("webchat"))]), &token),
        Parsed::NotVerified(NotVerified::Activity)
    ));
}

#[test]
fn a_token_goes_to_hosts_on_the_list_alone() {
    let mut ours = ours();
    ours.service_hosts.extend(["127.0.0.1".to_owned(), "smba.example:8443".to_owned()]);
    for allowed in [
        "https://smba.trafficmanager.net/emea/",
        "https://smba.infra.gcc.teams.microsoft.com/x",
        "https://north.botframework.azure.cn/",
        "http://127.0.0.1:4000/",
        "https://smba.example:8443/",
    ] {
        assert!(ours.service(allowed).is_some(), "{allowed}");
    }
    for other in [
        "http://smba.trafficmanager.net/emea/",
        "https://smba.trafficmanager.net:8443/",
        "https://smba.trafficmanager.net.evil.example/",
        "https://evil.example/smba.trafficmanager.net",
        "https://smba.trafficmanager.net@evil.example/",
        "https://user:pass@smba.trafficmanager.net/",
        "https://smba.trafficmanager.net/?x=1",
        "https://evilbotframework.azure.cn/",
        "https://botframework.azure.cn.evil.example/",
        "http://127.0.0.2/",
        "http://localhost/",
        "https://smba.example/",
        "ftp://smba.trafficmanager.net/",
        "smba.trafficmanager.net",
        "",
    ] {
        assert!(ours.service(other).is_none(), "{other}");
    }
}

#[tokio::test]
async fn a_press_that_no_button_makes_is_answered_as_such() {
    let token = token().await;
    for changes in [
        ("/value", json!(null)),
        ("/value", json!(7)),
        ("/value/action", json!(null)),
        ("/value/action/data", json!("str")),
        ("/value/action/data", json!(null)),
        ("/value/action/data", json!({"choice": "unlock"})),
        ("/value/action/data", json!({"form": "unlock"})),
        ("/value/action/data", json!({"close": true})),
    ] {
        let parsed = understood(&with(invoke(), std::slice::from_ref(&changes)), &token);
        assert!(matches!(parsed, Parsed::NoButton), "{changes:?}");
    }
}

#[tokio::test]
async fn an_old_client_sends_a_press_as_a_message_without_text() {
    let token = token().await;
    let data = json!({"choice": "deny", "value": "req.prompt"});
    let submitted =
        message(understood(&with(written(""), &[("/text", json!(null)), ("/value", data)]), &token));
    let wish = Wish::Press { choice: Choice::Deny, value: "req.prompt".to_owned() };
    assert_eq!(submitted.inbound.wish, wish);
    assert_eq!(submitted.answered, Answered::ByMessage { among: None });
    let foreign = with(written(""), &[("/value", json!({"x": 1}))]);
    assert!(matches!(understood(&foreign, &token), Parsed::NotForUs));
}

#[tokio::test]
async fn a_dialog_is_opened_by_a_button_and_brings_back_what_was_filled_in() {
    let token = token().await;
    let data = json!({"choice": "show_pin", "value": "req.prompt", "msteams": {"type": "task/fetch"}});
    let fetch = with(invoke(), &[("/name", json!("task/fetch")), ("/value", json!({"data": data}))]);
    let opened = message(understood(&fetch, &token));
    let wish = Wish::Press { choice: Choice::ShowPin, value: "req.prompt".to_owned() };
    assert_eq!((opened.inbound.wish, opened.answered), (wish, Answered::InDialog));
    let data = json!({
        "form": "ask", "value": "opaque", "mark": "m1", "person": JANE.to_uppercase(), "address": "",
        "reason": "lost [her](phone)", "lifetime": "60", "other": "x",
    });
    let submit =
        |data: &Value| with(invoke(), &[("/name", json!("task/submit")), ("/value", json!({"data": data}))]);
    let filled_in = message(understood(&submit(&data), &token));
    let Wish::Fill(filled) = filled_in.inbound.wish else { panic!("no form") };
    assert_eq!((filled.purpose, filled.value.as_str()), (Purpose::Ask, "opaque"));
    assert_eq!(
        filled.entries,
        [
            (FieldName::Person, Entry::Account(user(JANE))),
            (FieldName::Reason, Entry::Text("lost [her](phone)".to_owned())),
            (FieldName::Lifetime, Entry::Text("60".to_owned())),
        ]
    );
    let again = with(submit(&data), &[("/id", json!("f:inv-2"))]);
    assert_eq!(message(understood(&again, &token)).inbound.delivery, filled_in.inbound.delivery);
    let closed = submit(&json!({"close": true}));
    assert!(matches!(understood(&closed, &token), Parsed::NotForUs));
    for picked in [json!("29:1jane"), json!(7), json!("jane@contoso.com")] {
        let odd = submit(&json!({"form": "ask", "person": picked}));
        let Wish::Fill(filled) = message(understood(&odd, &token)).inbound.wish else { panic!("no form") };
        assert_eq!(filled.entries, [], "{picked}");
    }
}

#[tokio::test]
async fn a_command_may_begin_with_its_word() {
    let token = token().await;
    let wish = |text: &str| message(understood(&written(text), &token)).inbound.wish;
    let jane = || Naming::Address("jane@contoso.com".to_owned());
    for text in [
        "tap for jane@contoso.com lost her phone",
        "/tap for Jane@Contoso.com, lost her phone",
        "TAP for jane@contoso.com: lost her phone",
        "for jane@contoso.com lost her phone",
        "  tap&nbsp;for jane@contoso.com lost her phone\n",
    ] {
        assert_eq!(wish(text), Wish::Ask(Ask::new(jane(), "lost her phone".to_owned())), "{text}");
    }
    for text in ["tap", " /tap ", ""] {
        assert_eq!(wish(text), Wish::Form, "{text:?}");
    }
    assert_eq!(wish("tap home"), Wish::Home { seen: None });
    assert_eq!(wish("pending"), Wish::Pending);
    assert_eq!(wish("tap status jane@contoso.com"), Wish::Status { of: Some(jane()) });
    assert_eq!(wish("taps"), Wish::Unclear(Unclear::NoSuchCommand));
    assert_eq!(wish("tap for @Jane lost"), Wish::Unclear(Unclear::UnknownName));
}

/// A message in a channel: ourselves and Jane are mentioned.
fn mentioning(text: &str, jane: &Value) -> Value {
    let mention = |id: &Value, name: &str| json!({"type": "mention", "mentioned": {"id": id, "name": name}, "text": format!("<at>{name}</at>")});
    let entities =
        json!([mention(&json!(format!("28:{}", APP.to_uppercase())), "TapBot"), mention(jane, "Jane")]);
    let conversation = json!({
        "isGroup": true, "conversationType": "channel", "id": "19:c@thread.tacv2;messageid=7", "tenantId": TENANT,
    });
    with(written(text), &[("/entities", entities), ("/conversation", conversation)])
}

#[tokio::test]
async fn whoever_is_mentioned_is_taken_from_the_entities_alone() {
    let token = token().await;
    let text = "<at>TapBot</at> tap for <at>Jane</at>, lost her phone, <at>Jane</at> says";
    for (id, account) in [
        (json!("29:1jane"), "29:1jane"),
        (json!(JANE.to_uppercase()), JANE),
        (json!(format!("8:orgid:{JANE}")), JANE),
    ] {
        let message = message(understood(&mentioning(text, &id), &token));
        let expected =
            Ask::new(Naming::Account(user(account)), "lost her phone, <at>Jane</at> says".to_owned());
        assert_eq!(message.inbound.wish, Wish::Ask(expected), "{id}");
        let Answered::ByMessage { among: Some(among) } = message.answered else { panic!("read by many") };
        assert_eq!(among.message, "1690000000001");
        assert_eq!(message.inbound.reply.whisper, None, "what is for one goes to their private chat");
    }
    for id in [json!("28:another-bot"), json!("19:t@thread.tacv2"), json!(null)] {
        let wish = message(understood(&mentioning(text, &id), &token)).inbound.wish;
        assert_eq!(wish, Wish::Unclear(Unclear::NotAPerson), "{id}");
    }
    let typed = "<at>TapBot</at> for <at>Eve</at> lost";
    let wish = message(understood(&mentioning(typed, &json!("29:1jane")), &token)).inbound.wish;
    assert_eq!(wish, Wish::Unclear(Unclear::NotAPerson), "text that looks like a mention names nobody");
    let smuggled = "<at>TapBot</at> for \u{e000}0\u{e001} lost";
    let wish = message(understood(&mentioning(smuggled, &json!("29:1jane")), &token)).inbound.wish;
    assert_eq!(wish, Wish::Unclear(Unclear::NotAPerson));
}

#[tokio::test]
async fn every_message_tells_where_its_sender_is_reached() {
    let token = token().await;
    let Routes { learnt, gone } = message(understood(&written("pending"), &token)).routes;
    let way = Way {
        service_url: SERVICE.trim_end_matches('/').to_owned(),
        conversation: "a:1".to_owned(),
        user: "29:1manager".to_owned(),
        personal: true,
        zone: Some("Europe/Berlin".to_owned()),
    };
    assert_eq!((learnt, gone), (vec![(user(MANAGER), way)], Vec::new()));
    let text = "<at>TapBot</at> status <at>Jane</at>";
    let routes = message(understood(&mentioning(text, &json!("29:1jane")), &token)).routes;
    let known: Vec<(&str, bool)> =
        routes.learnt.iter().map(|(user, way)| (user.id.as_str(), way.personal)).collect();
    assert_eq!(known, [(MANAGER, false), ("29:1jane", false)]);
    let channel = "19:c@thread.tacv2";
    assert!(routes.learnt.iter().all(|(_, way)| way.conversation == channel), "members are the channel's");
}

#[tokio::test]
async fn installing_shows_the_home_card_and_removing_forgets_the_way() {
    let token = token().await;
    let installation = |action: &str| {
        with(written(""), &[("/type", json!("installationUpdate")), ("/action", json!(action))])
    };
    let installed = message(understood(&installation("add"), &token));
    assert_eq!(installed.inbound.wish, Wish::Home { seen: None });
    let Parsed::Routes(upgraded) = understood(&installation("add-upgrade"), &token) else {
        panic!("no routes")
    };
    assert_eq!((upgraded.learnt.len(), upgraded.gone.len()), (1, 0));
    for action in ["remove", "remove-upgrade"] {
        let Parsed::Routes(routes) = understood(&installation(action), &token) else { panic!("{action}") };
        assert_eq!(routes, Routes { learnt: Vec::new(), gone: vec![(user(MANAGER), "a:1".to_owned())] });
    }
    let in_a_team = with(installation("add"), &[("/conversation/conversationType", json!("channel"))]);
    assert!(matches!(understood(&in_a_team, &token), Parsed::NotForUs));
}

#[tokio::test]
async fn people_who_join_or_leave_are_reached_or_not_any_more() {
    let token = token().await;
    let members =
        json!([{"id": "29:1jane", "aadObjectId": JANE}, {"id": format!("28:{APP}")}, {"id": "29:anon"}]);
    let update = |key: &str| {
        let kind = ("/type", json!("conversationUpdate"));
        with(mentioning("", &json!(null)), &[kind, (key, members.clone())])
    };
    let Parsed::Routes(joined) = understood(&update("/membersAdded"), &token) else { panic!("no routes") };
    let learnt: Vec<&str> = joined.learnt.iter().map(|(user, _)| user.id.as_str()).collect();
    assert_eq!((learnt, joined.gone.len()), (vec![MANAGER, JANE], 0));
    let Parsed::Routes(left) = understood(&update("/membersRemoved"), &token) else { panic!("no routes") };
    assert_eq!(left.gone, [(user(JANE), "19:c@thread.tacv2".to_owned())]);
}

#[tokio::test]
async fn what_we_never_asked_for_is_not_for_us_and_nonsense_is_malformed() {
    let token = token().await;
    for kind in ["typing", "messageReaction", "messageUpdate", "messageDelete", "endOfConversation", "event"]
    {
        assert!(
            matches!(understood(&with(written("x"), &[("/type", json!(kind))]), &token), Parsed::NotForUs),
            "{kind}"
        );
    }
    let other = with(invoke(), &[("/name", json!("composeExtension/query"))]);
    assert!(matches!(understood(&other, &token), Parsed::NotForUs));
    for changes in [
        ("/type", json!(null)),
        ("/from", json!(null)),
        ("/id", json!("")),
        ("/conversation/id", json!("..")),
    ] {
        let parsed = understood(&with(written("x"), std::slice::from_ref(&changes)), &token);
        assert!(matches!(parsed, Parsed::Malformed), "{changes:?}");
    }
    let deep = "[".repeat(200_000);
    for body in ["", "{", "[]", "7", r#"{"type": 7}"#, &deep] {
        assert!(matches!(parse(body.as_bytes(), &token, &ours()), Parsed::Malformed));
    }
}

#[tokio::test]
async fn what_microsofts_playground_sends_is_understood() {
    // As captured from it, with ids that are some: its own are no GUIDs and no ids of bots or people.
    let common = json!({
        "id": "ef82ffb7-c0bd-46c6-912a-f5e9da8abeb9", "timestamp": "2026-11-22T18:51:00.540Z",
        "localTimestamp": "2026-11-22T18:51:00.540+00:00", "localTimezone": "UTC", "serviceUrl": SERVICE,
        "channelId": "msteams", "locale": "en-US",
        "from": {"id": "29:user-id-0", "name": "Alex Wilber", "aadObjectId": MANAGER},
        "recipient": {"id": format!("28:{APP}"), "name": "Test Bot"},
        "conversation": {"conversationType": "personal", "tenantId": TENANT, "id": "93f25ad4-28f7"},
        "channelData": {"tenant": {"id": TENANT}, "source": {"name": "message"}},
        "entities": [{"type": "clientInfo", "locale": "en-US", "country": "US", "platform": "Web", "timezone": "UTC"}],
    });
    let token = token().await;
    let said = |changes: &[(&str, Value)]| understood(&with(common.clone(), changes), &token);
    let text = [
        ("/type", json!("message")),
        ("/textFormat", json!("plain")),
        ("/text", json!("/tap for alice@contoso.com lost")),
    ];
    assert!(matches!(message(said(&text)).inbound.wish, Wish::Ask(_)));
    let value = json!({
        "action": {"type": "Action.Execute", "title": "Approve", "verb": "approve", "data": {"choice": "approve", "value": "x"}},
        "trigger": "manual",
    });
    let press = [
        ("/type", json!("invoke")),
        ("/name", json!("adaptiveCard/action")),
        ("/replyToId", json!("1795373460552")),
        ("/value", value),
    ];
    assert!(matches!(message(said(&press)).inbound.wish, Wish::Press { choice: Choice::Approve, .. }));
    let settings = ("/channelData/settings", json!({"selectedChannel": {"id": "93f25ad4-28f7"}}));
    let install = [("/type", json!("installationUpdate")), ("/action", json!("add")), settings];
    assert!(matches!(message(said(&install)).inbound.wish, Wish::Home { .. }));
    let bot_added = json!([{"id": format!("28:{APP}")}]);
    let update = [("/type", json!("conversationUpdate")), ("/membersAdded", bot_added)];
    assert!(matches!(said(&update), Parsed::Routes(routes) if routes.learnt.len() == 1));
}

#[test]
fn an_outgoing_webhook_speaks_for_the_person_who_wrote() {
    let body = |changes: &[(&str, Value)]| {
        let written =
            with(written("<at>hook</at> for jane@contoso.com lost"), &[("/recipient", json!(null))]);
        with(written, changes).to_string()
    };
    let read = |body: &str, recent: bool| outgoing(body.as_bytes(), &ours(), |_| recent);
    let Outgoing::Inbound(inbound) = read(&body(&[]), true) else { panic!("not understood") };
    let jane = Naming::Address("jane@contoso.com".to_owned());
    assert_eq!(inbound.wish, Wish::Ask(Ask::new(jane, "lost".to_owned())));
    assert_eq!((inbound.sender, inbound.reply.whisper), (user(MANAGER), None));
    assert!(matches!(read(&body(&[]), false), Outgoing::Stale));
    for (changes, why) in [
        (("/from/aadObjectId", json!(null)), NotOurs::Sender),
        (("/conversation/tenantId", json!("99999999-0000-4000-8000-000000000009")), NotOurs::Tenant),
    ] {
        assert!(matches!(read(&body(&[changes]), true), Outgoing::Refused(refused) if refused == why));
    }
    for changes in [("/timestamp", json!(null)), ("/timestamp", json!("yesterday")), ("/id", json!(null))] {
        assert!(matches!(read(&body(&[changes]), true), Outgoing::Malformed));
    }
    assert!(matches!(read("{", true), Outgoing::Malformed));
}
