//! What a careful rule says of what it does not rely on.

use super::*;
use crate::caution::Caution;
use crate::people::ContactSource;

const WEEK: Duration = Duration::from_hours(7 * 24);
const TWO_DAYS: Duration = Duration::from_hours(2 * 24 + 3);

#[test]
fn reasons_of_a_careful_rule() {
    let too_new = |source, age| Reason::ContactTooNew { source, age, wait: WEEK };
    let reasons = [
        too_new(ContactSource::PhoneMethods, TWO_DAYS),
        too_new(ContactSource::MobilePhone, Duration::from_mins(1)),
        too_new(ContactSource::OtherMails, WEEK.saturating_sub(Duration::from_mins(30))),
        too_new(ContactSource::Mail, Duration::ZERO),
        Reason::ManagerTooNew { age: Duration::from_hours(5), wait: WEEK },
        Reason::LogUnreadable,
    ];
    insta::assert_snapshot!(reasons.map(|why| reason(&why)).join("\n"), @"
    The phone on file was changed 2 days ago, and the rule waits 7 days before it uses a new one: a new number is how accounts are taken over. Ask again in 5 days. Until then they need another contact that is older and that the rule may use, or help in person. If they know nothing of the change, tell your security team now.
    The mobile phone in the profile was changed 1 minute ago, and the rule waits 7 days before it uses a new one: a new number is how accounts are taken over. Ask again in 7 days. Until then they need another contact that is older and that the rule may use, or help in person. If they know nothing of the change, tell your security team now.
    The other mail address on file was changed 6 days ago, and the rule waits 7 days before it uses a new one: a new number is how accounts are taken over. Ask again in 1 hour. Until then they need another contact that is older and that the rule may use, or help in person. If they know nothing of the change, tell your security team now.
    The mailbox was changed less than a minute ago, and the rule waits 7 days before it uses a new one: a new number is how accounts are taken over. Ask again in 7 days. Until then they need another contact that is older and that the rule may use, or help in person. If they know nothing of the change, tell your security team now.
    Their manager was changed 5 hours ago, and the rule waits 7 days before it relies on a new one; it names nobody else. Ask again in 7 days, or have your administrator name others who may approve. If they know nothing of the change, tell your security team now.
    The rule has me look in Entra's audit log whether their phone, mail or manager changed lately, and the log cannot be read. Your administrator finds why in the log of tapdesk: perhaps the permission AuditLog.Read.All, or a licence of Entra ID P1, is missing. Until it is mended, go to your security team.
    ");
}

#[test]
fn the_approval_card_says_what_is_not_relied_on() {
    let ago = |age| monday().checked_sub(age).unwrap();
    let mut facts = facts();
    facts.cautions = vec![
        Caution::Contact {
            source: ContactSource::PhoneMethods,
            masked: "+49…78".to_owned(),
            changed_at: ago(TWO_DAYS),
            wait: WEEK,
        },
        Caution::Manager { changed_at: ago(Duration::from_hours(1)), wait: WEEK },
        Caution::LogUnreadable,
    ];
    let sample = Sample::received().after([Event::FactsArrived(Box::new(facts))]);
    let card = card_for(&sample, MAX);
    let said: Vec<&str> = card.lines().skip(7).take(3).collect();
    assert_eq!(said.len(), 3);
    insta::assert_snapshot!(said.join("\n"), @"
    Not used: the phone on file (+49…78) was changed 2 days ago; the rule waits 7 days before it uses a new one. Ask them about the change
    Not asked: their manager was changed 1 hour ago; the rule waits 7 days before it asks a new one
    Audit log: it cannot be read, so nobody knows whether phone, mail or manager changed lately. Therefore one more person has to approve
    ");
    let line = sample.records.iter().find(|line| line.what == "request.checked").unwrap();
    insta::assert_snapshot!(line.facts["cautions"], @"PhoneMethods changed 2026-02-28T06:00:00Z, Manager changed 2026-03-02T08:00:00Z, audit log unreadable");
}
