//! What can people find out about requests, and who may?

use std::time::Duration;

use anyhow::ensure;
use tapdesk_tests::graph::SignIn;
use tapdesk_tests::scene::{JANES_PHONE, rulebook};
use tapdesk_tests::world::{Colleague, World};

const MINUTE: Duration = Duration::from_mins(1);

/// What somebody reads in answer to a command.
async fn answer(world: &World, who: &Colleague, text: &str) -> anyhow::Result<String> {
    let mut read = world.asks(who, text).await?;
    ensure!(read.len() == 1, "{text}: {read:#?}");
    Ok(read.remove(0))
}

/// A second agent of the help desk, who comes on shift.
fn amir(world: &World) -> Colleague {
    let amir = world.colleague("Amir Agent", "amir.agent@contoso.com");
    world.helpdesk.member(&amir.person);
    amir
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_says_in_one_line_where_a_request_stands() -> anyhow::Result<()> {
    let world = World::start().await?;
    let status = || answer(&world, &world.ada, "status jane.doe@contoso.com");
    world.ada_asks_for_jane().await?;
    world.reads(&world.ada);
    world.advance(12 * MINUTE).await?;
    insta::assert_snapshot!(status().await?, @"
    Passes for Jane Doe:
    Jane Doe (request ……, asked by Ada Agent): waiting for Mary Major, Otto Oncall since 12 min
    ");

    world.presses(&world.mary, "Approve").await?;
    world.reads(&world.ada);
    world.twilio_reports(&world.newest_sms(JANES_PHONE)?, &["sent"]).await?;
    insta::assert_snapshot!(status().await?, @"
    Passes for Jane Doe:
    Jane Doe (request ……, asked by Ada Agent): approved by Mary Major, SMS sent 10:12 UTC to +49…12, the PIN is with Mary Major
    ");

    world.advance(MINUTE).await?;
    world.twilio_reports(&world.newest_sms(JANES_PHONE)?, &["delivered"]).await?;
    world.presses(&world.mary, "Show PIN").await?;
    insta::assert_snapshot!(status().await?, @"
    Passes for Jane Doe:
    Jane Doe (request ……, asked by Ada Agent): SMS delivered 10:13 UTC to +49…12, to be opened until 10:43 UTC
    ");

    let (code, pin) = (world.code_at(JANES_PHONE)?, world.pin_before(&world.mary)?);
    let passcode = world.browser().claims_and_sees(&code, &pin).await?;
    world.settle().await?;
    world.reads(&world.ada);
    insta::assert_snapshot!(status().await?, @"
    Passes for Jane Doe:
    Jane Doe (request ……, asked by Ada Agent): opened 10:13 UTC, good until 11:13 UTC
    ");

    ensure!(world.graph.use_pass(&world.jane.person, &passcode) == SignIn::Ok);
    world.advance(10 * MINUTE).await?;
    world.reads(&world.ada);
    insta::assert_snapshot!(status().await?, @"
    Passes for Jane Doe:
    Jane Doe (request ……, asked by Ada Agent): used 10:18 UTC
    ");
    insta::assert_snapshot!(answer(&world, &world.ada, "status").await?, @"
    What you asked for:
    Ended since yesterday:
    Jane Doe (request ……, asked by Ada Agent): used 10:18 UTC
    ");

    world.advance(24 * 60 * MINUTE).await?;
    insta::assert_snapshot!(status().await?, @"
    I have no request for that colleague to show you.
    You see what you asked for, what you are asked to decide, and what your help desk asked for, until a day after it ended. If you expected one, check the address, or ask whoever made the request.
    ");
    insta::assert_snapshot!(answer(&world, &world.ada, "status").await?, @"You wait for nothing, and nothing that you asked for ended since yesterday.");
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denied_request_still_tells_what_became_of_it() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.ada_asks_for_jane().await?;
    world.presses(&world.mary, "Deny").await?;
    world.reads(&world.ada);
    // Denied, and asked again: both are shown.
    world.advance(5 * MINUTE).await?;
    world.ada_asks_for_jane().await?;
    world.reads(&world.ada);
    insta::assert_snapshot!(answer(&world, &world.ada, "status jane.doe@contoso.com").await?, @"
    Passes for Jane Doe:
    Jane Doe (request ……, asked by Ada Agent): waiting for Mary Major, Otto Oncall since a moment
    Jane Doe (request ……, asked by Ada Agent): denied by Mary Major 10:00 UTC
    ");
    insta::assert_snapshot!(answer(&world, &world.ada, "status").await?, @"
    What you asked for:
    Open:
    Jane Doe (request ……, asked by Ada Agent): waiting for Mary Major, Otto Oncall since a moment
    Ended since yesterday:
    Jane Doe (request ……, asked by Ada Agent): denied by Mary Major 10:00 UTC
    ");
    world.presses(&world.otto, "Deny").await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_shift_sees_what_its_colleagues_asked_for() -> anyhow::Result<()> {
    let world = World::start().await?;
    let amir = amir(&world);
    world.ada_asks_for_jane().await?;
    world.reads(&world.ada);
    world.advance(3 * MINUTE).await?;
    insta::assert_snapshot!(answer(&world, &amir, "pending").await?, @"
    What is open:
    Your colleagues asked for:
    Jane Doe (request ……, asked by Ada Agent): waiting for Mary Major, Otto Oncall since 3 min
    ");
    insta::assert_snapshot!(answer(&world, &amir, "status jane.doe@contoso.com").await?, @"
    Passes for Jane Doe:
    Jane Doe (request ……, asked by Ada Agent): waiting for Mary Major, Otto Oncall since 3 min
    ");
    insta::assert_snapshot!(answer(&world, &amir, "status").await?, @"You wait for nothing, and nothing that you asked for ended since yesterday.");
    // Whoever leaves the help desk sees nothing of it any more.
    world.helpdesk.without(&amir.person);
    insta::assert_snapshot!(answer(&world, &amir, "pending").await?, @"Nothing waits for you, and you wait for nothing.");
    world.presses(&world.mary, "Deny").await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approver_sees_what_waits_for_them_and_who_asked_what_they_wait_for() -> anyhow::Result<()> {
    let world = World::under(rulebook("", &[r#"approvals = ["manager", "group:{oncall}"]"#])).await?;
    world.ada_asks_for_jane().await?;
    world.everybody_reads();
    insta::assert_snapshot!(answer(&world, &world.otto, "pending").await?, @"
    What is open:
    Waits for your decision:
    Jane Doe (request ……, asked by Ada Agent): waiting for Mary Major, Otto Oncall since a moment
    ");
    insta::assert_snapshot!(answer(&world, &world.ada, "pending").await?, @"
    What is open:
    You asked for:
    Jane Doe (request ……, asked by Ada Agent): waiting for Mary Major, Otto Oncall since a moment
    ");
    world.presses(&world.otto, "Approve").await?;
    world.reads(&world.otto);
    // Nothing waits for Otto any more; it waits for Mary.
    insta::assert_snapshot!(answer(&world, &world.otto, "pending").await?, @"Nothing waits for you, and you wait for nothing.");
    insta::assert_snapshot!(answer(&world, &world.otto, "status jane.doe@contoso.com").await?, @"
    Passes for Jane Doe:
    Jane Doe (request ……, asked by Ada Agent): waiting for Mary Major since a moment
    ");
    world.presses(&world.mary, "Deny").await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_says_how_often_those_who_are_waited_for_were_reminded() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.ada_asks_for_jane().await?;
    world.reads(&world.ada);
    world.advance(20 * MINUTE).await?;
    insta::assert_snapshot!(answer(&world, &world.ada, "status jane.doe@contoso.com").await?, @"
    Passes for Jane Doe:
    Jane Doe (request ……, asked by Ada Agent): waiting for Mary Major, Otto Oncall since 20 min, reminded once
    ");
    world.presses(&world.mary, "Deny").await?;
    world.everybody_reads();
    world.finish().await
}

/// One answer for everything that somebody may not know: nobody there, nothing there, not theirs.
#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_see_a_request_does_not_learn_whether_there_is_one() -> anyhow::Result<()> {
    let world = World::start().await?;
    let nosy = world.colleague("Nils Nosy", "nils.nosy@contoso.com");
    let nothing = answer(&world, &nosy, "status jane.doe@contoso.com").await?;
    insta::assert_snapshot!(nothing, @"
    I have no request for that colleague to show you.
    You see what you asked for, what you are asked to decide, and what your help desk asked for, until a day after it ended. If you expected one, check the address, or ask whoever made the request.
    ");
    world.ada_asks_for_jane().await?;
    world.reads(&world.ada);
    let mention = world.jane.account.mention();
    for text in [
        "status jane.doe@contoso.com",
        &format!("status {mention}"),
        "status nobody@contoso.com",
        "status nils.nosy@contoso.com",
    ] {
        ensure!(answer(&world, &nosy, text).await? == nothing, "{text} is answered in another way");
    }
    ensure!(answer(&world, &nosy, "pending").await? == "Nothing waits for you, and you wait for nothing.");
    // Jane herself may know that somebody asks for a pass for her.
    ensure!(answer(&world, &world.jane, "status jane.doe@contoso.com").await?.contains("waiting for"));
    world.presses(&world.mary, "Deny").await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn security_sees_every_request() -> anyhow::Result<()> {
    let mut world = World::start().await?;
    let sid = world.colleague("Sid Security", "sid.security@contoso.com");
    let group = world.company.group("Security").member(&sid.person);
    let group = group.id().parse()?;
    world.restart_configured(|config| config.security.group = Some(group)).await?;
    world.ada_asks_for_jane().await?;
    world.reads(&world.ada);
    insta::assert_snapshot!(answer(&world, &sid, "status jane.doe@contoso.com").await?, @"
    Passes for Jane Doe:
    Jane Doe (request ……, asked by Ada Agent): waiting for Mary Major, Otto Oncall since a moment
    ");
    world.presses(&world.mary, "Deny").await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_the_directory_cannot_answer_now_says_so() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.graph.wire.trouble(
        "/users",
        20,
        tapdesk_tests::wire::Trouble::Answer(
            axum::http::StatusCode::SERVICE_UNAVAILABLE,
            Vec::new(),
            String::new(),
        ),
    );
    insta::assert_snapshot!(answer(&world, &world.ada, "pending").await?, @"I could not look that up just now. Ask again in a minute; nothing was changed.");
    world.graph.wire.heal();
    // Somebody whom the directory does not know is told why they see nothing.
    let gus = world.colleague("Gus Gone", "gus@elsewhere.example");
    gus.person.removed();
    insta::assert_snapshot!(answer(&world, &gus, "pending").await?, @"
    I have nothing to show you.
    Your chat address belongs to no single enabled member of the directory. Ask your Entra administrator.
    ");
    world.finish().await
}
