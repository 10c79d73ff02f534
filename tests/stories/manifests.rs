//! Do the vendors take what `deploy` gives an administrator, and does it name what the program really serves?
//!
//! `tests/schemas/check.mjs` asks the vendors' own schemas, without network. Slack publishes its JSON Schema in no package:
//! there the kinds and names are checked by Slack's TypeScript type, and lengths here, by docs.slack.dev, App manifest
//! reference, July 2026.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use tapdesk::server::routes;
use tapdesk_core::command::{self, Spelling};
use tapdesk_core::inbound::{Unclear, Wish};
use tapdesk_core::people::Naming;
use tapdesk_core::words;
use tapdesk_tests::slack::Endpoints;

const HOST: &str = "https://tap.example.com";

pub(crate) fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

pub(crate) fn deployed(file: &str) -> anyhow::Result<Vec<u8>> {
    let path = project().join("deploy").join(file);
    std::fs::read(&path).with_context(|| path.display().to_string())
}

/// What the vendor's schema says about a file: what was read, and its faults.
pub(crate) fn checked(kind: &str, file: &[u8]) -> anyhow::Result<Value> {
    let folder = project().join("tests/schemas");
    ensure!(folder.join("node_modules").is_dir(), "run tests/run, or: npm ci --prefix tests/schemas");
    let mut child = Command::new("node")
        .args(["check.mjs", kind])
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("node cannot be started; tests/run installs it")?;
    child.stdin.take().context("no standard input")?.write_all(file)?;
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "node check.mjs {kind}");
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// The manifest, if the vendor takes it.
pub(crate) fn manifest(kind: &str, file: &[u8]) -> anyhow::Result<Value> {
    let mut said = checked(kind, file)?;
    ensure!(said["faults"] == json!([]), "{}", said["faults"]);
    Ok(said["manifest"].take())
}

fn teams_app() -> anyhow::Result<Value> {
    manifest("teams", &deployed("teams/manifest.json")?)
}

pub(crate) fn slack_app() -> anyhow::Result<Value> {
    manifest("slack", &deployed("slack/manifest.yaml")?)
}

pub(crate) fn texts(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str)
}

#[test]
fn microsofts_schema_takes_the_teams_app_and_refuses_a_spoiled_one() -> anyhow::Result<()> {
    let app = teams_app()?;
    for (at, spoiled) in [
        ("/bots/0/botId", json!("the bot")),
        ("/bots/0/scopes/0", json!("private")),
        ("/bots/0/commandLists/0/commands/0/title", json!("x".repeat(129))),
        ("/name/short", json!("x".repeat(31))),
        ("/description/short", json!("x".repeat(81))),
        ("/developer/privacyUrl", json!("tap.example.com/privacy")),
        ("/accentColor", json!("navy")),
        ("/permissions/0", json!("everything")),
        ("/manifestVersion", json!("1.21")),
    ] {
        let mut worse = app.clone();
        *worse.pointer_mut(at).with_context(|| format!("{at} is not in the manifest"))? = spoiled;
        let said = checked("teams", worse.to_string().as_bytes())?;
        ensure!(said["faults"] != json!([]), "{at} may be anything");
    }
    let mut worse = app.clone();
    worse["packageNam"] = json!("com.example.tapdesk");
    let said = checked("teams", worse.to_string().as_bytes())?;
    ensure!(said["faults"].to_string().contains("must NOT have additional properties"), "{said}");
    Ok(())
}

#[test]
fn the_teams_app_is_for_people_and_teams_and_asks_for_no_more_than_it_uses() -> anyhow::Result<()> {
    let app = teams_app()?;
    let bots = app["bots"].as_array().context("no bots")?;
    ensure!(bots.len() == 1 && bots[0]["scopes"] == json!(["personal", "team"]), "{bots:?}");
    ensure!(bots[0]["isNotificationOnly"] == json!(false), "people could write nothing to it");
    // No page opens within Teams, and nobody signs in there.
    ensure!(app["validDomains"] == json!([]));
    for absent in
        ["staticTabs", "configurableTabs", "composeExtensions", "webApplicationInfo", "authorization"]
    {
        ensure!(app.get(absent).is_none(), "{absent}");
    }
    Ok(())
}

