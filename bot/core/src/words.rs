//! What does tapdesk say, to whom?
//!
//! Every sentence that a person reads outside the claim page is here. A refusal says what to do next; words
//! that go with a code or a PIN warn against reading them to anybody who calls.

use std::time::Duration;

use jiff::Timestamp;

use crate::card::{Card, Choice, Look, PinCard};
use crate::inbound::Unclear;
use crate::pass::PassMeta;
use crate::policy::Route;
use crate::ports::{Message, NotVouched};
use crate::request::{Candidate, Case, Ending, Goal, Grant, Past, Reason, Refusal, Request, State, Told};
use crate::task::News;
use crate::ticket::{Code, Pin, ReportToken, Revealed};

/// Shortest reason that is accepted, in characters.
pub const SHORTEST_REASON: usize = 5;
/// Longest reason that is accepted, in characters.
pub const LONGEST_REASON: usize = 300;

/// The answer to `help`, and to nothing.
#[must_use]
pub fn help(command: &str) -> Card {
    Card::line("tapdesk gets a locked-out colleague back in")
        .text(format!(
            "{command} for @colleague REASON asks for a Temporary Access Pass for that colleague. \
             Example: {command} for jane.doe@contoso.com lost her phone, INC0012345"
        ))
        .text(
            "I check who asks, ask the approvers, and hand the pass to the colleague alone: they get a code on the \
             phone that is on file and hear a PIN from the approver. Nobody in chat ever sees the pass.",
        )
}

/// The answer to a command that could not be read.
#[must_use]
pub fn unclear(unclear: Unclear, command: &str) -> Card {
    let title = match unclear {
        Unclear::NoSuchCommand => "I do not know that command",
        Unclear::NoPerson => "For whom? Name a colleague",
        Unclear::NotAPerson => {
            "I could not tell who that is: pick the colleague from the @ list, or type their address"
        }
        Unclear::SeveralPeople => "One request is for one colleague: name one person, then the reason",
    };
    Card::line(format!("{title}.")).text(format!("Write: {command} for @colleague REASON, or {command} help"))
}

/// The reason is too short or too long.
#[must_use]
pub fn reason_length() -> Card {
    Card::line(format!(
        "Add a reason of {SHORTEST_REASON} to {LONGEST_REASON} characters: approvers and auditors read it."
    ))
    .text("Nothing was asked yet.")
}

/// The acknowledgement of a new request.
#[must_use]
pub fn checking(request: &Request) -> Card {
    Card::line(format!("Checking… (request {})", request.id.short()))
        .text("I look up both of you in the directory and then write to you here, whatever comes out.")
}

/// The acknowledgement of a delivery that was accepted before.
#[must_use]
pub fn seen_before() -> Card {
    Card::line("I have this one already and am working on it.")
}

/// The requester asked too often.
#[must_use]
pub fn too_many_requests(most: u32) -> Card {
    Card::line(format!("You have asked {most} times within the hour, which is all that the policy allows."))
        .text("Wait a little. In an emergency, phone your security team: they can raise the limit.")
}

/// The store did not confirm in time.
#[must_use]
pub fn not_confirmed() -> Card {
    Card::line("I could not confirm that this was stored.").text(
        "If I write to you within two minutes, it was. If not, do it again: doing it twice does no harm.",
    )
}

/// The window with the PIN did not open.
#[must_use]
pub fn pin_not_shown() -> Card {
    Card::line("The window with the PIN did not open.")
        .text("Press Show PIN again: that makes a new PIN, and no older one works any more.")
}

/// The answer to a press that changes nothing.
#[must_use]
pub fn refusal(refusal: Refusal) -> Card {
    Card::line(match refusal {
        Refusal::AlreadyDecided => {
            "This was decided already; nothing changed. The message above shows by whom."
        }
        Refusal::AlreadyApproved => "You approved this already; it waits for somebody else now.",
        Refusal::NotAnApprover => "This is not yours to decide, so nothing happened.",
        Refusal::NotTheRequester => "Only the person who asked can do that.",
        Refusal::TooLate => "Too late: its time is over. If it is still needed, ask for it again.",
        Refusal::AlreadyOpened => "The pass was opened already.",
        Refusal::InHand => "I am working on it. Try again in a minute.",
        Refusal::Waiting => "This still waits for the code or the PIN.",
        Refusal::Over => "This request is over; nothing changed.",
        Refusal::Moot => "Nothing to do here right now.",
    })
}

