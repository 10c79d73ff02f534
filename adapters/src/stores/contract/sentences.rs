//! The promises, one function each.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tapdesk_core::ids::{LedgerName, Version};
use tapdesk_core::ports::{
    Commit, CommitError, Conversation, Leased, Opened, PIN_TRIES, RequesterCap, Store, TRY_LEASE, Try,
};
use tapdesk_core::request::{Asker, Matching, Party, Request, Sourced, Whom};

use super::samples::{
    NO_CAP, account, at, awaiting, by_delivery, claimable, closed, code, commit, delegation, group, head,
    head_of, id, noticed, person, received, token, with_task, worker,
};

/// What a contract is checked on.
type Any = Arc<dyn Store>;

const MINUTE: Duration = Duration::from_mins(1);

/// A second delivery of the same message is told which request the first one made.
pub async fn a_delivery_opens_one_request(store: Any) {
    assert_eq!(open(&store, by_delivery(commit(received(1)), 7)).await, Opened::New);
    assert_eq!(open(&store, by_delivery(commit(received(2)), 7)).await, Opened::Seen(id(1)));
    assert_eq!(store.load(&id(2)).await.unwrap(), None);
}

/// The cap counts what was opened; repeated deliveries and refused requests do not count.
pub async fn a_requester_opens_no_more_than_the_cap(store: Any) {
    let cap = RequesterCap { most: 2, window: MINUTE };
    for n in 1..=2 {
        let opened = store.open(by_delivery(commit(received(n)), n), cap, at(n.into())).await.unwrap();
        assert_eq!(opened, Opened::New);
    }
    let third = by_delivery(commit(received(3)), 3);
    assert_eq!(store.open(third, cap, at(3)).await.unwrap(), Opened::TooMany);
    assert_eq!(store.load(&id(3)).await.unwrap(), None);
    let repeated = by_delivery(commit(received(4)), 2);
    assert_eq!(store.open(repeated, cap, at(3)).await.unwrap(), Opened::Seen(id(2)));
    let other = Request { requester: Asker::Account(account(2)), ..received(5) };
    assert_eq!(store.open(commit(other), cap, at(3)).await.unwrap(), Opened::New);
}

