//! Does simulated Teams behave as the documentation says?

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use axum::Router;
use axum::routing::post;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};

use super::*;

struct World {
    teams: Teams,
    seconds: Arc<AtomicI64>,
}

async fn world() -> World {
    let seconds = Arc::new(AtomicI64::new(1_800_000_000));
    let clock = seconds.clone();
    let now: Now = Arc::new(move || Timestamp::from_second(clock.load(Ordering::SeqCst)).unwrap());
    World { teams: Teams::start(now, App::default()).await.unwrap(), seconds }
}

impl World {
    async fn token(&self, change: &[(&str, &str)]) -> (u16, Value) {
        let app = self.teams.app();
        let mut form = std::collections::BTreeMap::from([
            ("grant_type", "client_credentials"),
            ("client_id", app.app_id.as_str()),
            ("client_secret", app.secret.as_str()),
            ("scope", SCOPE),
        ]);
        form.extend(change.iter().copied());
        let url = self.teams.at(&format!("/{}/oauth2/v2.0/token", app.tenant_id));
        let answer = self.teams.http.post(url).form(&form).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    async fn call(&self, method: Method, path: &str, body: &Value) -> (u16, Value) {
        let token = self.token(&[]).await.1["access_token"].as_str().unwrap().to_owned();
        let url = format!("{}v3/conversations{path}", self.teams.service_url());
        let request = self.teams.http.request(method, url).bearer_auth(token).json(body);
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default())
    }

    async fn open(&self, person: &Person) -> (u16, Value) {
        let app = self.teams.app();
        let wish = json!({
            "bot": {"id": app.bot_id()}, "members": [{"id": person.id}], "isGroup": false,
            "tenantId": app.tenant_id, "channelData": {"tenant": {"id": app.tenant_id}},
        });
        self.call(Method::POST, "", &wish).await
    }

    async fn say(&self, person: &Person, activity: &Value) -> (u16, Value) {
        let path = format!("/{}/activities", personal_id(&person.id));
        self.call(Method::POST, &path, activity).await
    }

    /// A program that answers every activity with this.
    async fn program(&self, answer: Value) {
        let answer = move || async move { axum::Json(answer) };
        let router = Router::new().route("/teams/messages", post(answer));
        let address = Wire::default().serve(router).await.unwrap();
        self.teams.attach(Url::parse(&format!("http://{address}")).unwrap());
    }

    fn jane(&self) -> Person {
        self.teams.user("Jane Doe", "7faf8511-d4b6-4a0b-8ed4-0e3ffda4f8a5", "jane.doe@contoso.com")
    }

    fn last(&self) -> Value {
        serde_json::from_slice(&self.teams.deliveries().pop().unwrap().body).unwrap()
    }
}

fn with_card(card: &Value) -> Value {
    json!({"type": "message", "attachments": [{"contentType": limits::CARD, "content": card}]})
}

fn approval() -> Value {
    let button = |verb: &str, title: &str| {
        let fallback = json!({"type": "Action.Submit", "title": title, "data": {"verb": verb, "r": "x"}});
        json!({"type": "Action.Execute", "title": title, "verb": verb, "data": {"r": "x"}, "fallback": fallback})
    };
    json!({
        "type": "AdaptiveCard", "version": "1.5",
        "body": [
            {"type": "TextBlock", "text": "Ada asks", "weight": "Bolder", "wrap": true},
            {"type": "FactSet", "facts": [{"title": "Reason", "value": "\\*lost\\* her **phone** [here](https://x.de)"}]},
        ],
        "actions": [button("approve", "Approve"), button("deny", "Deny")],
    })
}

