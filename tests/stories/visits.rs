//! Stories of people without chat: they ask at the page, and phone.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use axum::http::{Method, StatusCode};
use serde_json::json;
use tapdesk_tests::check::ledger_lines;
use tapdesk_tests::claims::JANES_MAIL;
use tapdesk_tests::scene::{JANES_PHONE, lettered, rulebook};
use tapdesk_tests::visit::{JANES_NAME, JANES_REASON, SELF_RULE, number_in};
use tapdesk_tests::visitor::Seen;
use tapdesk_tests::world::{SECURITY, Setting, World};

/// What an answer looks like, but for its number.
fn looks(seen: &Seen) -> anyhow::Result<String> {
    let number = number_in(seen)?;
    let (status, headers, body) = seen.looks();
    let body = String::from_utf8(body)?.replace(&format!("\"number\":\"{number}\""), "\"number\":\"NN\"");
    Ok(format!("{status} {headers:?}\n{body}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_colleague_without_chat_gets_a_pass_by_phoning_the_number() -> anyhow::Result<()> {
    let world = World::with_page("").await?;
    let number = world.asks_as_jane().await?;
    world.settle().await?;
    let offered = world.numbers_on_card(&world.mary)?;
    ensure!(offered.len() == 3 && offered.contains(&number), "{offered:?} without {number}");
    insta::assert_snapshot!(lettered(&world.newest(&world.mary)?, &offered), @"
    Somebody on the web page who says that they are Jane Doe asks for a pass; this was NOT verified
    For
    Jane Doe (jane.doe@contoso.com)
    Asked by
    Somebody on the web page who says that they are Jane Doe; NOT verified
    Reason
    phone fell into a lake
    Code goes to
    +49…12 (sms)
    Pass
    good for 1 hour and one sign-in, from the moment they open it
    Rule
    locked out
    Nobody checked that this is Jane Doe: anybody can open that page. They were shown a number, and are to phone you and tell it to you. Be sure that it is them: call back on a number that you already had. Until 10:30 UTC.
    Choosing their number approves. You have one try: a wrong number ends the request, so never guess. If nobody calls, or the number is not here, press Deny: somebody else asked.
    [AA] [BB] [CC] [Deny] [This looks wrong]
    ");
    world.presses(&world.mary, &number).await?;
    world.presses(&world.mary, "Show PIN").await?;
    let ticket = (world.code_at(JANES_PHONE)?, world.pin_before(&world.mary)?);
    world.jane_gets_her_pass(&ticket.0, &ticket.1).await?;
    let notice = world.smtp.read(JANES_MAIL).pop().context("the owner got no notice")?;
    ensure!(
        notice.text.contains("Somebody on the web page who says that they are Jane Doe asked for it."),
        "{}",
        notice.text
    );
    ensure!(world.reads(&world.jane).is_empty(), "somebody was told in Jane's chat, which she cannot open");
    let lines = ledger_lines(&world.files.path().join("ledger"))?;
    let line = |what: &str| lines.iter().find(|line| line["what"] == what).with_context(|| what.to_owned());
    ensure!(line("request.received")?["facts"]["asker"] == "visitor");
    ensure!(line("request.checked")?["by"].is_null(), "the ledger says that somebody known asked");
    ensure!(line("approval.given")?["facts"]["proof"] == "number matched");
    let ledger = serde_json::to_string(&lines)?;
    ensure!(!ledger.contains("lake") && !ledger.contains("jane.doe"), "what was typed is in the ledger");
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_for_whomever_sees_the_same_before_anybody_looks_it_up() -> anyhow::Result<()> {
    let world = World::with_page("").await?;
    let global_administrator = "62e90394-69f5-4237-9190-012177145e10";
    world.company.person("Gil Guest", "gil@contoso.com").internal_guest().manager(&world.mary.person);
    world
        .company
        .person("Rita Root", "rita@contoso.com")
        .has_role(global_administrator)
        .mobile("+491700000001");
    world.company.person("Dora Disabled", "dora@contoso.com").disabled();
    world.company.person("Max Mailbox", "max@contoso.com").with_mail("mailbox@contoso.com");
    world.ada_asks_for_jane().await?;
    world.everybody_reads();
    let before = world.graph.wire.seen().len();
    let mut seen = Vec::new();
    for user in [
        JANES_NAME,
        "gil@contoso.com",
        "rita@contoso.com",
        "dora@contoso.com",
        "mailbox@contoso.com",
        "nobody@contoso.com",
        "o'brian@elsewhere.example",
    ] {
        seen.push((user, looks(&world.visitor().asks_for(user, JANES_REASON).await?)?));
    }
    ensure!(world.graph.wire.seen().len() == before, "the directory was asked before the answer");
    for (user, other) in &seen {
        ensure!(*other == seen[0].1, "{user} looks different: {other:?} and {:?}", seen[0].1);
    }
    insta::assert_snapshot!(seen[0].1.lines().last().unwrap_or_default(), @r#"{"minutes":30,"number":"NN","state":"asked"}"#);
    world.settle().await?;
    ensure!(world.graph.wire.seen().len() > before, "nobody looked it up at all");
    world.nobody_is_bothered()?;
    ensure!(world.events("request.refused")? == seen.len(), "not all were refused");
    // The desk's own request goes on.
    world.presses(&world.mary, "Approve").await?;
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_number_says_nothing_about_the_account() -> anyhow::Result<()> {
    let world = World::with_page("per_address = 200\nper_hour = 200\nper_subject = 100").await?;
    for user in [JANES_NAME, "nobody@contoso.com"] {
        let mut numbers = std::collections::BTreeSet::new();
        for _ in 0..60 {
            numbers.insert(number_in(&world.visitor().asks_for(user, JANES_REASON).await?)?);
        }
        ensure!(numbers.len() > 25, "{user}: only {} of 60 numbers differ", numbers.len());
    }
    world.settle().await?;
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn too_much_from_one_network_looks_the_same_and_is_not_taken_in() -> anyhow::Result<()> {
    let extra =
        "behind_tls_proxy = true\ntrusted_proxies = [\"127.0.0.1\"]\n[ask]\nper_address = 2".to_owned();
    let policy = rulebook("", &["", SELF_RULE]);
    let world = World::with(Setting { policy, extra, ..Setting::default() }).await?;
    let asks = async |from: &str, user: &str| -> anyhow::Result<_> {
        looks(&world.visitor().forwarded_for(from).asks_for(user, JANES_REASON).await?)
    };
    let capped = || world.counted("tapdesk_asks_total{result=\"too_many_from_address\"}");
    let before = capped();
    let first = asks("198.51.100.1", "one@contoso.com").await?;
    asks("198.51.100.2", "two@contoso.com").await?;
    for host in 3..9 {
        let third = asks(&format!("198.51.100.{host}"), JANES_NAME).await?;
        ensure!(third == first, "one too many looks different: {third:?}");
    }
    ensure!(capped() >= before + 6, "not counted");
    ensure!(world.events("request.received")? == 2, "one too many was taken in");
    world.settle().await?;
    world.nobody_is_bothered()?;
    let logged = world.logged();
    let is_alarm =
        |line: &&str| line.contains("one address prefix asked as often") && line.contains("198.51.100.0");
    let alarms = logged.lines().filter(is_alarm).count();
    ensure!(alarms == 1, "{alarms} lines in the log");
    asks("198.51.101.1", "three@contoso.com").await?;
    world.advance(Duration::from_hours(1)).await?;
    asks("198.51.100.1", JANES_NAME).await?;
    ensure!(world.events("request.received")? == 4, "the network has to wait longer than an hour");
    world.settle().await?;
    world.card(&world.mary, "Deny")?;
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_takes_in_so_much_an_hour_in_all() -> anyhow::Result<()> {
    let world = World::with_page("per_hour = 2").await?;
    let first = looks(&world.visitor().asks_for("one@contoso.com", JANES_REASON).await?)?;
    for user in ["two@contoso.com", JANES_NAME, "four@contoso.com"] {
        ensure!(looks(&world.visitor().asks_for(user, JANES_REASON).await?)? == first);
    }
    world.settle().await?;
    world.nobody_is_bothered()?;
    ensure!(world.events("request.received")? == 2);
    ensure!(world.logged().contains("takes in nothing more within this hour"), "nobody is alarmed");
    // The help desk goes on.
    world.ada_asks_for_jane().await?;
    world.card(&world.mary, "Approve")?;
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn one_user_name_is_asked_for_so_often_a_day_however_it_is_spelled() -> anyhow::Result<()> {
    let world = World::with_page("").await?;
    for spelling in [JANES_NAME, "Jane.Doe@Contoso.com", " JANE.DOE@CONTOSO.COM "] {
        number_in(&world.visitor().asks_for(spelling, JANES_REASON).await?)?;
        world.settle().await?;
        world.presses(&world.mary, "Deny").await?;
    }
    world.everybody_reads();
    world.smtp.read(SECURITY);
    number_in(&world.visitor().asks_for(JANES_NAME, JANES_REASON).await?)?;
    world.settle().await?;
    world.nobody_is_bothered()?;
    // Neither the desk nor the next day is touched by it.
    world.ada_asks_for_jane().await?;
    world.presses(&world.mary, "Deny").await?;
    world.everybody_reads();
    world.advance(Duration::from_hours(24)).await?;
    world.asks_as_jane().await?;
    world.settle().await?;
    world.card(&world.mary, "Deny")?;
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_much_is_not_told_by_the_speed_of_its_answer() -> anyhow::Result<()> {
    let floor = Duration::from_millis(400);
    let policy = rulebook("", &["", SELF_RULE]);
    let extra = "[ask]\nper_address = 1".to_owned();
    let fit = Arc::new(move |parts: &mut tapdesk::app::Parts| parts.answer_after = floor);
    let world = World::with(Setting { policy, extra, fit, ..Setting::default() }).await?;
    for user in [JANES_NAME, JANES_NAME, "nobody@contoso.com"] {
        let begun = Instant::now();
        number_in(&world.visitor().asks_for(user, JANES_REASON).await?)?;
        ensure!(begun.elapsed() >= floor, "answered after {:?}", begun.elapsed());
    }
    world.settle().await?;
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_of_the_desk_takes_the_place_of_an_undecided_visit() -> anyhow::Result<()> {
    let world = World::with_page("").await?;
    let number = world.asks_as_jane().await?;
    world.settle().await?;
    let value = world.value_of(&world.mary, &number)?;
    world.everybody_reads();
    world.ada_asks_for_jane().await?;
    world.hears(&world.ada, "is with its approvers")?;
    for who in [&world.mary, &world.otto] {
        let read = world.reads(who);
        let aside = "Pass for Jane Doe: set aside, since somebody asked for the same colleague in chat";
        ensure!(read.iter().any(|text| text.starts_with(aside)), "{read:#?}");
        ensure!(read.iter().any(|text| text.contains("Ada Agent asks for a pass")), "{read:#?}");
    }
    let told = world.presses_with(&world.mary, "pick.1", &value).await?;
    ensure!(told.contains("This request is over"), "{told}");
    world.presses(&world.mary, "Approve").await?;
    world.presses(&world.mary, "Show PIN").await?;
    let (code, pin) = (world.code_at(JANES_PHONE)?, world.pin_before(&world.mary)?);
    // Once the subject is being helped, neither a visit nor a second request gets in between.
    world.asks_as_jane().await?;
    world.settle().await?;
    world.jane_gets_her_pass(&code, &pin).await?;
    ensure!(world.events("request.set_aside")? == 1);
    world.everybody_reads();
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_visit_that_was_approved_keeps_its_place() -> anyhow::Result<()> {
    let world = World::with_page("").await?;
    let number = world.asks_as_jane().await?;
    world.settle().await?;
    world.presses(&world.mary, &number).await?;
    let read = world.asks_for(&world.ada, &world.jane).await?.join("\n");
    ensure!(read.contains("already"), "{read}");
    world.presses(&world.mary, "Show PIN").await?;
    world.jane_gets_her_pass(&world.code_at(JANES_PHONE)?, &world.pin_before(&world.mary)?).await?;
    world.everybody_reads();
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn approvers_of_a_visit_have_half_an_hour() -> anyhow::Result<()> {
    let world = World::with_page("").await?;
    let number = world.asks_as_jane().await?;
    world.advance(Duration::from_mins(29)).await?;
    let value = world.value_of(&world.mary, &number)?;
    world.advance(Duration::from_mins(2)).await?;
    let read = world.reads(&world.mary).join("\n");
    ensure!(read.contains("nobody decided in time"), "{read}");
    let told = world.presses_with(&world.mary, "pick.1", &value).await?;
    ensure!(told.contains("This request is over"), "{told}");
    world.asks_as_jane().await?;
    world.settle().await?;
    world.card(&world.mary, "Deny")?;
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn visits_ask_an_approver_about_few_at_a_time_and_leave_the_desk_its_own() -> anyhow::Result<()> {
    let policy = rulebook("prompts_per_approver = 1", &["", SELF_RULE]);
    let extra = "[ask]\nprompts_per_approver = 2".to_owned();
    let world = World::with(Setting { policy, extra, ..Setting::default() }).await?;
    let mut upns = Vec::new();
    for name in ["kim", "lou", "mia", "noa"] {
        let upn = format!("{name}@contoso.com");
        world.colleague(name, &upn).person.manager(&world.mary.person).mobile("+491709876543");
        upns.push(upn);
    }
    let (visiting, desk) = upns.split_at(3);
    for upn in visiting {
        number_in(&world.visitor().asks_for(upn, JANES_REASON).await?)?;
        world.settle().await?;
    }
    for who in [&world.mary, &world.otto] {
        let cards = world.reads(who).len();
        ensure!(cards == 2, "{} got {cards} cards", who.account.name);
    }
    let read = world.asks(&world.ada, &format!("for {} left the phone in a taxi", desk[0])).await?.join("\n");
    ensure!(read.contains("is with its approvers"), "the visits used up what the desk needs: {read}");
    world.presses(&world.mary, "Approve").await?;
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_number_ends_the_visit_and_security_hears_of_it() -> anyhow::Result<()> {
    let world = World::with_page("").await?;
    let number = world.asks_as_jane().await?;
    world.settle().await?;
    let offered = world.numbers_on_card(&world.mary)?;
    let wrong = offered.iter().find(|other| **other != number).context("only one number")?;
    world.presses(&world.mary, wrong).await?;
    let mails = world.smtp.read(SECURITY);
    let of_it = mails.iter().find(|mail| mail.subject.contains("chose another number"));
    let text = &of_it.context("security was not told")?.text;
    ensure!(text.contains("Requester: a visitor of the web page, not verified"), "{text}");
    world.has_no_button(&world.mary)?;
    world.has_no_button(&world.otto)?;
    ensure!(world.twilio.unread().is_empty(), "a code was sent");
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_approves_their_own_visit() -> anyhow::Result<()> {
    let world = World::with_page("").await?;
    world.oncall.member(&world.jane.person);
    let number = world.asks_as_jane().await?;
    world.settle().await?;
    ensure!(world.reads(&world.jane).is_empty(), "Jane is asked about herself");
    let value = world.value_of(&world.mary, &number)?;
    let told = world.presses_with(&world.jane, "pick.1", &value).await?;
    ensure!(told.contains("not yours to decide"), "{told}");
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_visit_is_served_by_a_rule_for_those_who_ask_for_themselves_alone() -> anyhow::Result<()> {
    // Anybody may ask for anybody, and still nobody who only says that they are somebody.
    let anyone = "name = \"anyone\"\nrequester = \"anyone\"";
    let narrow = "name = \"only Otto\"\nrequester = \"self\"\nsubject = \"user:{otto}\"";
    let policy = rulebook("", &[anyone, narrow]);
    let world = World::with(Setting { policy, extra: "[ask]".to_owned(), ..Setting::default() }).await?;
    world.asks_as_jane().await?;
    world.settle().await?;
    world.nobody_is_bothered()?;
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_section_there_is_no_page() -> anyhow::Result<()> {
    let world = World::under(rulebook("", &["", SELF_RULE])).await?;
    let nothing = world.visitor().gets("nothing").await?;
    for seen in
        [world.visitor().gets("ask").await?, world.visitor().asks_for(JANES_NAME, JANES_REASON).await?]
    {
        ensure!(seen.status == StatusCode::NOT_FOUND && seen.body == nothing.body, "{seen:?}");
    }
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_is_the_same_bytes_for_everybody_and_allows_its_own_script_alone() -> anyhow::Result<()> {
    let world = World::with_page("").await?;
    let visitor = world.visitor();
    let page = visitor.gets("ask").await?;
    ensure!(page.status == StatusCode::OK && page.header("content-type") == "text/html; charset=utf-8");
    let text = String::from_utf8(page.body.clone())?;
    let headers = [("accept-language", "de"), ("cookie", "a=b"), ("user-agent", "SafeLinks")];
    for other in [
        visitor.sends(&Method::GET, "ask", &headers, Vec::new()).await?,
        visitor.gets("ask?user=jane.doe@contoso.com").await?,
    ] {
        ensure!(other.looks() == page.looks(), "another page: {} {:?}", other.status, other.headers);
    }
    crate::door::is_guarded("the page", &page, &text)?;
    let asked = visitor.asks_for(JANES_NAME, JANES_REASON).await?;
    crate::door::is_guarded("the number", &asked, &text)?;
    ensure!(
        visitor.gets("c").await?.header("content-security-policy") != page.header("content-security-policy")
    );
    world.settle().await?;
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_meant_is_said_and_asks_nothing() -> anyhow::Result<()> {
    let world = World::with_page("").await?;
    for (user, reason, field) in [
        ("jane.doe", JANES_REASON, "user"),
        ("", JANES_REASON, "user"),
        ("a@b@c", JANES_REASON, "user"),
        ("jane doe@contoso.com", JANES_REASON, "user"),
        (JANES_NAME, "help", "reason"),
        (JANES_NAME, "\u{200b}\u{200b}\u{200b}\u{200b}\u{200b}\u{200b}", "reason"),
    ] {
        let seen = world.visitor().asks_for(user, reason).await?;
        ensure!(seen.json() == json!({"state": "malformed", "field": field}), "{user:?}: {}", seen.json());
    }
    let long = "x".repeat(301);
    ensure!(world.visitor().asks_for(JANES_NAME, &long).await?.state() == "malformed");
    ensure!(world.events("request.received")? == 0);
    world.settle().await?;
    world.nobody_is_bothered()?;
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_visit_outlives_the_process_that_took_it_in() -> anyhow::Result<()> {
    let mut world = World::with_page("").await?;
    let number = world.asks_as_jane().await?;
    world.restart().await?;
    world.settle().await?;
    world.presses(&world.mary, &number).await?;
    world.code_at(JANES_PHONE)?;
    world.finish_unread().await
}
