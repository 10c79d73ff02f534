//! What is written around a code, a PIN and a notice to the owner?

use super::subject_name;
use crate::card::{Card, PinCard};
use crate::ports::{Mark, Message};
use crate::request::{Case, Request, Told};
use crate::ticket::{Code, Pin, ReportToken, Revealed};

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
pub fn code_message(code: &Code, mark: Mark, public_url: &str, minutes: u64) -> Message {
    let text = code.reveal();
    let bare: String = text.as_str().chars().filter(|c| *c != '-').collect();
    let bare = Revealed::new(bare);
    Message {
        subject: "Your code to sign in again".to_owned(),
        text: Revealed::new(format!(
            "Your code to sign in again: {}\nOpen {}c#{} and enter the PIN that your approver tells you, or that is \
             sent to you. Good for {minutes} minutes. Never read this code to anybody who calls. Not you? Report it on \
             that page.",
            text.as_str(),
            public_url,
            bare.as_str(),
        )),
        mark: Some(mark),
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
        mark: None,
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
        Told::Used => "The Temporary Access Pass for your account was used to sign in",
        Told::Unused => "The Temporary Access Pass for your account expired unused",
        Told::Over => "The Temporary Access Pass for your account is over",
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
        mark: None,
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
        Told::Used => format!("The sign-in pass for {name} was used"),
        Told::Unused => format!("The sign-in pass for {name} expired unused"),
        Told::Over => format!("The sign-in pass for {name} is over"),
    };
    Card::line(format!("{what}. {} asked for it.", case.requester.name))
        .text(format!("If {name} did not need one, tell your security team now."))
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
        mark: None,
    }
}