/// Nobody knows who visits: what was asked for one name counts together, and apart from what accounts ask.
pub async fn visitors_open_no_more_than_the_cap_for_one_name(store: Any) {
    let cap = RequesterCap { most: 1, window: MINUTE };
    let shown: Matching = serde_json::from_str(r#"{"number":47,"choices":[83,47,12]}"#).unwrap();
    let visited = |n, of: &Request| Request {
        requester: Asker::Visitor(shown),
        subject: of.subject.clone(),
        ..received(n)
    };
    let (first, other) = (received(1), received(2));
    for (request, expected) in [
        (visited(1, &first), Opened::New),
        (visited(2, &first), Opened::TooMany),
        (visited(3, &other), Opened::New),
        (Request { id: id(4), ..first.clone() }, Opened::New),
    ] {
        assert_eq!(store.open(commit(request), cap, at(0)).await.unwrap(), expected);
    }
    assert_eq!(store.open_requests(&Whom::Requester(account(1))).await.unwrap(), [id(4)]);
}

/// Whoever its requests are for; a repeated delivery is no further one, even when the cap is reached.
pub async fn a_source_opens_no_more_than_its_cap(store: Any) {
    let cap = RequesterCap { most: 2, window: MINUTE };
    let asked = |n: u32, source: &str| {
        let sourced = Sourced {
            source: source.parse().unwrap(),
            requested_by: None,
            approved_by: None,
            key: n.to_string(),
            fingerprint: n.to_string(),
        };
        by_delivery(commit(Request { requester: Asker::Source(sourced), ..received(n) }), n)
    };
    for (n, source, expected) in [
        (1, "ServiceNow", Opened::New),
        (2, "ServiceNow", Opened::New),
        (3, "ServiceNow", Opened::TooMany),
        (4, "Workflow", Opened::New),
        (1, "ServiceNow", Opened::Seen(id(1))),
    ] {
        assert_eq!(store.open(asked(n, source), cap, at(1)).await.unwrap(), expected, "{n}");
    }
}

/// The window moves, and a refused delivery was not claimed.
pub async fn a_requester_who_was_refused_may_ask_again_when_the_window_moved_on(store: Any) {
    let cap = RequesterCap { most: 1, window: MINUTE };
    assert_eq!(store.open(commit(received(1)), cap, at(0)).await.unwrap(), Opened::New);
    let second = by_delivery(commit(received(2)), 2);
    assert_eq!(store.open(second.clone(), cap, at(59)).await.unwrap(), Opened::TooMany);
    assert_eq!(store.open(second, cap, at(61)).await.unwrap(), Opened::New);
}

/// Every field survives, and the version counts the changes.
pub async fn a_request_is_loaded_as_it_was_stored(store: Any) {
    assert_eq!(store.load(&id(1)).await.unwrap(), None);
    open(&store, commit(received(1))).await;
    let stored = store.load(&id(1)).await.unwrap().unwrap();
    assert_eq!((stored.request, stored.version), (received(1), Version::FIRST));
    let next = noticed(1, 10, 5, 6);
    assert_eq!(store.commit(Version::FIRST, commit(next.clone())).await.unwrap(), Version(2));
    let stored = store.load(&id(1)).await.unwrap().unwrap();
    assert_eq!((stored.request, stored.version), (next, Version(2)));
}

/// A commit from an older version, or of a request that is not there, does nothing.
pub async fn a_lost_race_is_a_conflict(store: Any) {
    open(&store, commit(received(1))).await;
    store.commit(Version::FIRST, commit(awaiting(1, 10, 2))).await.unwrap();
    let late = store.commit(Version::FIRST, commit(closed(&received(1), at(1)))).await;
    assert!(matches!(late, Err(CommitError::Conflict)), "{late:?}");
    assert_eq!(store.load(&id(1)).await.unwrap().unwrap().request, awaiting(1, 10, 2));
    let stranger = store.commit(Version::FIRST, commit(received(9))).await;
    assert!(matches!(stranger, Err(CommitError::Conflict)), "{stranger:?}");
}

/// Commits that race from the same version have one winner.
pub async fn of_many_racers_one_wins(store: Any) {
    open(&store, commit(received(1))).await;
    let racers: Vec<_> = (0..16)
        .map(|_| {
            let store = Arc::clone(&store);
            tokio::spawn(
                async move { store.commit(Version::FIRST, commit(awaiting(1, 10, 2))).await.is_ok() },
            )
        })
        .collect();
    let mut winners = 0;
    for racer in racers {
        winners += u32::from(racer.await.unwrap());
    }
    assert_eq!(winners, 1);
}

/// A delivery is claimed by the commit that it caused, whatever the version is by then.
pub async fn a_repeated_delivery_changes_nothing(store: Any) {
    open(&store, by_delivery(commit(received(1)), 1)).await;
    let change = by_delivery(commit(awaiting(1, 10, 2)), 2);
    store.commit(Version::FIRST, change.clone()).await.unwrap();
    for expected in [Version::FIRST, Version(2)] {
        let again = store.commit(expected, change.clone()).await;
        assert!(matches!(again, Err(CommitError::Seen)), "{again:?}");
    }
    let opening = store.commit(Version(2), by_delivery(commit(awaiting(1, 10, 2)), 1)).await;
    assert!(matches!(opening, Err(CommitError::Seen)), "{opening:?}");
    assert_eq!(store.load(&id(1)).await.unwrap().unwrap().version, Version(2));
}

/// A commit that lost brings neither its tasks nor its delivery nor its head.
pub async fn a_refused_commit_leaves_nothing_behind(store: Any) {
    open(&store, commit(received(1))).await;
    let lost =
        Commit { head: head(9), ..with_task(by_delivery(commit(claimable(1, 10, 5, at(0))), 2), at(0)) };
    store.commit(Version(7), lost).await.unwrap_err();
    assert_eq!(store.next_due().await.unwrap(), None);
    assert_eq!(store.anchor(&LedgerName::default()).await.unwrap(), head(0));
    assert_eq!(store.find_code(&code(5)).await.unwrap(), None);
    store.commit(Version::FIRST, by_delivery(commit(received(1)), 2)).await.unwrap();
}

/// The second request that binds a subject learns about the first; once that is closed it may go on.
pub async fn one_open_request_per_subject(store: Any) {
    open(&store, commit(received(1))).await;
    open(&store, commit(received(2))).await;
    let first = awaiting(1, 10, 2);
    store.commit(Version::FIRST, commit(first.clone())).await.unwrap();
    let second = store.commit(Version::FIRST, commit(awaiting(2, 10, 2))).await;
    assert!(matches!(&second, Err(CommitError::SubjectBusy(other)) if *other == id(1)), "{second:?}");
    store.commit(Version(2), commit(claimable(1, 10, 5, at(1)))).await.unwrap();
    store.commit(Version(3), commit(closed(&first, at(2)))).await.unwrap();
    store.commit(Version::FIRST, commit(awaiting(2, 10, 2))).await.unwrap();
}

/// A closed request binds nobody, so it can always be written.
pub async fn a_request_that_loses_its_subject_to_another_can_still_be_closed(store: Any) {
    open(&store, commit(received(1))).await;
    open(&store, commit(received(2))).await;
    store.commit(Version::FIRST, commit(awaiting(1, 10, 2))).await.unwrap();
    store.commit(Version::FIRST, commit(closed(&awaiting(2, 10, 2), at(1)))).await.unwrap();
}

/// Subject, requester and approvers find a request while it is open and concerns them.
pub async fn people_find_their_open_requests_and_no_others(store: Any) {
    open(&store, commit(received(1))).await;
    open(&store, commit(Request { requester: Asker::Account(account(2)), ..received(2) })).await;
    assert_eq!(store.open_requests(&Whom::Requester(account(1))).await.unwrap(), [id(1)]);
    assert_eq!(store.open_requests(&Whom::Subject(person(10))).await.unwrap(), []);

    store.commit(Version::FIRST, commit(awaiting(1, 10, 3))).await.unwrap();
    assert_eq!(store.open_requests(&Whom::Subject(person(10))).await.unwrap(), [id(1)]);
    assert_eq!(store.open_requests(&Whom::Approver(person(3))).await.unwrap(), [id(1)]);
    assert_eq!(store.open_requests(&Whom::Subject(person(3))).await.unwrap(), []);
    assert_eq!(store.open_requests(&Whom::Colleagues(group(3))).await.unwrap(), [id(1)]);
    assert_eq!(store.open_requests(&Whom::Colleagues(group(1))).await.unwrap(), []);

    store.commit(Version(2), commit(claimable(1, 10, 5, at(1)))).await.unwrap();
    assert_eq!(store.open_requests(&Whom::Approver(person(3))).await.unwrap(), []);

    store.commit(Version(3), commit(closed(&claimable(1, 10, 5, at(1)), at(2)))).await.unwrap();
    assert_eq!(store.open_requests(&Whom::Subject(person(10))).await.unwrap(), []);
    assert_eq!(store.open_requests(&Whom::Requester(account(1))).await.unwrap(), []);
    assert_eq!(store.open_requests(&Whom::Colleagues(group(2))).await.unwrap(), []);
}

/// Only the newest code opens anything.
pub async fn a_code_of_an_older_generation_is_not_found(store: Any) {
    ticket(&store, 1).await;
    assert_eq!(store.find_code(&code(1)).await.unwrap(), Some(id(1)));
    store.commit(Version(2), commit(claimable(1, 11, 100, at(0)))).await.unwrap();
    assert_eq!(store.find_code(&code(1)).await.unwrap(), None);
    assert_eq!(store.try_pin(&code(1), at(0)).await.unwrap(), Try::Unknown);
    assert_eq!(store.find_code(&code(100)).await.unwrap(), Some(id(1)));
}

/// The holder of a code may ask why it is over.
pub async fn a_closed_request_is_still_found_by_its_code(store: Any) {
    ticket(&store, 1).await;
    store.commit(Version(2), commit(closed(&claimable(1, 11, 1, at(0)), at(1)))).await.unwrap();
    assert_eq!(store.find_code(&code(1)).await.unwrap(), Some(id(1)));
}

/// A newer notice voids the link of the older.
pub async fn a_notice_is_found_by_its_newest_token(store: Any) {
    open(&store, commit(received(1))).await;
    store.commit(Version::FIRST, commit(noticed(1, 10, 5, 6))).await.unwrap();
    assert_eq!(store.find_report(&token(6)).await.unwrap(), Some(id(1)));
    store.commit(Version(2), commit(noticed(1, 10, 5, 7))).await.unwrap();
    assert_eq!(store.find_report(&token(6)).await.unwrap(), None);
    assert_eq!(store.find_report(&token(7)).await.unwrap(), Some(id(1)));
}

/// Five tries are counted; then it is busy until the last of them must have come back.
pub async fn tries_are_counted_before_they_are_checked(store: Any) {
    assert_eq!(store.try_pin(&code(1), at(0)).await.unwrap(), Try::Unknown);
    ticket(&store, 1).await;
    for n in 0..PIN_TRIES {
        assert_eq!(store.try_pin(&code(1), at(n.into())).await.unwrap(), Try::Counted(id(1)));
    }
    let last = at(i64::from(PIN_TRIES) - 1);
    assert_eq!(
        store.try_pin(&code(1), last + TRY_LEASE - Duration::from_secs(1)).await.unwrap(),
        Try::Busy(id(1))
    );
    let later = last + TRY_LEASE + Duration::from_secs(1);
    assert_eq!(store.try_pin(&code(1), later).await.unwrap(), Try::Exhausted(id(1)));
    ticket(&store, 2).await;
    assert_eq!(store.try_pin(&code(2), last).await.unwrap(), Try::Counted(id(2)));
}

/// Tries that come at the same moment share no count.
pub async fn tries_at_once_are_counted_one_by_one(store: Any) {
    ticket(&store, 1).await;
    let tries: Vec<_> = (0..20)
        .map(|_| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { store.try_pin(&code(1), at(0)).await.unwrap() })
        })
        .collect();
    let mut counted = 0;
    for one in tries {
        counted += u8::from(matches!(one.await.unwrap(), Try::Counted(_)));
    }
    assert_eq!(counted, PIN_TRIES);
}

