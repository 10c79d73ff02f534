//! What becomes of a pass that was seen, and what does everybody hear of it?

use std::time::Duration;

use anyhow::{Context as _, ensure};
use axum::http::StatusCode;
use insta::assert_snapshot;
use tapdesk_tests::claims::JANES_MAIL;
use tapdesk_tests::graph::{MethodType, SignIn};
use tapdesk_tests::scene::{rulebook, said};
use tapdesk_tests::world::World;

/// The permission that tells what was registered.
const METHODS: &str = "UserAuthenticationMethod.Read.All";
const FIVE_MINUTES: Duration = Duration::from_mins(5);

/// Jane has her pass on the screen, and everybody has read what there was to read.
async fn jane_sees_a_pass(world: &World) -> anyhow::Result<String> {
    let (code, pin) = world.ticket_for_jane().await?;
    let passcode = world.browser().claims_and_sees(&code, &pin).await?;
    world.settle().await?;
    world.everybody_reads();
    Ok(passcode)
}

/// The same, and she signs in with it.
async fn jane_signs_in(world: &World) -> anyhow::Result<()> {
    let passcode = jane_sees_a_pass(world).await?;
    ensure!(world.graph.use_pass(&world.jane.person, &passcode) == SignIn::Ok);
    Ok(())
}

fn ada_reads(world: &World) -> String {
    said(&world.reads(&world.ada).join("\n=====\n"))
}

fn janes_mail(world: &World) -> String {
    let mails = world.smtp.read(JANES_MAIL);
    mails.iter().map(|mail| mail.subject.as_str()).collect::<Vec<_>>().join("\n")
}

