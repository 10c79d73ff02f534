//! Every sentence about what may be wrong.

use super::*;
use crate::alarm::{Alarm, AlarmKind};
use crate::method::{Method, MethodKind};
use crate::people::{Contact, ContactKind, ContactSource};
use crate::request::tests::samples::{human, looks_wrong};

#[test]
fn the_requester_alone_reads_the_number() {
    insta::assert_snapshot!(news_of(&Sample::matching(), News::Checked), @"
    Request MNPQRS for Jane Doe is with its approvers.
    I asked Max Manager, Olga Oncall. You will hear from me when they decide.
    Your number is 47. They approve by choosing it among three: call them and tell it to them. Tell it only in a call that you make, and write it nowhere.
    ");
    insta::assert_snapshot!(card_for(&Sample::matching(), MAX), @"
    Sam Agent asks for a pass for Jane Doe: approve?
    For: Jane Doe (jane.doe@contoso.com)
    Asked by: Sam Agent (sam.agent@contoso.com)
    Reason: lost her phone, INC0012345
    Code goes to: +49…12 (sms)
    Pass: good for 1 hour and one sign-in, from the moment they open it
    Rule: helpdesk for staff
    Approve only if you know that Jane Doe really is locked out: call them on a number that you already had. Until 13:00 UTC.
    Sam Agent sees a number and tells it to you in a call. Choosing it approves. You have one try: a wrong number ends the request, so never guess.
    [83]
    [47]
    [12]
    [Deny]
    [This looks wrong]
    ");
    assert_eq!(card_for(&Sample::matching(), OLGA), card_for(&Sample::matching(), MAX));
}

#[test]
fn a_wrong_number() {
    let wrong = Sample::matching().after([Event::Pick(MAX, 12)]);
    insta::assert_snapshot!(shown(&mismatched()), @"
    That is not the number that the requester was shown: the request is over.
    If somebody told it to you, they are not who asked. I have told security; tell them who it was. If you guessed, tell them that, too.
    ");
    insta::assert_snapshot!(news_of(&wrong, News::Mismatched), @"
    Request MNPQRS for Jane Doe is over: Max Manager chose another number than the one that I had shown to who asked.
    If it is still needed, ask again: you get a new number. Tell it to them in a call that you make.
    ");
    insta::assert_snapshot!(mail(&security_mail(&wrong.request, News::Mismatched)), @"
    Subject: tapdesk: Request MNPQRS for Jane Doe is over: Max Manager chose another number than the one that I had shown to who asked.

    Request MNPQRS for Jane Doe is over: Max Manager chose another number than the one that I had shown to who asked.
    Either they approved without a call, or somebody told them a number who did not ask. Talk to both before either of them asks or approves again.

    Request: req_0123456789ABCDEFGHJKMNPQRS
    Subject: jane.doe@contoso.com (00000000-0000-0000-0000-000000000001)
    Requester: sam.agent@contoso.com (00000000-0000-0000-0000-000000000002)
    Rule: helpdesk for staff
    ");
}

#[test]
fn what_looks_wrong_before_it_is_decided() {
    let sample = Sample::awaiting().after([looks_wrong(MAX)]);
    let form = what_looks_wrong("value");
    assert_eq!(form.value, "value");
    let said =
        [&form.title, &form.text.join("\n"), &form.fields[0].label, &form.fields[0].hint, &form.submit];
    insta::assert_snapshot!(said.map(String::as_str).join("\n"), @"
    This looks wrong
    Sending this stops the request for good: only a new one goes on. Security reads your line; whoever asked hears only that the request is over.
    What looks wrong?
    One line, for security.
    Stop it
    ");
    let security = [Contact {
        source: ContactSource::Mail,
        kind: ContactKind::Mail,
        address: "soc@contoso.com".to_owned(),
    }];
    insta::assert_snapshot!(all([nothing_asked(&security), doubted(&sample.request)]), @"
    The window did not open, so nothing was stopped. Press This looks wrong again.
    If it does not open then either: do not approve, press Deny if you see it, and write to your security team yourself: soc@contoso.com.

    Thank you. The request for Jane Doe is stopped for good.
    Security has your line and will talk to you. Whoever asked hears only that it is over: do not tell them more. If somebody calls you about it, hang up.
    ");
    insta::assert_snapshot!(card_for(&sample, OLGA), @"
    Pass for Jane Doe: stopped for safety, it looks wrong to Max Manager
    For: Jane Doe (jane.doe@contoso.com)
    Asked by: Sam Agent (sam.agent@contoso.com)
    Reason: lost her phone, INC0012345
    Code goes to: +49…12 (sms)
    Pass: good for 1 hour and one sign-in, from the moment they open it
    Rule: helpdesk for staff
    ");
    insta::assert_snapshot!(mail(&security_mail(&sample.request, News::Doubted)), @"
    Subject: tapdesk: Request MNPQRS for Jane Doe looks wrong to Max Manager.

    Request MNPQRS for Jane Doe looks wrong to Max Manager.
    They wrote: she is on holiday
    The request is stopped for good. No pass was made, and none will be.
    Whoever asked was told no more than had the approver changed their mind. Talk to both, and to the owner of the account, on numbers that you know.

    Request: req_0123456789ABCDEFGHJKMNPQRS
    Subject: jane.doe@contoso.com (00000000-0000-0000-0000-000000000001)
    Requester: sam.agent@contoso.com (00000000-0000-0000-0000-000000000002)
    Rule: helpdesk for staff
    ");
    let denied = Sample::awaiting().after([Event::Deny(MAX)]);
    assert_eq!(
        news_of(&sample, News::Denied),
        news_of(&denied, News::Denied),
        "the words give the doubt away"
    );
}

#[test]
fn what_looks_wrong_after_it_was_approved() {
    let two = || Sample::received().after([Event::FactsArrived(Box::new(case(&[&[MAX], &[OLGA]])))]);
    let approved = || two().after([Event::Approve(MAX), Event::Approve(OLGA)]);
    insta::assert_snapshot!(news_of(&approved().after([looks_wrong(MAX)]), News::Doubted), @"
    Request MNPQRS for Jane Doe looks wrong to Max Manager: it is stopped for good.
    You had approved it. Security looks into it and may talk to you; if somebody calls you about it, hang up.
    ");
    let withdrawn = approved().after([Event::Withdraw(MAX)]);
    assert_eq!(
        news_of(&approved().after([looks_wrong(MAX)]), News::Denied),
        news_of(&withdrawn, News::Denied),
        "the words give the doubt away"
    );
    let shown = Sample::shown().after([looks_wrong(MAX), Event::Deleted]);
    insta::assert_snapshot!(news_of(&shown, News::Over), @"The pass for Jane Doe is over: approved by Max Manager, then revoked by Max Manager.");
    insta::assert_snapshot!(mail(&security_mail(&shown.request, News::Doubted)), @"
    Subject: tapdesk: Request MNPQRS for Jane Doe looks wrong to Max Manager.

    Request MNPQRS for Jane Doe looks wrong to Max Manager.
    They wrote: she is on holiday
    The request is stopped for good. A pass may have been made: it is deleted, and sessions end.
    Whoever asked was told no more than had the approver changed their mind. Talk to both, and to the owner of the account, on numbers that you know.

    Request: req_0123456789ABCDEFGHJKMNPQRS
    Subject: jane.doe@contoso.com (00000000-0000-0000-0000-000000000001)
    Requester: sam.agent@contoso.com (00000000-0000-0000-0000-000000000002)
    Rule: helpdesk for staff
    ");
}

#[test]
fn what_was_registered_since_a_pass_was_made() {
    let at = |time: &str| Some(time.parse().unwrap());
    let method = |kind, created_at| Method { kind, created_at };
    let methods = [
        method(MethodKind::Password, None),
        method(MethodKind::Pass, at("2026-03-02T09:01:00Z")),
        method(MethodKind::WindowsHello, at("2025-01-01T00:00:00Z")),
        method(MethodKind::Passkey, at("2026-03-02T09:05:00Z")),
        method(MethodKind::Phone, None),
        method(MethodKind::Other("carrierPigeon".to_owned()), None),
    ];
    let request = Sample::shown().after([Event::Report]).request;
    insta::assert_snapshot!(mail(&methods_registered(&request, Some(&methods), monday())), @"
    Subject: tapdesk: what was registered for Jane Doe since a pass was made

    Ways to sign in of Jane Doe that were registered since 2026-03-02 09:00 UTC, or whose time Entra does not tell:
    - passkey: 2026-03-02 09:05 UTC
    - phone: unknown time
    - carrierPigeon: unknown time
    Remove in Entra what Jane Doe does not know. Talk to them on a number that you know.

    Request: req_0123456789ABCDEFGHJKMNPQRS
    Subject: jane.doe@contoso.com (00000000-0000-0000-0000-000000000001)
    Requester: sam.agent@contoso.com (00000000-0000-0000-0000-000000000002)
    Rule: helpdesk for staff
    ");
    insta::assert_snapshot!(methods_registered(&request, None, monday()).text.as_str().lines().next().unwrap(), @"I cannot read what was registered for Jane Doe since 2026-03-02 09:00 UTC: Entra does not let me (the permission is UserAuthenticationMethod.Read.All). Look there yourself, now.");
    insta::assert_snapshot!(mail(&methods_registered(&request, Some(&methods[..3]), monday())), @"
    Subject: tapdesk: what was registered for Jane Doe since a pass was made

    Entra lists nothing that was registered for Jane Doe since 2026-03-02 09:00 UTC.

    Request: req_0123456789ABCDEFGHJKMNPQRS
    Subject: jane.doe@contoso.com (00000000-0000-0000-0000-000000000001)
    Requester: sam.agent@contoso.com (00000000-0000-0000-0000-000000000002)
    Rule: helpdesk for staff
    ");
}

#[test]
fn alarms() {
    let at = "2026-03-02T02:13:00Z".parse().unwrap();
    let minutes = Duration::from_mins;
    let rung = [
        Alarm::Repeated(3, minutes(7 * 24 * 60)),
        Alarm::BusyAgent(9, 12, minutes(28 * 24 * 60)),
        Alarm::QuickApproval(human(MAX), Duration::from_secs(4)),
        Alarm::NewApprover(human(MAX)),
        Alarm::OffHours(at, "Europe/Berlin".parse().unwrap()),
    ];
    let kinds: Vec<AlarmKind> = rung.iter().map(Alarm::kind).collect();
    let sample = Sample::approved().after([Event::Alarmed(rung.to_vec())]);
    insta::assert_snapshot!(all(kinds.iter().map(|kind| news(&sample.request, News::Alarm(*kind)))), @"
    Alarm: 3 requests for Jane Doe within 7 days.
    Call Jane Doe on a number that you know: did they need each of them?
    Request MNPQRS for Jane Doe is approved by Max Manager: I hold nothing up. If it is wrong, have an approver press This looks wrong, or revoke it yourself.

    Alarm: 9 requests of Sam Agent within 24 hours.
    In 28 days before there were 12. Call Sam Agent: did they make all of them?
    Request MNPQRS for Jane Doe is approved by Max Manager: I hold nothing up. If it is wrong, have an approver press This looks wrong, or revoke it yourself.

    Alarm: Max Manager approved after 4 seconds.
    Ask Max Manager, in a call that you make, whether they called Jane Doe before.
    Request MNPQRS for Jane Doe is approved by Max Manager: I hold nothing up. If it is wrong, have an approver press This looks wrong, or revoke it yourself.

    Alarm: Max Manager approved for the first time that I remember.
    Is Max Manager meant to approve? Look at how they came into the group that the rule names.
    Request MNPQRS for Jane Doe is approved by Max Manager: I hold nothing up. If it is wrong, have an approver press This looks wrong, or revoke it yourself.

    Alarm: asked for or approved at 03:13 on 2026-03-02 (Europe/Berlin).
    Call whoever was at work then: Sam Agent asked.
    Request MNPQRS for Jane Doe is approved by Max Manager: I hold nothing up. If it is wrong, have an approver press This looks wrong, or revoke it yourself.
    ");
    insta::assert_snapshot!(mail(&security_mail(&sample.request, News::Alarm(kinds[3]))), @"
    Subject: tapdesk: Alarm: Max Manager approved for the first time that I remember.

    Alarm: Max Manager approved for the first time that I remember.
    Is Max Manager meant to approve? Look at how they came into the group that the rule names.
    Request MNPQRS for Jane Doe is approved by Max Manager: I hold nothing up. If it is wrong, have an approver press This looks wrong, or revoke it yourself.

    Request: req_0123456789ABCDEFGHJKMNPQRS
    Subject: jane.doe@contoso.com (00000000-0000-0000-0000-000000000001)
    Requester: sam.agent@contoso.com (00000000-0000-0000-0000-000000000002)
    Rule: helpdesk for staff
    ");
}