/// Whether the ticket still lives is for the core to say.
pub async fn tries_of_a_closed_request_are_counted_too(store: Any) {
    ticket(&store, 1).await;
    store.commit(Version(2), commit(closed(&claimable(1, 11, 1, at(0)), at(1)))).await.unwrap();
    assert_eq!(store.try_pin(&code(1), at(2)).await.unwrap(), Try::Counted(id(1)));
}

/// A commit says whether the tries start anew; a new code alone does not.
pub async fn fresh_tries_start_anew(store: Any) {
    ticket(&store, 1).await;
    for _ in 0..PIN_TRIES {
        store.try_pin(&code(1), at(0)).await.unwrap();
    }
    store.commit(Version(2), commit(claimable(1, 11, 1, at(0)))).await.unwrap();
    assert_eq!(store.try_pin(&code(1), at(0)).await.unwrap(), Try::Busy(id(1)));
    let fresh = Commit { fresh_tries: true, ..commit(claimable(1, 11, 1, at(0))) };
    store.commit(Version(3), fresh).await.unwrap();
    assert_eq!(store.try_pin(&code(1), at(0)).await.unwrap(), Try::Counted(id(1)));
}

/// Tasks come in the order of their time, none before it, and no more than asked for.
pub async fn due_tasks_come_oldest_first(store: Any) {
    for (n, due) in [(1, 30), (2, 10), (3, 20), (4, 99)] {
        open(&store, with_task(commit(received(n)), at(due))).await;
    }
    let first = lease(&store, 50, 2).await;
    assert_eq!(first.iter().map(|task| task.due).collect::<Vec<_>>(), [at(10), at(20)]);
    let rest = lease(&store, 50, 9).await;
    assert_eq!(rest.iter().map(|task| task.due).collect::<Vec<_>>(), [at(30)]);
}

