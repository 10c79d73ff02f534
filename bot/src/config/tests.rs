//! What does `check-config` say about a file? The example configuration, with one thing changed at a time.

use super::Config;

const EXAMPLE: &str = include_str!("../../../deploy/tapdesk.example.toml");

/// The complaint about the example in which `from` is replaced by `to`.
#[track_caller]
fn complaint(from: &str, to: &str) -> String {
    assert!(EXAMPLE.contains(from), "the example has no {from:?}");
    let text = EXAMPLE.replacen(from, to, 1);
    Config::check("tapdesk.toml", &text)
        .err()
        .map_or_else(|| "can be used".to_owned(), |error| error.to_string())
}

/// Checks that the complaint names file, line, key and reason; the line is that of `at` in the changed file.
#[track_caller]
fn check(from: &str, to: &str, at: &str, key: &str, what: &str) {
    let complaint = complaint(from, to);
    let text = EXAMPLE.replacen(from, to, 1);
    let line = 1 + text.lines().position(|row| row.contains(at)).expect("the line is there");
    let has_column = |rest: &str| {
        rest.split_once(':').is_some_and(|(column, _)| column.parse().is_ok_and(|one: usize| one > 0))
    };
    let found = complaint.lines().any(|row| {
        let place = row.strip_prefix(&format!("tapdesk.toml:{line}:"));
        place.is_some_and(has_column) && row.contains(key) && row.contains(what)
    });
    assert!(found, "no line {line} with a column, {key}, {what:?} in:\n{complaint}");
}

const APPROVALS: &str = "approvals = [\"manager | group:22222222-2222-2222-2222-222222222222\"]";
const REQUESTER: &str = "requester = \"group:11111111-1111-1111-1111-111111111111\"";
const NAME: &str = "name = \"helpdesk for staff\"";
const RULE: &str = "policy.rule \"helpdesk for staff\"";

#[test]
fn the_example_can_be_used() {
    assert_eq!(complaint("", ""), "can be used");
}

#[test]
fn what_is_not_a_configuration_is_named_by_file_line_and_key() {
    check("teams = [", "team = [", "team = [", "slack", "unknown field `team`");
    check("trust_email = true", "trust_email = \"yes\"", "trust_email", "slack.trust_email", "boolean");
    check(
        "keep_closed = \"30d\"",
        "keep_closed = \"30 days\"",
        "keep_closed",
        "store.keep_closed",
        "not a duration",
    );
    check(REQUESTER, "requester = \"grp:1\"", "grp:1", "requester", "grp:1");
    check("kind = \"embedded\"", "kind = \"papyrus\"", "papyrus", "store.kind", "papyrus");
    check(
        "# auth_token_file = ",
        "auth_token = \"t\"\nauth_token_file = ",
        "auth_token = ",
        "courier.sms.auth_token",
        "give either",
    );
    check("# group = \"0", "group = \"soc\" #", "group = \"soc\"", "security.group", "UUID");
    check("[ledger]", "[ledger", "[ledger", "the file", "");
}

#[test]
fn the_page_needs_a_rule_that_serves_whoever_asks_there() {
    let needs = "needs a rule with requester = \"self\"";
    check("[policy]", "[ask]\n[policy]", "[ask]", "ask", needs);
    let own = EXAMPLE.replacen(REQUESTER, "requester = \"self\"\nticket_number = \"INC[0-9]{7}\"", 1);
    let error = Config::check("tapdesk.toml", &own.replacen("[policy]", "[ask]\n[policy]", 1)).unwrap_err();
    assert!(error.to_string().contains(needs), "{error}");
}