/// The approval card as it looks in the request's present state.
#[must_use]
pub fn approval(request: &Request, case: &Case, candidate: &Candidate, now: Timestamp) -> Card {
    let title = match &request.state {
        State::AwaitingApproval { .. } => format!("{} is locked out: approve a pass?", case.subject.name),
        State::Received
        | State::Approved(_)
        | State::ClaimOpen(_)
        | State::Issuing { .. }
        | State::Unsettled { .. }
        | State::Issued { .. }
        | State::Shown { .. }
        | State::Revoking { .. }
        | State::Closed { .. } => format!("Pass for {}: {}", case.subject.name, standing(request)),
    };
    let mut card = Card::line(title)
        .fact("For", format!("{} ({})", case.subject.name, case.subject.upn))
        .fact("Asked by", format!("{} ({})", case.requester.name, case.requester.upn))
        .fact("Reason", &request.reason)
        .fact("Code goes to", code_destination(case))
        .fact("Pass", pass_terms(case))
        .fact("Rule", case.rule.as_str());
    for pass in &case.foreign {
        card = card.fact("Existing pass", existing_pass(pass, now));
    }
    let value = format!("{}.{}", request.id, candidate.prompt.as_str());
    match &request.state {
        State::AwaitingApproval { approvals, expires_at, .. } => {
            if approvals.iter().any(|approval| approval.by.id == candidate.human.id) {
                return card.text("You approved. It waits for one more person.");
            }
            card.text(format!(
                "Approve only if you know that {} really is locked out: call them on a number that you already had. \
                 Until {}.",
                case.subject.name,
                clock_time(*expires_at)
            ))
            .button("Approve", Choice::Approve, value.clone(), Look::Primary)
            .button("Deny", Choice::Deny, value, Look::Danger)
        }
        State::Approved(grant) | State::ClaimOpen(grant) if keeps_pin(grant, candidate) => card
            .text(format!(
                "You tell {} the PIN: call them, or meet them, and be sure that it is them. Then press Show PIN and \
                 read it out. Each press makes a new PIN and voids the one before.",
                case.subject.name
            ))
            .button("Show PIN", Choice::ShowPin, value, Look::Primary),
        State::Received
        | State::Approved(_)
        | State::ClaimOpen(_)
        | State::Issuing { .. }
        | State::Unsettled { .. }
        | State::Issued { .. }
        | State::Shown { .. }
        | State::Revoking { .. }
        | State::Closed { .. } => card,
    }
}

/// The modal that shows a PIN.
#[must_use]
pub fn pin(case: &Case, pin: &Pin) -> PinCard {
    PinCard {
        title: "PIN to tell".to_owned(),
        before: vec![format!("Tell this PIN to {}, and to nobody else:", case.subject.name)],
        pin: pin.reveal(),
        after: vec![
            "You call them. If somebody calls you and asks for it, hang up: that is how help desks are broken into."
                .to_owned(),
            "Do not write it into any chat or mail. Showing it again makes a new one.".to_owned(),
        ],
        close: "Done".to_owned(),
    }
}

/// The message that brings the code.
#[must_use]
pub fn code_message(code: &Code, public_url: &str, minutes: u64) -> Message {
    let text = code.reveal();
    let bare: String = text.as_str().chars().filter(|c| *c != '-').collect();
    let bare = Revealed::new(bare);
    Message {
        subject: "Your code to sign in again".to_owned(),
        text: Revealed::new(format!(
            "Your code to sign in again: {}\nOpen {}c#{} and enter the PIN that your approver tells you. Good for \
             {minutes} minutes. Never read this code to anybody who calls.",
            text.as_str(),
            public_url,
            bare.as_str(),
        )),
    }
}

