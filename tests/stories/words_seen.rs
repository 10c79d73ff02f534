//! What does everybody read on the main path, sentence by sentence?

use std::time::Duration;

use anyhow::{Context as _, ensure};
use insta::assert_snapshot;
use tapdesk_tests::chat::ChatKind;
use tapdesk_tests::graph::SignIn;
use tapdesk_tests::scene::{JANES_PHONE, rulebook, said};
use tapdesk_tests::world::{Colleague, SECURITY, World};

/// What every card of these stories says about the request; [`read_by`] shortens it to `(facts)`.
const FACTS: &str = "\
For\n\
Jane Doe (jane.doe@contoso.com)\n\
Asked by\n\
Ada Agent (ada.agent@contoso.com)\n\
Reason\n\
lost her phone, INC0012345\n\
Code goes to\n\
+49…12 (sms)\n\
Pass\n\
good for 1 hour and one sign-in, from the moment they open it\n\
Rule\n\
helpdesk for staff";

/// What somebody reads, message by message.
fn read_by(world: &World, who: &Colleague) -> String {
    let read = world.reads(who);
    let read: Vec<String> = read.iter().map(|text| said(text).replace(FACTS, "(facts)")).collect();
    read.join("\n=====\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ada_mary_otto_jane_and_security_read_on_the_main_path() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.ada_asks_for_jane().await?;
    assert_snapshot!(read_by(&world, &world.ada), @r"
    Checking… (request ……)
    I look up both of you in the directory and then write to you here, whatever comes out.
    =====
    Request …… for Jane Doe is with its approvers.
    I asked Mary Major, Otto Oncall. You will hear from me when they decide.
    ");
    assert_snapshot!(read_by(&world, &world.mary), @r"
    Ada Agent asks for a pass for Jane Doe: approve?
    (facts)
    Approve only if you know that Jane Doe really is locked out: call them on a number that you already had. Until 14:00 UTC.
    [Approve] [Deny] [This looks wrong]
    ");
    assert_snapshot!(read_by(&world, &world.otto), @r"
    Ada Agent asks for a pass for Jane Doe: approve?
    (facts)
    Approve only if you know that Jane Doe really is locked out: call them on a number that you already had. Until 14:00 UTC.
    [Approve] [Deny] [This looks wrong]
    ");

    world.presses(&world.mary, "Approve").await?;
    assert_snapshot!(read_by(&world, &world.ada), @"
    Request …… for Jane Doe is with its approvers.
    Since then: approved by Mary Major.
    =====
    Request …… for Jane Doe is approved by Mary Major.
    The code is on its way to the contact on file.
    =====
    The code for Jane Doe went to +49…12 (sms).
    Mary Major now calls them and tells them the PIN.
    ");
    assert_snapshot!(read_by(&world, &world.mary), @r"
    Pass for Jane Doe: approved by Mary Major
    (facts)
    You tell Jane Doe the PIN: call them, or meet them, and be sure that it is them. Then press Show PIN and read it out. Each press makes a new PIN and voids the one before.
    [Show PIN] [Withdraw approval] [This looks wrong]
    ");
    assert_snapshot!(read_by(&world, &world.otto), @r"
    Pass for Jane Doe: approved by Mary Major
    (facts)
    ");
    let texts = world.twilio.phone(JANES_PHONE).messages();
    let code = world.code_at(JANES_PHONE)?;
    let sent = texts.first().context("no text message came")?.body.replace(&code, "CODE");
    let grouped = format!("{}-{}-{}", &code[..4], &code[4..8], &code[8..]);
    assert_snapshot!(sent.replace(&grouped, "CODE"), @r"
    Your code to sign in again: CODE
    Open https://tap.contoso.com/c#CODE and enter the PIN that your approver tells you, or that is sent to you. Good for 30 minutes. Never read this code to anybody who calls. Not you? Report it on that page.
    ");
    ensure!(texts.len() == 1);

    world.presses(&world.mary, "Show PIN").await?;
    let pin = world.pin_before(&world.mary)?;
    let modal = world.chat.modal(&world.mary.account).context("no modal is open")?.visible_text();
    let grouped = format!("{} {}", &pin[..4], &pin[4..]);
    ensure!(modal.contains(&grouped), "the PIN is not shown 4 4");
    assert_snapshot!(modal.replace(&grouped, "PIN"), @r"
    PIN to tell
    Tell this PIN to Jane Doe, and to nobody else:
    PIN
    You call them. If somebody calls you and asks for it, hang up: that is how help desks are broken into.
    Do not write it into any chat or mail. Showing it again makes a new one.
    [Done]
    ");
    // The claim is open; the cards stay as they were.
    assert_snapshot!(read_by(&world, &world.ada), @"");
    assert_snapshot!(world.newest(&world.mary)?.replace(FACTS, "(facts)"), @r"
    Pass for Jane Doe: approved by Mary Major
    (facts)
    You tell Jane Doe the PIN: call them, or meet them, and be sure that it is them. Then press Show PIN and read it out. Each press makes a new PIN and voids the one before.
    [Show PIN] [Withdraw approval] [This looks wrong]
    ");
    assert_snapshot!(world.newest(&world.otto)?.replace(FACTS, "(facts)"), @r"
    Pass for Jane Doe: approved by Mary Major
    (facts)
    ");
    world.reads(&world.mary);
    world.reads(&world.otto);

    let passcode = world.browser().claims_and_sees(&code, &pin).await?;
    world.settle().await?;
    assert_snapshot!(read_by(&world, &world.ada), @"
    Request …… for Jane Doe is with its approvers.
    Since then: they have the pass.
    =====
    Request …… for Jane Doe is approved by Mary Major.
    Since then: they have the pass.
    =====
    The code for Jane Doe went to +49…12 (sms).
    Since then: they have the pass.
    =====
    Jane Doe has the pass.
    It may take two minutes until Windows accepts it. Do not ask for another one: that voids this one.
    ");
    assert_snapshot!(read_by(&world, &world.mary), @r"
    Pass for Jane Doe: handed over, approved by Mary Major
    (facts)
    [This looks wrong]
    =====
    A sign-in pass was made for Jane Doe. Ada Agent asked for it.
    If Jane Doe did not need one, tell your security team now.
    ");
    assert_snapshot!(read_by(&world, &world.otto), @r"
    Pass for Jane Doe: handed over, approved by Mary Major
    (facts)
    ");
    let notices = world.smtp.read("jane.doe@contoso.com");
    ensure!(notices.len() == 1, "{} notices", notices.len());
    let token = notices[0].text.split_once("#report=").context("no link")?.1;
    let token: String = token.chars().take_while(char::is_ascii_alphanumeric).collect();
    let number = notices[0].text.split_once("the number ").context("no number")?.1[..2].to_owned();
    let text = notices[0].text.replace(&token, "TOKEN").replace(&format!("number {number}"), "number NN");
    assert_snapshot!(format!("{}\n{}", notices[0].subject, text.replace('\r', "").trim_end()), @r"
    A Temporary Access Pass was made for your account
    A Temporary Access Pass was made for your account (jane.doe@contoso.com). Ada Agent asked for it.

    If this was you: nothing to do.

    If this was NOT you: open
    https://tap.contoso.com/c#report=TOKEN
    and enter the number NN. The pass is deleted, sessions end, and security is told.
    ");

    ensure!(world.graph.use_pass(&world.jane.person, &passcode) == SignIn::Ok);
    world.advance(Duration::from_mins(10)).await?;
    assert_snapshot!(read_by(&world, &world.ada), @"
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
    ensure!(world.smtp.read("jane.doe@contoso.com").len() == 1, "the owner was not told of the end");
    assert_snapshot!(read_by(&world, &world.mary), @r"
    Pass for Jane Doe: approved by Mary Major, then used
    (facts)
    ");
    assert_snapshot!(read_by(&world, &world.otto), @r"
    Pass for Jane Doe: approved by Mary Major, then used
    (facts)
    ");
    ensure!(world.smtp.mailbox(SECURITY).is_empty(), "security was told of what is usual");
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_shows_that_somebody_else_made_a_pass() -> anyhow::Result<()> {
    let world = World::start().await?;
    let _ = world.graph.make_foreign_pass(&world.jane.person, 480);
    world.hands.turn(Duration::from_mins(45));
    world.ada_asks_for_jane().await?;
    let card = said(&world.card(&world.mary, "Approve")?.visible_text());
    let existing = card.split_once("Existing pass\n").context("no word of the pass")?.1;
    assert_snapshot!(existing.lines().next().unwrap_or_default(), @"somebody made one that lives for 7 h 15 min more; approving replaces it");
    world.presses(&world.mary, "Deny").await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_read_where_two_people_approve() -> anyhow::Result<()> {
    let world = World::under(rulebook("", &[r#"approvals = ["manager", "group:{oncall}"]"#])).await?;
    world.ada_asks_for_jane().await?;
    world.everybody_reads();
    world.presses(&world.mary, "Approve").await?;
    assert_snapshot!(read_by(&world, &world.mary), @"
    Ada Agent asks for a pass for Jane Doe: approve?
    (facts)
    You approved. It waits for somebody else now.
    [Withdraw approval] [This looks wrong]
    ");
    assert_snapshot!(read_by(&world, &world.otto), @r"
    Ada Agent asks for a pass for Jane Doe: approve?
    (facts)
    Approve only if you know that Jane Doe really is locked out: call them on a number that you already had. Until 14:00 UTC.
    [Approve] [Deny] [This looks wrong]
    ");
    assert_snapshot!(read_by(&world, &world.ada), @"");
    world.presses(&world.otto, "Deny").await?;
    assert_snapshot!(read_by(&world, &world.ada), @"
    Request …… for Jane Doe is with its approvers.
    Since then: denied by Otto Oncall.
    =====
    Request …… for Jane Doe was turned down by Otto Oncall.
    Talk to them if it is still needed; only a new request goes on.
    ");
    assert_snapshot!(read_by(&world, &world.mary), @r"
    Pass for Jane Doe: denied by Otto Oncall
    (facts)
    ");
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_says_is_shown_as_they_typed_it() -> anyhow::Result<()> {
    let world = World::start().await?;
    let typed = "*lost* _it_ <!here> <https://evil.example|the phone> R&D :tada: `x`";
    let typed = match ChatKind::of_this_run() {
        // Slack escapes the three characters on the way in, and draws no markup in plain text.
        ChatKind::Slack => typed.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"),
        ChatKind::Teams => typed.to_owned(),
    };
    world.asks(&world.ada, &format!("for jane.doe@contoso.com {typed}")).await?;
    let card = world.card(&world.mary, "Approve")?.visible_text();
    let reason = card.split_once("Reason\n").context("no reason")?.1;
    assert_snapshot!(reason.lines().next().unwrap_or_default(), @"*lost* _it_ <!here> <https://evil.example|the phone> R&D :tada: `x`");
    world.presses(&world.mary, "Deny").await?;
    world.everybody_reads();
    world.finish().await
}