#[test]
fn the_page_is_refused_where_its_limits_make_no_sense() {
    let with = |lines: &str| {
        let text = EXAMPLE.replacen(REQUESTER, "requester = \"self\"", 1);
        let text = text.replacen("[policy]", &format!("[ask]\n{lines}\n[policy]"), 1);
        Config::check("tapdesk.toml", &text)
            .err()
            .map_or_else(|| "can be used".to_owned(), |error| error.to_string())
    };
    assert_eq!(with(""), "can be used");
    assert_eq!(with("approval_expires = \"4h\"\nper_subject = 1"), "can be used");
    for (lines, what) in [
        (
            "approval_expires = \"5h\"",
            "ask.approval_expires: at least 5m, and at most policy.approval_expires",
        ),
        ("approval_expires = \"4m\"", "ask.approval_expires: at least 5m"),
        ("per_subject = 0", "ask.per_subject: 0 lets nobody ask"),
        ("prompts_per_approver = 0", "ask.prompts_per_approver: 0 lets nobody ask"),
        ("per_address = 0", "ask.per_address: 0 lets nobody ask"),
        ("per_hour = 0", "ask.per_hour: 0 lets nobody ask"),
        ("per_minute = 1", "unknown field `per_minute`"),
    ] {
        assert!(with(lines).contains(what), "{lines}: {}", with(lines));
    }
    let proxied = |trusted: &str| {
        let text = EXAMPLE.replacen(REQUESTER, "requester = \"self\"", 1);
        let (head, tls) = text.split_once("\n[tls]\n").expect("the example has [tls]");
        let rest = tls.split_once("\n[store]\n").expect("and [store] after it").1;
        let text = format!("{head}\nbehind_tls_proxy = true\n{trusted}\n[ask]\n[store]\n{rest}");
        Config::check("tapdesk.toml", &text)
            .err()
            .map_or_else(|| "can be used".to_owned(), |error| error.to_string())
    };
    assert!(
        proxied("").contains("ask: behind a proxy that trusted_proxies does not name"),
        "{}",
        proxied("")
    );
    assert_eq!(proxied("trusted_proxies = [\"10.0.0.5\"]"), "can be used");
}

#[test]
fn what_must_not_be_is_refused_by_file_line_and_key() {
    let after = "escalate_after = \"5h\"\nescalate_to = [\"manager\"]\n";
    check(NAME, &format!("{NAME}\n{after}"), "escalate_after", RULE, "shorter than approval_expires");
    let pin = format!("{RULE}.pin");
    check(
        "remind_after = \"15m\"",
        "remind_after = \"5h\"",
        "remind_after",
        "policy.remind_after",
        "no reminder",
    );
    check("pin = [\"approver\"]", "pin = [\"sms\"]", "pin = [", &pin, "share a route class");
    check("pin = [\"approver\"]", "pin = [\"email\"]", "pin = [", &pin, "fallbacks count");
    check(APPROVALS, "approvals = []", "pin = [", &pin, "there is no approver to show the PIN to");
    check(
        "bot_token_file",
        "bot_token = \"xoxb-1\"\nbot_token_file",
        "bot_token = ",
        "slack.bot_token",
        "give either",
    );
    check("bot_token_file = ", "# bot_token_file = ", "[slack]", "slack.bot_token", "give either");
    check(
        "[courier.sms]",
        "[courier.sms]\nmessaging_service = \"MG1\"",
        "[courier.sms]",
        "courier.sms",
        "give either",
    );
    check(
        "# tls = \"required\"",
        "tls = \"none\" #",
        "tls = \"none\"",
        "courier.email.tls",
        "only for a mail server on this",
    );
    check("https://tap.example.com", "http://tap.example.com", "public_url", "public_url", "https://");
    check("https://tap.example.com", "https://example.com/tap", "public_url", "public_url", "root");
    check("mailto:soc@example.com", "soc", "notify", "security.notify", "name at least one address");
    check("# [worker]", "[worker]\nlease = \"5s\" #", "lease = \"5s\"", "worker.lease", "at least twice");
}

#[test]
fn a_rule_that_can_never_match_is_refused() {
    let rest = EXAMPLE.split_once(NAME).expect("the rule has a name").1;
    let text = format!("{EXAMPLE}\n[[policy.rule]]\nname = \"second\"{rest}");
    let complaint = Config::check("tapdesk.toml", &text).expect_err("two rules alike").to_string();
    assert!(complaint.contains("policy.rule \"second\": never matches"), "{complaint}");
}