/// While the lease runs, nobody else gets the task.
pub async fn a_task_is_leased_to_one_worker(store: Any) {
    open(&store, with_task(commit(received(1)), at(0))).await;
    assert_eq!(lease(&store, 0, 9).await.len(), 1);
    assert_eq!(store.due(at(59), &worker("b"), MINUTE, 9).await.unwrap(), []);
}

/// After the lease another worker gets the task and learns who held it before and did not settle it.
pub async fn a_dead_workers_lease_runs_out(store: Any) {
    open(&store, with_task(commit(received(1)), at(0))).await;
    assert_eq!(lease(&store, 5, 9).await[0].left_by, None);
    let second = store.due(at(66), &worker("b"), MINUTE, 9).await.unwrap();
    assert_eq!((second.len(), &second[0].left_by, second[0].due), (1, &Some(worker("a")), at(0)));
    store.again(&second[0], at(70)).await.unwrap();
    assert_eq!(lease(&store, 70, 9).await[0].left_by, None);
}

/// Somebody else performs the task by then, or it was given back: that is not for an earlier holder to end.
pub async fn a_lost_lease_settles_nothing(store: Any) {
    open(&store, with_task(commit(received(1)), at(0))).await;
    let mut lost = Vec::new();
    for (now, name) in [(0, "a"), (100, "a"), (200, "b")] {
        lost.extend(store.due(at(now), &worker(name), MINUTE, 9).await.unwrap());
    }
    let held = lost.pop().unwrap();
    settle_all(&store, &lost, at(210)).await;
    assert_eq!(store.due(at(220), &worker("c"), MINUTE, 9).await.unwrap(), []);
    store.again(&held, at(300)).await.unwrap();
    lost.push(held);
    settle_all(&store, &lost, at(210)).await;
    assert_eq!(lease(&store, 299, 9).await, []);
    let next = lease(&store, 300, 9).await;
    assert_eq!((next.len(), next[0].due, &next[0].left_by), (1, at(300), &None));
}

