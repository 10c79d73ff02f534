//! Every sentence, for one sample: Sam asks for Jane, Max approves.

use std::time::Duration;

use super::*;
use crate::card::PinCard;
use crate::method::MethodKind;
use crate::pass::{PassMeta, Usability};
use crate::policy::Route;
use crate::ports::{Decline, Mark, Message, NotVouched};
use crate::request::tests::samples::{
    MAX, OLGA, SAM, Sample, account, browser, case, code, monday, pin_hash,
};
use crate::request::{Case, Event, Found, Look, Reason, Told};
use crate::task::News;
use crate::ticket::{Code, Pin, ReportToken};

mod caution;
mod suspicion;
mod visit;

const URL: &str = "https://tap.example.com/";

fn shown(card: &Card) -> String {
    let facts = card.facts.iter().map(|(label, value)| format!("{label}: {value}"));
    let buttons = card.buttons.iter().map(|button| format!("[{}]", button.label));
    let lines = std::iter::once(card.title.clone()).chain(facts).chain(card.text.clone()).chain(buttons);
    lines.collect::<Vec<_>>().join("\n")
}

fn all(cards: impl IntoIterator<Item = Card>) -> String {
    cards.into_iter().map(|card| shown(&card)).collect::<Vec<_>>().join("\n\n")
}

fn mail(message: &Message) -> String {
    format!("Subject: {}\n\n{}", message.subject, message.text.as_str().trim_end())
}

fn news_of(sample: &Sample, what: News) -> String {
    shown(&news(&sample.request, what))
}

fn card_for(sample: &Sample, approver: crate::ids::PersonId) -> String {
    let case = sample.request.case().unwrap();
    let candidate = case.approvers.iter().find(|candidate| candidate.human.id == approver).unwrap();
    shown(&approval(&sample.request, case, candidate, sample.now))
}

fn facts() -> Case {
    case(&[&[MAX, OLGA]])
}

fn sample_code() -> Code {
    Code::parse("0123-4567-89ABC").unwrap()
}