#[test]
fn nobody_may_ask_for_everybody_without_an_approval() {
    for (who, what) in [("anyone", "everybody could get a pass"), ("self", "could get a pass alone")] {
        let text = EXAMPLE.replacen(APPROVALS, "approvals = []", 1);
        let text = text.replacen(REQUESTER, &format!("requester = \"{who}\""), 1);
        let complaint = Config::check("tapdesk.toml", &text).expect_err(who).to_string();
        assert!(complaint.contains(what), "{complaint}");
    }
}

#[test]
fn a_listener_that_is_neither_loopback_nor_tls_is_refused() {
    let (before, after) = EXAMPLE.split_once("\n[tls]\n").expect("the example has [tls]");
    let after = after.split_once("[store]").expect("the example has [store]").1;
    let text = format!("{before}\n[store]{after}");
    let complaint = Config::check("tapdesk.toml", &text).expect_err("no TLS").to_string();
    assert!(complaint.contains("listen: neither loopback nor TLS"), "{complaint}");
}

#[test]
fn a_route_without_its_courier_is_refused() {
    let (before, after) = EXAMPLE.split_once("[courier.sms]").expect("the example has [courier.sms]");
    let after = after.split_once("[courier.email]").expect("the example has [courier.email]").1;
    let text = format!("{before}[courier.email]{after}");
    let complaint = Config::check("tapdesk.toml", &text).expect_err("no courier").to_string();
    assert!(complaint.contains("uses sms, and [courier.sms] is missing"), "{complaint}");
}

#[test]
fn a_secret_is_never_quoted() {
    let forms = [
        "86753091234",
        "\"86753091234",
        "[\"86753091234\"]",
        "{ a = \"86753091234\" }",
        "8675.3091234",
        "86753091234x",
    ];
    for wrong in forms {
        let complaint =
            complaint("bot_token_file = \"/run/secrets/slack-bot\"", &format!("bot_token = {wrong}"));
        assert!(complaint.starts_with("tapdesk.toml:"), "{complaint}");
        assert!(!complaint.contains("8675") && !complaint.contains("3091234"), "{complaint}");
    }
}

#[test]
fn an_alarm_that_could_never_ring_as_it_says_is_named() {
    let quick = "quick_approval = { within = \"10s\" }";
    check(
        quick,
        "quick_approval = { within = \"1h\" }",
        "quick_approval",
        "security.alarms.quick_approval",
        "1s to 10m",
    );
    check(quick, "quick_approval = \"on\"", "quick_approval", "security.alarms.quick_approval", "\"off\"");
    check("over = \"28d\"", "over = \"30d\"", "busy_agent", "security.alarms.busy_agent", "keep_closed");
}

#[test]
fn rules_and_sources_know_each_other() {
    const TICKETS: &str = "policy.rule \"tickets\"";
    check("[hook.ServiceNow]", "[hook.Other]", "name = \"tickets\"", TICKETS, "add [hook.ServiceNow]");
    check("[hook.ServiceNow]", "[hook.Other]", "[hook.Other]", "hook.Other", "would be refused");
    check("[hook.ServiceNow]", "[hook.\"Service Now\"]", "[hook.", "hook", "the name of a source");
    check(
        "\n# stated_approval = true",
        "\nstated_approval = true",
        "name = \"tickets\"",
        TICKETS,
        "may_state_approvals",
    );
    check(
        "# may_state_approvals = false",
        "may_state_approvals = true",
        "may_state_approvals",
        "hook.ServiceNow.may_state_approvals",
        "no approval would count",
    );
    let said =
        |text: String| Config::check("tapdesk.toml", &text).map(drop).map_err(|error| error.to_string());
    let both = EXAMPLE.replacen("\n# stated_approval", "\nstated_approval", 1);
    let both = both.replacen("# may_state_approvals = false", "may_state_approvals = true", 1);
    assert_eq!(said(both), Ok(()));
}