/// Done is done, also when it is said twice.
pub async fn a_task_that_is_done_never_comes_back(store: Any) {
    open(&store, with_task(with_task(commit(received(1)), at(0)), at(0))).await;
    let leased = lease(&store, 0, 1).await;
    for _ in 0..2 {
        store.done(&leased[0]).await.unwrap();
    }
    let rest = lease(&store, 9999, 9).await;
    assert_eq!(rest.len(), 1);
    assert_ne!(rest[0].key, leased[0].key);
    store.done(&rest[0]).await.unwrap();
    store.again(&rest[0], at(1)).await.unwrap();
    assert_eq!(store.next_due().await.unwrap(), None);
}

/// A task that was given back is due at its new time.
pub async fn a_task_that_was_given_back_comes_when_it_said(store: Any) {
    open(&store, with_task(commit(received(1)), at(0))).await;
    let leased = lease(&store, 0, 9).await;
    store.again(&leased[0], at(500)).await.unwrap();
    assert_eq!(lease(&store, 499, 9).await, []);
    let again = lease(&store, 500, 9).await;
    assert_eq!((again[0].due, &again[0].task), (at(500), &leased[0].task));
}

/// A worker that sleeps until then misses nothing.
pub async fn the_next_due_time_counts_leases_too(store: Any) {
    assert_eq!(store.next_due().await.unwrap(), None);
    open(&store, with_task(with_task(commit(received(1)), at(10)), at(500))).await;
    assert_eq!(store.next_due().await.unwrap(), Some(at(10)));
    lease(&store, 10, 9).await;
    let next = store.next_due().await.unwrap();
    assert!(next.is_some_and(|next| (at(70)..at(71)).contains(&next)), "{next:?}");
}