#[test]
fn the_icons_have_the_sizes_and_colours_that_teams_wants() -> anyhow::Result<()> {
    let app = teams_app()?;
    let icon = |kind: &str| -> anyhow::Result<Value> {
        let file = app["icons"][kind].as_str().context("no icon")?;
        checked("png", &deployed(&format!("teams/{file}"))?)
    };
    let color = icon("color")?;
    ensure!((&color["width"], &color["height"]) == (&json!(192), &json!(192)), "{color}");
    ensure!(
        texts(&color["colours"]).all(|colour| colour.ends_with("ff")),
        "Teams shows its own behind the icon"
    );
    let outline = icon("outline")?;
    ensure!((&outline["width"], &outline["height"]) == (&json!(32), &json!(32)), "{outline}");
    ensure!(texts(&outline["colours"]).any(|colour| colour == "00000000"), "nothing of it is transparent");
    let drawn = |colour: &str| colour.starts_with("ffffff") || colour.ends_with("00");
    ensure!(texts(&outline["colours"]).all(drawn), "not only white: {outline}");
    Ok(())
}

#[test]
fn a_packaged_teams_app_names_the_bot_and_the_host_and_nothing_of_the_example() -> anyhow::Result<()> {
    const BOT: &str = "1c3ac1b0-2222-4333-8444-0123456789ab";
    let files = tempfile::tempdir()?;
    let archive = files.path().join("app.zip");
    let script = project().join("deploy/teams/package");
    let package = |bot: &str, host: &str| {
        Command::new(&script).args([bot, host]).arg(&archive).output().context("the script cannot be started")
    };
    for (bot, host, fault) in [
        ("tapdesk", "tap.contoso.com", "no application (client) id"),
        (BOT, "https://tap.contoso.com", "no host name"),
        (BOT, "tap.contoso.com/c", "no host name"),
        (BOT, "tap.contoso.com/ -e s/x/y/", "no host name"),
    ] {
        let said = package(bot, host)?;
        let err = String::from_utf8_lossy(&said.stderr);
        ensure!(said.status.code() == Some(2) && err.contains(fault) && !archive.exists(), "{host}: {err}");
    }
    // Made twice, as somebody does who mistyped: the second replaces the first.
    for host in ["tapp.contoso.com", "Tap.Contoso.com"] {
        let said = package(&BOT.to_uppercase(), host)?;
        ensure!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    }
    let list = Command::new("unzip").arg("-Z1").arg(&archive).output()?;
    let list = String::from_utf8(list.stdout)?;
    let at_the_top: BTreeSet<&str> = list.lines().collect();
    ensure!(at_the_top == ["manifest.json", "color.png", "outline.png"].into(), "{list}");
    let within = |file: &str| Command::new("unzip").arg("-p").arg(&archive).arg(file).output();
    for icon in ["color.png", "outline.png"] {
        ensure!(within(icon)?.stdout == deployed(&format!("teams/{icon}"))?, "{icon}");
    }
    let app = manifest("teams", &within("manifest.json")?.stdout)?;
    ensure!(app["id"] == BOT && app["bots"][0]["botId"] == BOT, "{app}");
    ensure!(app["developer"]["websiteUrl"] == "https://tap.contoso.com/c", "{app}");
    ensure!(!app.to_string().contains("example") && !app.to_string().contains("00000000"), "{app}");
    Ok(())
}

