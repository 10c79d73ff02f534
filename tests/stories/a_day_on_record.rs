//! A day with the endings of requests in chat, as `tapdesk report` tells it in each of its forms.

use anyhow::{Context as _, ensure};
use insta::assert_snapshot;
use tapdesk_tests::audit::{NASTY, a_day_of_every_ending, report_in};

#[tokio::test(flavor = "multi_thread")]
async fn every_ending_of_a_day_is_a_row_of_the_table() -> anyhow::Result<()> {
    let world = a_day_of_every_ending().await?;
    let said = world.reported(&[]).await?;
    ensure!(said.code == Some(0) && said.err.is_empty(), "{said:?}");
    assert_snapshot!(world.told_to_auditors(&said.out)?, @r#"
    Requests received from 2026-11-23 to 2026-11-23 (UTC); made…; times are UTC.
    Ledger tapdesk: every one of its…lines was verified; head ….
    Names and reasons are the running service's, for the requests that it still keeps; the ledger has none.

    requests                             14
    by outcome                           cancelled 1 · denied 1 · expired 1 · lapsed_unclaimed 1 · lapsed_undecided 1 · locked 1 · mismatched 1 · open 1 · refused 1 · reported 1 · revoked 1 · used 2 · withdrawn 1
    by requester                         Ada Agent 10 · Otto Oncall 2 · nobody known 1 · Mary Major 1
    by rule                              at the source 1 · helpdesk for staff 10 · number matched 2 · – 1
    approved without approvals           1
    passes made                          5
    in evaluate mode (nothing was made)  0

    RECEIVED              FOR       ASKED BY               APPROVED BY           OUTCOME                    TICKET NUMBER
    2026-11-23T10:00:00Z  Jane Doe  Ada Agent              Mary Major            used                       INC0012345
        request  req_…, asked in slack
        why      lost her phone, INC0012345
        rule     helpdesk for staff, approvals wanted: 1
        decided  2026-11-23T10:00:00Z approved by Mary Major (button)
        sent     2026-11-23T10:00:00Z code by sms to +49…12
        sent     2026-11-23T10:00:00Z pin by approver
        pass     claimed 2026-11-23T10:00:00Z, 1 made, 1 deleted, shown 2026-11-23T10:00:00Z
        ended    2026-11-23T10:05:00Z
        also     approver.asked × 2, methods.looked_at × 2, owner.notice.minted × 2, owner.told × 2, pass.delete (begun) × 1, pass.ended × 1, ticket.code.minted × 1, ticket.open × 1, ticket.pin.minted × 1
        ledger   tapdesk …
    2026-11-23T10:10:00Z  Jane Doe  Ada Agent              Mary Major            expired                    INC0012345
        request  req_…, asked in slack
        why      lost her phone, INC0012345
        rule     helpdesk for staff, approvals wanted: 1
        decided  2026-11-23T10:10:00Z approved by Mary Major (button)
        sent     2026-11-23T10:10:00Z code by sms to +49…12
        sent     2026-11-23T10:10:00Z pin by approver
        pass     claimed 2026-11-23T10:10:00Z, 1 made, 1 deleted, shown 2026-11-23T10:10:00Z
        ended    2026-11-23T11:10:00Z
        also     approver.asked × 2, owner.notice.minted × 2, owner.told × 2, pass.delete (begun) × 1, pass.ended × 1, ticket.code.minted × 1, ticket.open × 1, ticket.pin.minted × 1
        ledger   tapdesk …
    2026-11-23T12:10:00Z  Jane Doe  Ada Agent              Mary Major            revoked by Ada Agent       INC0012345
        request  req_…, asked in slack
        why      lost her phone, INC0012345
        rule     helpdesk for staff, approvals wanted: 1
        decided  2026-11-23T12:10:00Z approved by Mary Major (button)
        decided  2026-11-23T12:10:00Z stopped by Ada Agent (as requester)
        sent     2026-11-23T12:10:00Z code by sms to +49…12
        sent     2026-11-23T12:10:00Z pin by approver
        pass     claimed 2026-11-23T12:10:00Z, 1 made, 1 deleted, shown 2026-11-23T12:10:00Z
        ended    2026-11-23T12:10:00Z
        also     approver.asked × 2, owner.notice.minted × 2, owner.told × 2, pass.delete (begun) × 1, sessions.revoke (begun) × 1, sessions.revoke (revoked) × 1, ticket.code.minted × 1, ticket.open × 1, ticket.pin.minted × 1
        ledger   tapdesk …
    2026-11-23T12:11:00Z  –         slack T0EXAMPLE/U0ADA  –                     refused (subject_unknown)  –
        request  req_…, asked in slack
        why      lost everything, INC0012346
        ended    2026-11-23T12:11:00Z
        ledger   tapdesk …
    2026-11-23T12:12:00Z  Jane Doe  Ada Agent              –                     denied by Mary Major       INC0012345
        request  req_…, asked in slack
        why      lost her phone, INC0012345
        rule     helpdesk for staff, approvals wanted: 1
        decided  2026-11-23T12:12:00Z denied by Mary Major
        ended    2026-11-23T12:12:00Z
        also     approver.asked × 2
        ledger   tapdesk …
    2026-11-23T12:13:00Z  Jane Doe  Otto Oncall            –                     mismatched by Mary Major   –
        request  req_…, asked in slack
        why      =HYPERLINK("http://evil.example","<script>alert(1)</script>")
        rule     number matched, approvals wanted: 1
        decided  2026-11-23T12:13:00Z mismatched by Mary Major
        ended    2026-11-23T12:13:00Z
        also     approver.asked × 1
        ledger   tapdesk …
    2026-11-23T12:14:00Z  Jane Doe  Otto Oncall            Mary Major            withdrawn by Mary Major    –
        request  req_…, asked in slack
        why      left it in a taxi
        rule     number matched, approvals wanted: 1
        decided  2026-11-23T12:14:00Z approved by Mary Major (number matched)
        decided  2026-11-23T12:14:00Z stopped by Mary Major (as approver)
        sent     2026-11-23T12:14:00Z code by sms to +49…12
        ended    2026-11-23T12:14:00Z
        also     approver.asked × 1, ticket.code.minted × 1
        ledger   tapdesk …
    2026-11-23T12:15:00Z  Jane Doe  Ada Agent              –                     cancelled                  INC0012345
        request  req_…, asked in slack
        why      lost her phone, INC0012345
        rule     helpdesk for staff, approvals wanted: 1
        decided  2026-11-23T12:15:00Z stopped by Ada Agent (as requester)
        ended    2026-11-23T12:15:00Z
        also     approver.asked × 2
        ledger   tapdesk …
    2026-11-23T12:16:00Z  Jane Doe  Ada Agent              –                     lapsed_undecided           INC0012345
        request  req_…, asked in slack
        why      lost her phone, INC0012345
        rule     helpdesk for staff, approvals wanted: 1
        ended    2026-11-23T16:16:00Z
        also     approver.asked × 2
        ledger   tapdesk …
    2026-11-23T16:16:00Z  Jane Doe  Ada Agent              Mary Major            lapsed_unclaimed           INC0012345
        request  req_…, asked in slack
        why      lost her phone, INC0012345
        rule     helpdesk for staff, approvals wanted: 1
        decided  2026-11-23T16:16:00Z approved by Mary Major (button)
        sent     2026-11-23T16:16:00Z code by sms to +49…12
        sent     2026-11-23T16:16:00Z pin by approver
        ended    2026-11-23T16:46:00Z
        also     approver.asked × 2, ticket.code.minted × 1, ticket.open × 1, ticket.pin.minted × 1
        ledger   tapdesk …
    2026-11-23T16:46:00Z  Jane Doe  Ada Agent              Mary Major            locked                     INC0012345
        request  req_…, asked in slack
        why      lost her phone, INC0012345
        rule     helpdesk for staff, approvals wanted: 1
        decided  2026-11-23T16:46:00Z approved by Mary Major (button)
        sent     2026-11-23T16:46:00Z code by sms to +49…12
        sent     2026-11-23T16:46:00Z pin by approver
        ended    2026-11-23T16:46:00Z
        also     approver.asked × 2, ticket.code.minted × 1, ticket.open × 1, ticket.pin.minted × 1, ticket.pin.wrong × 5
        ledger   tapdesk …
    2026-11-23T16:47:00Z  Jane Doe  Ada Agent              Mary Major            reported                   INC0012345
        request  req_…, asked in slack
        why      lost her phone, INC0012345
        rule     helpdesk for staff, approvals wanted: 1
        decided  2026-11-23T16:47:00Z approved by Mary Major (button)
        sent     2026-11-23T16:47:00Z code by sms to +49…12
        sent     2026-11-23T16:47:00Z pin by approver
        pass     claimed 2026-11-23T16:47:00Z, 1 made, 1 deleted, shown 2026-11-23T16:47:00Z
        ended    2026-11-23T16:47:00Z
        also     approver.asked × 2, methods.listed × 1, owner.notice.minted × 2, owner.told × 2, pass.delete (begun) × 1, request.reported × 1, sessions.revoke (begun) × 1, sessions.revoke (revoked) × 1, ticket.code.minted × 1, ticket.open × 1, ticket.pin.minted × 1
        ledger   tapdesk …
    2026-11-23T16:48:00Z  Jane Doe  Mary Major             nobody (none wanted)  used                       –
        request  req_…, asked in slack
        why      stands beside me
        rule     at the source, approvals wanted: 0
        sent     2026-11-23T16:48:00Z code by sms to +49…12
        sent     2026-11-23T16:48:00Z pin by email to j…@home.example
        pass     claimed 2026-11-23T16:48:00Z, 1 made, 1 deleted, shown 2026-11-23T16:48:00Z
        ended    2026-11-23T16:53:00Z
        also     methods.looked_at × 1, owner.notice.minted × 2, owner.told × 2, pass.delete (begun) × 1, pass.ended × 1, ticket.code.minted × 1, ticket.open × 1, ticket.pin.minted × 1
        ledger   tapdesk …
    2026-11-23T16:58:00Z  Jane Doe  Ada Agent              –                     open                       INC0012345
        request  req_…, asked in slack
        why      lost her phone, INC0012345
        rule     helpdesk for staff, approvals wanted: 1
        also     approver.asked × 2
        ledger   tapdesk …
    "#);
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn no_cell_of_the_csv_is_a_formula() -> anyhow::Result<()> {
    let world = a_day_of_every_ending().await?;
    let said = world.reported(&["--csv"]).await?;
    ensure!(said.code == Some(0) && said.out.contains("\r\n"), "{said:?}");
    let quoted = NASTY.replace('"', "\"\"");
    ensure!(said.out.contains(&format!("\"'{quoted}\"")), "{}", said.out);
    // Where lines and heads begin, and whether there are commas between them, differs.
    let rows = said.out.lines().map(|row| {
        let places = [",tapdesk ", ",\"tapdesk "].map(|begin| row.find(begin));
        places.into_iter().flatten().min().map_or_else(|| row.to_owned(), |end| format!("{},…", &row[..end]))
    });
    assert_snapshot!(world.told_to_auditors(&rows.collect::<Vec<_>>().join("\n"))?, @r#"
    request,mode,received_at,asked_in,account,requester_id,requester,subject_id,subject,reason,reason_pseudonym,ticket_number,rule,approvals_wanted,decisions,approved_at,sent,claimed_at,passes_made,passes_deleted,shown_at,outcome,outcome_why,outcome_by,ended_at,other_lines,lines,verified
    req_…,enforce,2026-11-23T10:00:00Z,slack,T0EXAMPLE/U0ADA,c6797c35-e06e-4305-9a5e-083dccb0801e,Ada Agent,7988138f-f23d-43bb-a1b9-a76902dae02b,Jane Doe,"lost her phone, INC0012345",~6e0dc5c81a613c26cce3c5cf,INC0012345,helpdesk for staff,1,2026-11-23T10:00:00Z approved by Mary Major (button),2026-11-23T10:00:00Z,2026-11-23T10:00:00Z code by sms to +49…12; 2026-11-23T10:00:00Z pin by approver,2026-11-23T10:00:00Z,1,1,2026-11-23T10:00:00Z,used,,,2026-11-23T10:05:00Z,approver.asked × 2; methods.looked_at × 2; owner.notice.minted × 2; owner.told × 2; pass.delete (begun) × 1; pass.ended × 1; ticket.code.minted × 1; ticket.open × 1; ticket.pin.minted × 1,…
    req_…,enforce,2026-11-23T10:10:00Z,slack,T0EXAMPLE/U0ADA,c6797c35-e06e-4305-9a5e-083dccb0801e,Ada Agent,7988138f-f23d-43bb-a1b9-a76902dae02b,Jane Doe,"lost her phone, INC0012345",~6e0dc5c81a613c26cce3c5cf,INC0012345,helpdesk for staff,1,2026-11-23T10:10:00Z approved by Mary Major (button),2026-11-23T10:10:00Z,2026-11-23T10:10:00Z code by sms to +49…12; 2026-11-23T10:10:00Z pin by approver,2026-11-23T10:10:00Z,1,1,2026-11-23T10:10:00Z,expired,,,2026-11-23T11:10:00Z,approver.asked × 2; owner.notice.minted × 2; owner.told × 2; pass.delete (begun) × 1; pass.ended × 1; ticket.code.minted × 1; ticket.open × 1; ticket.pin.minted × 1,…
    req_…,enforce,2026-11-23T12:10:00Z,slack,T0EXAMPLE/U0ADA,c6797c35-e06e-4305-9a5e-083dccb0801e,Ada Agent,7988138f-f23d-43bb-a1b9-a76902dae02b,Jane Doe,"lost her phone, INC0012345",~6e0dc5c81a613c26cce3c5cf,INC0012345,helpdesk for staff,1,2026-11-23T12:10:00Z approved by Mary Major (button); 2026-11-23T12:10:00Z stopped by Ada Agent (as requester),2026-11-23T12:10:00Z,2026-11-23T12:10:00Z code by sms to +49…12; 2026-11-23T12:10:00Z pin by approver,2026-11-23T12:10:00Z,1,1,2026-11-23T12:10:00Z,revoked,,Ada Agent,2026-11-23T12:10:00Z,approver.asked × 2; owner.notice.minted × 2; owner.told × 2; pass.delete (begun) × 1; sessions.revoke (begun) × 1; sessions.revoke (revoked) × 1; ticket.code.minted × 1; ticket.open × 1; ticket.pin.minted × 1,…
    req_…,enforce,2026-11-23T12:11:00Z,slack,T0EXAMPLE/U0ADA,,,,,"lost everything, INC0012346",~66d58c4ddedc1263afced3c2,,,,,,,,0,0,,refused,subject_unknown,,2026-11-23T12:11:00Z,,…
    req_…,enforce,2026-11-23T12:12:00Z,slack,T0EXAMPLE/U0ADA,c6797c35-e06e-4305-9a5e-083dccb0801e,Ada Agent,7988138f-f23d-43bb-a1b9-a76902dae02b,Jane Doe,"lost her phone, INC0012345",~6e0dc5c81a613c26cce3c5cf,INC0012345,helpdesk for staff,1,2026-11-23T12:12:00Z denied by Mary Major,,,,0,0,,denied,,Mary Major,2026-11-23T12:12:00Z,approver.asked × 2,…
    req_…,enforce,2026-11-23T12:13:00Z,slack,T0EXAMPLE/U0OTTO,cdcf428f-464c-4a20-a4ba-82fd21b47d51,Otto Oncall,7988138f-f23d-43bb-a1b9-a76902dae02b,Jane Doe,"'=HYPERLINK(""http://evil.example"",""<script>alert(1)</script>"")",~9bce696ffa5d2bc13ee52e89,,number matched,1,2026-11-23T12:13:00Z mismatched by Mary Major,,,,0,0,,mismatched,,Mary Major,2026-11-23T12:13:00Z,approver.asked × 1,…
    req_…,enforce,2026-11-23T12:14:00Z,slack,T0EXAMPLE/U0OTTO,cdcf428f-464c-4a20-a4ba-82fd21b47d51,Otto Oncall,7988138f-f23d-43bb-a1b9-a76902dae02b,Jane Doe,left it in a taxi,~222cf49e3a653cb89f6389f5,,number matched,1,2026-11-23T12:14:00Z approved by Mary Major (number matched); 2026-11-23T12:14:00Z stopped by Mary Major (as approver),2026-11-23T12:14:00Z,2026-11-23T12:14:00Z code by sms to +49…12,,0,0,,withdrawn,,Mary Major,2026-11-23T12:14:00Z,approver.asked × 1; ticket.code.minted × 1,…
    req_…,enforce,2026-11-23T12:15:00Z,slack,T0EXAMPLE/U0ADA,c6797c35-e06e-4305-9a5e-083dccb0801e,Ada Agent,7988138f-f23d-43bb-a1b9-a76902dae02b,Jane Doe,"lost her phone, INC0012345",~6e0dc5c81a613c26cce3c5cf,INC0012345,helpdesk for staff,1,2026-11-23T12:15:00Z stopped by Ada Agent (as requester),,,,0,0,,cancelled,,,2026-11-23T12:15:00Z,approver.asked × 2,…
    req_…,enforce,2026-11-23T12:16:00Z,slack,T0EXAMPLE/U0ADA,c6797c35-e06e-4305-9a5e-083dccb0801e,Ada Agent,7988138f-f23d-43bb-a1b9-a76902dae02b,Jane Doe,"lost her phone, INC0012345",~6e0dc5c81a613c26cce3c5cf,INC0012345,helpdesk for staff,1,,,,,0,0,,lapsed_undecided,,,2026-11-23T16:16:00Z,approver.asked × 2,…
    req_…,enforce,2026-11-23T16:16:00Z,slack,T0EXAMPLE/U0ADA,c6797c35-e06e-4305-9a5e-083dccb0801e,Ada Agent,7988138f-f23d-43bb-a1b9-a76902dae02b,Jane Doe,"lost her phone, INC0012345",~6e0dc5c81a613c26cce3c5cf,INC0012345,helpdesk for staff,1,2026-11-23T16:16:00Z approved by Mary Major (button),2026-11-23T16:16:00Z,2026-11-23T16:16:00Z code by sms to +49…12; 2026-11-23T16:16:00Z pin by approver,,0,0,,lapsed_unclaimed,,,2026-11-23T16:46:00Z,approver.asked × 2; ticket.code.minted × 1; ticket.open × 1; ticket.pin.minted × 1,…
    req_…,enforce,2026-11-23T16:46:00Z,slack,T0EXAMPLE/U0ADA,c6797c35-e06e-4305-9a5e-083dccb0801e,Ada Agent,7988138f-f23d-43bb-a1b9-a76902dae02b,Jane Doe,"lost her phone, INC0012345",~6e0dc5c81a613c26cce3c5cf,INC0012345,helpdesk for staff,1,2026-11-23T16:46:00Z approved by Mary Major (button),2026-11-23T16:46:00Z,2026-11-23T16:46:00Z code by sms to +49…12; 2026-11-23T16:46:00Z pin by approver,,0,0,,locked,,,2026-11-23T16:46:00Z,approver.asked × 2; ticket.code.minted × 1; ticket.open × 1; ticket.pin.minted × 1; ticket.pin.wrong × 5,…
    req_…,enforce,2026-11-23T16:47:00Z,slack,T0EXAMPLE/U0ADA,c6797c35-e06e-4305-9a5e-083dccb0801e,Ada Agent,7988138f-f23d-43bb-a1b9-a76902dae02b,Jane Doe,"lost her phone, INC0012345",~6e0dc5c81a613c26cce3c5cf,INC0012345,helpdesk for staff,1,2026-11-23T16:47:00Z approved by Mary Major (button),2026-11-23T16:47:00Z,2026-11-23T16:47:00Z code by sms to +49…12; 2026-11-23T16:47:00Z pin by approver,2026-11-23T16:47:00Z,1,1,2026-11-23T16:47:00Z,reported,,,2026-11-23T16:47:00Z,approver.asked × 2; methods.listed × 1; owner.notice.minted × 2; owner.told × 2; pass.delete (begun) × 1; request.reported × 1; sessions.revoke (begun) × 1; sessions.revoke (revoked) × 1; ticket.code.minted × 1; ticket.open × 1; ticket.pin.minted × 1,…
    req_…,enforce,2026-11-23T16:48:00Z,slack,T0EXAMPLE/U0MARY,06bfc7ce-1dc5-422e-9795-cd7bc9766598,Mary Major,7988138f-f23d-43bb-a1b9-a76902dae02b,Jane Doe,stands beside me,~a8e43e0ba5847fa9a8a63a57,,at the source,0,,2026-11-23T16:48:00Z,2026-11-23T16:48:00Z code by sms to +49…12; 2026-11-23T16:48:00Z pin by email to j…@home.example,2026-11-23T16:48:00Z,1,1,2026-11-23T16:48:00Z,used,,,2026-11-23T16:53:00Z,methods.looked_at × 1; owner.notice.minted × 2; owner.told × 2; pass.delete (begun) × 1; pass.ended × 1; ticket.code.minted × 1; ticket.open × 1; ticket.pin.minted × 1,…
    req_…,enforce,2026-11-23T16:58:00Z,slack,T0EXAMPLE/U0ADA,c6797c35-e06e-4305-9a5e-083dccb0801e,Ada Agent,7988138f-f23d-43bb-a1b9-a76902dae02b,Jane Doe,"lost her phone, INC0012345",~6e0dc5c81a613c26cce3c5cf,INC0012345,helpdesk for staff,1,,,,,0,0,,open,,,,approver.asked × 2,…
    "#);
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_shows_what_people_typed_and_runs_nothing_of_it() -> anyhow::Result<()> {
    let world = a_day_of_every_ending().await?;
    let said = world.reported(&["--html"]).await?;
    ensure!(said.code == Some(0) && !said.out.contains("<script"), "{said:?}");
    for elsewhere in ["src=", "href=", "url(", "@import"] {
        ensure!(!said.out.contains(elsewhere), "the page fetches something: {elsewhere}");
    }
    let body = said.out.split_once("<body>").context("no body")?.1;
    assert_snapshot!(world.told_to_auditors(body.trim())?, @r#"
    <h1>tapdesk report</h1>
    <p>Requests received from 2026-11-23 to 2026-11-23 (UTC); made…; times are UTC.</p>
    <p>Ledger tapdesk: every one of its…lines was verified; head ….</p>
    <p>Names and reasons are the running service&#39;s, for the requests that it still keeps; the ledger has none.</p>
    <table id="summary">
    <tr><th>requests</th><td>14</td></tr>
    <tr><th>by outcome</th><td>cancelled 1 · denied 1 · expired 1 · lapsed_unclaimed 1 · lapsed_undecided 1 · locked 1 · mismatched 1 · open 1 · refused 1 · reported 1 · revoked 1 · used 2 · withdrawn 1</td></tr>
    <tr><th>by requester</th><td>Ada Agent 10 · Otto Oncall 2 · nobody known 1 · Mary Major 1</td></tr>
    <tr><th>by rule</th><td>at the source 1 · helpdesk for staff 10 · number matched 2 · – 1</td></tr>
    <tr><th>approved without approvals</th><td>1</td></tr>
    <tr><th>passes made</th><td>5</td></tr>
    <tr><th>in evaluate mode (nothing was made)</th><td>0</td></tr>
    </table>
    <table>
    <thead><tr><th>Request</th><th>For</th><th>Asked by</th><th>Why</th><th>Rule</th><th>Decisions</th><th>Sent</th><th>Pass</th><th>Outcome</th><th>Ledger</th></tr></thead>
    <tbody>
    <tr><td><small>req_…</small><small>2026-11-23T10:00:00Z</small></td><td>Jane Doe<small>7988138f-f23d-43bb-a1b9-a76902dae02b</small></td><td>Ada Agent<small>c6797c35-e06e-4305-9a5e-083dccb0801e</small><small>in slack</small></td><td>lost her phone, INC0012345<small>INC0012345</small></td><td>helpdesk for staff<small>approvals wanted: 1</small></td><td><p>2026-11-23T10:00:00Z approved by Mary Major (button)</p></td><td><p>2026-11-23T10:00:00Z code by sms to +49…12</p><p>2026-11-23T10:00:00Z pin by approver</p></td><td><p>claimed 2026-11-23T10:00:00Z, 1 made, 1 deleted, shown 2026-11-23T10:00:00Z</p></td><td>used<small>2026-11-23T10:05:00Z</small><small>approver.asked × 2, methods.looked_at × 2, owner.notice.minted × 2, owner.told × 2, pass.delete (begun) × 1, pass.ended × 1, ticket.code.minted × 1, ticket.open × 1, ticket.pin.minted × 1</small></td><td><p>tapdesk …</p></td></tr>
    <tr><td><small>req_…</small><small>2026-11-23T10:10:00Z</small></td><td>Jane Doe<small>7988138f-f23d-43bb-a1b9-a76902dae02b</small></td><td>Ada Agent<small>c6797c35-e06e-4305-9a5e-083dccb0801e</small><small>in slack</small></td><td>lost her phone, INC0012345<small>INC0012345</small></td><td>helpdesk for staff<small>approvals wanted: 1</small></td><td><p>2026-11-23T10:10:00Z approved by Mary Major (button)</p></td><td><p>2026-11-23T10:10:00Z code by sms to +49…12</p><p>2026-11-23T10:10:00Z pin by approver</p></td><td><p>claimed 2026-11-23T10:10:00Z, 1 made, 1 deleted, shown 2026-11-23T10:10:00Z</p></td><td>expired<small>2026-11-23T11:10:00Z</small><small>approver.asked × 2, owner.notice.minted × 2, owner.told × 2, pass.delete (begun) × 1, pass.ended × 1, ticket.code.minted × 1, ticket.open × 1, ticket.pin.minted × 1</small></td><td><p>tapdesk …</p></td></tr>
    <tr><td><small>req_…</small><small>2026-11-23T12:10:00Z</small></td><td>Jane Doe<small>7988138f-f23d-43bb-a1b9-a76902dae02b</small></td><td>Ada Agent<small>c6797c35-e06e-4305-9a5e-083dccb0801e</small><small>in slack</small></td><td>lost her phone, INC0012345<small>INC0012345</small></td><td>helpdesk for staff<small>approvals wanted: 1</small></td><td><p>2026-11-23T12:10:00Z approved by Mary Major (button)</p><p>2026-11-23T12:10:00Z stopped by Ada Agent (as requester)</p></td><td><p>2026-11-23T12:10:00Z code by sms to +49…12</p><p>2026-11-23T12:10:00Z pin by approver</p></td><td><p>claimed 2026-11-23T12:10:00Z, 1 made, 1 deleted, shown 2026-11-23T12:10:00Z</p></td><td>revoked by Ada Agent<small>2026-11-23T12:10:00Z</small><small>approver.asked × 2, owner.notice.minted × 2, owner.told × 2, pass.delete (begun) × 1, sessions.revoke (begun) × 1, sessions.revoke (revoked) × 1, ticket.code.minted × 1, ticket.open × 1, ticket.pin.minted × 1</small></td><td><p>tapdesk …</p></td></tr>
    <tr><td><small>req_…</small><small>2026-11-23T12:11:00Z</small></td><td>–</td><td>slack T0EXAMPLE/U0ADA<small>in slack</small></td><td>lost everything, INC0012346</td><td>–</td><td></td><td></td><td></td><td>refused (subject_unknown)<small>2026-11-23T12:11:00Z</small></td><td><p>tapdesk …</p></td></tr>
    <tr><td><small>req_…</small><small>2026-11-23T12:12:00Z</small></td><td>Jane Doe<small>7988138f-f23d-43bb-a1b9-a76902dae02b</small></td><td>Ada Agent<small>c6797c35-e06e-4305-9a5e-083dccb0801e</small><small>in slack</small></td><td>lost her phone, INC0012345<small>INC0012345</small></td><td>helpdesk for staff<small>approvals wanted: 1</small></td><td><p>2026-11-23T12:12:00Z denied by Mary Major</p></td><td></td><td></td><td>denied by Mary Major<small>2026-11-23T12:12:00Z</small><small>approver.asked × 2</small></td><td><p>tapdesk …</p></td></tr>
    <tr><td><small>req_…</small><small>2026-11-23T12:13:00Z</small></td><td>Jane Doe<small>7988138f-f23d-43bb-a1b9-a76902dae02b</small></td><td>Otto Oncall<small>cdcf428f-464c-4a20-a4ba-82fd21b47d51</small><small>in slack</small></td><td>=HYPERLINK(&quot;http://evil.example&quot;,&quot;&lt;script&gt;alert(1)&lt;/script&gt;&quot;)</td><td>number matched<small>approvals wanted: 1</small></td><td><p>2026-11-23T12:13:00Z mismatched by Mary Major</p></td><td></td><td></td><td>mismatched by Mary Major<small>2026-11-23T12:13:00Z</small><small>approver.asked × 1</small></td><td><p>tapdesk …</p></td></tr>
    <tr><td><small>req_…</small><small>2026-11-23T12:14:00Z</small></td><td>Jane Doe<small>7988138f-f23d-43bb-a1b9-a76902dae02b</small></td><td>Otto Oncall<small>cdcf428f-464c-4a20-a4ba-82fd21b47d51</small><small>in slack</small></td><td>left it in a taxi</td><td>number matched<small>approvals wanted: 1</small></td><td><p>2026-11-23T12:14:00Z approved by Mary Major (number matched)</p><p>2026-11-23T12:14:00Z stopped by Mary Major (as approver)</p></td><td><p>2026-11-23T12:14:00Z code by sms to +49…12</p></td><td></td><td>withdrawn by Mary Major<small>2026-11-23T12:14:00Z</small><small>approver.asked × 1, ticket.code.minted × 1</small></td><td><p>tapdesk …</p></td></tr>
    <tr><td><small>req_…</small><small>2026-11-23T12:15:00Z</small></td><td>Jane Doe<small>7988138f-f23d-43bb-a1b9-a76902dae02b</small></td><td>Ada Agent<small>c6797c35-e06e-4305-9a5e-083dccb0801e</small><small>in slack</small></td><td>lost her phone, INC0012345<small>INC0012345</small></td><td>helpdesk for staff<small>approvals wanted: 1</small></td><td><p>2026-11-23T12:15:00Z stopped by Ada Agent (as requester)</p></td><td></td><td></td><td>cancelled<small>2026-11-23T12:15:00Z</small><small>approver.asked × 2</small></td><td><p>tapdesk …</p></td></tr>
    <tr><td><small>req_…</small><small>2026-11-23T12:16:00Z</small></td><td>Jane Doe<small>7988138f-f23d-43bb-a1b9-a76902dae02b</small></td><td>Ada Agent<small>c6797c35-e06e-4305-9a5e-083dccb0801e</small><small>in slack</small></td><td>lost her phone, INC0012345<small>INC0012345</small></td><td>helpdesk for staff<small>approvals wanted: 1</small></td><td></td><td></td><td></td><td>lapsed_undecided<small>2026-11-23T16:16:00Z</small><small>approver.asked × 2</small></td><td><p>tapdesk …</p></td></tr>
    <tr><td><small>req_…</small><small>2026-11-23T16:16:00Z</small></td><td>Jane Doe<small>7988138f-f23d-43bb-a1b9-a76902dae02b</small></td><td>Ada Agent<small>c6797c35-e06e-4305-9a5e-083dccb0801e</small><small>in slack</small></td><td>lost her phone, INC0012345<small>INC0012345</small></td><td>helpdesk for staff<small>approvals wanted: 1</small></td><td><p>2026-11-23T16:16:00Z approved by Mary Major (button)</p></td><td><p>2026-11-23T16:16:00Z code by sms to +49…12</p><p>2026-11-23T16:16:00Z pin by approver</p></td><td></td><td>lapsed_unclaimed<small>2026-11-23T16:46:00Z</small><small>approver.asked × 2, ticket.code.minted × 1, ticket.open × 1, ticket.pin.minted × 1</small></td><td><p>tapdesk …</p></td></tr>
    <tr><td><small>req_…</small><small>2026-11-23T16:46:00Z</small></td><td>Jane Doe<small>7988138f-f23d-43bb-a1b9-a76902dae02b</small></td><td>Ada Agent<small>c6797c35-e06e-4305-9a5e-083dccb0801e</small><small>in slack</small></td><td>lost her phone, INC0012345<small>INC0012345</small></td><td>helpdesk for staff<small>approvals wanted: 1</small></td><td><p>2026-11-23T16:46:00Z approved by Mary Major (button)</p></td><td><p>2026-11-23T16:46:00Z code by sms to +49…12</p><p>2026-11-23T16:46:00Z pin by approver</p></td><td></td><td>locked<small>2026-11-23T16:46:00Z</small><small>approver.asked × 2, ticket.code.minted × 1, ticket.open × 1, ticket.pin.minted × 1, ticket.pin.wrong × 5</small></td><td><p>tapdesk …</p></td></tr>
    <tr><td><small>req_…</small><small>2026-11-23T16:47:00Z</small></td><td>Jane Doe<small>7988138f-f23d-43bb-a1b9-a76902dae02b</small></td><td>Ada Agent<small>c6797c35-e06e-4305-9a5e-083dccb0801e</small><small>in slack</small></td><td>lost her phone, INC0012345<small>INC0012345</small></td><td>helpdesk for staff<small>approvals wanted: 1</small></td><td><p>2026-11-23T16:47:00Z approved by Mary Major (button)</p></td><td><p>2026-11-23T16:47:00Z code by sms to +49…12</p><p>2026-11-23T16:47:00Z pin by approver</p></td><td><p>claimed 2026-11-23T16:47:00Z, 1 made, 1 deleted, shown 2026-11-23T16:47:00Z</p></td><td>reported<small>2026-11-23T16:47:00Z</small><small>approver.asked × 2, methods.listed × 1, owner.notice.minted × 2, owner.told × 2, pass.delete (begun) × 1, request.reported × 1, sessions.revoke (begun) × 1, sessions.revoke (revoked) × 1, ticket.code.minted × 1, ticket.open × 1, ticket.pin.minted × 1</small></td><td><p>tapdesk …</p></td></tr>
    <tr><td><small>req_…</small><small>2026-11-23T16:48:00Z</small></td><td>Jane Doe<small>7988138f-f23d-43bb-a1b9-a76902dae02b</small></td><td>Mary Major<small>06bfc7ce-1dc5-422e-9795-cd7bc9766598</small><small>in slack</small></td><td>stands beside me</td><td>at the source<small>approvals wanted: 0</small></td><td></td><td><p>2026-11-23T16:48:00Z code by sms to +49…12</p><p>2026-11-23T16:48:00Z pin by email to j…@home.example</p></td><td><p>claimed 2026-11-23T16:48:00Z, 1 made, 1 deleted, shown 2026-11-23T16:48:00Z</p></td><td>used<small>2026-11-23T16:53:00Z</small><small>methods.looked_at × 1, owner.notice.minted × 2, owner.told × 2, pass.delete (begun) × 1, pass.ended × 1, ticket.code.minted × 1, ticket.open × 1, ticket.pin.minted × 1</small></td><td><p>tapdesk …</p></td></tr>
    <tr><td><small>req_…</small><small>2026-11-23T16:58:00Z</small></td><td>Jane Doe<small>7988138f-f23d-43bb-a1b9-a76902dae02b</small></td><td>Ada Agent<small>c6797c35-e06e-4305-9a5e-083dccb0801e</small><small>in slack</small></td><td>lost her phone, INC0012345<small>INC0012345</small></td><td>helpdesk for staff<small>approvals wanted: 1</small></td><td></td><td></td><td></td><td>open<small>approver.asked × 2</small></td><td><p>tapdesk …</p></td></tr>
    </tbody>
    </table>
    </body>
    </html>
    "#);
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_json_has_a_summary_and_the_same_rows() -> anyhow::Result<()> {
    let world = a_day_of_every_ending().await?;
    let report = report_in(&world.reported(&["--json"]).await?)?;
    let requests = report["requests"].as_array().context("no requests")?;
    ensure!(requests.len() == 14 && report["names"] == "service", "{report:#}");
    assert_snapshot!(serde_json::to_string_pretty(&report["summary"])?, @r#"
    {
      "approved_without_approvals": 1,
      "by_outcome": {
        "cancelled": 1,
        "denied": 1,
        "expired": 1,
        "lapsed_unclaimed": 1,
        "lapsed_undecided": 1,
        "locked": 1,
        "mismatched": 1,
        "open": 1,
        "refused": 1,
        "reported": 1,
        "revoked": 1,
        "used": 2,
        "withdrawn": 1
      },
      "by_requester": [
        {
          "requester": {
            "id": "c6797c35-e06e-4305-9a5e-083dccb0801e",
            "name": "Ada Agent"
          },
          "requests": 10
        },
        {
          "requester": {
            "id": "cdcf428f-464c-4a20-a4ba-82fd21b47d51",
            "name": "Otto Oncall"
          },
          "requests": 2
        },
        {
          "requester": null,
          "requests": 1
        },
        {
          "requester": {
            "id": "06bfc7ce-1dc5-422e-9795-cd7bc9766598",
            "name": "Mary Major"
          },
          "requests": 1
        }
      ],
      "by_rule": {
        "at the source": 1,
        "helpdesk for staff": 10,
        "number matched": 2,
        "–": 1
      },
      "evaluated": 0,
      "passes_made": 5,
      "requests": 14
    }
    "#);
    let mut matched = requests[6].clone();
    let lines = matched["lines"]["tapdesk"].take();
    ensure!(lines.as_array().is_some_and(|lines| lines.len() > 5), "{lines}");
    assert_snapshot!(world.told_to_auditors(&serde_json::to_string_pretty(&matched)?)?, @r#"
    {
      "account": "T0EXAMPLE/U0OTTO",
      "approvals_wanted": 1,
      "approved_at": "2026-11-23T12:14:00Z",
      "asked_in": "slack",
      "claimed_at": null,
      "decisions": [
        {
          "at": "2026-11-23T12:14:00Z",
          "by": {
            "id": "06bfc7ce-1dc5-422e-9795-cd7bc9766598",
            "name": "Mary Major"
          },
          "decision": "approved",
          "proof": "number matched",
          "stands_for": null
        },
        {
          "at": "2026-11-23T12:14:00Z",
          "by": {
            "id": "06bfc7ce-1dc5-422e-9795-cd7bc9766598",
            "name": "Mary Major"
          },
          "decision": "stopped",
          "proof": "as approver",
          "stands_for": null
        }
      ],
      "ended_at": "2026-11-23T12:14:00Z",
      "lines": {
        "tapdesk": null
      },
      "mode": "enforce",
      "other_lines": {
        "approver.asked": 1,
        "ticket.code.minted": 1
      },
      "outcome": "withdrawn",
      "outcome_by": {
        "id": "06bfc7ce-1dc5-422e-9795-cd7bc9766598",
        "name": "Mary Major"
      },
      "outcome_why": null,
      "passes_deleted": 0,
      "passes_made": 0,
      "reason": "left it in a taxi",
      "reason_pseudonym": "~222cf49e3a653cb89f6389f5",
      "received_at": "2026-11-23T12:14:00Z",
      "request": "req_…",
      "requester": {
        "id": "cdcf428f-464c-4a20-a4ba-82fd21b47d51",
        "name": "Otto Oncall"
      },
      "rule": "number matched",
      "sent": [
        {
          "at": "2026-11-23T12:14:00Z",
          "route": "sms",
          "to": "+49…12",
          "what": "code"
        }
      ],
      "shown_at": null,
      "subject": {
        "id": "7988138f-f23d-43bb-a1b9-a76902dae02b",
        "name": "Jane Doe"
      },
      "ticket_number": null
    }
    "#);
    world.finish_unread().await
}
