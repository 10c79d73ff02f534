//! What does `tapdesk policy explain` say about a request that nobody has made?

use std::path::{Path, PathBuf};

use anyhow::ensure;
use tapdesk_tests::check::ledger_lines;
use tapdesk_tests::people::role;
use tapdesk_tests::process::{Ended, run};
use tapdesk_tests::scene::{JANES_PHONE, rulebook};
use tapdesk_tests::world::{Colleague, Setting, World};

async fn explained(config: &Path, who: &Colleague, whom: &Colleague, more: &[&str]) -> anyhow::Result<Ended> {
    let (requester, subject) = (who.person.upn(), whom.person.upn());
    let asked = ["policy", "explain", "--requester", &requester, "--subject", &subject];
    run(config, &[&asked[..], more].concat()).await
}

/// The configuration with which the command finds the running service.
fn beside(world: &World) -> anyhow::Result<PathBuf> {
    let admin = format!("admin_listen = \"{}\"", world.admin_base().authority());
    world.write_config(|text| text.replace("admin_listen = \"127.0.0.1:0\"", &admin))
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_approvers_and_ways_are_told_and_nothing_happens() -> anyhow::Result<()> {
    let world = World::start().await?;
    let config = beside(&world)?;
    let lines = ledger_lines(&world.files.path().join("ledger"))?.len();
    let told = explained(&config, &world.ada, &world.jane, &[]).await?;
    ensure!(told.code == Some(0) && told.err.is_empty(), "{told:?}");
    let chat = world.jane.account.user().chat;
    for line in [
        &format!("requester  Ada Agent (ada.agent@contoso.com), in {chat}"),
        "subject    Jane Doe (jane.doe@contoso.com)",
        "manager    Mary Major (mary.major@contoso.com)",
        "rule       \"helpdesk for staff\" matches",
        "pass       1h, for one sign-in",
        &format!("approval   1 of 1: Mary Major (in {chat}), Otto Oncall (in {chat})"),
        "code       by text message to +49…12",
        "PIN        by word of mouth, from the last one who approves",
        "notice     by mail to j…@contoso.com",
        "notice     by the manager, in chat",
        "policy     that of the running service, and of the file",
        "The request would come before its approvers.",
    ] {
        ensure!(told.out.lines().any(|one| one == line), "no {line:?} in:\n{}", told.out);
    }
    ensure!(!told.out.contains(JANES_PHONE), "the number is told whole");

    world.nobody_is_bothered()?;
    ensure!(world.next_due().await?.is_none(), "a task was left");
    ensure!(ledger_lines(&world.files.path().join("ledger"))?.len() == lines, "the ledger grew");
    ensure!(world.passes_asked_for() == 0, "something was done");
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_reason_to_refuse_is_told_and_not_only_the_first() -> anyhow::Result<()> {
    let rule = "ticket_number = \"INC[0-9]{7}\"\napprovals = [\"manager\"]";
    let world = World::under(rulebook("tickets_per_day = 1", &[rule])).await?;
    let config = beside(&world)?;
    let ticket = world.ticket_for_jane().await?;
    world.jane.person.disabled().has_role(role::GLOBAL_ADMINISTRATOR).without_phones();
    world.mary.person.disabled();
    world.graph.policy(|policy| policy.enabled = false);
    let told = explained(&config, &world.ada, &world.jane, &[]).await?;
    ensure!(told.code == Some(1), "{told:?}");
    for reason in [
        "Their account is disabled",
        "There is an open request for them already",
        "They had 1 tickets within a day",
        "The tenant's Temporary Access Pass policy is off",
        "They hold an administrative role",
        "Entra has no contact on file for them that sms could reach",
        "Nobody can approve this: it would take their manager Mary Major",
    ] {
        let named = told.out.lines().filter(|line| line.starts_with(&format!("  - {reason}"))).count();
        ensure!(named == 1, "{reason:?} is named {named} times:\n{}", told.out);
    }
    let part = "Mary Major (not: disabled, or a guest)";
    ensure!(
        told.out.contains(part) && told.out.contains("a number that looks like INC[0-9]{7}"),
        "{}",
        told.out
    );

    world.jane.person.enabled().without_roles().mobile("+491701234512");
    world.mary.person.enabled();
    world.graph.policy(|policy| policy.enabled = true);
    world.jane_gets_her_pass(&ticket.0, &ticket.1).await?;
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_file_is_explained_where_it_says_another_policy_than_the_service_runs_with() -> anyhow::Result<()>
{
    let world = World::start().await?;
    let config = beside(&world)?;
    let text = std::fs::read_to_string(&config)?;
    std::fs::write(
        &config,
        text.replacen("requester = \"group:", "requester = \"manager-of-subject\" #", 1),
    )?;
    let service = explained(&config, &world.ada, &world.jane, &[]).await?;
    ensure!(
        service.code == Some(0) && service.out.contains("the file says another, which --offline explains"),
        "{service:?}"
    );
    let file = explained(&config, &world.ada, &world.jane, &["--offline"]).await?;
    ensure!(file.code == Some(1) && file.out.contains("does not match: not for this requester"), "{file:?}");
    ensure!(file.out.contains("No rule lets you ask for this colleague."), "{file:?}");
    let manager = explained(&config, &world.mary, &world.jane, &["--offline"]).await?;
    ensure!(
        manager.code == Some(0) || manager.out.contains("Mary Major (not: has part in the request)"),
        "{manager:?}"
    );
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_looked_up_is_said_instead_of_guessed() -> anyhow::Result<()> {
    let world = World::without_tapdesk(Setting::default()).await?;
    world.hands.run();
    let config = world.write_config(|text| text)?;
    world.entra.withhold("RoleManagement.Read.Directory");
    world.entra.withhold("RoleEligibilitySchedule.Read.Directory");
    let told = explained(&config, &world.ada, &world.jane, &[]).await?;
    ensure!(told.code == Some(2), "{told:?}");
    ensure!(told.out.contains("the subject's roles: Graph refuses"), "{told:?}");
    ensure!(told.out.contains("Nobody can tell what would become of the request"), "{told:?}");
    ensure!(!world.files.path().join("ledger").exists(), "a ledger was made");

    world.entra.grant(&tapdesk_tests::entra::LEAST_PERMISSIONS);
    let nobody =
        run(&config, &["policy", "explain", "--requester", "ada", "--subject", "jane@contoso.com"]).await?;
    ensure!(nobody.code == Some(2) && nobody.err.contains("write an address"), "{nobody:?}");
    let stranger =
        ["policy", "explain", "--requester", "nobody@contoso.com", "--subject", "jane.doe@contoso.com"];
    let stranger = run(&config, &stranger).await?;
    ensure!(stranger.code == Some(1) && stranger.out.contains("requester  nobody"), "{stranger:?}");
    world.hands.stop();
    world.finish().await
}
