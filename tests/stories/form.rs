//! How is a pass asked for in a form, and what becomes of what was filled in?

use anyhow::ensure;
use insta::assert_snapshot;
use tapdesk_tests::faulty::Faults;
use tapdesk_tests::scene::rulebook;
use tapdesk_tests::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn the_bare_command_opens_a_form_and_commits_nothing() -> anyhow::Result<()> {
    let world = World::start().await?;
    let calls = world.graph.wire.seen().len();
    let form = world.opens_form(&world.ada).await?;
    assert_snapshot!(form, @r"
    Help a colleague in
    Nothing is asked before you submit. Then I check the rules and write to you.
    Colleague (optional): ____
      Who is locked out?
    Or their address (optional): ____
      For a colleague who is not in this chat: user principal name or mail address.
    Reason: ____
      Approvers and auditors read it. No passwords, please.
    Ticket number (optional): ____
      Like INC0012345, if there is one. Some rules want it.
    Lifetime (optional): (10 minutes | 30 minutes | 1 hour)
      How long the pass works once it is opened; never longer than the rule allows. Empty: as the rule says.
    [Ask]
    ");
    ensure!(world.chat.close_view(&world.ada.account).await?.is_none(), "closing it was to be told");
    world.settle().await?;
    ensure!(world.events("request.received")? == 0, "something was committed");
    ensure!(world.graph.wire.seen().len() == calls, "the directory was asked");
    world.nobody_is_bothered()?;
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_global_shortcut_opens_the_same_form() -> anyhow::Result<()> {
    let world = World::start().await?;
    let typed = world.opens_form(&world.ada).await?;
    world.chat.close_view(&world.ada.account).await?;
    let reply = world.chat.shortcut(&world.ada.account).await;
    ensure!(reply.is_silent(), "{reply:?}");
    world.settle().await?;
    ensure!(world.form(&world.ada)? == typed, "another form");
    let jane = world.jane.account.id.clone();
    world.submits(&world.ada, &[("person", &jane), ("address", ""), ("reason", "lost her phone")]).await?;
    world.settle().await?;
    world.hears(&world.ada, "for Jane Doe is with its approvers")?;
    world.presses(&world.mary, "Deny").await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_filled_in_is_asked_like_what_is_typed() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.graph.policy(|policy| policy.minimum_minutes = 10);
    let jane = world.jane.account.id.clone();
    let fields = [
        ("person", jane.as_str()),
        ("reason", "lost her phone\non the train & <!here>"),
        ("ticket_number", "INC0012345"),
        ("lifetime", "30 minutes"),
    ];
    let read = world.fills(&world.ada, &fields).await?;
    assert_snapshot!(read.join("\n=====\n"), @r"
    Checking… (request ……)
    I look up both of you in the directory and then write to you here, whatever comes out.
    =====
    Request …… for Jane Doe is with its approvers.
    I asked Mary Major, Otto Oncall. You will hear from me when they decide.
    The pass will be good for 30 minutes, as you wished.
    ");
    assert_snapshot!(world.newest(&world.mary)?, @r"
    Ada Agent asks for a pass for Jane Doe: approve?
    For
    Jane Doe (jane.doe@contoso.com)
    Asked by
    Ada Agent (ada.agent@contoso.com)
    Reason
    lost her phone on the train & <!here>
    Ticket
    INC0012345
    Code goes to
    +49…12 (sms)
    Pass
    good for 30 minutes and one sign-in, from the moment they open it
    Rule
    helpdesk for staff
    Approve only if you know that Jane Doe really is locked out: call them on a number that you already had. Until 14:00 UTC.
    [Approve] [Deny] [This looks wrong]
    ");
    ensure!(world.facts_of("request.received")?["ticket_number"] == "INC0012345");
    ensure!(world.facts_of("request.checked")?["ticket_number"] == "INC0012345");
    world.presses(&world.mary, "Approve").await?;
    world.presses(&world.mary, "Show PIN").await?;
    let (code, pin) = (world.code_at("+491701234512")?, world.pin_before(&world.mary)?);
    // The shorter lifetime is what Graph is asked for, although the rule would give an hour.
    world.jane_gets_her_pass(&code, &pin).await?;
    let passes = world.graph.passes();
    ensure!(passes.len() == 1 && passes[0].lifetime_minutes == 30, "another lifetime: {passes:?}");
    world.everybody_reads();
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_colleague_who_is_not_in_the_chat_is_asked_for_by_address() -> anyhow::Result<()> {
    let world = World::start().await?;
    let kim = world.company.person("Kim Kunde", "kim.kunde@contoso.com");
    kim.manager(&world.mary.person).mobile("+491709876543");
    let fields = [("address", " Kim.Kunde@Contoso.com "), ("reason", "lost the phone")];
    let read = world.fills(&world.ada, &fields).await?;
    ensure!(read.iter().any(|text| text.contains("for Kim Kunde is with its approvers")), "{read:#?}");
    world.presses(&world.mary, "Deny").await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_to_be_mended_is_said_at_each_field_and_nothing_is_asked() -> anyhow::Result<()> {
    let world = World::start().await?;
    let jane = world.jane.account.id.clone();
    world.opens_form(&world.ada).await?;
    let calls = world.graph.wire.seen().len();
    world.submits(&world.ada, &[("reason", "a    b"), ("ticket_number", "my laptop")]).await?;
    assert_snapshot!(complaints(&world.form(&world.ada)?), @r"
    Colleague (optional)! For whom? Pick a colleague here, or type their address below.
    Reason! Add a reason of 5 to 300 characters: approvers and auditors read it.
    Ticket number (optional)! A ticket number is one word with a digit in it, like INC0012345.
    ");
    // What was filled in stays, until it is mended.
    let mended = [("address", "@jane.doe"), ("reason", "lost her phone"), ("ticket_number", "")];
    world.submits(&world.ada, &mended).await?;
    assert_snapshot!(complaints(&world.form(&world.ada)?), @"Or their address (optional)! That is no address. Type it in full, like jane.doe@contoso.com; an @name of the chat is none.");
    let both =
        [("person", jane.as_str()), ("address", "otto.oncall@contoso.com"), ("reason", "lost her phone")];
    world.submits(&world.ada, &both).await?;
    assert_snapshot!(complaints(&world.form(&world.ada)?), @"Or their address (optional)! One request is for one colleague: pick one above or type an address here, not both.");
    world.settle().await?;
    world.nobody_is_bothered()?;
    ensure!(world.events("request.received")? == 0, "something was asked");
    ensure!(world.graph.wire.seen().len() == calls, "the directory was asked");

    world.submits(&world.ada, &[("person", &jane), ("address", ""), ("reason", "lost her phone")]).await?;
    world.settle().await?;
    ensure!(world.chat.modal(&world.ada.account).is_none(), "the form stayed open");
    world.hears(&world.ada, "for Jane Doe is with its approvers")?;
    world.presses(&world.mary, "Deny").await?;
    world.everybody_reads();
    world.finish().await
}

/// The fields that something has to be mended in, with what is said at them.
fn complaints(form: &str) -> String {
    let mut label = "";
    let mut found = Vec::new();
    for line in form.lines().filter(|line| !line.starts_with("  ")) {
        match line.strip_prefix("! ") {
            Some(complaint) => found.push(format!("{label}! {complaint}")),
            None => label = line.split_once(':').map_or(line, |(label, _)| label),
        }
    }
    found.join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_could_not_be_confirmed_stays_open_and_is_one_request() -> anyhow::Result<()> {
    let faults = Faults::default();
    let world = World::with_faults(&faults).await?;
    let fields = [("address", "jane.doe@contoso.com"), ("reason", "lost her phone")];
    world.opens_form(&world.ada).await?;
    let gate = faults.hold("open");
    world.submits(&world.ada, &fields).await?;
    assert_snapshot!(complaints(&world.form(&world.ada)?), @"Reason! I could not confirm that this was stored. Submit it again: doing it twice does no harm.");
    gate.open();
    world.settle().await?;
    // It was stored after all; whoever submits again hears that.
    world.submits(&world.ada, &fields).await?;
    world.settle().await?;
    ensure!(world.chat.modal(&world.ada.account).is_none(), "the form stayed open");
    let read = world.reads(&world.ada);
    ensure!(read.iter().any(|text| text.contains("I have this one already")), "{read:#?}");
    ensure!(world.reads(&world.mary).len() == 1, "Mary is asked more than once");
    world.presses(&world.mary, "Deny").await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submission_that_is_delivered_twice_is_one_request() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.fills(&world.ada, &[("address", "jane.doe@contoso.com"), ("reason", "lost her phone")]).await?;
    let delivery = world.chat.deliveries().pop().ok_or_else(|| anyhow::anyhow!("nothing was delivered"))?;
    ensure!(world.chat.replay(&delivery).await.is_accepted(), "a repeated submission is an error");
    world.settle().await?;
    world.hears(&world.ada, "I have this one already")?;
    ensure!(world.events("request.checked")? == 1, "there are two requests");
    world.presses(&world.mary, "Deny").await?;
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rule_and_the_tenant_have_the_last_word_on_a_lifetime_and_it_is_said() -> anyhow::Result<()> {
    // The second rule is why the form offers more than the first one allows.
    let rules =
        [r#"lifetime = "2h""#, "name = \"for nobody\"\nrequester = \"user:{otto}\"\nlifetime = \"8h\""];
    for (wished, shortest, longest, told, minutes) in [
        ("1 hour", 10, 480, "The pass will be good for 1 hour, as you wished.", 60),
        ("8 hours", 10, 480, "You wished a pass for 8 hours; the rule allows 2 hours.", 120),
        (
            "10 minutes",
            30,
            480,
            "You wished a pass for 10 minutes; the tenant's policy makes it 30 minutes.",
            30,
        ),
        ("2 hours", 10, 60, "You wished a pass for 2 hours; the tenant's policy makes it 1 hour.", 60),
        (
            "8 hours",
            10,
            60,
            "You wished a pass for 8 hours; the rule allows 2 hours, and the tenant's policy makes it 1 hour.",
            60,
        ),
    ] {
        let world = World::under(rulebook("", &rules)).await?;
        world.graph.policy(|policy| {
            policy.minimum_minutes = shortest;
            policy.maximum_minutes = longest;
        });
        let fields =
            [("address", "jane.doe@contoso.com"), ("reason", "lost her phone"), ("lifetime", wished)];
        let read = world.fills(&world.ada, &fields).await?;
        ensure!(read.iter().any(|text| text.contains(told)), "{wished}: {read:#?}");
        world.presses(&world.mary, "Approve").await?;
        world.presses(&world.mary, "Show PIN").await?;
        let (code, pin) = (world.code_at("+491701234512")?, world.pin_before(&world.mary)?);
        world.jane_gets_her_pass(&code, &pin).await?;
        let passes = world.graph.passes();
        ensure!(passes.len() == 1 && passes[0].lifetime_minutes == minutes, "{wished}: {passes:?}");
        world.finish_unread().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_number_counts_in_its_field_and_in_the_reason_and_is_recorded_plainly() -> anyhow::Result<()>
{
    let world = World::under(rulebook("", &[r#"ticket_number = "INC[0-9]{7}""#])).await?;
    let jane = ("address", "jane.doe@contoso.com");
    for (reason, number) in [
        ("lost her phone", Some("INC0012345")),
        ("lost her phone, INC0012345", None),
        ("INC0012345: lost it", Some("SR7")),
    ] {
        let mut fields = vec![jane, ("reason", reason)];
        fields.extend(number.map(|number| ("ticket_number", number)));
        let read = world.fills(&world.ada, &fields).await?;
        ensure!(read.iter().any(|text| text.contains("is with its approvers")), "{reason}: {read:#?}");
        ensure!(world.facts_of("request.checked")?["ticket_number"] == "INC0012345", "{reason}");
        world.presses(&world.mary, "Deny").await?;
        world.everybody_reads();
    }
    let read =
        world.fills(&world.ada, &[jane, ("reason", "lost her phone"), ("ticket_number", "SR7")]).await?;
    let refusal = read.last().map_or("", String::as_str);
    assert_snapshot!(refusal, @r"
    Request …… for jane.doe@contoso.com cannot go on.
    The rule wants a ticket number that looks like INC[0-9]{7}. Ask again with it in the reason or in the form.
    ");
    // What was given is recorded all the same: it is what an auditor looks for.
    ensure!(world.facts_of("request.received")?["ticket_number"] == "SR7");
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_nobody_in_the_directory_may_fill_in_the_form_and_is_turned_away() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.chat.set_guest(&world.ada.account, true);
    let read =
        world.fills(&world.ada, &[("address", "jane.doe@contoso.com"), ("reason", "lost her phone")]).await?;
    ensure!(read.iter().any(|text| text.contains("I cannot tell who you are")), "{read:#?}");
    world.nobody_is_bothered()?;
    world.finish().await
}