/// The message that brings the PIN, where a courier does.
#[must_use]
pub fn pin_message(pin: &Pin, minutes: u64) -> Message {
    Message {
        subject: "Your PIN to sign in again".to_owned(),
        text: Revealed::new(format!(
            "Your PIN to sign in again: {}\nEnter it on the page that your code leads to. Good for {minutes} minutes. \
             Never read this PIN to anybody who calls.",
            pin.reveal().as_str(),
        )),
    }
}

/// What the owner of the account is told.
#[must_use]
pub fn owner_notice(case: &Case, told: Told, token: &ReportToken, number: u8, public_url: &str) -> Message {
    let what = match told {
        Told::Made => "A Temporary Access Pass was made for your account",
        Told::MayHaveBeenMade => "A Temporary Access Pass may have been made for your account",
        Told::Deleted => "A Temporary Access Pass for your account was deleted",
        Told::NotMade => "A Temporary Access Pass for your account was asked for and not made",
    };
    Message {
        subject: what.to_owned(),
        text: Revealed::new(format!(
            "{what} ({}). {} asked for it.\n\nIf this was you: nothing to do.\n\nIf this was NOT you: open\n\
             {}c#report={}\nand enter the number {number:02}. The pass is deleted, sessions end, and security is \
             told.\n",
            case.subject.upn,
            case.requester.name,
            public_url,
            token.reveal().as_str(),
        )),
    }
}

/// The same notice for the subject's manager, in chat and without the link: a chat keeps its history.
#[must_use]
pub fn manager_notice(case: &Case, told: Told) -> Card {
    let name = &case.subject.name;
    let what = match told {
        Told::Made => format!("A sign-in pass was made for {name}"),
        Told::MayHaveBeenMade => format!("A sign-in pass may have been made for {name}"),
        Told::Deleted => format!("A sign-in pass for {name} was deleted"),
        Told::NotMade => format!("A sign-in pass for {name} was asked for and not made"),
    };
    Card::line(format!("{what}. {} asked for it.", case.requester.name))
        .text(format!("If {name} did not need one, tell your security team now."))
}

/// What somebody is told about a request.
#[must_use]
pub fn news(request: &Request, news: News) -> Card {
    let name = subject_name(request);
    let id = request.id.short();
    match news {
        News::Checked => {
            let asked = request.case().map_or_else(String::new, approver_names);
            Card::line(format!("Request {id} for {name} is with its approvers."))
                .text(format!("I asked {asked}. You will hear from me when they decide."))
                .text(clamped(request).unwrap_or_default())
                .without_blanks()
        }
        News::Refused => {
            let text = request.refused_for().map_or_else(String::new, reason);
            Card::line(format!("Request {id} for {name} cannot go on.")).text(text).without_blanks()
        }
        News::Approved => Card::line(format!("Request {id} for {name} is approved{}.", by_whom(request)))
            .text("The code is on its way to the contact on file."),
        News::Denied => Card::line(format!("Request {id} for {name} was turned down{}.", denied_by(request)))
            .text("Talk to them if it is still needed; only a new request goes on."),
        News::Lapsed => lapsed(request),
        News::CodeSent => {
            let destination = request.case().map_or_else(String::new, code_destination);
            Card::line(format!("The code for {name} went to {destination}.")).text(pin_hint(request))
        }
        News::Locked => Card::line(format!("Request {id} for {name} is locked: five wrong PINs."))
            .text("Somebody had the code and not the PIN. Find out who. Only a new request goes on."),
        News::Shown => Card::line(format!("{name} has the pass."))
            .text("It may take two minutes until Windows accepts it. Do not ask for another one: that voids this one."),
        News::NotSeen => Card::line(format!("A pass for {name} was made and not seen, so I deleted it."))
            .text("Code and PIN still work: they can try again on the same page."),
        News::Over => Card::line(format!("The pass for {name} is over: {}.", standing(request))),
        News::ForeignPass => {
            Card::line(format!("{name} tried to claim, and I stopped: somebody else made a pass for them meanwhile."))
                .text(
                    "Do you know who? If it may go, have it deleted in Entra, and let them try again with the same code \
                     and PIN; or ask again here, and the approvers will see that it is replaced.",
                )
        }
        News::Declined => Card::line(format!("Entra would not make the pass for {name}."))
            .text("Your Entra administrator finds the reason in the log of tapdesk. Code and PIN still work for now."),
        News::Reported => Card::line(format!("Request {id} for {name} was stopped for safety."))
            .text("Security looks into it. Please do not ask again before they have talked to you."),
    }
}