/// What became of a request can be asked for as long as it is kept.
pub async fn closed_requests_are_found_by_their_people_too(store: Any) {
    for n in 1..=3 {
        open(&store, commit(Request { received_at: at(i64::from(n)), ..received(n) })).await;
    }
    let aged = |n: u32, request: Request| Request { received_at: at(i64::from(n)), ..request };
    store.commit(Version::FIRST, commit(aged(1, closed(&awaiting(1, 10, 3), at(50))))).await.unwrap();
    store.commit(Version::FIRST, commit(aged(2, awaiting(2, 10, 3)))).await.unwrap();
    let (subject, requester) = (Party::Subject(person(10)), Party::Requester(account(1)));
    for (since, expected) in [(0, vec![id(1), id(2)]), (2, vec![id(2)]), (3, vec![])] {
        assert_eq!(store.requests_since(&subject, at(since)).await.unwrap(), expected, "{since}");
    }
    assert_eq!(store.requests_since(&requester, at(1)).await.unwrap(), [id(1), id(2), id(3)]);
    assert_eq!(store.requests_since(&Party::Requester(account(2)), at(0)).await.unwrap(), []);
}

/// Who approved is remembered as long as the request is, and who was only asked is not.
pub async fn requests_are_found_by_who_approved_them(store: Any) {
    for n in 1..=2 {
        open(&store, commit(received(n))).await;
    }
    store.commit(Version::FIRST, commit(awaiting(1, 10, 2))).await.unwrap();
    store.commit(Version::FIRST, commit(awaiting(2, 11, 2))).await.unwrap();
    let approved = Party::Approved(person(2));
    assert_eq!(store.requests_since(&approved, at(0)).await.unwrap(), []);
    let granted = claimable(1, 10, 1, at(5));
    store.commit(Version(2), commit(granted.clone())).await.unwrap();
    assert_eq!(store.requests_since(&approved, at(0)).await.unwrap(), [id(1)]);
    store.commit(Version(3), commit(closed(&granted, at(6)))).await.unwrap();
    assert_eq!(store.requests_since(&approved, at(0)).await.unwrap(), [id(1)]);
    assert_eq!(store.forget(at(7)).await.unwrap(), 1);
    assert_eq!(store.requests_since(&approved, at(0)).await.unwrap(), []);
}

/// A request counts once, whatever its codes, and is found after it closed.
pub async fn tickets_are_found_per_subject_and_time(store: Any) {
    for (n, opened) in [(1, 100), (2, 200)] {
        open(&store, commit(received(n))).await;
        let request = claimable(n, 10, n, at(opened));
        store.commit(Version::FIRST, commit(request.clone())).await.unwrap();
        store.commit(Version(2), commit(claimable(n, 10, n + 50, at(opened)))).await.unwrap();
        store.commit(Version(3), commit(closed(&request, at(opened + 1)))).await.unwrap();
    }
    for (since, expected) in [(0, &[1, 2][..]), (100, &[1, 2]), (101, &[2]), (201, &[])] {
        let expected: Vec<_> = expected.iter().map(|n| id(*n)).collect();
        assert_eq!(store.tickets_since(person(10), at(since)).await.unwrap(), expected, "{since}");
    }
    assert_eq!(store.tickets_since(person(11), at(0)).await.unwrap(), []);
}