#[test]
fn a_source_has_one_secret_and_is_told_where_nobody_listens() {
    let section = "hook.ServiceNow";
    check(
        "secret_file = \"/run/secrets/servicenow\"",
        "#",
        "[hook.ServiceNow]",
        &format!("{section}.secret"),
        "give either",
    );
    let url = "status_url = \"https://contoso";
    check(url, "status_url = \"http://contoso", "status_url", &format!("{section}.status_url"), "https://");
    let complaint =
        complaint("status_url = \"https://contoso.service-now.com/api", "status_url = \"canary-77");
    assert!(complaint.contains("https://") && !complaint.contains("canary-77"), "{complaint}");
    check(
        "# requests_per_hour = 60",
        "requests_per_hour = 0",
        "requests_per_hour",
        section,
        "leave the whole",
    );
}

const SECRET_FILE: &str = "client_secret_file = \"/run/secrets/graph\"";

#[test]
fn one_thing_proves_the_app() {
    let pair = "certificate_file = \"a.crt\"\nkey_file = \"a.key\"";
    for one in [
        "client_secret = \"s\"",
        pair,
        "federated_token_file = \"/token\"",
        "federated_token_file = true",
        "client_secret_file = \"s\"\nmanaged_identity = false",
    ] {
        assert_eq!(complaint(SECRET_FILE, one), "can be used", "{one}");
    }
    check(SECRET_FILE, "", "[graph]", "graph", "say what proves that tapdesk is the Entra app");
    check(SECRET_FILE, "managed_identity = false", "[graph]", "graph", "say what proves");
    let both = format!("{SECRET_FILE}\n{pair}");
    check(
        SECRET_FILE,
        &both,
        "certificate_file = \"a",
        "graph.certificate_file",
        "one thing proves the app, not several",
    );
    check(
        SECRET_FILE,
        "certificate_file = \"a\"",
        "certificate_file = \"a",
        "graph.certificate_file",
        "needs key_file",
    );
    check(SECRET_FILE, "key_file = \"a\"", "key_file = \"a", "graph.key_file", "needs certificate_file");
    let twice = format!("client_secret = \"s\"\n{SECRET_FILE}");
    check(SECRET_FILE, &twice, "client_secret = ", "graph.client_secret", "give either");
    check(
        SECRET_FILE,
        "managed_identity = 7",
        "managed_identity = 7",
        "graph.managed_identity",
        "true for the machine's own",
    );
    check(
        SECRET_FILE,
        "federated_token_file = 7",
        "federated_token_file = 7",
        "graph.federated_token_file",
        "a path, or true",
    );
}

#[test]
fn a_managed_identity_needs_no_client_id_and_everything_else_does() {
    const CLIENT: &str = "client_id = \"00000000-0000-0000-0000-000000000000\"   # the Entra app";
    check(CLIENT, "# the Entra app", "[graph]", "graph.client_id", "the application id of the Entra app");
    let identity = |id: &str| format!("managed_identity = {id} #");
    check(SECRET_FILE, &identity("true"), "client_id = ", "graph.client_id", "leave it out");
    for id in ["true", "\"11111111-1111-1111-1111-111111111111\""] {
        let text = EXAMPLE.replacen(CLIENT, "#", 1).replacen(SECRET_FILE, &identity(id), 1);
        assert!(Config::check("tapdesk.toml", &text).is_ok(), "{id}");
    }
}

#[test]
fn a_cloud_is_called_by_its_name_and_one_without_passes_is_refused() {
    for (cloud, graph) in [
        ("global", "https://graph.microsoft.com/"),
        ("us-gov", "https://graph.microsoft.us/"),
        ("us-dod", "https://dod-graph.microsoft.us/"),
    ] {
        let text = EXAMPLE.replacen("# cloud = \"global\"", &format!("cloud = \"{cloud}\""), 1);
        let config = Config::check("tapdesk.toml", &text).expect(cloud);
        assert_eq!(config.graph.base_url().as_str(), graph);
    }
    let reason = "the China cloud of 21Vianet has no Temporary Access Passes";
    check("# cloud = \"global\"", "cloud = \"china\"", "cloud = ", "graph.cloud", reason);
    check("# cloud = \"global\"", "cloud = \"mars\"", "cloud = ", "graph.cloud", "there are \"global\"");
    check(
        "# authority = \"https://login.microsoftonline.com\"",
        "authority = \"https://login.partner.microsoftonline.cn\"",
        "authority = ",
        "graph.authority",
        reason,
    );
}