/// A mail to security.
#[must_use]
pub fn security_mail(request: &Request, what: News) -> Message {
    let card = news(request, what);
    let facts = request.case().map_or_else(String::new, |case| {
        format!(
            "\nSubject: {} ({})\nRequester: {} ({})\nRule: {}",
            case.subject.upn, case.subject.id, case.requester.upn, case.requester.id, case.rule
        )
    });
    let text = format!("{}\n{}\n\nRequest: {}{facts}\n", card.title, card.text.join("\n"), request.id);
    Message { subject: format!("tapdesk: {}", card.title), text: Revealed::new(text) }
}

/// The security contact hears that an account's owner could be told on no route.
#[must_use]
pub fn owner_unreachable(request: &Request) -> Message {
    Message {
        subject: "tapdesk: an account's owner could not be told".to_owned(),
        text: Revealed::new(format!(
            "A pass was made for {} (request {}), and none of the rule's notice routes reaches its owner. Please tell \
             them.\n",
            subject_name(request),
            request.id
        )),
    }
}

/// Why a request is refused, and what to do.
#[must_use]
pub fn reason(reason: &Reason) -> String {
    match reason {
        Reason::RequesterNotVouched(why) => format!("I cannot tell who you are in the directory: {}.", not_vouched(*why)),
        Reason::RequesterUnknown => {
            "Your chat address belongs to no single enabled member of the directory. Ask your Entra administrator.".into()
        }
        Reason::SubjectNotVouched(why) => format!(
            "I cannot tell who that colleague is in the directory: {}. Ask again with their address.",
            not_vouched(*why)
        ),
        Reason::SubjectUnknown => "Nobody in the directory has that address. Check the spelling and ask again.".into(),
        Reason::SubjectAmbiguous => {
            "Several people in the directory have that address. Ask again with the user principal name.".into()
        }
        Reason::SubjectDisabled => {
            "Their account is disabled, so a pass would not help. Ask your Entra administrator why it is.".into()
        }
        Reason::SubjectGuest => "They are a guest: their own organisation has to help them.".into(),
        Reason::SubjectPrivileged => {
            "They hold an administrative role. Passes for administrators are not made here: go to your security team \
             in person."
                .into()
        }
        Reason::NoRule => "No rule lets you ask for this colleague. Ask your help desk, or their manager, to do it.".into(),
        Reason::RuleChanged => "The rules changed since this was asked. Ask again.".into(),
        Reason::NoTicketNumber(pattern) => {
            format!("The rule wants a ticket number in the reason (like {pattern}). Ask again with it.")
        }
        Reason::NobodyCanApprove(who) => format!(
            "Nobody can approve this: it would take {who}. Nobody approves what they asked for or what is for them. \
             Ask a colleague of the help desk to make the request, or your administrator to name another approver."
        ),
        Reason::ApproverNotEntitled(who) => {
            format!("{who} may not approve this any more. Ask again, so that somebody else decides.")
        }
        Reason::NoContact(route) => format!(
            "Entra has no contact on file for them that {route} could reach, and I use no other. Have one registered \
             in person, or ask your Entra administrator."
        ),
        Reason::ContactMasked => {
            "Entra shows tapdesk only masked phone numbers. Your Entra administrator has to grant \
             UserAuthMethod-Phone.Read.All."
                .into()
        }
        Reason::ContactChanged => {
            "The contact on file changed after this was asked. That can be an attack: security has been told. Ask again \
             once it is clear who changed it."
                .into()
        }
        Reason::PassPolicyOff => {
            "The tenant's Temporary Access Pass policy is off or does not include them. Ask your Entra administrator \
             (Authentication methods, Policies)."
                .into()
        }
        Reason::TooManyTickets(most) => {
            format!("They had {most} within a day, which is all that the policy allows. Go to your security team.")
        }
        Reason::AlreadyOpen(first) => {
            format!("There is an open request for them already ({}). Wait for that one.", first.short())
        }
        Reason::Undeliverable => {
            "The code or PIN could not be delivered to the contact on file. Have the contact checked, then ask again.".into()
        }
        Reason::LookupFailed => {
            "The directory or the chat did not answer as it should. Your administrator finds why in the log. Ask again later."
                .into()
        }
    }
}

