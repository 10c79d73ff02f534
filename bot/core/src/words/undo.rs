//! What do people read who change their minds, and whom does it concern?

use super::status::MOST_LINES;
use super::{reason, refusal, standing, subject_name};
use crate::card::Card;
use crate::policy::Route;
use crate::request::{Grant, RESENDS, Reason, Refusal, Request};

/// A request was cancelled, or will be once it is certain that no pass is left.
#[must_use]
pub fn cancelled(after: &Request) -> Card {
    let (id, name) = (after.id.short(), subject_name(after));
    if after.is_open() {
        Card::line(format!(
            "Request {id} for {name} is being cancelled: somebody was opening the pass just now."
        ))
        .text("Whatever comes of that I delete; I write to you when it is gone.")
    } else {
        Card::line(format!("Request {id} for {name} is cancelled."))
            .text("Nobody is asked any more, and whatever was sent is void.")
    }
}

/// A request was not cancelled.
#[must_use]
pub fn not_cancelled(request: &Request, why: Refusal, command: &str) -> Card {
    match why {
        Refusal::Claimed => {
            Card::line(format!("Too late to cancel: {} has opened the pass.", subject_name(request)))
                .text(format!("To take it back, write: {command} revoke {}", address(request)))
                .text("That deletes the pass and ends their sessions.")
        }
        other => refusal(other),
    }
}

/// Code and PIN are sent again.
#[must_use]
pub fn resent(after: &Request) -> Card {
    let name = subject_name(after);
    let left = after.grant().map_or(0, |grant| RESENDS.saturating_sub(grant.ticket.resends));
    let times = if left == 0 {
        "That was the last time for this approval.".to_owned()
    } else {
        format!("After this one you can have it sent {left} more time{}.", if left == 1 { "" } else { "s" })
    };
    Card::line(format!("A new code for {name} is on its way. The code and the PIN before it are void."))
        .text(after.grant().map_or_else(String::new, who_tells_the_pin))
        .text(times)
        .without_blanks()
}

fn who_tells_the_pin(grant: &Grant) -> String {
    match grant.pin_keeper().filter(|_| grant.case.terms.pin_routes.contains(&Route::Approver)) {
        Some(keeper) => format!("{} has to press Show PIN again and tell them the new PIN.", keeper.name),
        None => "A new PIN goes its own way, too.".to_owned(),
    }
}

/// Code and PIN are not sent again.
#[must_use]
pub fn not_resent(request: &Request, why: Refusal, command: &str) -> Card {
    let name = subject_name(request);
    match why {
        Refusal::Waiting if request.grant().is_none() => Card::line(format!(
            "There is nothing to send again: the request for {name} is {}.",
            standing(request)
        )),
        Refusal::Waiting => Card::line(format!(
            "The code for {name} is not sent yet. I am still trying, and tell you when it is."
        )),
        Refusal::SentEnough => Card::line(format!(
            "Code and PIN for {name} were sent {} times, which is all that one approval allows.",
            u32::from(RESENDS) + 1
        ))
        .text(format!(
            "Find out why they do not arrive. Then write {command} cancel {}, and ask again.",
            address(request)
        )),
        Refusal::AlreadyOpened => {
            Card::line(format!("{name} has opened the pass already: there is nothing to send again."))
        }
        Refusal::InHand => Card::line(format!(
            "{name} is opening the pass just now. If they see none, try again in a few minutes."
        )),
        other => refusal(other),
    }
}

/// What the revoked request's people hear, whoever they are.
#[must_use]
pub fn revoked(request: &Request) -> Card {
    let made = request.grant().is_some_and(|grant| grant.attempts > 0);
    Card::line(format!("Request {} for {}: {}.", request.id.short(), subject_name(request), standing(request)))
        .text(if made {
            "Whatever pass still lives is deleted, and their sessions are ended. If Entra does not answer, I keep trying."
        } else {
            "No pass was made. Whatever was sent is void."
        })
}

/// The acknowledgement of a wish to revoke that somebody else's request is looked for for.
#[must_use]
pub fn revoking() -> Card {
    Card::line("One moment: I look up what you may revoke.").text(
        "If you do not read here within two minutes what came of it, do it again: doing it twice does no harm. In an \
         emergency, delete the pass in Entra.",
    )
}

/// The sender's own request was not revoked.
#[must_use]
pub fn not_revoked(request: &Request, why: Refusal, command: &str) -> Card {
    match why {
        Refusal::Moot => Card::line(format!("There is nothing to revoke yet for {}.", subject_name(request)))
            .text(format!("To take the request back, write: {command} cancel {}", address(request))),
        other => refusal(other),
    }
}