fn form() -> Value {
    json!({
        "type": "AdaptiveCard", "version": "1.5",
        "body": [
            {"type": "Input.Text", "id": "reason", "label": "Reason", "isRequired": true, "errorMessage": "Why?", "maxLength": 10},
            {"type": "TextBlock", "text": "Others read it.", "isSubtle": true, "wrap": true},
            {"type": "TextBlock", "text": "Longer.", "color": "Attention", "wrap": true},
            {"type": "Input.ChoiceSet", "id": "time", "label": "Lifetime", "choices": [
                {"title": "1 hour", "value": "60"}, {"title": "2 hours", "value": "120"},
            ]},
        ],
        "actions": [{"type": "Action.Submit", "title": "Ask", "data": {"form": "ask"}}],
    })
}

#[tokio::test]
async fn a_token_of_the_connector_is_signed_by_a_key_that_is_published_for_teams() {
    let world = world().await;
    let get =
        async |url: &str| -> Value { world.teams.http.get(url).send().await.unwrap().json().await.unwrap() };
    let metadata = get(world.teams.openid_url().as_str()).await;
    assert_eq!(metadata["issuer"], "https://api.botframework.com");
    let keys = get(metadata["jwks_uri"].as_str().unwrap()).await["keys"].as_array().unwrap().clone();
    assert_eq!(keys.len(), 3);
    let token = world.teams.token();
    let text = token.signed();
    let (signed, signature) = text.rsplit_once('.').unwrap();
    let key = keys.iter().find(|key| key["kid"] == token.header["kid"]).unwrap();
    assert!(key["endorsements"].as_array().unwrap().contains(&json!("msteams")));
    let bytes = |text: &Value| BASE64_URL_SAFE_NO_PAD.decode(text.as_str().unwrap()).unwrap();
    let public = RsaPublicKeyComponents { n: bytes(&key["n"]), e: bytes(&key["e"]) };
    let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap();
    public.verify(&RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), &signature).unwrap();
    world.teams.rotate_keys();
    assert_ne!(world.teams.token().header["kid"], token.header["kid"]);
}

#[tokio::test]
async fn the_bots_token_is_for_the_bot_framework_alone() {
    let world = world().await;
    assert_eq!(world.token(&[]).await.0, 200);
    for (change, status, code) in [
        (("client_secret", "wrong"), 401, 7_000_215),
        (("client_id", "who"), 400, 700_016),
        (("scope", "https://graph.microsoft.com/.default"), 400, 70011),
        (("grant_type", "password"), 400, 70003),
    ] {
        let (got, body) = world.token(&[change]).await;
        assert_eq!((got, &body["error_codes"]), (status, &json!([code])), "{change:?}");
    }
    let jane = world.jane();
    let url = format!(
        "{}v3/conversations/{}/members/{}",
        world.teams.service_url(),
        personal_id(&jane.id),
        jane.id
    );
    let bare = world.teams.http.get(&url).send().await.unwrap();
    assert_eq!(bare.status().as_u16(), 401);
    world.seconds.fetch_add(3599, Ordering::SeqCst);
}

#[tokio::test]
async fn a_conversation_is_opened_once_and_only_with_whoever_has_the_app() {
    let world = world().await;
    let jane = world.jane();
    let (status, first) = world.open(&jane).await;
    assert_eq!((status, world.open(&jane).await.1), (201, first.clone()));
    let eve = world.teams.stranger("Eve Else", "00000000-0000-4000-8000-00000000000e", "eve@contoso.com");
    assert_eq!(world.open(&eve).await.1["error"]["code"], "BotNotInConversationRoster");
    let by_address = Person { id: "jane.doe@contoso.com".to_owned(), ..jane.clone() };
    assert_eq!(world.open(&by_address).await.0, 400);

    let text = json!({"type": "message", "text": "Hello"});
    assert_eq!(world.say(&jane, &text).await.0, 201);
    world.teams.blocks(&jane);
    let (status, body) = world.say(&jane, &text).await;
    assert_eq!((status, &body["error"]["subCode"]), (403, &json!("MessageWritesBlocked")));
    world.teams.unblocks(&jane);
    let missing = world.call(Method::POST, "/a:nowhere/activities", &text).await;
    assert_eq!((missing.0, &missing.1["error"]["code"]), (404, &json!("ConversationNotFound")));
    let path = format!("/{}/activities/1", personal_id(&jane.id));
    assert_eq!(
        world.call(Method::PUT, &path, &text).await.1["error"]["code"],
        "ActivityNotFoundInConversation"
    );
    assert_eq!(world.teams.inbox(&jane).len(), 1);
}

