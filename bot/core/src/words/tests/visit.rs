//! Every sentence about a request that somebody made at the page.

use super::*;

#[test]
fn the_card_says_that_nobody_checked_who_asks() {
    insta::assert_snapshot!(card_for(&Sample::visited(), MAX), @"
    Somebody on the web page who says that they are Jane Doe asks for a pass; this was NOT verified
    For: Jane Doe (jane.doe@contoso.com)
    Asked by: Somebody on the web page who says that they are Jane Doe; NOT verified
    Reason: lost her phone, INC0012345
    Code goes to: +49…12 (sms)
    Pass: good for 1 hour and one sign-in, from the moment they open it
    Rule: helpdesk for staff
    Nobody checked that this is Jane Doe: anybody can open that page. They were shown a number, and are to phone you and tell it to you. Be sure that it is them: call back on a number that you already had. Until 13:00 UTC.
    Choosing their number approves. You have one try: a wrong number ends the request, so never guess. If nobody calls, or the number is not here, press Deny: somebody else asked.
    [83]
    [47]
    [12]
    [Deny]
    [This looks wrong]
    ");
}

#[test]
fn the_card_of_a_visit_that_gave_way() {
    let aside = Sample::visited().after([Event::SetAside(crate::request::tests::samples::id())]);
    insta::assert_snapshot!(card_for(&aside, MAX), @"
    Pass for Jane Doe: set aside, since somebody asked for the same colleague in chat
    For: Jane Doe (jane.doe@contoso.com)
    Asked by: Somebody on the web page who says that they are Jane Doe; NOT verified
    Reason: lost her phone, INC0012345
    Code goes to: +49…12 (sms)
    Pass: good for 1 hour and one sign-in, from the moment they open it
    Rule: helpdesk for staff
    ");
}

#[test]
fn security_does_not_read_that_the_subject_asked() {
    let wrong = Sample::visited().after([Event::Pick(MAX, 12)]);
    insta::assert_snapshot!(mail(&security_mail(&wrong.request, News::Mismatched)), @"
    Subject: tapdesk: Request MNPQRS for Jane Doe is over: Max Manager chose another number than the one that I had shown to who asked.

    Request MNPQRS for Jane Doe is over: Max Manager chose another number than the one that I had shown to who asked.
    Either they approved without a call, or somebody told them a number who did not ask. Talk to both before either of them asks or approves again.

    Request: req_0123456789ABCDEFGHJKMNPQRS
    Subject: jane.doe@contoso.com (00000000-0000-0000-0000-000000000001)
    Requester: a visitor of the web page, not verified
    Rule: helpdesk for staff
    ");
}

#[test]
fn the_owner_reads_that_nobody_verified_who_asked() {
    let token = ReportToken::parse("0123456789ABCDEFGHJKMNPQRS").unwrap();
    let visited = Sample::visited();
    let case = visited.request.case().unwrap();
    insta::assert_snapshot!(mail(&owner_notice(case, Told::Made, &token, 7, URL)), @"
    Subject: A Temporary Access Pass was made for your account

    A Temporary Access Pass was made for your account (jane.doe@contoso.com). Somebody on the web page who says that they are Jane Doe asked for it.

    If this was you: nothing to do.

    If this was NOT you: open
    https://tap.example.com/c#report=0123456789ABCDEFGHJKMNPQRS
    and enter the number 07. The pass is deleted, sessions end, and security is told.
    ");
    insta::assert_snapshot!(shown(&manager_notice(case, Told::Made)), @"
    A sign-in pass was made for Jane Doe. Somebody on the web page who says that they are Jane Doe asked for it.
    If Jane Doe did not need one, tell your security team now.
    ");
}
