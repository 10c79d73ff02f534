//! What if nobody decides for a while? Others are asked as well, where the rule says who.

use std::time::Duration;

use anyhow::ensure;
use axum::http::StatusCode;
use insta::assert_snapshot;
use tapdesk_tests::scene::{JANES_PHONE, rulebook, said};
use tapdesk_tests::wire::Trouble;
use tapdesk_tests::world::{Colleague, World};

/// Mary is asked first, and whoever is on call when she does not decide within half an hour.
const RULE: &str = "approvals = [\"manager\"]\nescalate_after = \"30m\"\nescalate_to = [\"group:{oncall}\"]";
const HALF_AN_HOUR: Duration = Duration::from_mins(30);

fn card_of(world: &World, who: &Colleague) -> anyhow::Result<String> {
    Ok(said(&world.card(who, "Approve")?.visible_text()))
}

async fn with_rule(rule: &str) -> anyhow::Result<World> {
    World::under(rulebook("remind_after = \"0s\"", &[rule])).await
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_named_for_it_joins_when_nobody_decides() -> anyhow::Result<()> {
    let world = with_rule(RULE).await?;
    world.ada_asks_for_jane().await?;
    world.advance(Duration::from_mins(29)).await?;
    ensure!(world.card(&world.otto, "Approve").is_err(), "Otto is asked too early");
    world.reads(&world.ada);
    world.advance(Duration::from_mins(1)).await?;
    assert_snapshot!(card_of(&world, &world.otto)?, @r"
    Ada Agent asks for a pass for Jane Doe: approve?
    For
    Jane Doe (jane.doe@contoso.com)
    Asked by
    Ada Agent (ada.agent@contoso.com)
    Reason
    lost her phone, INC0012345
    Code goes to
    +49…12 (sms)
    Pass
    good for 1 hour and one sign-in, from the moment they open it
    Rule
    helpdesk for staff
    Asked as well
    you, because nobody decided for 30 minutes
    Approve only if you know that Jane Doe really is locked out: call them on a number that you already had. Until 14:00 UTC.
    [Approve] [Deny] [This looks wrong]
    ");
    assert_snapshot!(card_of(&world, &world.mary)?, @r"
    Ada Agent asks for a pass for Jane Doe: approve?
    For
    Jane Doe (jane.doe@contoso.com)
    Asked by
    Ada Agent (ada.agent@contoso.com)
    Reason
    lost her phone, INC0012345
    Code goes to
    +49…12 (sms)
    Pass
    good for 1 hour and one sign-in, from the moment they open it
    Rule
    helpdesk for staff
    Asked as well
    Otto Oncall, because nobody decided for 30 minutes
    Approve only if you know that Jane Doe really is locked out: call them on a number that you already had. Until 14:00 UTC.
    [Approve] [Deny] [This looks wrong]
    ");
    assert_snapshot!(said(&world.reads(&world.ada).join("\n=====\n")), @r"
    Request …… for Jane Doe still waits: nobody decided yet.
    I asked Otto Oncall as well. Whoever was asked before can still decide. It lapses at 14:00 UTC.
    ");

    world.presses(&world.otto, "Approve").await?;
    world.hears(&world.ada, "is approved by Otto Oncall")?;
    world.has_no_button(&world.mary)?;
    world.presses(&world.otto, "Show PIN").await?;
    let (code, pin) = (world.code_at(JANES_PHONE)?, world.pin_before(&world.otto)?);
    world.browser().claims_and_sees(&code, &pin).await?;
    ensure!(world.events("request.escalated")? == 1);
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_was_asked_first_can_still_decide() -> anyhow::Result<()> {
    let world = with_rule(RULE).await?;
    world.ada_asks_for_jane().await?;
    world.advance(HALF_AN_HOUR).await?;
    world.presses(&world.mary, "Deny").await?;
    world.hears(&world.ada, "turned down by Mary Major")?;
    world.has_no_button(&world.otto)?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_joins_when_it_was_decided_before() -> anyhow::Result<()> {
    let world = with_rule(RULE).await?;
    world.ada_asks_for_jane().await?;
    world.presses(&world.mary, "Deny").await?;
    world.advance(HALF_AN_HOUR).await?;
    world.nobody_is_bothered_but(&[&world.ada, &world.mary])?;
    world.everybody_reads();
    world.finish().await
}

/// Both Ada, who asks, and Jane, for whom it is, are on call.
#[tokio::test(flavor = "multi_thread")]
async fn neither_requester_nor_subject_joins() -> anyhow::Result<()> {
    let world = with_rule(RULE).await?;
    world.oncall.member(&world.ada.person).member(&world.jane.person);
    world.ada_asks_for_jane().await?;
    world.advance(HALF_AN_HOUR).await?;
    world.card(&world.otto, "Approve")?;
    ensure!(world.card(&world.ada, "Approve").is_err() && world.card(&world.jane, "Approve").is_err());
    world.presses(&world.otto, "Deny").await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn without_anybody_to_ask_the_requester_is_told() -> anyhow::Result<()> {
    let world = with_rule(RULE).await?;
    world.oncall.without(&world.otto.person).member(&world.ada.person);
    world.ada_asks_for_jane().await?;
    world.reads(&world.ada);
    world.advance(HALF_AN_HOUR).await?;
    assert_snapshot!(said(&world.reads(&world.ada).join("\n=====\n")), @r"
    Request …… for Jane Doe still waits: nobody decided yet.
    I looked for somebody else to ask and found nobody. Call Mary Major. It lapses at 14:00 UTC.
    ");
    world.presses(&world.mary, "Deny").await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_up_that_fails_is_made_again() -> anyhow::Result<()> {
    let world = with_rule(RULE).await?;
    world.ada_asks_for_jane().await?;
    world.graph.wire.trouble(
        "/v1.0",
        usize::MAX,
        Trouble::Answer(StatusCode::FORBIDDEN, Vec::new(), "{}".to_owned()),
    );
    world.advance(Duration::from_mins(40)).await?;
    ensure!(world.card(&world.otto, "Approve").is_err(), "Otto was asked without a look");
    world.graph.wire.heal();
    world.advance(Duration::from_mins(2)).await?;
    world.presses(&world.otto, "Deny").await?;
    world.everybody_reads();
    world.finish().await
}

/// Mary approved the one, so that only the other is missing.
#[tokio::test(flavor = "multi_thread")]
async fn each_approval_has_its_own_fallback() -> anyhow::Result<()> {
    let rule = "approvals = [\"manager\", \"user:{otto}\"]\nescalate_after = \"30m\"\n\
                escalate_to = [\"group:{helpdesk}\", \"group:{oncall}\"]";
    let world = with_rule(rule).await?;
    let (hugo, nora) = (
        world.colleague("Hugo Help", "hugo.help@contoso.com"),
        world.colleague("Nora Night", "nora.night@contoso.com"),
    );
    world.helpdesk.member(&hugo.person);
    world.oncall.member(&nora.person);
    world.ada_asks_for_jane().await?;
    world.presses(&world.mary, "Approve").await?;
    world.advance(HALF_AN_HOUR).await?;
    ensure!(world.card(&hugo, "Approve").is_err(), "Mary's approval is there already");
    world.presses(&nora, "Approve").await?;
    world.hears(&world.ada, "is approved by Mary Major and Nora Night")?;
    world.advance(Duration::from_hours(1)).await?;
    world.everybody_reads();
    world.finish().await
}

/// One list for all approvals: two people of it can give both, and one of them cannot.
#[tokio::test(flavor = "multi_thread")]
async fn two_fallback_approvals_are_two_people() -> anyhow::Result<()> {
    let rule = "approvals = [\"manager\", \"user:{otto}\"]\nescalate_after = \"30m\"\nescalate_to = [\"group:{helpdesk}\"]";
    let world = with_rule(rule).await?;
    let (hugo, nora) = (
        world.colleague("Hugo Help", "hugo.help@contoso.com"),
        world.colleague("Nora Night", "nora.night@contoso.com"),
    );
    world.helpdesk.member(&hugo.person).member(&nora.person);
    world.ada_asks_for_jane().await?;
    world.advance(HALF_AN_HOUR).await?;
    world.presses(&hugo, "Approve").await?;
    ensure!(world.twilio.sent().is_empty(), "one person was enough");
    world.presses(&nora, "Approve").await?;
    world.hears(&world.ada, "is approved by Hugo Help and Nora Night")?;
    world.presses(&nora, "Show PIN").await?;
    let (code, pin) = (world.code_at(JANES_PHONE)?, world.pin_before(&nora)?);
    world.browser().claims_and_sees(&code, &pin).await?;
    world.everybody_reads();
    world.finish().await
}

/// Otto approved as a fallback; what the rule says and whom it means is looked at again when Jane claims.
#[tokio::test(flavor = "multi_thread")]
async fn an_approval_of_somebody_who_joined_counts_only_while_the_rule_names_them() -> anyhow::Result<()> {
    for change in ["no fallback any more", "another fallback", "not on call any more", "disabled"] {
        let mut world = with_rule(RULE).await?;
        world.ada_asks_for_jane().await?;
        world.advance(HALF_AN_HOUR).await?;
        world.presses(&world.otto, "Approve").await?;
        world.presses(&world.otto, "Show PIN").await?;
        let ticket = (world.code_at(JANES_PHONE)?, world.pin_before(&world.otto)?);
        world.everybody_reads();
        match change {
            "no fallback any more" => {
                world.restart_under(&rulebook("", &["approvals = [\"manager\"]"])).await?;
            }
            "another fallback" => {
                world.restart_under(&rulebook("", &[&RULE.replace("oncall", "helpdesk")])).await?;
            }
            "not on call any more" => drop(world.oncall.without(&world.otto.person)),
            _ => drop(world.otto.person.disabled()),
        }
        world.claim_is_refused(&ticket, "Otto Oncall may not approve this any more").await?;
        world.finish_unread().await?;
    }
    Ok(())
}
