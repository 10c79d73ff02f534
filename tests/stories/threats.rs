//! Which bugs did others pay for, and which story shows that tapdesk does not have them?
//!
//! By the numbers of our list of threats (§2.4 security bugs, §2.5 faults in peers' code), as far as they can apply here.
//! Where a story elsewhere tells it already, it is named; the others follow below.
//!
//! | bug | of | told by |
//! |---|---|---|
//! | 29 a click is authorised by its conversation, not by who clicked | zeroclaw, cadis, hermes-agent | `buttons::seeing_a_button_gives_nobody_the_right_to_press_it`, and in a shared channel `on_slack::buttons::bug_29_somebody_else_in_a_shared_channel_clicks_in_vain` |
//! | 30 an empty allow-list lets everybody approve | hermes-agent | `buttons::an_empty_group_of_approvers_means_nobody` |
//! | 31 a button carries what other requests and cards accept | hermes-agent | `buttons::a_button_is_good_for_one_request_and_one_person` |
//! | 32 state in memory: the first click after a restart is swallowed; who may not click hears nothing | hermes-agent | `buttons::the_first_press_after_a_restart_counts` |
//! | 33 two updates race and "by @user" is lost | openclaw | `buttons::every_copy_of_the_card_names_the_one_who_decided` |
//! | 33 people are authorised by name, claims repeat, card payloads leak into texts | openclaw | `approving::object_ids_tell_people_apart_and_names_do_not`, `claim::of_sixty_four_browsers_one_gets_the_pass`, and below |
//! | 34 simultaneous Approve clicks decide twice | sso-elevator | `decide_once::decide_once`, `decide_once::thirty_two_clicks_of_one_hand_are_one_approval` |
//! | 34 buttons vanish where only a group approves | sso-elevator | `buttons::members_of_a_group_see_buttons_that_work` |
//! | 35 IT owns the chat, approves itself, and nobody can tell | teleport-plugins | `approving::separate_people`, `on_slack::buttons::an_account_that_later_takes_the_approvers_address_decides_nothing`, `for_auditors` |
//! | a link service that fails opens the way to the raw pass | CIPP | `contacts::a_code_that_no_route_takes_ends_the_request`, `contacts::a_pin_that_no_route_takes_ends_the_request`, `fail_closed::fail_closed` |
//! | the text `'false'` counts as true | CIPP | below |
//! | "granted" is said before it is done, and the error is dropped | sso-elevator, tailscale | below; `graph_trouble::a_create_that_is_forbidden_is_told_to_ada_and_the_permission_is_named` |
//! | granting twice by asking twice at once | accessbot | `claim::a_double_click_gets_one_pass`, `policy::a_subject_has_one_open_request_however_they_are_named` |
//! | request ids of four characters | accessbot | below |
//! | names alone match people | Azure sample | `approving::object_ids_tell_people_apart_and_names_do_not` |
//! | the pass is cached, its link logged | Azure sample | `leaks::passcode_nowhere`, `leak_hunt` |
//! | limits are written down instead of read from the tenant | MyWorkID | `policy::a_lifetime_outside_the_tenants_range_is_moved_into_it_and_everybody_is_told`, `policy::a_range_that_changes_before_the_claim_counts` |
//!
//! What the protocol of Microsoft Teams adds:
//!
//! | bug | in Teams | told by |
//! |---|---|---|
//! | 29 | a card in a channel, which everybody there can press | `on_teams::channel::bug_29_somebody_else_in_a_shared_channel_clicks_in_vain`, `on_teams::looking::whoever_is_not_asked_sees_no_button_and_learns_nothing_by_looking` |
//! | 30 | whoever the bot does not know may approve: guests, anonymous people, other tenants | `on_teams::people::guests_ask_for_nothing_and_decide_nothing`, `on_teams::people::people_without_an_account_are_refused`, `on_teams::people::another_tenant_that_names_our_bot_in_an_app_of_its_own_is_refused` |
//! | 31 | an invoke with what another card carries, or with what no card does | `on_teams::invokes::an_invoke_with_a_wrong_token_or_for_others_changes_nothing`, `on_teams::invokes::an_invoke_that_no_button_makes_is_an_error_and_no_accident` |
//! | 32 | who may not press hears nothing, and who presses an old card neither | `on_teams::dialogs::whoever_may_not_see_the_pin_reads_so_in_the_dialog`, `on_teams::invokes::what_was_decided_meanwhile_is_said_to_whoever_presses_an_old_card` |
//! | 33 | "by @user" is lost on the way from the invoke's answer to the card of the others | `on_teams::invokes::an_approval_is_answered_in_the_invoke_and_shown_to_everybody`, `on_teams::looking::a_look_at_an_old_copy_shows_how_it_ended` |
//! | 33 | people are authorised by their name or address in Teams instead of their object id | `on_teams::people::names_and_addresses_in_teams_prove_nothing`, `on_teams::channel::what_only_looks_like_a_mention_names_nobody` |
//! | 34 | Teams repeats what it got no answer to | `on_teams::invokes::an_invoke_that_is_repeated_decides_once_and_is_answered_kindly_each_time`, `on_teams::dialogs::a_dialog_that_is_asked_for_three_times_is_one_question` |
//! | 35 | whoever runs the chat, or reaches the endpoint, speaks for others | `on_teams::tokens::every_token_that_one_rule_refuses_is_refused`, `on_teams::tokens::a_genuine_token_in_another_dress_is_refused`, `on_teams::outgoing::whatever_is_not_asking_is_not_done_by_the_webhook` |
//! | Azure sample | a secret stays in a chat where it can be read later | `on_teams::dialogs::the_pin_is_in_a_dialog_and_never_in_a_message` |