/// Where the request stands, in a few words.
fn standing(request: &Request) -> String {
    match &request.state {
        State::Received => "being checked".to_owned(),
        State::AwaitingApproval { .. } => "waiting for approval".to_owned(),
        State::Approved(_) | State::ClaimOpen(_) | State::Issuing { .. } | State::Issued { .. } => {
            format!("approved{}", by_whom(request))
        }
        State::Shown { .. } => format!("handed over, approved{}", by_whom(request)),
        State::Unsettled { goal, .. } | State::Revoking { goal, .. } => match goal {
            Goal::Reopen => format!("approved{}", by_whom(request)),
            Goal::End(ending) => ended(ending),
        },
        State::Closed { ending, past, .. } => match past {
            Past::Granted(_) => format!("approved{}, then {}", by_whom(request), ended(ending)),
            Past::Nothing | Past::Asked(_) => ended(ending),
        },
    }
}

fn ended(ending: &Ending) -> String {
    match ending {
        Ending::Used => "used".to_owned(),
        Ending::Expired => "expired".to_owned(),
        Ending::Revoked => "revoked".to_owned(),
        Ending::Refused(_) => "refused".to_owned(),
        Ending::Denied(by) => format!("denied by {}", by.name),
        Ending::Cancelled => "cancelled by the requester".to_owned(),
        Ending::Withdrawn(by) => format!("withdrawn by {}", by.name),
        Ending::LapsedUndecided => "nobody decided in time".to_owned(),
        Ending::LapsedUnclaimed => "not claimed in time".to_owned(),
        Ending::Locked => "locked after five wrong PINs".to_owned(),
        Ending::Reported => "stopped for safety".to_owned(),
    }
}

fn lapsed(request: &Request) -> Card {
    let (name, id) = (subject_name(request), request.id.short());
    let undecided = matches!(&request.state, State::Closed { ending: Ending::LapsedUndecided, .. });
    if undecided {
        let asked = request.case().map_or_else(String::new, approver_names);
        Card::line(format!("Request {id} for {name} lapsed: nobody decided in time."))
            .text(format!("I had asked {asked}. Call them, then ask again."))
    } else {
        Card::line(format!("Request {id} for {name} lapsed: it was not claimed in time."))
            .text("Code and PIN are void. If it is still needed, ask again.")
    }
}

fn not_vouched(why: NotVouched) -> &'static str {
    match why {
        NotVouched::Gone => "the chat account is deactivated or unknown",
        NotVouched::Bot => "that is a bot",
        NotVouched::Guest => "the chat account is a guest",
        NotVouched::Stranger => "the chat account belongs to another organisation",
        NotVouched::NoAddress => "the chat account has no mail address",
        NotVouched::NotTrusted => "the configuration does not trust addresses from this chat",
    }
}

fn pin_hint(request: &Request) -> String {
    let keeper =
        request.grant().and_then(Grant::pin_keeper).map_or("the approver", |human| human.name.as_str());
    let by_approver = request.case().is_some_and(|case| case.terms.pin_routes.contains(&Route::Approver));
    if by_approver {
        format!("{keeper} now calls them and tells them the PIN.")
    } else {
        "The PIN goes another way.".to_owned()
    }
}

fn keeps_pin(grant: &Grant, candidate: &Candidate) -> bool {
    grant.case.terms.pin_routes.contains(&Route::Approver)
        && grant.pin_keeper().is_some_and(|keeper| keeper.id == candidate.human.id)
}

fn subject_name(request: &Request) -> String {
    use crate::people::Naming;
    match (request.case(), &request.subject) {
        (Some(case), _) => case.subject.name.clone(),
        (None, Naming::Address(address)) => address.clone(),
        (None, Naming::Account(_)) => "your colleague".to_owned(),
    }
}