fn is_gone(world: &World) -> anyhow::Result<()> {
    let pass = world.graph.passes().pop().context("no pass was made")?;
    ensure!(pass.deleted_at.is_some(), "the pass is still in the directory");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_used_pass_is_deleted_and_what_was_registered_with_it_is_told_by_kind() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.entra.grant_also(METHODS);
    world.graph.registers(&world.jane.person, MethodType::Passkey);
    world.hands.turn(Duration::from_hours(1));
    jane_signs_in(&world).await?;
    world.graph.registers(&world.jane.person, MethodType::WindowsHello);
    world.graph.registers(&world.jane.person, MethodType::Authenticator);

    world.advance(FIVE_MINUTES + Duration::from_secs(10)).await?;
    is_gone(&world)?;
    assert_snapshot!(ada_reads(&world), @"
    Request …… for Jane Doe is with its approvers.
    Since then: used.
    =====
    Request …… for Jane Doe is approved by Mary Major.
    Since then: used.
    =====
    The code for Jane Doe went to +49…12 (sms).
    Since then: used.
    =====
    Jane Doe has the pass.
    Since then: used.
    =====
    The pass for Jane Doe is over: approved by Mary Major, then used.
    =====
    Jane Doe registered Windows Hello and Microsoft Authenticator.
    They sign in with it from now on, and need no pass for that.
    ");
    assert_snapshot!(janes_mail(&world), @"The Temporary Access Pass for your account was used to sign in");
    let mary = world.reads(&world.mary).join("\n");
    ensure!(mary.starts_with("Pass for Jane Doe: approved by Mary Major, then used"), "{mary}");

    // It was said once, and nothing changed since.
    world.reads(&world.otto);
    world.advance(Duration::from_hours(1)).await?;
    world.nobody_is_bothered()?;
    world.finish().await
}

/// What Ada reads half an hour after nothing was registered yet.
async fn half_an_hour_later(registers: Option<MethodType>) -> anyhow::Result<String> {
    let world = World::start().await?;
    world.entra.grant_also(METHODS);
    jane_signs_in(&world).await?;
    world.advance(FIVE_MINUTES + Duration::from_secs(10)).await?;
    world.hears(&world.ada, "Jane Doe registered nothing yet.")?;
    if let Some(registers) = registers {
        world.graph.registers(&world.jane.person, registers);
    }
    world.advance(Duration::from_mins(30)).await?;
    let read = ada_reads(&world);
    world.everybody_reads();
    world.finish().await?;
    Ok(read)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_registered_nothing_yet_is_helped_in_time() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.entra.grant_also(METHODS);
    jane_signs_in(&world).await?;
    world.advance(FIVE_MINUTES + Duration::from_secs(10)).await?;
    assert_snapshot!(ada_reads(&world), @"
    Request …… for Jane Doe is with its approvers.
    Since then: used.
    =====
    Request …… for Jane Doe is approved by Mary Major.
    Since then: used.
    =====
    The code for Jane Doe went to +49…12 (sms).
    Since then: used.
    =====
    Jane Doe has the pass.
    Since then: used.
    =====
    The pass for Jane Doe is over: approved by Mary Major, then used.
    =====
    Jane Doe registered nothing yet.
    Help them set up a passkey or Windows Hello before they close the laptop: the pass works no more.
    ");
    world.everybody_reads();
    world.finish().await?;

    assert_snapshot!(half_an_hour_later(Some(MethodType::Passkey)).await?, @r"
    Jane Doe registered a passkey.
    They sign in with it from now on, and need no pass for that.
    ");
    assert_snapshot!(half_an_hour_later(Some(MethodType::SoftwareToken)).await?, @r"
    Jane Doe registered an app for one-time codes.
    They sign in with it from now on, and need no pass for that.
    ");
    assert_snapshot!(half_an_hour_later(None).await?, @r"
    Jane Doe still registered nothing, half an hour later.
    Call them: with nothing to sign in with they are locked out again.
    ");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_may_read_is_not_known_and_stops_nothing() -> anyhow::Result<()> {
    let world = World::start().await?;
    jane_signs_in(&world).await?;
    world.advance(FIVE_MINUTES + Duration::from_secs(10)).await?;
    is_gone(&world)?;
    assert_snapshot!(ada_reads(&world), @"
    Request …… for Jane Doe is with its approvers.
    Since then: used.
    =====
    Request …… for Jane Doe is approved by Mary Major.
    Since then: used.
    =====
    The code for Jane Doe went to +49…12 (sms).
    Since then: used.
    =====
    Jane Doe has the pass.
    Since then: used.
    =====
    The pass for Jane Doe is over: approved by Mary Major, then used.
    =====
    What Jane Doe registered with the pass is not known to me.
    Ask them whether they can sign in on their own from now on.
    ");
    world.everybody_reads();
    world.advance(Duration::from_hours(1)).await?;
    world.nobody_is_bothered()?;
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn methods_that_graph_does_not_tell_for_ten_minutes_are_not_known() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.entra.grant_also(METHODS);
    jane_signs_in(&world).await?;
    world.graph.fail("/authentication/methods", 1_000, StatusCode::SERVICE_UNAVAILABLE);
    world.advance(Duration::from_mins(10)).await?;
    assert_snapshot!(ada_reads(&world), @"
    Request …… for Jane Doe is with its approvers.
    Since then: used.
    =====
    Request …… for Jane Doe is approved by Mary Major.
    Since then: used.
    =====
    The code for Jane Doe went to +49…12 (sms).
    Since then: used.
    =====
    Jane Doe has the pass.
    Since then: used.
    =====
    The pass for Jane Doe is over: approved by Mary Major, then used.
    ");
    world.advance(FIVE_MINUTES + Duration::from_mins(1)).await?;
    ensure!(ada_reads(&world).contains("is not known to me"));
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_pass_that_nobody_used_is_deleted_and_said_to_be_unused() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.entra.grant_also(METHODS);
    jane_sees_a_pass(&world).await?;
    world.advance(Duration::from_mins(61)).await?;
    is_gone(&world)?;
    assert_snapshot!(ada_reads(&world), @"
    Request …… for Jane Doe is with its approvers.
    Since then: expired.
    =====
    Request …… for Jane Doe is approved by Mary Major.
    Since then: expired.
    =====
    The code for Jane Doe went to +49…12 (sms).
    Since then: expired.
    =====
    Jane Doe has the pass.
    Since then: expired.
    =====
    The pass for Jane Doe is over: approved by Mary Major, then expired.
    Nobody signed in with it. If it is still needed, ask again.
    ");
    assert_snapshot!(janes_mail(&world), @"The Temporary Access Pass for your account expired unused");
    world.everybody_reads();
    world.advance(Duration::from_hours(1)).await?;
    world.nobody_is_bothered()?;
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pass_for_several_sign_ins_lives_until_its_end_and_then_its_use_is_not_known() -> anyhow::Result<()>
{
    let world = World::under(rulebook("", &["one_time = false"])).await?;
    world.entra.grant_also(METHODS);
    jane_signs_in(&world).await?;
    world.graph.registers(&world.jane.person, MethodType::Passkey);
    world.advance(Duration::from_mins(30)).await?;
    ensure!(world.graph.live_passes(&world.jane.person).len() == 1, "the pass was taken away early");
    world.nobody_is_bothered()?;
    world.advance(Duration::from_mins(31)).await?;
    is_gone(&world)?;
    assert_snapshot!(ada_reads(&world), @"
    Request …… for Jane Doe is with its approvers.
    Since then: expired.
    =====
    Request …… for Jane Doe is approved by Mary Major.
    Since then: expired.
    =====
    The code for Jane Doe went to +49…12 (sms).
    Since then: expired.
    =====
    Jane Doe has the pass.
    Since then: expired.
    =====
    The pass for Jane Doe is over: approved by Mary Major, then expired.
    Entra does not tell whether it was used.
    =====
    Jane Doe registered a passkey.
    They sign in with it from now on, and need no pass for that.
    ");
    assert_snapshot!(janes_mail(&world), @"The Temporary Access Pass for your account is over");
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pass_that_its_owner_deleted_is_over_too() -> anyhow::Result<()> {
    let world = World::start().await?;
    jane_sees_a_pass(&world).await?;
    world.graph.delete_pass(&world.jane.person);
    world.advance(FIVE_MINUTES).await?;
    world.hears(&world.ada, "Entra does not tell whether it was used.")?;
    assert_snapshot!(janes_mail(&world), @"The Temporary Access Pass for your account is over");
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_used_pass_is_deleted_as_soon_as_graph_lets_it() -> anyhow::Result<()> {
    let world = World::start().await?;
    jane_signs_in(&world).await?;
    world.graph.fail("DELETE", 6, StatusCode::SERVICE_UNAVAILABLE);
    world.advance(FIVE_MINUTES).await?;
    let pass = world.graph.passes().pop().context("no pass was made")?;
    ensure!(pass.deleted_at.is_none(), "the story is about a Graph that does not delete");
    world.advance(FIVE_MINUTES).await?;
    is_gone(&world)?;
    world.hears(&world.ada, "then used")?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_mailbox_the_manager_hears_of_the_end() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.jane.person.without_mail();
    jane_signs_in(&world).await?;
    world.advance(FIVE_MINUTES).await?;
    world.hears(&world.mary, "The sign-in pass for Jane Doe was used. Ada Agent asked for it.")?;
    world.everybody_reads();
    world.finish().await
}
