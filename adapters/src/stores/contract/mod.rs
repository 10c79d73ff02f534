//! What does every store promise? One suite for all engines.
//!
//! Each promise is a function that takes an empty store and panics where the promise is broken.
//! [`store_contract!`](crate::store_contract) makes one test of each; [`model::agree`] compares a store, step by
//! step, with a few maps in memory; [`crowd::adds_up`] lets several workers at it at once.

#![expect(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "a contract is kept by panicking where it is broken; nothing but tests calls it"
)]

pub mod crowd;
pub mod model;
pub mod samples;
mod sentences;

pub use sentences::*;

/// One `#[tokio::test]` per promise. `$make` is an `async fn() -> Arc<dyn Store>` that makes an empty store.
///
/// The macro expands where it is used, so that crate needs `tokio` with `macros` and a runtime.
#[macro_export]
macro_rules! store_contract {
    ($make:path) => {
        $crate::store_contract!(@each $make:
            a_delivery_opens_one_request,
            a_requester_opens_no_more_than_the_cap,
            visitors_open_no_more_than_the_cap_for_one_name,
            a_source_opens_no_more_than_its_cap,
            a_requester_who_was_refused_may_ask_again_when_the_window_moved_on,
            a_request_is_loaded_as_it_was_stored,
            a_lost_race_is_a_conflict,
            of_many_racers_one_wins,
            a_repeated_delivery_changes_nothing,
            a_refused_commit_leaves_nothing_behind,
            one_open_request_per_subject,
            a_request_that_loses_its_subject_to_another_can_still_be_closed,
            people_find_their_open_requests_and_no_others,
            a_code_of_an_older_generation_is_not_found,
            a_closed_request_is_still_found_by_its_code,
            a_notice_is_found_by_its_newest_token,
            tries_are_counted_before_they_are_checked,
            tries_at_once_are_counted_one_by_one,
            tries_of_a_closed_request_are_counted_too,
            fresh_tries_start_anew,
            due_tasks_come_oldest_first,
            a_task_is_leased_to_one_worker,
            a_dead_workers_lease_runs_out,
            a_lost_lease_settles_nothing,
            a_task_that_is_done_never_comes_back,
            a_task_that_was_given_back_comes_when_it_said,
            the_next_due_time_counts_leases_too,
            requests_are_found_by_who_approved_them,
            tickets_are_found_per_subject_and_time,
            closed_requests_are_found_by_their_people_too,
            the_anchor_never_moves_backwards,
            each_ledger_has_its_own_anchor,
            a_delegation_is_kept_until_it_is_replaced_or_taken_away,
            a_conversation_is_kept_until_it_is_replaced_or_forgotten,
            a_lockdown_is_remembered_until_it_is_lifted,
            closed_requests_are_forgotten_with_everything_that_finds_them,
            a_closed_request_with_work_left_is_not_forgotten,
            many_closed_requests_are_forgotten_at_once,
        );
    };
    (@each $make:path: $($promise:ident,)*) => {$(
        #[tokio::test]
        async fn $promise() {
            $crate::stores::contract::$promise($make().await).await;
        }
    )*};
}