#[tokio::test]
async fn members_are_found_by_three_names_and_say_what_they_are() {
    let world = world().await;
    let jane = world.jane();
    let gus = world.teams.user("Gus Guest", "00000000-0000-4000-8000-0000000000aa", "gus@elsewhere.com");
    world.teams.change(&gus, |gus| gus.role = Role::Guest);
    let channel = world.teams.channel("ops", &[&jane, &gus], true);
    let closed = world.teams.channel("closed", &[&jane], false);
    let object = jane.object_id.clone().unwrap();
    for key in [&jane.id, &object, &jane.upn] {
        let (status, found) =
            world.call(Method::GET, &format!("/{channel}/members/{key}"), &Value::Null).await;
        assert_eq!(
            (status, &found["aadObjectId"], &found["userRole"]),
            (200, &json!(object), &json!("user"))
        );
    }
    let personal = personal_id(&jane.id);
    let missing = world.call(Method::GET, &format!("/{personal}/members/{}", gus.id), &Value::Null).await;
    assert_eq!((missing.0, &missing.1["error"]["code"]), (404, &json!("MemberNotFoundInConversation")));
    let (_, page) =
        world.call(Method::GET, &format!("/{channel}/pagedmembers?pageSize=50"), &Value::Null).await;
    assert_eq!(page["members"].as_array().unwrap().len(), 2);
    assert!(page["members"].as_array().unwrap().iter().any(|member| member["userRole"] == "guest"));
    assert_eq!(world.call(Method::GET, &format!("/{closed}/pagedmembers"), &Value::Null).await.0, 403);
}

#[tokio::test]
async fn refuses_cards_that_teams_would_not_show() {
    let world = world().await;
    let jane = world.jane();
    let mut refused = Vec::new();
    let mut card = |change: &dyn Fn(&mut Value)| {
        let mut card = approval();
        change(&mut card);
        refused.push(card);
    };
    card(&|card| card["version"] = json!("1.6"));
    card(&|card| card["version"] = json!("1.3"));
    card(&|card| card["body"][0]["txet"] = json!("x"));
    card(&|card| card["body"][0]["text"] = json!(""));
    card(&|card| card["body"][0]["type"] = json!("Carousel"));
    card(&|card| _ = card["actions"][0].as_object_mut().unwrap().remove("verb"));
    card(&|card| card["actions"] = json!(vec![card["actions"][0].clone(); 7]));
    card(&|card| card["actions"][0]["style"] = json!("primary"));
    card(&|card| card["refresh"] = json!({"action": card["actions"][0], "userIds": ["29:nobody"]}));
    card(&|card| card["refresh"] = json!({"action": card["actions"][0], "userIds": vec![""; 61]}));
    card(&|card| card["body"] = json!([form()["body"][0], form()["body"][0]]));
    for card in refused {
        let (status, body) = world.say(&jane, &with_card(&card)).await;
        assert_eq!((status, &body["error"]["code"]), (400, &json!("BadSyntax")), "{card}");
    }
    assert_eq!(world.say(&jane, &json!({"type": "message", "text": "x", "txet": "x"})).await.0, 400);
    let long = json!({"type": "message", "text": "x".repeat(limits::MESSAGE_BYTES)});
    assert_eq!(world.say(&jane, &long).await.1["error"]["code"], "MessageSizeTooBig");
    assert!(world.teams.inbox(&jane).is_empty());

    assert_eq!(world.say(&jane, &with_card(&approval())).await.0, 201);
    let inbox = world.teams.inbox(&jane);
    assert_eq!(
        inbox[0].visible_text(),
        "Ada asks\nReason\n*lost* her phone here (https://x.de)\n[Approve] [Deny]"
    );
    let path = format!("/{}/activities/{}", personal_id(&jane.id), inbox[0].id);
    world.call(Method::PUT, &path, &json!({"type": "message", "text": "Done"})).await;
    let edited = &world.teams.inbox(&jane)[0];
    assert_eq!((edited.visible_text().as_str(), edited.history.len(), edited.is_changed), ("Done", 1, true));
    assert_eq!(world.call(Method::DELETE, &path, &Value::Null).await.0, 200);
    assert!(world.teams.inbox(&jane).is_empty());
}