/// The longest that Slack takes; whatever is not listed here has a kind but no length.
const SLACKS_LIMITS: [(&str, usize); 11] = [
    ("/display_information/name", 35),
    ("/display_information/description", 140),
    ("/features/bot_user/display_name", 80),
    ("/features/shortcuts/0/name", 24),
    ("/features/shortcuts/0/callback_id", 255),
    ("/features/shortcuts/0/description", 150),
    ("/features/slash_commands/0/command", 32),
    ("/features/slash_commands/0/description", 2000),
    ("/features/slash_commands/0/usage_hint", 1000),
    ("/settings/event_subscriptions/request_url", 3500),
    ("/settings/interactivity/request_url", 3500),
];

#[test]
fn slacks_type_and_limits_take_the_slack_app() -> anyhow::Result<()> {
    let app = slack_app()?;
    for (at, longest) in SLACKS_LIMITS {
        let text = app.pointer(at).and_then(Value::as_str).with_context(|| format!("no {at}"))?;
        ensure!((1..=longest).contains(&text.chars().count()), "{at}: {text}");
    }
    for list in ["/features/shortcuts", "/features/slash_commands"] {
        ensure!(app.pointer(list).and_then(Value::as_array).is_some_and(|list| list.len() == 1), "{list}");
    }
    // The version of the manifest's own format; without it Slack reads it as version 1.
    ensure!(app["_metadata"]["major_version"] == 2, "{}", app["_metadata"]);
    let colour = app["display_information"]["background_color"].as_str().context("no colour")?;
    let hex = colour.strip_prefix('#').context("no colour without #")?;
    ensure!(hex.len() == 6 && hex.chars().all(|digit| digit.is_ascii_hexdigit()), "{colour}");
    Ok(())
}

#[test]
fn slacks_type_refuses_a_spoiled_slack_app() -> anyhow::Result<()> {
    let text = String::from_utf8(deployed("slack/manifest.yaml")?)?;
    for (good, spoiled) in [
        ("- app_home_opened", "- app_home_open"),
        ("- users:read.email", "- users:read.mail"),
        ("always_online:", "is_always_online:"),
        ("\nsettings:", "\nsetting:"),
        ("type: global", "type: everywhere"),
        ("is_enabled: true", "is_enabled: 1"),
    ] {
        ensure!(text.contains(good), "{good} is not in the manifest");
        let said = checked("slack", text.replace(good, spoiled).as_bytes())?;
        ensure!(said["faults"] != json!([]), "Slack takes {spoiled}");
    }
    Ok(())
}

/// Every address in a manifest, wherever it stands.
fn addresses(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::String(text) if text.starts_with("https://") => _ = found.insert(text.clone()),
        Value::Array(list) => list.iter().for_each(|one| addresses(one, found)),
        Value::Object(entries) => {
            entries.iter().filter(|(key, _)| *key != "$schema").for_each(|(_, one)| addresses(one, found));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn paths_of(app: &Value) -> anyhow::Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    addresses(app, &mut found);
    let path = |address: &String| Some(address.strip_prefix(HOST)?.to_owned());
    found.iter().map(|address| path(address).with_context(|| format!("{address} is elsewhere"))).collect()
}

#[test]
fn every_address_in_a_manifest_is_a_route() -> anyhow::Result<()> {
    let slack = paths_of(&slack_app()?)?;
    let endpoints = Endpoints::default();
    let of_slack = [endpoints.commands, endpoints.interactive, endpoints.events];
    ensure!(slack == BTreeSet::from(of_slack), "Slack sends elsewhere: {slack:?}");
    let teams = paths_of(&teams_app()?)?;
    ensure!(!teams.is_empty());
    for path in slack.iter().chain(&teams) {
        ensure!(routes().iter().any(|route| route.path == path), "{path} is not served");
    }
    Ok(())
}

/// Knows nobody: only the word after the command matters here.
struct Nobody;

impl Spelling for Nobody {
    fn person<'t>(&self, _: &'t str) -> Option<(Naming, &'t str)> {
        None
    }

    fn typed(&self, text: &str) -> String {
        text.to_owned()
    }
}