use std::collections::BTreeSet;

use anyhow::ensure;
use insta::assert_snapshot;
use tapdesk_tests::scene::{policy_of, rulebook};
use tapdesk_tests::world::World;

/// Bug 33: what a button carries was printed into the text that notifications and screen readers show.
#[tokio::test(flavor = "multi_thread")]
async fn bug_33_no_text_of_a_message_holds_what_its_buttons_carry() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.ada_asks_for_jane().await?;
    let values: Vec<String> = [(&world.mary, "Approve"), (&world.mary, "Deny"), (&world.otto, "Approve")]
        .into_iter()
        .map(|(who, button)| world.value_of(who, button))
        .collect::<anyhow::Result<_>>()?;
    world.presses(&world.mary, "Approve").await?;
    let mut looked_at = 0;
    for who in [&world.ada, &world.mary, &world.otto] {
        for message in world.chat.inbox(&who.account) {
            for text in message.announced() {
                looked_at += 1;
                let parts = values.iter().flat_map(|value| value.split('.'));
                for part in parts.filter(|part| part.len() > 8) {
                    ensure!(!text.contains(part), "{part} is in {text:?}");
                }
            }
        }
    }
    ensure!(looked_at >= 4, "only {looked_at} texts were looked at");
    world.everybody_reads();
    world.finish_unread().await
}

/// CIPP: PowerShell reads the text 'false' as true, and passes lived for several sign-ins.
#[tokio::test(flavor = "multi_thread")]
async fn bug_cipp_the_text_false_is_no_boolean() -> anyhow::Result<()> {
    let mut said = Vec::new();
    for line in ["one_time = \"false\"", "one_time = 0", "match = \"true\"", "one_time = \"\""] {
        let refused = policy_of(&rulebook("", &[line])).err();
        said.push(refused.map_or_else(|| format!("{line} was taken"), |error| format!("{line}: {error}")));
    }
    assert_snapshot!(said.join("\n"), @r#"
    one_time = "false": policy.toml:27:12: policy.rule[0].one_time: invalid type: string "false", expected a boolean
    one_time = 0: policy.toml:27:12: policy.rule[0].one_time: invalid type: integer `0`, expected a boolean
    match = "true": policy.toml:27:9: policy.rule[0].match: invalid type: string "true", expected a boolean
    one_time = "": policy.toml:27:12: policy.rule[0].one_time: invalid type: string "", expected a boolean
    "#);
    Ok(())
}

/// sso-elevator and tailscale: people read "granted" while the grant was still being tried.
#[tokio::test(flavor = "multi_thread")]
async fn bug_nobody_reads_of_a_pass_before_it_is_made() -> anyhow::Result<()> {
    let world = World::start().await?;
    let ticket = world.ticket_for_jane().await?;
    world.everybody_reads();
    let browser = world.browser();
    let (claiming, held) = world.claim_held_before_the_create(&browser, &ticket).await;
    world.works_meanwhile().await?;
    world.nobody_is_bothered()?;
    held.open();
    let passcode = claiming.answer().await?.passcode()?;
    world.settle().await?;
    let told: Vec<String> = world.reads(&world.ada);
    ensure!(told.iter().all(|text| !text.contains("has the pass")), "it was not on the screen yet: {told:?}");
    // The same browser again, until the page says that the pass is there.
    let seen = browser.claims_and_sees(&ticket.0, &ticket.1).await?;
    ensure!(seen != passcode, "a pass was shown a second time");
    world.settle().await?;
    world.hears(&world.ada, "Jane Doe has the pass")?;
    world.everybody_reads();
    world.finish_unread().await
}

/// accessbot: four characters, so that whoever tries some thousand decides over somebody's request.
#[tokio::test(flavor = "multi_thread")]
async fn bug_accessbot_ids_of_requests_cannot_be_guessed() -> anyhow::Result<()> {
    let world = World::start().await?;
    for _ in 0..8 {
        world.ada_asks_for_jane().await?;
        world.presses(&world.mary, "Deny").await?;
    }
    let ids = world.request_ids()?;
    ensure!(ids.len() == 8 && ids.iter().all(|id| id.len() == "req_".len() + 26), "{ids:?}");
    // Nothing in them counts up, and no place but the last, which holds three bits, repeats itself.
    for place in "req_".len().."req_".len() + 25 {
        let characters: BTreeSet<u8> = ids.iter().map(|id| id.as_bytes()[place]).collect();
        ensure!(characters.len() > 2, "place {place} of {ids:?}");
    }
    world.everybody_reads();
    world.finish_unread().await
}
