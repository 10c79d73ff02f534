//! What does the requester hear of a pass that is over?

use super::{standing, subject_name};
use crate::card::Card;
use crate::method::MethodKind;
use crate::request::{Found, Request, Told};

/// The pass is over.
pub(super) fn over(request: &Request) -> Card {
    let card = Card::line(format!("The pass for {} is over: {}.", subject_name(request), standing(request)));
    let Some(told) = request.grant().and_then(|grant| grant.fate) else { return card };
    match told {
        Told::Unused => card.text("Nobody signed in with it. If it is still needed, ask again."),
        Told::Over => card.text("Entra does not tell whether it was used."),
        Told::Used | Told::Made | Told::MayHaveBeenMade | Told::Deleted | Told::NotMade => card,
    }
}

/// What was registered with it: kinds, and nothing more.
pub(super) fn registered(request: &Request) -> Card {
    let name = subject_name(request);
    let Some(look) = request.grant().and_then(|grant| grant.look.as_ref()) else {
        return Card::line(format!("I have not looked yet what {name} registered."));
    };
    match &look.found {
        Found::NotKnown => Card::line(format!("What {name} registered with the pass is not known to me."))
            .text("Ask them whether they can sign in on their own from now on."),
        Found::New(kinds) if !kinds.is_empty() => {
            Card::line(format!("{name} registered {}.", listed(kinds)))
                .text("They sign in with it from now on, and need no pass for that.")
        }
        Found::New(_) if look.number == 1 => Card::line(format!("{name} registered nothing yet."))
            .text(
                "Help them set up a passkey or Windows Hello before they close the laptop: the pass works no more.",
            ),
        Found::New(_) => Card::line(format!("{name} still registered nothing, half an hour later."))
            .text("Call them: with nothing to sign in with they are locked out again."),
    }
}

fn listed(kinds: &[MethodKind]) -> String {
    let mut names: Vec<String> = kinds.iter().map(named).collect();
    names.dedup();
    match names.split_last() {
        None => String::new(),
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
    }
}

/// A kind of method as people call it.
pub(super) fn named(kind: &MethodKind) -> String {
    match kind {
        MethodKind::Passkey => "a passkey",
        MethodKind::WindowsHello => "Windows Hello",
        MethodKind::PlatformCredential => "a platform credential",
        MethodKind::Authenticator => "Microsoft Authenticator",
        MethodKind::SoftwareToken => "an app for one-time codes",
        MethodKind::HardwareToken => "a device for one-time codes",
        MethodKind::Phone => "a phone",
        MethodKind::Mail => "a mail address",
        MethodKind::Password => "a password",
        MethodKind::Pass => "a Temporary Access Pass",
        MethodKind::Other(name) => return format!("a method of the kind {name}"),
    }
    .to_owned()
}