/// There is nothing to revoke, or not for this person: strangers do not learn which.
#[must_use]
pub fn nothing_to_revoke() -> Card {
    Card::line("There is nothing for that colleague that you could revoke.").text(
        "Whoever asked for the pass, who was asked to approve it, and security may. If you think that something is \
         wrong, tell your security team now.",
    )
}

/// It is not clear whose pass is meant.
#[must_use]
pub fn nobody_to_revoke(why: &Reason) -> Card {
    Card::line("Nothing was revoked.").text(reason(why))
}

/// The sender has nothing open.
#[must_use]
pub fn nothing_open() -> Card {
    Card::line("You have no open request, so nothing happened.")
}

/// The sender has to say which of their open requests they mean.
#[must_use]
pub fn which_one(open: &[Request], verb: &str, command: &str, was_named: bool) -> Card {
    let title = if was_named {
        "None of your open requests is for that colleague by that name. Nothing happened; these are open:"
    } else {
        "You have several open requests: for whom? Nothing happened yet; these are open:"
    };
    let mut card = Card::line(title);
    for request in open.iter().take(MOST_LINES) {
        let (name, address) = (subject_name(request), address(request));
        let who = if name == address { name } else { format!("{name} ({address})") };
        card = card.text(format!("{who}: {}", standing(request)));
    }
    if let Some(more @ 1..) = open.len().checked_sub(MOST_LINES) {
        card = card.text(format!("and {more} more"));
    }
    let example = open.first().map_or_else(|| "@colleague".to_owned(), address);
    card.text(format!("Write, for example: {command} {verb} {example}"))
}

/// What the PIN's keeper hears when a new code is sent.
#[must_use]
pub(super) fn new_pin_needed(request: &Request) -> Card {
    let name = subject_name(request);
    Card::line(format!("{name} gets a new code, and the PIN that you may have told them is void."))
        .text(format!("Call {name} again, press Show PIN on the card above, and tell them the new PIN."))
}

