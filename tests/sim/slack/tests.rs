//! Does simulated Slack behave as the documentation says?

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use axum::Router;
use axum::routing::post;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::*;

struct World {
    slack: Slack,
    seconds: Arc<AtomicI64>,
}

async fn world() -> World {
    let seconds = Arc::new(AtomicI64::new(1_800_000_000));
    let clock = seconds.clone();
    let now: Now = Arc::new(move || Timestamp::from_second(clock.load(Ordering::SeqCst)).unwrap());
    World { slack: Slack::start(now, Workspace::default()).await.unwrap(), seconds }
}

impl World {
    async fn call(&self, method: &str, args: Value) -> Value {
        let url = self.slack.api_url().join(method).unwrap();
        let request = self.slack.http.post(url).bearer_auth("xoxb-simulated").json(&args);
        request.send().await.unwrap().json().await.unwrap()
    }

    /// A program that answers every request with this.
    async fn program(&self, kind: &'static str, body: &'static str) {
        let answer = move || async move { ([("content-type", kind)], body) };
        let router =
            Router::new().route("/slack/commands", post(answer)).route("/slack/interactions", post(answer));
        let address = Wire::default().serve(router).await.unwrap();
        self.slack.attach(Url::parse(&format!("http://{address}")).unwrap());
    }

    fn last_payload(&self) -> Value {
        let body = self.slack.deliveries().pop().unwrap().body;
        let form = api::form(&body);
        serde_json::from_str(form["payload"].as_str().unwrap()).unwrap()
    }
}

fn modal() -> Value {
    let plain = |text: &str| json!({"type": "plain_text", "text": text});
    json!({
        "type": "modal", "title": plain("Ask"), "submit": plain("Send"), "notify_on_close": true,
        "blocks": [{"type": "input", "block_id": "why", "label": plain("Why"),
            "element": {"type": "plain_text_input", "action_id": "text", "max_length": 10}}],
    })
}

fn card() -> Value {
    let button = |id: &str, label: &str| json!({"type": "button", "action_id": id, "value": "req_1", "text": {"type": "plain_text", "text": label}});
    json!([
        {"type": "section", "text": {"type": "mrkdwn", "text": "<@U1> asks &amp; waits <https://x.de|here>"}},
        {"type": "actions", "block_id": "b", "elements": [button("approve", "Approve"), button("deny", "Deny")]},
    ])
}

#[test]
fn signs_as_the_public_vector_does() {
    let body = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&\
        channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&\
        response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&\
        trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
    assert_eq!(
        sign("8f742231b10e8888abcd99yyyzzz85a5", "1531420618", body.as_bytes()),
        "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
    );
}

#[tokio::test]
async fn refuses_messages_beyond_the_limits() {
    let world = world().await;
    let ada = world.slack.user("U1", "ada", "ada@x.de");
    assert_eq!(
        world.call("chat.postMessage", json!({"channel": "U1", "text": "x"})).await["error"],
        "channel_not_found"
    );
    let direct = world.call("conversations.open", json!({"users": "U1"})).await["channel"]["id"].clone();
    let send = async |args: Value| {
        let mut args = args;
        args["channel"] = direct.clone();
        world.call("chat.postMessage", args).await["error"].clone()
    };
    assert_eq!(send(json!({"text": "x".repeat(4001)})).await, "msg_too_long");
    assert_eq!(send(json!({})).await, "no_text");
    assert_eq!(send(json!({"txet": "x"})).await, "invalid_arguments");
    let mut bad = card();
    bad[1]["elements"][0]["style"] = json!("positive");
    assert_eq!(send(json!({"blocks": bad})).await, "invalid_blocks");
    let mut twice = card();
    twice[1]["elements"][1]["action_id"] = json!("approve");
    assert_eq!(send(json!({"blocks": twice})).await, "invalid_blocks");
    let long = json!([{"type": "section", "text": {"type": "mrkdwn", "text": "x".repeat(3001)}}]);
    assert_eq!(send(json!({"blocks": long})).await, "invalid_blocks");
    assert!(world.slack.inbox(&ada).is_empty());

    assert_eq!(send(json!({"text": "fallback", "blocks": card()})).await, Value::Null);
    let inbox = world.slack.inbox(&ada);
    assert_eq!(inbox[0].visible_text(), "@ada asks & waits here (https://x.de)\n[Approve] [Deny]");
    assert_eq!(world.slack.read(&ada).len(), 1);
    assert!(world.slack.all_unread().is_empty());

    let update = json!({"channel": direct, "ts": inbox[0].ts, "text": "done"});
    assert_eq!(world.call("chat.update", update).await["ok"], true);
    let edited = &world.slack.inbox(&ada)[0];
    assert_eq!((edited.visible_text().as_str(), edited.history.len(), edited.is_changed), ("done", 1, true));
    world.slack.configure(|workspace| _ = workspace.scopes.remove("chat:write"));
    assert_eq!(send(json!({"text": "x"})).await, "missing_scope");
}

