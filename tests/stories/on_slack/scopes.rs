//! Does the app in Slack ask for exactly what the program needs?

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::ensure;
use tapdesk_tests::slack::Workspace;
use tapdesk_tests::world::World;

use crate::manifests::{slack_app, texts};

/// The simulated Slack wants of each method the scope that the real one wants.
#[tokio::test(flavor = "multi_thread")]
async fn the_slack_app_asks_for_the_scopes_that_the_program_needs_and_no_other() -> anyhow::Result<()> {
    let app = slack_app()?;
    let scopes: BTreeSet<String> = texts(&app["oauth_config"]["scopes"]["bot"]).map(str::to_owned).collect();
    ensure!(scopes == Workspace::default().scopes, "stories are told with other scopes: {scopes:?}");

    let world = World::start().await?;
    let (code, pin) = world.ticket_for_jane().await?;
    world.jane_gets_her_pass(&code, &pin).await?;
    ensure!(world.chat.opens_home(&world.mary.account).await.is_accepted());
    world.settle().await?;
    ensure!(!world.logged().contains("missing_scope"), "a scope is missing");
    world.finish_unread().await?;

    // The command and the shortcut are what this one is for: Slack takes neither into an app without it.
    for scope in scopes.iter().filter(|scope| *scope != "commands") {
        let world = World::start().await?;
        world.slack().configure(|workspace| _ = workspace.scopes.remove(scope));
        let mention = world.jane.account.mention();
        world.types(&world.ada, &format!("for {mention} lost her phone, INC0012345")).await;
        world.settle().await?;
        ensure!(world.card(&world.mary, "Approve").is_err(), "{scope} is superfluous");
        world.slack().configure(|workspace| _ = workspace.scopes.insert(scope.clone()));
        world.advance(Duration::from_mins(2)).await?;
        world.finish_unread().await?;
    }
    Ok(())
}