/// Commits may arrive in another order than their records were written.
pub async fn the_anchor_never_moves_backwards(store: Any) {
    let ledger = LedgerName::default();
    assert_eq!(store.anchor(&ledger).await.unwrap(), head(0));
    open(&store, Commit { head: head(5), ..commit(received(1)) }).await;
    assert_eq!(store.anchor(&ledger).await.unwrap(), head(5));
    store.commit(Version::FIRST, Commit { head: head(3), ..commit(received(1)) }).await.unwrap();
    assert_eq!(store.anchor(&ledger).await.unwrap(), head(5));
    store.commit(Version(2), Commit { head: head(8), ..commit(received(1)) }).await.unwrap();
    assert_eq!(store.anchor(&ledger).await.unwrap(), head(8));
}

/// Replicas write ledgers of their own, one longer than the other.
pub async fn each_ledger_has_its_own_anchor(store: Any) {
    let [one, other]: [LedgerName; 2] = ["replica-1", "replica-2"].map(|name| name.parse().unwrap());
    open(&store, Commit { head: head_of(&one, 9), ..commit(received(1)) }).await;
    let change = Commit { head: head_of(&other, 2), ..commit(received(1)) };
    store.commit(Version::FIRST, change).await.unwrap();
    assert_eq!(store.anchor(&one).await.unwrap(), head_of(&one, 9));
    assert_eq!(store.anchor(&other).await.unwrap(), head_of(&other, 2));
    assert_eq!(store.anchor(&LedgerName::default()).await.unwrap(), head(0));
}

/// Where a chat reaches an account is known until the chat tells something else, for that account alone.
pub async fn a_conversation_is_kept_until_it_is_replaced_or_forgotten(store: Any) {
    let kept = |n: u32| {
        let store = store.clone();
        async move { store.conversation(&account(n)).await.unwrap() }
    };
    let told = |words: &str| Some(Conversation(words.to_owned()));
    assert_eq!(kept(1).await, None);
    store.keep_conversation(&account(1), told("first")).await.unwrap();
    store.keep_conversation(&account(2), told("second")).await.unwrap();
    store.keep_conversation(&account(1), told("third")).await.unwrap();
    assert_eq!((kept(1).await, kept(2).await), (told("third"), told("second")));
    store.keep_conversation(&account(1), None).await.unwrap();
    store.keep_conversation(&account(1), None).await.unwrap();
    assert_eq!((kept(1).await, kept(2).await), (None, told("second")));
}

/// Each delegator has one, whoever else delegates to the same person.
pub async fn a_delegation_is_kept_until_it_is_replaced_or_taken_away(store: Any) {
    let kept = |n: u32| {
        let store = Arc::clone(&store);
        async move { store.delegation(person(n)).await.unwrap() }
    };
    assert_eq!(kept(1).await, None);
    store.set_delegation(person(1), Some(delegation(1, 9))).await.unwrap();
    store.set_delegation(person(2), Some(delegation(2, 9))).await.unwrap();
    assert_eq!(
        (kept(1).await, kept(2).await, kept(9).await),
        (Some(delegation(1, 9)), Some(delegation(2, 9)), None)
    );
    store.set_delegation(person(1), Some(delegation(1, 8))).await.unwrap();
    assert_eq!(kept(1).await, Some(delegation(1, 8)));
    store.set_delegation(person(1), None).await.unwrap();
    store.set_delegation(person(1), None).await.unwrap();
    assert_eq!((kept(1).await, kept(2).await), (None, Some(delegation(2, 9))));
}

/// On until it is lifted.
pub async fn a_lockdown_is_remembered_until_it_is_lifted(store: Any) {
    assert_eq!(store.lockdown().await.unwrap(), None);
    store.set_lockdown(Some(at(3))).await.unwrap();
    assert_eq!(store.lockdown().await.unwrap(), Some(at(3)));
    store.set_lockdown(None).await.unwrap();
    assert_eq!(store.lockdown().await.unwrap(), None);
}

