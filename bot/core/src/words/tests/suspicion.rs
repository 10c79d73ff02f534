//! Every sentence about what may be wrong.

use super::*;

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