/// How the requester can name the colleague.
fn address(request: &Request) -> String {
    use crate::people::Naming;
    match (request.case(), &request.subject) {
        (Some(case), _) => case.subject.upn.clone(),
        (None, Naming::Address(address)) => address.clone(),
        (None, Naming::Account(_)) => "@colleague".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Route;
    use crate::request::Event;
    use crate::request::tests::samples::{MAX, SAM, Sample, account, case, code, human};

    fn shown(card: &Card) -> String {
        std::iter::once(card.title.clone()).chain(card.text.clone()).collect::<Vec<_>>().join("\n")
    }

    fn all(cards: impl IntoIterator<Item = Card>) -> String {
        cards.into_iter().map(|card| shown(&card)).collect::<Vec<_>>().join("\n\n")
    }

    #[test]
    fn cancelling() {
        let cancel = || [Event::Cancel(account(SAM).into())];
        let cards = [
            cancelled(&Sample::awaiting().after(cancel()).request),
            cancelled(&Sample::issuing().after(cancel()).request),
            not_cancelled(&Sample::shown().request, Refusal::Claimed, "/tap"),
            not_cancelled(&Sample::shown().request, Refusal::Over, "/tap"),
            nothing_open(),
        ];
        insta::assert_snapshot!(all(cards), @"
        Request MNPQRS for Jane Doe is cancelled.
        Nobody is asked any more, and whatever was sent is void.

        Request MNPQRS for Jane Doe is being cancelled: somebody was opening the pass just now.
        Whatever comes of that I delete; I write to you when it is gone.

        Too late to cancel: Jane Doe has opened the pass.
        To take it back, write: /tap revoke jane.doe@contoso.com
        That deletes the pass and ends their sessions.

        This request is over; nothing changed.

        You have no open request, so nothing happened.
        ");
    }

    #[test]
    fn sending_again() {
        let once = Sample::claim_open().after([Event::Resend(account(SAM).into())]);
        let sent = once.clone().after([
            Event::CodeMinted(code(2), Route::Sms),
            Event::CodeSent(code(2), "SM2".to_owned()),
            Event::Resend(account(SAM).into()),
        ]);
        let cards = [
            resent(&once.request),
            resent(&sent.request),
            new_pin_needed(&once.request),
            not_resent(&Sample::awaiting().request, Refusal::Waiting, "/tap"),
            not_resent(&Sample::approved().request, Refusal::Waiting, "/tap"),
            not_resent(&sent.request, Refusal::SentEnough, "/tap"),
            not_resent(&Sample::shown().request, Refusal::AlreadyOpened, "/tap"),
            not_resent(&Sample::issuing().request, Refusal::InHand, "/tap"),
            not_resent(&sent.request, Refusal::TooLate, "/tap"),
        ];
        insta::assert_snapshot!(all(cards), @"
        A new code for Jane Doe is on its way. The code and the PIN before it are void.
        Max Manager has to press Show PIN again and tell them the new PIN.
        After this one you can have it sent 1 more time.

        A new code for Jane Doe is on its way. The code and the PIN before it are void.
        Max Manager has to press Show PIN again and tell them the new PIN.
        That was the last time for this approval.

        Jane Doe gets a new code, and the PIN that you may have told them is void.
        Call Jane Doe again, press Show PIN on the card above, and tell them the new PIN.

        There is nothing to send again: the request for Jane Doe is waiting for approval.

        The code for Jane Doe is not sent yet. I am still trying, and tell you when it is.

        Code and PIN for Jane Doe were sent 3 times, which is all that one approval allows.
        Find out why they do not arrive. Then write /tap cancel jane.doe@contoso.com, and ask again.

        Jane Doe has opened the pass already: there is nothing to send again.

        Jane Doe is opening the pass just now. If they see none, try again in a few minutes.

        Too late: its time is over. If it is still needed, ask for it again.
        ");
    }

    #[test]
    fn a_pin_that_goes_its_own_way_is_no_approvers_work() {
        let mut facts = case(&[&[MAX]]);
        facts.terms.pin_routes = vec![Route::Email];
        let sample = Sample::received().after([
            Event::FactsArrived(Box::new(facts)),
            Event::Approve(MAX),
            Event::CodeMinted(code(1), Route::Sms),
            Event::CodeSent(code(1), "SM1".to_owned()),
            Event::Resend(account(SAM).into()),
        ]);
        insta::assert_snapshot!(shown(&resent(&sample.request)), @"
        A new code for Jane Doe is on its way. The code and the PIN before it are void.
        A new PIN goes its own way, too.
        After this one you can have it sent 1 more time.
        ");
    }

    #[test]
    fn revoking_it() {
        let by_max = || [Event::RevokeBySecurity(human(MAX))];
        let cards = [
            revoking(),
            revoked(&Sample::claim_open().after(by_max()).request),
            revoked(&Sample::shown().after(by_max()).request),
            not_revoked(&Sample::received().request, Refusal::Moot, "/tap"),
            not_revoked(&Sample::shown().request, Refusal::Over, "/tap"),
            nothing_to_revoke(),
            nobody_to_revoke(&Reason::SubjectAmbiguous),
        ];
        insta::assert_snapshot!(all(cards), @"
        One moment: I look up what you may revoke.
        If you do not read here within two minutes what came of it, do it again: doing it twice does no harm. In an emergency, delete the pass in Entra.

        Request MNPQRS for Jane Doe: approved by Max Manager, then revoked by Max Manager.
        No pass was made. Whatever was sent is void.

        Request MNPQRS for Jane Doe: revoked by Max Manager.
        Whatever pass still lives is deleted, and their sessions are ended. If Entra does not answer, I keep trying.

        There is nothing to revoke yet for jane.doe@contoso.com.
        To take the request back, write: /tap cancel jane.doe@contoso.com

        This request is over; nothing changed.

        There is nothing for that colleague that you could revoke.
        Whoever asked for the pass, who was asked to approve it, and security may. If you think that something is wrong, tell your security team now.

        Nothing was revoked.
        Several people in the directory have that address. Ask again with the user principal name.
        ");
    }

    #[test]
    fn a_long_list_says_how_much_is_left_out() {
        let many = vec![Sample::received().request; MOST_LINES + 3];
        let shown = shown(&which_one(&many, "cancel", "/tap", false));
        assert_eq!(shown.lines().count(), MOST_LINES + 3, "{shown}");
        assert!(shown.contains("\nand 3 more\n"), "{shown}");
    }

    #[test]
    fn which_of_several() {
        let open = [Sample::received().request, Sample::claim_open().request];
        let cards = [false, true].map(|named| which_one(&open, "cancel", "/tap", named));
        insta::assert_snapshot!(all(cards), @"
        You have several open requests: for whom? Nothing happened yet; these are open:
        jane.doe@contoso.com: being checked
        Jane Doe (jane.doe@contoso.com): approved by Max Manager
        Write, for example: /tap cancel jane.doe@contoso.com

        None of your open requests is for that colleague by that name. Nothing happened; these are open:
        jane.doe@contoso.com: being checked
        Jane Doe (jane.doe@contoso.com): approved by Max Manager
        Write, for example: /tap cancel jane.doe@contoso.com
        ");
    }
}