/// A forgotten request leaves no trace; open ones and younger ones stay.
pub async fn closed_requests_are_forgotten_with_everything_that_finds_them(store: Any) {
    for n in 1..=3 {
        open(&store, by_delivery(commit(received(n)), n)).await;
        store.commit(Version::FIRST, commit(noticed(n, 10 + n, n, n))).await.unwrap();
    }
    store.commit(Version(2), commit(closed(&noticed(1, 11, 1, 1), at(10)))).await.unwrap();
    store.commit(Version(2), commit(closed(&noticed(2, 12, 2, 2), at(20)))).await.unwrap();
    assert_eq!(store.forget(at(20)).await.unwrap(), 1);
    assert_eq!(store.load(&id(1)).await.unwrap(), None);
    assert_eq!(store.find_code(&code(1)).await.unwrap(), None);
    assert_eq!(store.find_report(&token(1)).await.unwrap(), None);
    assert_eq!(store.tickets_since(person(11), at(0)).await.unwrap(), []);
    assert_eq!(store.requests_since(&Party::Subject(person(11)), at(0)).await.unwrap(), []);
    assert_eq!(store.requests_since(&Party::Requester(account(1)), at(0)).await.unwrap().len(), 2);
    assert_eq!(open(&store, by_delivery(commit(received(4)), 1)).await, Opened::New);
    assert_eq!(open(&store, by_delivery(commit(received(5)), 2)).await, Opened::Seen(id(2)));
    assert!(store.load(&id(3)).await.unwrap().is_some());
    assert_eq!(store.forget(at(20)).await.unwrap(), 0);
}

/// A request is kept while somebody still has to be told of its end.
pub async fn a_closed_request_with_work_left_is_not_forgotten(store: Any) {
    open(&store, with_task(commit(received(1)), at(0))).await;
    store.commit(Version::FIRST, commit(closed(&received(1), at(1)))).await.unwrap();
    assert_eq!(store.forget(at(99)).await.unwrap(), 0);
    let leased = lease(&store, 0, 9).await;
    store.done(&leased[0]).await.unwrap();
    assert_eq!(store.forget(at(99)).await.unwrap(), 1);
}

/// However many there are, and whatever stands between them.
pub async fn many_closed_requests_are_forgotten_at_once(store: Any) {
    let mut work = Vec::new();
    for n in 0..300 {
        let store = Arc::clone(&store);
        work.push(tokio::spawn(async move {
            let opening = commit(received(n));
            open(&store, if n % 50 == 0 { with_task(opening, at(0)) } else { opening }).await;
            store.commit(Version::FIRST, commit(closed(&received(n), at(1)))).await.unwrap();
        }));
    }
    for one in work {
        one.await.unwrap();
    }
    assert_eq!(store.forget(at(2)).await.unwrap(), 294);
    assert_eq!(store.forget(at(2)).await.unwrap(), 0);
}

async fn open(store: &Any, opening: Commit) -> Opened {
    store.open(opening, NO_CAP, at(0)).await.unwrap()
}

/// Request `n` with a ticket: subject `10 + n`, code `n`.
async fn ticket(store: &Any, n: u32) {
    open(store, commit(received(n))).await;
    store.commit(Version::FIRST, commit(claimable(n, 10 + n, n, at(0)))).await.unwrap();
}

async fn settle_all(store: &Any, leased: &[Leased], later: Timestamp) {
    for one in leased {
        store.again(one, later).await.unwrap();
        store.done(one).await.unwrap();
    }
}

async fn lease(store: &Any, now: i64, most: usize) -> Vec<Leased> {
    store.due(at(now), &worker("a"), MINUTE, most).await.unwrap()
}