#[tokio::test]
async fn the_limits_of_a_thread_end_with_their_window() {
    let world = world().await;
    let jane = world.jane();
    world.teams.configure(|app| app.has_limits = true);
    let text = json!({"type": "message", "text": "x"});
    for _ in 0..7 {
        assert_eq!(world.say(&jane, &text).await.0, 201);
    }
    assert_eq!(world.say(&jane, &text).await.1["error"]["code"], "TooManyRequests");
    world.seconds.fetch_add(1, Ordering::SeqCst);
    assert_eq!(world.say(&jane, &text).await.0, 201);
    assert_eq!(world.say(&jane, &text).await.0, 429, "eight in two seconds");
    world.seconds.fetch_add(2, Ordering::SeqCst);
    assert_eq!(world.say(&jane, &text).await.0, 201);
}

#[tokio::test]
async fn a_press_is_an_invoke_whose_answer_only_that_person_sees() {
    let world = world().await;
    let jane = world.jane();
    let line = json!({"type": "AdaptiveCard", "version": "1.5", "body": [{"type": "TextBlock", "text": "Recorded"}]});
    world.program(json!({"statusCode": 200, "type": limits::CARD, "value": line})).await;
    world.say(&jane, &with_card(&approval())).await;
    let message = world.teams.inbox(&jane).pop().unwrap();
    assert!(world.teams.press(&jane, &message, "Revoke", &[]).await.is_err(), "there is no such button");
    assert!(world.teams.press(&jane, &message, "Approve", &[]).await.unwrap().is_accepted());
    // Before it came the news that Jane has the app.
    assert_eq!(world.teams.deliveries().len(), 2);
    let invoke = world.last();
    assert_eq!(invoke["value"]["action"]["data"], json!({"r": "x"}));
    assert_eq!((&invoke["replyToId"], &invoke["from"]["id"]), (&json!(message.id), &json!(jane.id)));
    assert_eq!(world.teams.inbox(&jane)[0].visible_text(), "Recorded");
    assert!(world.teams.press(&jane, &message, "Deny", &[]).await.is_err(), "the card is another by now");

    world
        .program(
            json!({"statusCode": 200, "type": "application/vnd.microsoft.activity.message", "value": "No."}),
        )
        .await;
    world.say(&jane, &with_card(&approval())).await;
    let second = world.teams.inbox(&jane).pop().unwrap();
    assert!(world.teams.press_in_old_client(&jane, &second, "Deny").await.unwrap().is_accepted());
    assert_eq!((&world.last()["type"], &world.last()["value"]["verb"]), (&json!("message"), &json!("deny")));
    world.teams.press(&jane, &second, "Deny", &[]).await.unwrap();
    assert_eq!(world.teams.answers(&jane).pop().unwrap().visible_text(), "No.");
    world.program(json!({"ok": true})).await;
    let reply = world.teams.press(&jane, &second, "Deny", &[]).await.unwrap();
    assert_eq!(reply.failure, Some("invalid_invoke_response"));
}