fn approver_names(case: &Case) -> String {
    let mut names: Vec<&str> = case.approvers.iter().map(|candidate| candidate.human.name.as_str()).collect();
    let more = names.len().saturating_sub(4);
    names.truncate(4);
    let list = names.join(", ");
    if more > 0 { format!("{list} and {more} more") } else { list }
}

fn by_whom(request: &Request) -> String {
    let names: Vec<&str> = request
        .grant()
        .map(|grant| grant.approvals.iter().map(|approval| approval.by.name.as_str()).collect())
        .unwrap_or_default();
    if names.is_empty() { String::new() } else { format!(" by {}", names.join(" and ")) }
}

fn denied_by(request: &Request) -> String {
    match &request.state {
        State::Closed { ending: Ending::Denied(by) | Ending::Withdrawn(by), .. } => {
            format!(" by {}", by.name)
        }
        State::Closed { .. }
        | State::Received
        | State::AwaitingApproval { .. }
        | State::Approved(_)
        | State::ClaimOpen(_)
        | State::Issuing { .. }
        | State::Unsettled { .. }
        | State::Issued { .. }
        | State::Shown { .. }
        | State::Revoking { .. } => String::new(),
    }
}

fn code_destination(case: &Case) -> String {
    let found = case.terms.code_routes.iter().find_map(|route| case.contact(*route).map(|c| (route, c)));
    found.map_or_else(|| "nobody".to_owned(), |(route, contact)| format!("{} ({route})", contact.masked))
}

fn pass_terms(case: &Case) -> String {
    let wish = case.terms.wish;
    let uses = if wish.one_time { "one sign-in" } else { "several sign-ins" };
    format!("good for {} and {uses}, from the moment they open it", length(wish.lifetime))
}

fn clamped(request: &Request) -> Option<String> {
    let terms = &request.case()?.terms;
    let wished = terms.wished?;
    Some(format!(
        "The rule asks for {}; the tenant's policy makes it {}.",
        length(wished),
        length(terms.wish.lifetime)
    ))
}

fn existing_pass(pass: &PassMeta, now: Timestamp) -> String {
    let left = Duration::try_from(pass.ends_at().duration_since(now)).unwrap_or_default();
    format!("somebody made one that lives for {} more; approving replaces it", length(left))
}

fn length(duration: Duration) -> String {
    let minutes = duration.as_secs() / 60;
    match (minutes / 1440, minutes / 60, minutes % 60) {
        (days, _, _) if days > 1 && minutes.is_multiple_of(1440) => format!("{days} days"),
        (_, 0, minutes) => format!("{minutes} minutes"),
        (_, 1, 0) => "1 hour".to_owned(),
        (_, hours, 0) => format!("{hours} hours"),
        (_, hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

fn clock_time(at: Timestamp) -> String {
    at.strftime("%H:%M UTC").to_string()
}

impl Card {
    fn without_blanks(mut self) -> Self {
        self.text.retain(|paragraph| !paragraph.is_empty());
        self
    }
}

impl Case {
    /// The pinned contact of a route.
    #[must_use]
    pub fn contact(&self, route: Route) -> Option<&crate::people::PinnedContact> {
        self.contacts.iter().find(|(of, _)| *of == route).map(|(_, contact)| contact)
    }
}

impl Request {
    /// Why it was refused, if it was or is about to be.
    #[must_use]
    pub fn refused_for(&self) -> Option<&Reason> {
        let ending = match &self.state {
            State::Closed { ending, .. }
            | State::Unsettled { goal: Goal::End(ending), .. }
            | State::Revoking { goal: Goal::End(ending), .. } => ending,
            State::Received
            | State::AwaitingApproval { .. }
            | State::Approved(_)
            | State::ClaimOpen(_)
            | State::Issuing { .. }
            | State::Unsettled { .. }
            | State::Issued { .. }
            | State::Shown { .. }
            | State::Revoking { .. } => return None,
        };
        match ending {
            Ending::Refused(reason) => Some(reason),
            Ending::Used
            | Ending::Expired
            | Ending::Revoked
            | Ending::Denied(_)
            | Ending::Cancelled
            | Ending::Withdrawn(_)
            | Ending::LapsedUndecided
            | Ending::LapsedUnclaimed
            | Ending::Locked
            | Ending::Reported => None,
        }
    }
}