#[tokio::test]
async fn a_trigger_works_once_and_for_three_seconds() {
    let world = world().await;
    let ada = world.slack.user("U1", "ada", "ada@x.de");
    world.program("text/plain", "").await;
    let mut triggers = Vec::new();
    for _ in 0..2 {
        assert!(world.slack.shortcut(&ada, "ask").await.is_accepted());
        triggers.push(world.last_payload()["trigger_id"].clone());
    }
    let open = async |trigger: &Value| {
        world.call("views.open", json!({"trigger_id": trigger, "view": modal()})).await
    };
    world.seconds.fetch_add(3, Ordering::SeqCst);
    assert_eq!(open(&triggers[0]).await["ok"], true);
    assert_eq!(open(&triggers[0]).await["error"], "exchanged_trigger_id");
    world.seconds.fetch_add(1, Ordering::SeqCst);
    assert_eq!(open(&triggers[1]).await["error"], "expired_trigger_id");
    assert_eq!(world.slack.modal(&ada).unwrap().visible_text(), "Ask\nWhy: ____\n[Send]");

    assert!(world.slack.submit_view(&ada, &[]).await.is_err(), "the input is required");
    assert!(world.slack.submit_view(&ada, &[("why", "lost phone")]).await.unwrap().is_accepted());
    let values = world.last_payload()["view"]["state"]["values"].clone();
    assert_eq!(values, json!({"why": {"text": {"type": "plain_text_input", "value": "lost phone"}}}));
    assert!(world.slack.modal(&ada).is_none());
    assert!(!json!(world.slack.everything_ever_seen()).to_string().contains("Why"));
}

#[tokio::test]
async fn a_command_and_a_button_reach_the_program() {
    let world = world().await;
    let (ada, bob) = (world.slack.user("U1", "ada", "ada@x.de"), world.slack.user("U2", "bob", ""));
    world.program("application/json", r#"{"text":"Checking …"}"#).await;
    assert!(world.slack.command(&ada, "/tap", "for <@U2> lost phone").await.is_accepted());
    assert_eq!(world.slack.ephemerals(&ada)[0].visible_text(), "Checking …");
    let direct = world.call("conversations.open", json!({"users": "U1"})).await["channel"]["id"].clone();
    world.call("chat.postMessage", json!({"channel": direct, "blocks": card()})).await;
    let message = world.slack.inbox(&ada).pop().unwrap();
    assert!(world.slack.press(&bob, &message, "Approve").await.is_err(), "it is not bob's message");
    assert!(world.slack.press(&ada, &message, "Revoke").await.is_err(), "there is no such button");
    assert!(world.slack.press(&ada, &message, "Approve").await.unwrap().is_accepted());
    let payload = world.last_payload();
    assert_eq!(payload["actions"][0]["action_id"], "approve");

    let url = payload["response_url"].as_str().unwrap().to_owned();
    let answer = async || {
        let request =
            world.slack.http.post(&url).json(&json!({"text": "Approved.", "replace_original": true}));
        request.send().await.unwrap().status().as_u16()
    };
    for _ in 0..5 {
        assert_eq!(answer().await, 200);
    }
    assert_eq!(answer().await, 404);
    assert_eq!(world.slack.inbox(&ada)[0].visible_text(), "Approved.");
}

#[tokio::test]
async fn a_late_or_failing_program_is_reported() {
    let world = world().await;
    let ada = world.slack.user("U1", "ada", "ada@x.de");
    assert_eq!(world.slack.command(&ada, "/tap", "").await.failure, Some("dispatch_failed"));
    let wire = Wire::default();
    let address = wire.serve(Router::new()).await.unwrap();
    world.slack.attach(Url::parse(&format!("http://{address}")).unwrap());
    world.slack.set_deadline(std::time::Duration::from_millis(50));
    wire.trouble("/slack/commands", 1, crate::wire::Trouble::HoldAnswer(crate::wire::Gate::closed()));
    assert_eq!(world.slack.command(&ada, "/tap", "").await.failure, Some("operation_timeout"));
    assert_eq!(
        world.slack.ephemerals(&ada)[1].visible_text(),
        "/tap failed with the error \"operation_timeout\""
    );
}

#[tokio::test]
async fn a_home_tab_is_published_for_one_person_and_guarded_by_its_hash() {
    let world = world().await;
    world.program("text/plain", "").await;
    let jane = world.slack.user("U1", "jane", "jane@contoso.com");
    let home = |text: &str| json!({"type": "home", "blocks": [{"type": "section", "text": {"type": "plain_text", "text": text}}]});
    let publish = async |more: Value| {
        let mut args = json!({"user_id": "U1", "view": home("Hello")});
        args.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        world.call("views.publish", args).await
    };
    assert!(!world.slack.home_event(&jane, "home")["event"].as_object().unwrap().contains_key("view"));
    let first = publish(json!({})).await;
    let hash = first["view"]["hash"].clone();
    assert_eq!(world.slack.home(&jane).unwrap().visible_text(), "Hello");
    assert_eq!(world.slack.home_event(&jane, "home")["event"]["view"]["hash"], hash);
    let second = publish(json!({"hash": hash, "view": home("Again")})).await;
    assert_eq!(second["view"]["id"], first["view"]["id"]);
    assert_eq!(publish(json!({"hash": hash})).await["error"], "hash_conflict");
    assert_eq!(publish(json!({"user_id": "U9"})).await["error"], "invalid_arguments");
    let mut titled = home("Hello");
    titled["title"] = json!({"type": "plain_text", "text": "No title here"});
    let many: Vec<Value> = (0..101).map(|_| json!({"type": "divider"})).collect();
    for refused in [titled, json!({"type": "home", "blocks": many}), modal()] {
        assert_eq!(publish(json!({"view": refused})).await["error"], "invalid_arguments", "{refused}");
    }
    world.slack.configure(|workspace| workspace.has_home_tab = false);
    assert_eq!(publish(json!({})).await["error"], "not_enabled");
    assert_eq!(world.slack.home(&jane).unwrap().visible_text(), "Again");
}
