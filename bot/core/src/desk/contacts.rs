//! Where can the subject be reached, and is it still where they could be reached when it was asked?

use crate::desk::Desk;
use crate::desk::facts::Looked;
use crate::people::{Contact, ContactKind, ContactSource, Person, PinnedContact};
use crate::policy::{Route, Rule};
use crate::ports::PortError;
use crate::request::{Grant, Reason};

impl Desk {
    /// The contacts of the subject that a rule may use, the best first.
    pub(super) async fn contacts(
        &self,
        subject: &Person,
        sources: &[ContactSource],
    ) -> Result<Vec<Contact>, PortError> {
        let mut contacts = Vec::new();
        for source in sources {
            let kind = source.kind();
            let contact = |address: &String| Contact { source: *source, kind, address: address.clone() };
            match source {
                ContactSource::PhoneMethods => {
                    contacts.extend(self.ports.directory.phones(subject.id).await?);
                }
                ContactSource::MobilePhone => contacts.extend(subject.mobile_phone.iter().map(contact)),
                ContactSource::OtherMails => contacts.extend(subject.other_mails.iter().map(contact)),
                ContactSource::Mail => contacts.extend(subject.mail.iter().map(contact)),
            }
        }
        Ok(contacts)
    }

    /// Whether the contacts that brought code and PIN are on file as they were.
    pub(super) async fn contacts_stand(&self, grant: &Grant, subject: &Person) -> Looked<()> {
        let case = &grant.case;
        let code = grant.ticket.code.iter().map(|code| code.route);
        let carriers = code.chain(case.terms.pin_routes.iter().copied());
        let pinned: Vec<&PinnedContact> = carriers.filter_map(|route| case.contact(route)).collect();
        if pinned.is_empty() {
            return Ok(Ok(()));
        }
        let on_file = self.contacts(subject, &case.terms.sources).await?;
        let stands = |pinned: &&PinnedContact| on_file.iter().any(|contact| contact.pin() == **pinned);
        if pinned.iter().all(stands) {
            return Ok(Ok(()));
        }
        let masked = |contact: &Contact| contact.kind == ContactKind::Phone && !contact.is_readable();
        let why = if on_file.iter().any(masked) { Reason::ContactMasked } else { Reason::ContactChanged };
        Ok(Err(why))
    }
}

/// Pins a contact for every route of code and PIN that has one; each half needs at least one way.
pub(super) fn pin_contacts(rule: &Rule, contacts: &[Contact]) -> Result<Vec<(Route, PinnedContact)>, Reason> {
    let mut pinned = usable_of(&rule.ticket, contacts)?;
    pinned.extend(usable_of(&rule.pin, contacts)?);
    Ok(pinned)
}

/// Pins a contact for every route that has one; at least one of the routes has to lead somewhere.
pub(super) fn usable_of(
    routes: &[Route],
    contacts: &[Contact],
) -> Result<Vec<(Route, PinnedContact)>, Reason> {
    let mut pinned = Vec::new();
    let (mut reachable, mut masked) = (false, false);
    for route in routes {
        let Some(kind) = route.kind() else {
            reachable = true;
            continue;
        };
        let mut of_kind = contacts.iter().filter(|contact| contact.kind == kind);
        masked |= kind == ContactKind::Phone && of_kind.clone().any(|contact| !contact.is_readable());
        if let Some(contact) = of_kind.find(|contact| contact.is_readable()) {
            pinned.push((*route, contact.pin()));
            reachable = true;
        }
    }
    match (reachable, masked) {
        (true, _) => Ok(pinned),
        (false, true) => Err(Reason::ContactMasked),
        (false, false) => Err(Reason::NoContact(*routes.first().unwrap_or(&Route::Sms))),
    }
}
