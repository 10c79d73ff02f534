//! Why is a request refused, and what can be done about it?

use super::caution;
use crate::ports::NotVouched;
use crate::request::Reason;

/// Why a request is refused, and what to do.
#[must_use]
pub fn reason(reason: &Reason) -> String {
    match reason {
        Reason::RequesterNotVouched(why) => format!("I cannot tell who you are in the directory: {}.", not_vouched(*why)),
        Reason::RequesterUnknown => {
            "Your chat address belongs to no single enabled member of the directory. Ask your Entra administrator.".into()
        }
        Reason::RequesterAmbiguous => {
            "Several accounts in the directory have your chat address, so I cannot tell which of them you are. Ask your \
             Entra administrator to leave it to one of them."
                .into()
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
            format!("The rule wants a ticket number that looks like {pattern}. Ask again with it in the reason or in the form.")
        }
        Reason::NotReached(who) => format!(
            "I cannot reach {who} in the chat: the app is blocked or was removed there, and nobody else can approve. \
             Once it is back, ask again."
        ),
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
        Reason::ContactTooNew { source, age, wait } => caution::contact_too_new(*source, *age, *wait),
        Reason::ManagerTooNew { age, wait } => caution::manager_too_new(*age, *wait),
        Reason::LogUnreadable => {
            "The rule has me look in Entra's audit log whether their phone, mail or manager changed lately, and the log \
             cannot be read. Your administrator finds why in the log of tapdesk: perhaps the permission \
             AuditLog.Read.All, or a licence of Entra ID P1, is missing. Until it is mended, go to your security team."
                .into()
        }
        Reason::PassPolicyOff => {
            "The tenant's Temporary Access Pass policy is off or does not include them. Ask your Entra administrator \
             (Authentication methods, Policies)."
                .into()
        }
        Reason::TooManyTickets(most) => {
            format!("They had {most} tickets within a day, which is all that the policy allows. Go to your security team.")
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