#[test]
fn the_commands_that_teams_offers_are_those_that_help_explains_and_the_grammar_reads() -> anyhow::Result<()> {
    let app = teams_app()?;
    let lists = app["bots"][0]["commandLists"].as_array().context("no commands")?;
    let explained = words::help("tapdesk").text;
    let explained = explained.iter().filter_map(|line| line.strip_prefix("tapdesk ")?.split(' ').next());
    let mut explained: BTreeSet<&str> = explained.filter(|word| *word != "alone").collect();
    explained.insert("help");
    for scope in ["personal", "team"] {
        let offered = lists.iter().filter(|list| texts(&list["scopes"]).any(|there| there == scope));
        let offered = offered.filter_map(|list| list["commands"].as_array()).flatten();
        let offered: BTreeSet<&str> = offered.filter_map(|command| command["title"].as_str()).collect();
        ensure!(offered == explained, "{scope}: {offered:?}, and help explains {explained:?}");
        for word in offered {
            let wish = command::read(word, &Nobody);
            ensure!(wish != Wish::Unclear(Unclear::NoSuchCommand), "{word} is no command");
        }
    }
    Ok(())
}

#[test]
fn the_slack_app_has_what_the_program_listens_to_and_nothing_else() -> anyhow::Result<()> {
    let app = slack_app()?;
    let (features, settings) = (&app["features"], &app["settings"]);
    let (command, shortcut) = (&features["slash_commands"][0], &features["shortcuts"][0]);
    // Without this, mentions come as names that anybody may have.
    ensure!(command["command"] == "/tap" && command["should_escape"] == true, "{command}");
    ensure!(shortcut["callback_id"] == "ask" && shortcut["type"] == "global", "{shortcut}");
    ensure!(features["app_home"]["home_tab_enabled"] == true, "{features}");
    ensure!(features["app_home"]["messages_tab_enabled"] == true, "approvers could not be written to");
    ensure!(settings["event_subscriptions"]["bot_events"] == json!(["app_home_opened"]), "{settings}");
    ensure!(settings["interactivity"]["is_enabled"] == true, "buttons would do nothing");
    ensure!(settings["socket_mode_enabled"] == false, "Slack would send nothing to the addresses");
    ensure!(
        app["oauth_config"]["scopes"].as_object().is_some_and(|scopes| scopes.len() == 1),
        "not only the bot"
    );
    Ok(())
}

/// Whatever has messages to verify.
fn platforms() -> anyhow::Result<Vec<String>> {
    let adapters = project().join("adapters/src");
    let mut platforms = Vec::new();
    for entry in std::fs::read_dir(adapters)? {
        let entry = entry?;
        // Ticket systems sign, too, and show nothing to anybody.
        if entry.path().join("render.rs").is_file() {
            platforms.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    ensure!(platforms.iter().any(|platform| platform == "slack"), "{platforms:?}");
    Ok(platforms)
}

/// Where a document sends its reader: whatever stands in backticks and has a slash, and whatever is linked to.
#[test]
fn every_path_that_a_contributor_is_sent_to_is_there() -> anyhow::Result<()> {
    let text = std::fs::read_to_string(project().join(".github/CONTRIBUTING.md"))?;
    let quoted = text.split('`').skip(1).step_by(2);
    let paths = quoted.filter(|quoted| quoted.contains('/') && !quoted.contains(char::is_whitespace));
    let linked = text.split("](../").skip(1).filter_map(|rest| rest.split(')').next());
    let paths: BTreeSet<&str> = paths.chain(linked).collect();
    ensure!(paths.len() > 12, "{paths:?}");
    for platform in platforms()? {
        for path in &paths {
            let path = path.replace("NAME", &platform);
            ensure!(project().join(&path).exists(), "{path} is not there");
        }
    }
    Ok(())
}