#[test]
fn help_says_what_to_type() {
    insta::assert_snapshot!(shown(&help("/tap")), @"
    tapdesk gets a locked-out colleague back in
    /tap alone opens a form in which you ask for a Temporary Access Pass for a colleague
    /tap for @colleague REASON asks for one in a line. Example: /tap for jane.doe@contoso.com lost her phone, INC0012345
    /tap status [@colleague] tells where a request stands
    /tap pending lists what waits, and for whom
    /tap cancel [@colleague] takes your request back
    /tap resend [@colleague] sends a new code and a new PIN
    /tap revoke @colleague deletes their pass and ends their sessions
    /tap delegate @colleague 2026-12-20..2027-01-03 lets somebody decide for you while you are away
    I check who asks, ask the approvers, and hand the pass to the colleague alone: they get a code on the phone that is on file and hear a PIN from the approver. Nobody in chat ever sees the pass.
    ");
}

#[test]
fn an_unclear_command_is_answered_with_the_right_one() {
    use Unclear::{NoDates, NoPerson, NoSuchCommand, NotAPerson, SeveralPeople, UnknownName};
    let unclears = [NoSuchCommand, NoPerson, NotAPerson, UnknownName, SeveralPeople, NoDates];
    let cards = unclears.map(|why| unclear(why, "/tap"));
    insta::assert_snapshot!(all(cards), @"
    I do not know that command.
    Write: /tap for @colleague REASON, or /tap help

    For whom? Name a colleague.
    Write: /tap for @colleague REASON, or /tap help

    I could not tell who that is: pick the colleague from the @ list, or type their address.
    Write: /tap for @colleague REASON, or /tap help

    The chat did not recognise that @name: pick the colleague from the list that opens while you type it, or type their address.
    Write: /tap for @colleague REASON, or /tap help

    One request is for one colleague: name one person, then the reason.
    Write: /tap for @colleague REASON, or /tap help

    From which day until which day?
    Write: /tap delegate @colleague 2026-12-20..2027-01-03
    ");
}

#[test]
fn acknowledgements() {
    let cards = [
        checking(&Sample::received().request),
        reason_length(),
        seen_before(),
        too_many_requests(20),
        not_confirmed(),
    ];
    insta::assert_snapshot!(all(cards), @"
    Checking… (request MNPQRS)
    I look up both of you in the directory and then write to you here, whatever comes out.

    Add a reason of 5 to 300 characters: approvers and auditors read it.
    Nothing was asked yet.

    I have this one already and am working on it.

    You have asked 20 times within the hour, which is all that the policy allows.
    Wait a little. In an emergency, phone your security team: they can raise the limit.

    I could not confirm that this was stored.
    If I write to you within two minutes, it was. If not, do it again: doing it twice does no harm.
    ");
}

#[test]
fn refusals() {
    let all_of_them = [
        Refusal::AlreadyDecided,
        Refusal::AlreadyApproved,
        Refusal::NumberWanted,
        Refusal::NotAnApprover,
        Refusal::NotTheRequester,
        Refusal::TooLate,
        Refusal::Claimed,
        Refusal::SentEnough,
        Refusal::AlreadyOpened,
        Refusal::InHand,
        Refusal::Waiting,
        Refusal::Over,
        Refusal::Moot,
    ];
    insta::assert_snapshot!(all_of_them.map(|why| shown(&refusal(why))).join("\n"), @"
    This was decided already; nothing changed. The message above shows by whom.
    You approved this already; it waits for somebody else now.
    This is approved by a number: choose on the card the one that you were told.
    This is not yours to decide, so nothing happened.
    Only the person who asked can do that.
    Too late: its time is over. If it is still needed, ask for it again.
    Too late: the pass is being opened, or was. The command's revoke takes it back and ends their sessions.
    That was sent as often as one approval allows.
    The pass was opened already.
    I am working on it. Try again in a minute.
    This still waits for the code or the PIN.
    This request is over; nothing changed.
    Nothing to do here right now.
    ");
}

#[test]
fn reasons() {
    let reasons = [
        Reason::RequesterNotVouched(NotVouched::NotTrusted),
        Reason::RequesterUnknown,
        Reason::RequesterAmbiguous,
        Reason::SubjectNotVouched(NotVouched::Guest),
        Reason::SubjectUnknown,
        Reason::SubjectAmbiguous,
        Reason::SubjectDisabled,
        Reason::SubjectGuest,
        Reason::SubjectPrivileged,
        Reason::NoRule,
        Reason::RuleChanged,
        Reason::NoTicketNumber(r"INC\d{7}".to_owned()),
        Reason::NobodyCanApprove("the manager (Sam Agent)".to_owned()),
        Reason::NotReached("Max Manager".to_owned()),
        Reason::ApproverNotEntitled("Max Manager".to_owned()),
        Reason::NoContact(Route::Sms),
        Reason::ContactMasked,
        Reason::ContactChanged,
        Reason::PassPolicyOff,
        Reason::TooManyTickets(3),
        Reason::AlreadyOpen(Sample::received().request.id),
        Reason::Undeliverable,
        Reason::LookupFailed,
    ];
    insta::assert_snapshot!(reasons.map(|why| reason(&why)).join("\n"), @r#"
    I cannot tell who you are in the directory: the configuration does not trust addresses from this chat.
    Your chat address belongs to no single enabled member of the directory. Ask your Entra administrator.
    Several accounts in the directory have your chat address, so I cannot tell which of them you are. Ask your Entra administrator to leave it to one of them.
    I cannot tell who that colleague is in the directory: the chat account is a guest. Ask again with their address.
    Nobody in the directory has that address. Check the spelling and ask again.
    Several people in the directory have that address. Ask again with the user principal name.
    Their account is disabled, so a pass would not help. Ask your Entra administrator why it is.
    They are a guest: their own organisation has to help them.
    They hold an administrative role. Passes for administrators are not made here: go to your security team in person.
    No rule lets you ask for this colleague. Ask your help desk, or their manager, to do it.
    The rules changed since this was asked. Ask again.
    The rule wants a ticket number that looks like INC\d{7}. Ask again with it in the reason or in the form.
    Nobody can approve this: it would take the manager (Sam Agent). Nobody approves what they asked for or what is for them. Ask a colleague of the help desk to make the request, or your administrator to name another approver.
    I cannot reach Max Manager in the chat: the app is blocked or was removed there, and nobody else can approve. Once it is back, ask again.
    Max Manager may not approve this any more. Ask again, so that somebody else decides.
    Entra has no contact on file for them that sms could reach, and I use no other. Have one registered in person, or ask your Entra administrator.
    Entra shows tapdesk only masked phone numbers. Your Entra administrator has to grant UserAuthMethod-Phone.Read.All.
    The contact on file changed after this was asked. That can be an attack: security has been told. Ask again once it is clear who changed it.
    The tenant's Temporary Access Pass policy is off or does not include them. Ask your Entra administrator (Authentication methods, Policies).
    They had 3 tickets within a day, which is all that the policy allows. Go to your security team.
    There is an open request for them already (MNPQRS). Wait for that one.
    The code or PIN could not be delivered to the contact on file. Have the contact checked, then ask again.
    The directory or the chat did not answer as it should. Your administrator finds why in the log. Ask again later.
    "#);
}

#[test]
fn why_a_chat_account_stands_for_nobody() {
    use NotVouched::{Bot, Gone, Guest, NoAddress, NotTrusted, Stranger};
    let reasons = [Gone, Bot, Guest, Stranger, NoAddress, NotTrusted].map(Reason::RequesterNotVouched);
    insta::assert_snapshot!(reasons.map(|why| reason(&why)).join("\n"), @"
    I cannot tell who you are in the directory: the chat account is deactivated or unknown.
    I cannot tell who you are in the directory: that is a bot.
    I cannot tell who you are in the directory: the chat account is a guest.
    I cannot tell who you are in the directory: the chat account belongs to another organisation.
    I cannot tell who you are in the directory: the chat account has no mail address.
    I cannot tell who you are in the directory: the configuration does not trust addresses from this chat.
    ");
}

#[test]
fn the_approval_card_while_it_waits() {
    let mut facts = facts();
    facts.foreign.push(PassMeta {
        id: "pass-0".into(),
        created_at: monday(),
        starts_at: monday(),
        lifetime: Duration::from_hours(8),
        one_time: false,
        usability: Usability::Usable,
    });
    let sample = Sample::received().after([Event::FactsArrived(Box::new(facts))]);
    insta::assert_snapshot!(card_for(&sample, MAX), @"
    Sam Agent asks for a pass for Jane Doe: approve?
    For: Jane Doe (jane.doe@contoso.com)
    Asked by: Sam Agent (sam.agent@contoso.com)
    Reason: lost her phone, INC0012345
    Code goes to: +49…12 (sms)
    Pass: good for 1 hour and one sign-in, from the moment they open it
    Rule: helpdesk for staff
    Existing pass: somebody made one that lives for 8 hours more; approving replaces it
    Approve only if you know that Jane Doe really is locked out: call them on a number that you already had. Until 13:00 UTC.
    [Approve]
    [Deny]
    [This looks wrong]
    ");
}

#[test]
fn the_approval_card_of_somebody_who_approved_before_the_other() {
    let facts = case(&[&[MAX], &[OLGA]]);
    let sample = Sample::received().after([Event::FactsArrived(Box::new(facts)), Event::Approve(MAX)]);
    insta::assert_snapshot!(card_for(&sample, MAX), @"
    Sam Agent asks for a pass for Jane Doe: approve?
    For: Jane Doe (jane.doe@contoso.com)
    Asked by: Sam Agent (sam.agent@contoso.com)
    Reason: lost her phone, INC0012345
    Code goes to: +49…12 (sms)
    Pass: good for 1 hour and one sign-in, from the moment they open it
    Rule: helpdesk for staff
    You approved. It waits for somebody else now.
    [Withdraw approval]
    [This looks wrong]
    ");
}

#[test]
fn the_approval_card_of_who_tells_the_pin() {
    insta::assert_snapshot!(card_for(&Sample::approved(), MAX), @"
    Pass for Jane Doe: approved by Max Manager
    For: Jane Doe (jane.doe@contoso.com)
    Asked by: Sam Agent (sam.agent@contoso.com)
    Reason: lost her phone, INC0012345
    Code goes to: +49…12 (sms)
    Pass: good for 1 hour and one sign-in, from the moment they open it
    Rule: helpdesk for staff
    You tell Jane Doe the PIN: call them, or meet them, and be sure that it is them. Then press Show PIN and read it out. Each press makes a new PIN and voids the one before.
    [Show PIN]
    [Withdraw approval]
    [This looks wrong]
    ");
    assert_eq!(card_for(&Sample::claim_open(), MAX), card_for(&Sample::approved(), MAX));
    assert!(!card_for(&Sample::approved(), OLGA).contains("PIN"));
}

#[test]
fn the_title_of_the_approval_card_says_where_the_request_stands() {
    let titles: Vec<String> = crate::request::tests::table::columns()
        .into_iter()
        .filter(|(_, sample)| sample.request.case().is_some())
        .map(|(name, sample)| format!("{name}: {}", card_for(&sample, OLGA).lines().next().unwrap()))
        .collect();
    insta::assert_snapshot!(titles.join("\n"), @"
    AwaitingApproval: Sam Agent asks for a pass for Jane Doe: approve?
    AwaitingApproval, by number: Sam Agent asks for a pass for Jane Doe: approve?
    AwaitingApproval, of a visitor: Somebody on the web page who says that they are Jane Doe asks for a pass; this was NOT verified
    AwaitingApproval, of a source: ServiceNow asks for a pass for Jane Doe: approve?
    Approved, of a source: Pass for Jane Doe: approved by Max Manager (says ServiceNow)
    Approved: Pass for Jane Doe: approved by Max Manager
    ClaimOpen: Pass for Jane Doe: approved by Max Manager
    Issuing: Pass for Jane Doe: approved by Max Manager
    Unsettled: Pass for Jane Doe: approved by Max Manager
    Unsettled, then closed: Pass for Jane Doe: revoked by Sam Agent
    Issued: Pass for Jane Doe: approved by Max Manager
    Shown: Pass for Jane Doe: handed over, approved by Max Manager
    Revoking: Pass for Jane Doe: approved by Max Manager
    Revoking, then closed: Pass for Jane Doe: revoked by Sam Agent
    Used: Pass for Jane Doe: approved by Max Manager, then used
    Expired: Pass for Jane Doe: approved by Max Manager, then expired
    Revoked: Pass for Jane Doe: approved by Max Manager, then revoked by Sam Agent
    Denied: Pass for Jane Doe: denied by Max Manager
    Mismatched: Pass for Jane Doe: stopped, Max Manager chose another number
    SetAside: Pass for Jane Doe: set aside, since somebody asked for the same colleague in chat
    Cancelled: Pass for Jane Doe: cancelled by the requester
    Withdrawn: Pass for Jane Doe: approved by Max Manager, then withdrawn by Max Manager
    Lapsed undecided: Pass for Jane Doe: nobody decided in time
    Lapsed unclaimed: Pass for Jane Doe: approved by Max Manager, then not claimed in time
    Locked: Pass for Jane Doe: approved by Max Manager, then locked after five wrong PINs
    Reported: Pass for Jane Doe: approved by Max Manager, then stopped for safety
    Reported by an approver: Pass for Jane Doe: stopped for safety, it looks wrong to Max Manager
    ");
}

#[test]
fn a_card_that_is_over_has_no_buttons() {
    for (name, sample) in crate::request::tests::table::columns() {
        let Some(case) = sample.request.case() else { continue };
        let goes_on = sample.request.ending().is_none();
        for candidate in &case.approvers {
            let card = approval(&sample.request, case, candidate, sample.now);
            assert!(goes_on || card.buttons.is_empty(), "{name}");
        }
    }
}

#[test]
fn the_pin_modal_warns() {
    let PinCard { title, before, pin, after, close } = pin(&facts(), &Pin::parse("12345678").unwrap());
    let lines = [vec![title], before, vec![pin.as_str().to_owned()], after, vec![format!("[{close}]")]];
    insta::assert_snapshot!(lines.concat().join("\n"), @"
    PIN to tell
    Tell this PIN to Jane Doe, and to nobody else:
    1234 5678
    You call them. If somebody calls you and asks for it, hang up: that is how help desks are broken into.
    Do not write it into any chat or mail. Showing it again makes a new one.
    [Done]
    ");
}

#[test]
fn the_code_fits_two_short_messages_and_needs_no_special_characters() {
    let mark = Mark { request: Sample::received().request.id, generation: 1 };
    let message = code_message(&sample_code(), mark, URL, 30);
    insta::assert_snapshot!(mail(&message), @"
    Subject: Your code to sign in again

    Your code to sign in again: 0123-4567-89ABC
    Open https://tap.example.com/c#0123456789ABC and enter the PIN that your approver tells you, or that is sent to you. Good for 30 minutes. Never read this code to anybody who calls. Not you? Report it on that page.
    ");
    let text = message.text.as_str();
    // GSM-7's basic table among ASCII: no backquote, no brackets, braces, backslash, caret, bar or tilde.
    let basic = |c: char| c == '\n' || (c.is_ascii_graphic() || c == ' ') && !"`[]{}\\^|~".contains(c);
    assert!(text.chars().all(basic), "{text}");
    assert!(text.len() <= 306, "{} characters", text.len());
    assert!(text.contains("https://tap.example.com/c#0123456789ABC"));
}

#[test]
fn the_pin_by_courier_warns_too() {
    let message = pin_message(&Pin::parse("12345678").unwrap(), 30);
    insta::assert_snapshot!(mail(&message), @"
    Subject: Your PIN to sign in again

    Your PIN to sign in again: 1234 5678
    Enter it on the page that your code leads to. Good for 30 minutes. Never read this PIN to anybody who calls.
    ");
    assert!(message.text.as_str().len() <= 306);
}

#[test]
fn the_owner_reads_what_happened_and_what_to_do() {
    let token = ReportToken::parse("0123456789ABCDEFGHJKMNPQRS").unwrap();
    let notice = |told| owner_notice(&facts(), told, &token, 7, URL);
    insta::assert_snapshot!(mail(&notice(Told::Made)), @"
    Subject: A Temporary Access Pass was made for your account

    A Temporary Access Pass was made for your account (jane.doe@contoso.com). Sam Agent asked for it.

    If this was you: nothing to do.

    If this was NOT you: open
    https://tap.example.com/c#report=0123456789ABCDEFGHJKMNPQRS
    and enter the number 07. The pass is deleted, sessions end, and security is told.
    ");
    let others = [Told::MayHaveBeenMade, Told::Deleted, Told::NotMade, Told::Used, Told::Unused, Told::Over];
    let subjects = others.map(|told| notice(told).subject);
    insta::assert_snapshot!(subjects.join("\n"), @"
    A Temporary Access Pass may have been made for your account
    A Temporary Access Pass for your account was deleted
    A Temporary Access Pass for your account was asked for and not made
    The Temporary Access Pass for your account was used to sign in
    The Temporary Access Pass for your account expired unused
    The Temporary Access Pass for your account is over
    ");
}

#[test]
fn the_manager_reads_it_without_the_link() {
    let cards = [
        Told::Made,
        Told::MayHaveBeenMade,
        Told::Deleted,
        Told::NotMade,
        Told::Used,
        Told::Unused,
        Told::Over,
    ]
    .map(|told| manager_notice(&facts(), told));
    insta::assert_snapshot!(all(cards), @"
    A sign-in pass was made for Jane Doe. Sam Agent asked for it.
    If Jane Doe did not need one, tell your security team now.

    A sign-in pass may have been made for Jane Doe. Sam Agent asked for it.
    If Jane Doe did not need one, tell your security team now.

    A sign-in pass for Jane Doe was deleted. Sam Agent asked for it.
    If Jane Doe did not need one, tell your security team now.

    A sign-in pass for Jane Doe was asked for and not made. Sam Agent asked for it.
    If Jane Doe did not need one, tell your security team now.

    The sign-in pass for Jane Doe was used. Sam Agent asked for it.
    If Jane Doe did not need one, tell your security team now.

    The sign-in pass for Jane Doe expired unused. Sam Agent asked for it.
    If Jane Doe did not need one, tell your security team now.

    The sign-in pass for Jane Doe is over. Sam Agent asked for it.
    If Jane Doe did not need one, tell your security team now.
    ");
}

#[test]
fn news_on_the_way_to_a_ticket() {
    let mut clamped = facts();
    clamped.terms.wished = Some(Duration::from_hours(8));
    let checked = Sample::received().after([Event::FactsArrived(Box::new(clamped))]);
    let texts = [
        news_of(&checked, News::Checked),
        news_of(&Sample::approved(), News::Approved),
        news_of(&Sample::claim_open(), News::CodeSent),
    ];
    insta::assert_snapshot!(texts.join("\n\n"), @"
    Request MNPQRS for Jane Doe is with its approvers.
    I asked Max Manager, Olga Oncall. You will hear from me when they decide.
    The rule asks for 8 hours; the tenant's policy makes it 1 hour.

    Request MNPQRS for Jane Doe is approved by Max Manager.
    The code is on its way to the contact on file.

    The code for Jane Doe went to +49…12 (sms).
    Max Manager now calls them and tells them the PIN.
    ");
}

#[test]
fn the_requester_hears_where_the_code_really_went() {
    let sample = Sample::approved().after([
        Event::CodeUndeliverable(Route::Sms),
        Event::CodeMinted(code(2), Route::Email),
        Event::CodeSent(code(2), "M1".to_owned()),
    ]);
    assert!(news_of(&sample, News::CodeSent).contains("j…@home.example (email)"));
}

#[test]
fn news_of_an_end_before_the_pass() {
    let wait = Duration::from_hours(4);
    let texts = [
        news_of(&Sample::received().after([Event::FactsForbid(Reason::NoRule)]), News::Refused),
        news_of(&Sample::awaiting().after([Event::Deny(MAX)]), News::Denied),
        news_of(&Sample::claim_open().after([Event::Withdraw(MAX)]), News::Denied),
        news_of(&Sample::awaiting().wait(wait).after([Event::ApprovalTimeOver]), News::Lapsed),
        news_of(&Sample::claim_open().wait(wait).after([Event::TicketTimeOver]), News::Lapsed),
        news_of(&Sample::claim_open().after([Event::TriesExhausted]), News::Locked),
    ];
    insta::assert_snapshot!(texts.join("\n\n"), @"
    Request MNPQRS for jane.doe@contoso.com cannot go on.
    No rule lets you ask for this colleague. Ask your help desk, or their manager, to do it.

    Request MNPQRS for Jane Doe was turned down by Max Manager.
    Talk to them if it is still needed; only a new request goes on.

    Request MNPQRS for Jane Doe is over: Max Manager took the approval back.
    Talk to them if it is still needed; only a new request goes on.

    Request MNPQRS for Jane Doe lapsed: nobody decided in time.
    I had asked Max Manager, Olga Oncall. Call them, then ask again.

    Request MNPQRS for Jane Doe lapsed: it was not claimed in time.
    Code and PIN are void. If it is still needed, ask again.

    Request MNPQRS for Jane Doe is locked: five wrong PINs.
    Somebody had the code and not the PIN. Find out who. Only a new request goes on.
    ");
}

#[test]
fn news_of_the_pass() {
    let declined = Sample::issuing().after([Event::Declined(Decline::PolicyOff)]);
    let texts = [
        news_of(&declined, News::Declined),
        news_of(&Sample::claim_open(), News::ForeignPass),
        news_of(&Sample::shown(), News::Shown),
        news_of(&Sample::revoking(), News::NotSeen),
        news_of(&Sample::shown().after([Event::Revoke(account(SAM).into()), Event::Deleted]), News::Over),
        news_of(&Sample::shown().after([Event::Report]), News::Reported),
    ];
    insta::assert_snapshot!(texts.join("\n\n"), @"
    Entra would not make the pass for Jane Doe.
    Your Entra administrator finds the reason in the log of tapdesk. Code and PIN still work for now.

    Jane Doe tried to claim, and I stopped: somebody else made a pass for them meanwhile.
    Do you know who? If it may go, have it deleted in Entra, and let them try again with the same code and PIN; or ask again here, and the approvers will see that it is replaced.

    Jane Doe has the pass.
    It may take two minutes until Windows accepts it. Do not ask for another one: that voids this one.

    A pass for Jane Doe was made and not seen, so I deleted it.
    Code and PIN still work: they can try again on the same page.

    The pass for Jane Doe is over: approved by Max Manager, then revoked by Sam Agent.

    Request MNPQRS for Jane Doe was stopped for safety.
    Security looks into it. Please do not ask again before they have talked to you.
    ");
}

#[test]
fn news_of_a_pass_that_is_over() {
    let over = |event| news_of(&Sample::shown().after([event, Event::Deleted]), News::Over);
    insta::assert_snapshot!([Event::PassUsed, Event::PassUnused, Event::PassOver].map(over).join("\n\n"), @"
    The pass for Jane Doe is over: approved by Max Manager, then used.

    The pass for Jane Doe is over: approved by Max Manager, then expired.
    Nobody signed in with it. If it is still needed, ask again.

    The pass for Jane Doe is over: approved by Max Manager, then expired.
    Entra does not tell whether it was used.
    ");
}

#[test]
fn news_of_what_was_registered() {
    let looked = |number, found| {
        let look = Event::Looked(Look { number, found });
        news_of(&Sample::shown().after([Event::PassUsed, Event::Deleted, look]), News::Registered)
    };
    let kinds = vec![
        MethodKind::Passkey,
        MethodKind::WindowsHello,
        MethodKind::PlatformCredential,
        MethodKind::Authenticator,
        MethodKind::SoftwareToken,
        MethodKind::HardwareToken,
        MethodKind::Phone,
        MethodKind::Mail,
        MethodKind::Other("qrCodePin".to_owned()),
    ];
    let texts = [
        looked(1, Found::New(vec![MethodKind::Passkey])),
        looked(1, Found::New(kinds)),
        looked(1, Found::New(Vec::new())),
        looked(2, Found::New(Vec::new())),
        looked(1, Found::NotKnown),
    ];
    insta::assert_snapshot!(texts.join("\n\n"), @"
    Jane Doe registered a passkey.
    They sign in with it from now on, and need no pass for that.

    Jane Doe registered a passkey, Windows Hello, a platform credential, Microsoft Authenticator, an app for one-time codes, a device for one-time codes, a phone, a mail address and a method of the kind qrCodePin.
    They sign in with it from now on, and need no pass for that.

    Jane Doe registered nothing yet.
    Help them set up a passkey or Windows Hello before they close the laptop: the pass works no more.

    Jane Doe still registered nothing, half an hour later.
    Call them: with nothing to sign in with they are locked out again.

    What Jane Doe registered with the pass is not known to me.
    Ask them whether they can sign in on their own from now on.
    ");
}

#[test]
fn security_reads_who_and_which() {
    let reported = Sample::shown().after([Event::Report]);
    insta::assert_snapshot!(mail(&security_mail(&reported.request, News::Reported)), @"
    Subject: tapdesk: Request MNPQRS for Jane Doe was stopped for safety.

    Request MNPQRS for Jane Doe was stopped for safety.
    Security looks into it. Please do not ask again before they have talked to you.

    Request: req_0123456789ABCDEFGHJKMNPQRS
    Subject: jane.doe@contoso.com (00000000-0000-0000-0000-000000000001)
    Requester: sam.agent@contoso.com (00000000-0000-0000-0000-000000000002)
    Rule: helpdesk for staff
    ");
    insta::assert_snapshot!(mail(&owner_unreachable(&reported.request)), @"
    Subject: tapdesk: an account's owner could not be told

    A pass was made for Jane Doe (request req_0123456789ABCDEFGHJKMNPQRS), and none of the rule's notice routes reaches its owner. Please tell them.
    ");
}

#[test]
fn lengths_read_well() {
    let minutes = [0, 1, 10, 60, 61, 90, 120, 1440, 2880, 43_200];
    let texts = minutes.map(|minutes| length(Duration::from_mins(minutes)));
    insta::assert_snapshot!(texts.join(", "), @"0 minutes, 1 minute, 10 minutes, 1 hour, 1 h 1 min, 1 h 30 min, 2 hours, 24 hours, 2 days, 30 days");
}

#[test]
fn nothing_that_is_said_in_a_chat_holds_a_secret() {
    let sample = Sample::claim_open().after([Event::PinMinted(pin_hash(7), Some(MAX))]);
    let hash = sample.request.code_hash().unwrap().0.clone();
    let said = card_for(&sample, MAX) + &news_of(&sample, News::CodeSent);
    for secret in [hash.as_str(), "pin 7", &browser(1).0] {
        assert!(!said.contains(secret));
    }
}
