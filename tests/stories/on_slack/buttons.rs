//! Who may press which button, as far as it hangs on what Slack says of channels, addresses and workspaces?

use anyhow::ensure;
use serde_json::json;
use tapdesk::config::Config;
use tapdesk_tests::slack::Email;
use tapdesk_tests::world::{Setting, World};

/// Bug 29: in a channel that both are in, the card's channel vouched for whoever clicked.
#[tokio::test(flavor = "multi_thread")]
async fn bug_29_somebody_else_in_a_shared_channel_clicks_in_vain() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.ada_asks_for_jane().await?;
    let eve = world.colleague("Eve Else", "eve.else@contoso.com");
    world.slack().channel("C0OPS", "ops", &[world.mary.account.in_slack(), eve.account.in_slack()], true);
    let marys = world.value_of(&world.mary, "Approve")?;
    let mut press = world.press_of(&eve, "approve", &marys);
    press["channel"] = json!({"id": "C0OPS", "name": "ops"});
    press["container"] = json!({"type": "message", "channel_id": "C0OPS", "message_ts": "1764000000.000100"});
    // What a client could write beside the verified sender is no sender.
    press["message"] = json!({"user": world.mary.account.id, "text": "Approve?"});
    let heard = world.brings(&press).await?;
    ensure!(heard.status.is_success(), "{heard:?}");
    world.settle().await?;
    ensure!(world.events("approval.given")? == 0, "the channel vouched for Eve");
    ensure!(world.slack().channel_messages("C0OPS").is_empty(), "the channel was told something");
    world.presses(&world.mary, "Deny").await?;
    world.everybody_reads();
    world.finish_unread().await
}

/// Bug 35: who administers the chat could make themselves an approver, and nobody could tell who it was.
#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_later_takes_the_approvers_address_decides_nothing() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.ada_asks_for_jane().await?;
    let mut mallory = world.colleague("Mallory", "mallory@contoso.com");
    let changed = world.slack().change(mallory.account.in_slack(), |account| {
        account.email = Email::Given("mary.major@contoso.com".to_owned());
    });
    mallory.account = changed.into();
    let told = world.presses_with(&mallory, "approve", &world.value_of(&world.mary, "Approve")?).await?;
    ensure!(told.contains("not yours to decide"), "{told}");
    world.presses(&world.mary, "Approve").await?;
    let lines = tapdesk_tests::check::ledger_lines(&world.files.path().join("ledger"))?;
    let given = lines.iter().find(|line| line["what"] == "approval.given");
    ensure!(given.is_some_and(|line| line["by"] == world.mary.person.id()), "{given:?}");
    world.everybody_reads();
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approver_at_home_in_another_workspace_of_the_organisation_approves() -> anyhow::Result<()> {
    let mut world = World::without_tapdesk(Setting::default()).await?;
    world.slack().configure(|workspace| workspace.enterprise = Some(("E0CONTOSO".into(), "Contoso".into())));
    world.configured(|config| {
        if let Some(slack) = &mut config.slack {
            slack.teams = vec!["E0CONTOSO".to_owned()];
        }
    });
    let elsewhere =
        world.slack().change(world.mary.account.in_slack(), |account| account.team_id = "T0OTHERHOME".into());
    world.mary.account = elsewhere.into();
    world.start_tapdesk().await?;
    world.ada_asks_for_jane().await?;
    world.presses(&world.mary, "Approve").await?;
    ensure!(
        world.events("request.approved")? == 1,
        "Mary's own button is not hers: {:#?}",
        world.reads(&world.mary)
    );
    world.everybody_reads();
    world.finish_unread().await
}

/// CIPP: see `threats::bug_cipp_the_text_false_is_no_boolean`.
#[tokio::test(flavor = "multi_thread")]
async fn the_text_false_does_not_decide_whether_addresses_are_trusted() -> anyhow::Result<()> {
    let world = World::without_tapdesk(Setting::default()).await?;
    for bad in ["trust_email = \"false\"", "trust_email = 1"] {
        let text = world.config_text().replace("trust_email = true", bad);
        ensure!(text.contains(bad) && Config::parse("tapdesk.toml", &text).is_err(), "{bad} was taken");
    }
    world.finish().await
}