#[tokio::test]
async fn a_card_is_refreshed_once_for_whom_it_names() {
    let world = world().await;
    let (jane, own) = (
        world.jane(),
        json!({"type": "AdaptiveCard", "version": "1.5", "body": [{"type": "TextBlock", "text": "Yours"}]}),
    );
    world.program(json!({"statusCode": 200, "type": limits::CARD, "value": own})).await;
    let mut card = approval();
    card["refresh"] = json!({"action": {"type": "Action.Execute", "verb": "look"}, "userIds": [jane.id]});
    world.say(&jane, &with_card(&card)).await;
    world.teams.everybody_looks().await;
    world.teams.everybody_looks().await;
    let automatic = world
        .teams
        .deliveries()
        .iter()
        .filter(|d| String::from_utf8_lossy(&d.body).contains("automatic"))
        .count();
    assert_eq!(automatic, 1);
    assert_eq!(world.teams.inbox(&jane)[0].visible_text(), "Yours");
}

#[tokio::test]
async fn a_dialog_opens_is_filled_in_and_closes() {
    let world = world().await;
    let jane = world.jane();
    let card = json!({"contentType": limits::CARD, "content": form()});
    world.program(json!({"task": {"type": "continue", "value": {"title": "Help", "card": card}}})).await;
    let fetch = json!({"type": "Action.Submit", "title": "Open", "data": {"msteams": {"type": "task/fetch"}, "a": 1}});
    let opener = json!({"type": "AdaptiveCard", "version": "1.5", "body": [], "actions": [fetch]});
    world.say(&jane, &with_card(&opener)).await;
    let message = world.teams.inbox(&jane).pop().unwrap();
    world.teams.press(&jane, &message, "Open", &[]).await.unwrap();
    assert_eq!(
        (&world.last()["name"], &world.last()["value"]["data"]["a"]),
        (&json!("task/fetch"), &json!(1))
    );
    assert_eq!(
        world.teams.dialog(&jane).unwrap().visible_text(),
        "Help\nReason: ____\n  Others read it.\n! Longer.\nLifetime (optional): (1 hour | 2 hours)\n[Ask]"
    );
    let press = async |values: &[(&str, &str)]| world.teams.press_in_dialog(&jane, "Ask", values).await;
    assert!(press(&[]).await.is_err(), "the reason is required");
    assert!(press(&[("reason", "much too long a reason")]).await.is_err());
    assert!(press(&[("reason", "lost"), ("time", "3 hours")]).await.is_err());
    world.program(json!({})).await;
    assert!(press(&[("reason", "lost"), ("time", "2 hours")]).await.unwrap().is_accepted());
    assert_eq!(world.last()["value"]["data"], json!({"form": "ask", "reason": "lost", "time": "120"}));
    assert!(world.teams.dialog(&jane).is_none());
    assert!(!json!(world.teams.everything_ever_seen()).to_string().contains("Others read it."));
}

#[tokio::test]
async fn a_dialog_that_is_not_answered_is_asked_for_twice_more() {
    let world = world().await;
    let jane = world.jane();
    let wire = Wire::default();
    let address = wire.serve(Router::new().route("/teams/messages", post(async || "{}"))).await.unwrap();
    world.teams.attach(Url::parse(&format!("http://{address}")).unwrap());
    world.teams.everybody_arrives().await;
    world.teams.set_deadline(std::time::Duration::from_millis(50));
    wire.trouble("/teams/messages", 9, crate::wire::Trouble::HoldAnswer(crate::wire::Gate::closed()));
    assert_eq!(world.teams.fetch(&jane, json!({})).await.failure, Some("no_answer_in_time"));
    assert_eq!(wire.count(&Method::POST, "/teams/messages"), 1 + 3);
    assert_eq!(world.teams.types(&jane, "hello").await.failure, Some("no_answer_in_time"));
    assert_eq!(wire.count(&Method::POST, "/teams/messages"), 1 + 4);
}

#[test]
fn the_outgoing_webhook_signs_as_microsofts_example_key_does() {
    let signature = webhook_signature(
        "vqF0En+Z0ucuRTM/01o2GuhMH3hKKk/N2bOmlM31zaA=",
        "{\"type\":\"message\",\"text\":\"Zo\u{eb} \u{2705}\"}".as_bytes(),
    );
    assert_eq!(signature, "HMAC Gi9UPWdRu4WqgYjTAsTtADl9SjLnMeyJnJ97FcZ8/i8=");
}
