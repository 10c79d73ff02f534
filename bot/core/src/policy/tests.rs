//! Who may ask for whom, checked as tables.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;
use uuid::Uuid;

use super::{Approver, Circumstances, MANAGEABLE_ROLES, Policy, Rule, assign};
use crate::ids::{GroupId, PersonId, RoleId, TicketNumber};
use crate::people::Privileges;

const STAFF: &str = "00000000-0000-0000-0000-0000000000a1";
const DESK: &str = "00000000-0000-0000-0000-0000000000a2";
const JANE: &str = "00000000-0000-0000-0000-000000000001";
const SAM: &str = "00000000-0000-0000-0000-000000000002";
const GLOBAL_ADMINISTRATOR: &str = "62e90394-69f5-4237-9190-012177145e10";

/// The rule of the design, §8.
const EXAMPLE: &str = r#"
approval_expires = "4h"
ticket_expires = "30m"
[[rule]]
name = "helpdesk for staff"
requester = "group:00000000-0000-0000-0000-0000000000a2"
subject = "anyone"
approvals = ["manager | group:00000000-0000-0000-0000-0000000000a3"]
lifetime = "1h"
one_time = true
ticket = ["sms", "email"]
pin = ["approver"]
notice = ["email", "manager"]
contacts = ["phone-methods", "otherMails"]
"#;

fn policy(text: &str) -> Policy {
    toml::from_str(text).unwrap()
}

/// The example with one line replaced, or one more.
fn example(key: &str, value: &str) -> Policy {
    let line = format!("{key} = {value}");
    let with = |old: &str| if old.starts_with(&format!("{key} = ")) { line.clone() } else { old.to_owned() };
    let mut lines: Vec<String> = EXAMPLE.lines().map(with).collect();
    if !lines.contains(&line) {
        lines.push(line);
    }
    policy(&lines.join("\n"))
}

fn faults(policy: &Policy) -> Vec<String> {
    policy.faults().into_iter().map(|fault| format!("{}: {}", fault.key, fault.what)).collect()
}

fn rule(requester: &str, subject: &str) -> Rule {
    let text = EXAMPLE
        .replace("\"anyone\"", &format!("\"{subject}\""))
        .replace("\"group:00000000-0000-0000-0000-0000000000a2\"", &format!("\"{requester}\""));
    policy(&text).rules.remove(0)
}

fn who(requester: &str, subject: &str, manager: Option<&str>, groups: &[&str]) -> Circumstances {
    let groups: BTreeSet<GroupId> = groups.iter().map(|id| id.parse().unwrap()).collect();
    Circumstances {
        requester: requester.parse().unwrap(),
        source: None,
        subject: subject.parse().unwrap(),
        manager: manager.map(|id| id.parse().unwrap()),
        requester_groups: groups.clone(),
        subject_groups: groups,
    }
}

#[test]
fn a_careful_rule_is_one_that_can_be_careful() {
    let about = |keys: &[(&str, &str)]| {
        let lines: Vec<String> = keys.iter().map(|(key, value)| format!("{key} = {value}")).collect();
        let kept =
            EXAMPLE.lines().filter(|line| keys.iter().all(|(key, _)| !line.starts_with(&format!("{key} ="))));
        let text: Vec<&str> = kept.chain(lines.iter().map(String::as_str)).collect();
        faults(&policy(&text.join("\n"))).join("\n")
    };
    let second = ("audit_unreadable", "\"second-approval\"");
    assert_eq!(about(&[("cool_down", "\"7d\""), second]), "");
    assert_eq!(about(&[("cool_down", "\"7d\""), ("audit_unreadable", "\"refuse\"")]), "");
    for wrong in ["\"30m\"", "\"31d\""] {
        assert!(about(&[("cool_down", wrong)]).contains("cool_down: 1h to 30d"), "{wrong}");
    }
    assert!(about(&[second]).contains("nothing reads the audit log without cool_down"));
    let week = ("cool_down", "\"7d\"");
    for alone in ["[\"manager\"]", "[\"manager\", \"user:00000000-0000-0000-0000-000000000002\"]"] {
        assert!(
            about(&[week, second, ("approvals", alone)]).contains("nobody who could give one more"),
            "{alone}"
        );
    }
    let two = ("approvals", "[\"manager | user:00000000-0000-0000-0000-000000000002\"]");
    assert_eq!(about(&[week, second, two]), "");
}

#[test]
fn a_rule_matches_whom_it_names() {
    let (desk, staff) = (format!("group:{DESK}"), format!("group:{STAFF}"));
    let (jane, sam) = (format!("user:{JANE}"), format!("user:{SAM}"));
    let both = [DESK, STAFF];
    let for_other = |groups: &[&str]| who(SAM, JANE, None, groups);
    let by_manager = || who(SAM, JANE, Some(SAM), &[]);
    let for_self = || who(JANE, JANE, Some(JANE), &both);
    for (requester, subject, who, expected) in [
        ("anyone", "anyone", for_other(&[]), true),
        (&*desk, "anyone", for_other(&[DESK]), true),
        (&*desk, "anyone", for_other(&[STAFF]), false),
        (&*sam, "anyone", for_other(&[]), true),
        (&*jane, "anyone", for_other(&[]), false),
        ("manager-of-subject", "anyone", by_manager(), true),
        ("manager-of-subject", "anyone", for_other(&both), false),
        ("self", "anyone", for_other(&both), false),
        ("anyone", &*staff, for_other(&[STAFF]), true),
        ("anyone", &*staff, for_other(&[DESK]), false),
        ("anyone", &*jane, for_other(&[]), true),
        ("anyone", &*sam, for_other(&[]), false),
        // Only `self` means the subject: whoever else the requester is besides.
        ("self", "anyone", for_self(), true),
        ("self", &*staff, for_self(), true),
        ("self", &*jane, for_self(), true),
        ("self", &*sam, for_self(), false),
        ("anyone", "anyone", for_self(), false),
        (&*desk, "anyone", for_self(), false),
        (&*jane, "anyone", for_self(), false),
        (&*jane, &*jane, for_self(), false),
        ("manager-of-subject", "anyone", for_self(), false),
        (&*format!("{desk} | self"), "anyone", for_self(), true),
        (&*format!("{desk}|{sam}"), "anyone", for_other(&[]), true),
    ] {
        assert_eq!(rule(requester, subject).matches(&who), expected, "{requester} for {subject}: {who:?}");
    }
}

#[test]
fn the_first_rule_that_matches_is_bound() {
    let mut both = policy(EXAMPLE);
    let mut second = rule("anyone", "anyone");
    second.name = "everybody else".into();
    both.rules.push(second);
    let bound = |who: &Circumstances| both.bind(who).map(|rule| rule.name.to_string());
    assert_eq!(bound(&who(SAM, JANE, None, &[DESK])).as_deref(), Some("helpdesk for staff"));
    assert_eq!(bound(&who(SAM, JANE, None, &[])).as_deref(), Some("everybody else"));
    assert_eq!(bound(&who(JANE, JANE, None, &[DESK])), None);
    assert_eq!(both.groups(), [DESK.parse().unwrap()]);
}

#[test]
fn the_example_has_no_fault() {
    assert_eq!(faults(&policy(EXAMPLE)), Vec::<String>::new());
}

#[test]
fn each_fault_is_named() {
    for (key, value, expected) in [
        ("ticket", r#"["sms", "email"]"#, None),
        ("pin", r#"["email"]"#, Some("share a route class")),
        ("pin", r#"["approver", "sms"]"#, Some("share a route class")),
        ("pin", r#"["manager"]"#, Some("pin takes sms, email or approver")),
        ("pin", "[]", Some("each need at least one route")),
        ("ticket", r#"["approver"]"#, Some("the code travels by sms or email")),
        ("ticket", r#"["manager"]"#, Some("the code travels by sms or email")),
        ("notice", r#"["email"]"#, Some("needs a route that is not the code's")),
        ("notice", r#"["approver"]"#, Some("notice takes sms, email or manager")),
        ("approvals", "[]", Some("there is no approver to show the PIN to")),
        ("approvals", r#"["manager", "manager"]"#, Some("one person approves once")),
        ("contacts", r#"["phone-methods"]"#, Some("route email has no contact source: add \"otherMails\"")),
        ("contacts", r#"["otherMails"]"#, Some("route sms has no contact source: add \"phone-methods\"")),
        ("contacts", r#"["phone-methods", "otherMails", "mail"]"#, Some("cannot open; use otherMails")),
        ("lifetime", "\"9m\"", Some("Graph accepts 10m to 30d")),
        ("lifetime", "\"31d\"", Some("Graph accepts 10m to 30d")),
        ("lifetime", "\"30d\"", None),
        ("approval_expires", "\"59s\"", Some("at least 1m")),
        ("ticket_expires", "\"0s\"", Some("at least 1m")),
        ("requester", "\"anyone\"", None),
    ] {
        let found = faults(&example(key, value));
        match expected {
            None => assert_eq!(found, Vec::<String>::new(), "{key} = {value}"),
            Some(part) => {
                assert!(found.iter().any(|fault| fault.contains(part)), "{key} = {value}: {found:?}");
            }
        }
    }
}

#[test]
fn whoever_is_late_is_dealt_with_before_the_time_is_over() {
    for (head, rule, expected) in [
        ("", "", None),
        ("remind_after = \"0s\"", "", None),
        ("remind_after = \"4h\"", "", Some("policy.remind_after: no reminder would come")),
        (r#"quiet_hours = { from = "20:00", to = "07:00", zone = "Europe/Berlin" }"#, "", None),
        (r#"quiet_hours = { from = "07:00", to = "07:00", zone = "UTC" }"#, "", Some("the same time")),
        ("", "escalate_after = \"30m\"", Some("escalate_after: without escalate_to")),
        ("", "escalate_to = [OTHERS]", Some("escalate_to: without escalate_after")),
        ("", "escalate_after = \"4h\"\nescalate_to = [OTHERS]", Some("shorter than approval_expires")),
        ("", "escalate_after = \"0s\"\nescalate_to = [OTHERS]", Some("belongs into approvals")),
        ("", "escalate_after = \"30m\"\nescalate_to = [\"manager\"]", Some("names nobody whom approvals")),
        ("", "escalate_after = \"30m\"\nescalate_to = [OTHERS, OTHERS]", Some("or one entry per approval")),
        ("", "escalate_after = \"30m\"\nescalate_to = [OTHERS]", None),
    ] {
        let rule = rule.replace("OTHERS", "\"group:00000000-0000-0000-0000-0000000000a4\"");
        let found = faults(&policy(&format!("{head}\n{EXAMPLE}\n{rule}")));
        let is_as_expected = match expected {
            None => found.is_empty(),
            Some(part) => found.len() == 1 && found[0].contains(part),
        };
        assert!(is_as_expected, "{head} {rule}: {found:?}");
    }
    let none = format!(
        "{}\nescalate_after = \"30m\"\nescalate_to = [\"manager\"]",
        EXAMPLE
            .replace("[\"manager | group:00000000-0000-0000-0000-0000000000a3\"]", "[]")
            .replace("[\"approver\"]", "[\"email\"]")
            .replace("[\"sms\", \"email\"]", "[\"sms\"]")
    );
    assert!(faults(&policy(&none)).iter().any(|fault| fault.contains("nothing waits for anybody")));
}

#[test]
fn hours_that_cannot_be_read_say_what_to_write() {
    let error = |hours: &str| {
        toml::from_str::<Policy>(&format!("quiet_hours = {hours}\n{EXAMPLE}"))
            .unwrap_err()
            .message()
            .to_owned()
    };
    insta::assert_snapshot!(error(r#"{ from = "8 pm", to = "07:00", zone = "UTC" }"#), @r#""8 pm" is not a time of day: write 20:00"#);
    insta::assert_snapshot!(error(r#"{ from = "20:00", to = "07:00", zone = "Berlin" }"#), @r#""Berlin" is not a time zone: write a name like Europe/Berlin or UTC"#);
    insta::assert_snapshot!(error(r#"{ from = "20:00", to = "07:00" }"#), @"missing field `zone`");
}

#[test]
fn nobody_gets_a_pass_alone() {
    for (requester, part) in [("anyone", "for everybody"), ("self", "could get a pass alone")] {
        let mut alone = policy(EXAMPLE);
        alone.rules = vec![rule(requester, "anyone")];
        alone.rules[0].approvals.clear();
        assert!(faults(&alone).iter().any(|fault| fault.contains(part)), "{requester}");
    }
}

#[test]
fn a_number_is_chosen_by_an_approver() {
    assert_eq!(faults(&example("match", "true")), Vec::<String>::new());
    let mut alone = example("match", "true");
    alone.rules[0].approvals.clear();
    assert!(faults(&alone).iter().any(|fault| fault.contains("no approver to choose the number")));
}

#[test]
fn rules_that_never_match_are_named() {
    let mut twice = policy(EXAMPLE);
    let mut second = twice.rules[0].clone();
    second.name = "again".into();
    twice.rules.push(second);
    insta::assert_snapshot!(faults(&twice).join("\n"), @r#"policy.rule "again": never matches: rule "helpdesk for staff" stands above it and matches everything it does"#);
    let mut same_name = policy(EXAMPLE);
    same_name.rules.insert(0, rule("self", "anyone"));
    insta::assert_snapshot!(faults(&same_name).join("\n"), @r#"policy.rule "helpdesk for staff": another rule has this name, and requests are bound by name"#);
    let mut themselves = policy(EXAMPLE);
    themselves.rules = vec![rule(&format!("user:{JANE}"), &format!("user:{JANE}"))];
    insta::assert_snapshot!(faults(&themselves).join("\n"), @r#"policy.rule "helpdesk for staff".requester: never matches: who asks for themselves is matched by requester = "self" only"#);
    let none = Policy { rules: Vec::new(), ..policy(EXAMPLE) };
    insta::assert_snapshot!(faults(&none).join("\n"), @"policy.rule: no rule: every request would be refused");
}

#[test]
fn a_selector_that_cannot_be_read_says_what_to_write() {
    let error = |key: &str, value: &str| {
        let text = EXAMPLE.lines().map(|line| {
            if line.starts_with(&format!("{key} = ")) { format!("{key} = {value}") } else { line.to_owned() }
        });
        let text = text.collect::<Vec<_>>().join("\n");
        toml::from_str::<Policy>(&text).unwrap_err().message().to_owned()
    };
    insta::assert_snapshot!(error("requester", "\"everybody\""), @r#""everybody" is not a selector: write self, manager-of-subject, anyone, group:<object id>, user:<object id> or hook:<name>"#);
    insta::assert_snapshot!(error("subject", "\"self\""), @r#""self" is not a selector: write anyone, group:<object id> or user:<object id>"#);
    insta::assert_snapshot!(error("approvals", "[\"manager | anyone\"]"), @r#""anyone" is not a selector: write manager, group:<object id> or user:<object id>"#);
    insta::assert_snapshot!(error("requester", "\"group:Helpdesk\""), @r#""group:Helpdesk" is not a selector: write self, manager-of-subject, anyone, group:<object id>, user:<object id> or hook:<name>"#);
    insta::assert_snapshot!(error("approvals", "[\"manager |\"]"), @r#""" is not a selector: write manager, group:<object id> or user:<object id>"#);
    insta::assert_snapshot!(error("lifetime", "\"1 hour\""), @r#""1 hour" is not a duration: write 90s, 15m, 4h or 30d"#);
}

#[test]
fn unknown_keys_are_an_error() {
    for text in [format!("approvals_expire = \"4h\"\n{EXAMPLE}"), format!("{EXAMPLE}\napprovers = []")] {
        assert!(toml::from_str::<Policy>(&text).is_err());
    }
}

#[test]
fn durations_are_a_number_and_a_unit() {
    let read = |text: &str| super::parse::parse_duration(text).map(|duration| duration.as_secs());
    for (text, seconds) in [("0s", 0), ("90s", 90), ("15m", 900), ("4h", 14_400), ("30d", 2_592_000)] {
        assert_eq!(read(text), Some(seconds), "{text}");
    }
    for text in ["", "s", "15", "15 m", "+5m", "-5m", "1.5h", "1h30m", "1w", "5µ", "99999999999s"] {
        assert_eq!(read(text), None, "{text}");
    }
}

#[test]
fn nist_shortens_the_ticket_where_a_phone_is_used() {
    for (profile, ticket, pin, expected) in [
        ("standard", r#"["sms"]"#, r#"["approver"]"#, 30),
        ("nist", r#"["sms"]"#, r#"["approver"]"#, 10),
        ("nist", r#"["email"]"#, r#"["sms"]"#, 10),
        ("nist", r#"["email"]"#, r#"["approver"]"#, 30),
    ] {
        let text = EXAMPLE
            .replace("ticket = [\"sms\", \"email\"]", &format!("ticket = {ticket}"))
            .replace("pin = [\"approver\"]", &format!("pin = {pin}"));
        let policy = policy(&format!("profile = \"{profile}\"\n{text}"));
        let time = policy.ticket_time(&policy.rules[0]);
        assert_eq!(time, Duration::from_mins(expected), "{profile} {ticket} {pin}");
    }
    let mut long = example("ticket", r#"["email"]"#);
    long.profile = super::Profile::Nist;
    long.ticket_expires = Duration::from_hours(48);
    assert_eq!(long.ticket_time(&long.rules[0]), Duration::from_hours(24));
}

#[test]
fn a_privileged_subject_is_tolerated_only_by_name() {
    let role = |id: &str| id.parse::<RoleId>().unwrap();
    let (manageable, global) = (role(MANAGEABLE_ROLES[4]), role(GLOBAL_ADMINISTRATOR));
    let other = RoleId(Uuid::from_u128(77));
    let held = |roles: &[RoleId]| Privileges { roles: roles.to_vec(), ..Privileges::default() };
    let could = |roles: &[RoleId]| Privileges { eligible: roles.to_vec(), ..Privileges::default() };
    let member = |of: Privileges| Privileges { in_role_assignable_group: true, ..of };
    let owner = |of: Privileges| Privileges { owns_role_assignable_group: true, ..of };
    // Privileges, restricted management, tolerated by a rule without and with `allow_privileged`.
    for (privileges, restricted, plain, allowing) in [
        (held(&[]), false, true, true),
        (held(&[manageable]), false, true, true),
        (could(&[manageable]), false, true, true),
        (held(&[global]), false, false, true),
        (could(&[global]), false, false, true),
        (held(&[other]), false, false, false),
        (held(&[global, other]), false, false, false),
        (Privileges { eligible: vec![other], ..held(&[global]) }, false, false, false),
        (member(held(&[])), false, false, false),
        (owner(held(&[])), false, false, false),
        (member(held(&[manageable])), false, false, false),
        (member(held(&[global])), false, false, true),
        (owner(could(&[global])), false, false, false),
        (member(held(&[global, other])), false, false, false),
        (held(&[]), true, false, false),
        (held(&[global]), true, false, false),
    ] {
        let strict = policy(EXAMPLE).rules.remove(0);
        assert_eq!(strict.tolerates(&privileges, restricted), plain, "{privileges:?} {restricted}");
        let lenient = Rule { allow_privileged: vec![global], ..strict };
        assert_eq!(
            lenient.tolerates(&privileges, restricted),
            allowing,
            "{privileges:?} {restricted}, allowed"
        );
    }
}

#[test]
fn every_manageable_role_is_an_id() {
    assert!(MANAGEABLE_ROLES.iter().all(|id| id.parse::<RoleId>().unwrap().to_string() == *id));
}

#[test]
fn a_ticket_number_is_a_whole_word_of_the_reason() {
    let rule = example("ticket_number", r#""INC\\d{7}|SR\\d+""#).rules.remove(0);
    for reason in ["INC0012345", "lost her phone, INC0012345", "phone (SR7) lost", "SR7: lost"] {
        let found = rule.ticket_number(None, reason).unwrap().expect(reason);
        assert!(reason.contains(found.as_str()), "{reason}: {found}");
    }
    for reason in ["lost her phone", "INC001234", "INC00123456", "xSR7", "SR", "inc0012345"] {
        let pattern = rule.ticket_number(None, reason).expect_err(reason);
        assert_eq!(pattern.as_str(), r"INC\d{7}|SR\d+");
    }
    assert_eq!(policy(EXAMPLE).rules[0].ticket_number(None, "anything"), Ok(None));
}

#[test]
fn a_ticket_number_given_by_itself_counts_where_the_pattern_allows_it() {
    let given: TicketNumber = "INC0012345".parse().unwrap();
    let other: TicketNumber = "4711".parse().unwrap();
    let rule = example("ticket_number", r#""INC\\d{7}""#).rules.remove(0);
    assert_eq!(rule.ticket_number(Some(&given), "lost it"), Ok(Some(given.clone())));
    assert_eq!(rule.ticket_number(Some(&other), "lost it, INC0012345"), Ok(Some(given)));
    rule.ticket_number(Some(&other), "lost it").unwrap_err();
    let without = policy(EXAMPLE);
    assert_eq!(without.rules[0].ticket_number(Some(&other), "lost it"), Ok(Some(other)));
}

#[test]
fn nobody_gets_a_longer_lifetime_than_the_rule_allows() {
    let rule = example("lifetime", r#""2h""#).rules.remove(0);
    let hours = |hours| Some(Duration::from_hours(hours));
    for (asked, given) in [(None, hours(2)), (hours(1), hours(1)), (hours(2), hours(2)), (hours(3), hours(2))]
    {
        assert_eq!(Some(rule.lifetime(asked)), given, "{asked:?}");
    }
}

#[test]
fn a_pattern_is_valid_by_itself() {
    assert!(super::Pattern::new("a)|(b").is_err());
    assert!(super::Pattern::new("[").is_err());
}

fn possible(slots: &[Vec<PersonId>], people: &[PersonId], taken: &mut Vec<PersonId>) -> bool {
    let Some((slot, rest)) = slots.split_first() else { return true };
    people.iter().any(|person| {
        let free = slot.contains(person) && !taken.contains(person);
        free && {
            taken.push(*person);
            let done = possible(rest, people, taken);
            taken.pop();
            done
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn approvals_are_assigned_whenever_that_is_possible(
        slots in prop::collection::vec(prop::collection::vec(0..6u128, 0..5), 0..5),
        people in prop::collection::vec(0..6u128, 0..7),
    ) {
        let person = |number: u128| PersonId(Uuid::from_u128(number));
        let slots: Vec<Vec<PersonId>> =
            slots.into_iter().map(|slot| slot.into_iter().map(person).collect()).collect();
        let people: Vec<PersonId> = people.into_iter().map(person).collect();
        let assigned = assign(&slots, &people);
        prop_assert_eq!(assigned.is_some(), possible(&slots, &people, &mut Vec::new()));
        if let Some(assigned) = assigned {
            prop_assert_eq!(assigned.len(), slots.len());
            prop_assert!(assigned.iter().zip(&slots).all(|(person, slot)| slot.contains(person)));
            prop_assert!(assigned.iter().all(|person| people.contains(person)));
            let distinct: BTreeSet<&PersonId> = assigned.iter().collect();
            prop_assert_eq!(distinct.len(), slots.len());
        }
    }
}

#[test]
fn alternatives_are_read_in_order() {
    let approvals = policy(EXAMPLE).rules.remove(0).approvals;
    assert_eq!(approvals[0].0[0], Approver::Manager);
    assert!(matches!(approvals[0].0[1], Approver::Group(_)));
}

#[test]
fn a_source_is_matched_by_its_name_alone() {
    let asked = |rule: &Rule, source: Option<&str>| {
        let source = source.map(|name| name.parse().unwrap());
        rule.matches(&Circumstances { source, ..who(SAM, JANE, None, &[DESK]) })
    };
    let by_source = rule("hook:ServiceNow", "anyone");
    assert!(asked(&by_source, Some("ServiceNow")));
    assert!(!asked(&by_source, Some("Another")) && !asked(&by_source, None));
    // Whoever it names was not seen to ask.
    for requester in [format!("group:{DESK}"), format!("user:{SAM}"), "anyone".to_owned()] {
        assert!(asked(&rule(&requester, "anyone"), None), "{requester}");
        assert!(!asked(&rule(&requester, "anyone"), Some("ServiceNow")), "{requester}");
    }
    let for_themselves =
        Circumstances { source: Some("ServiceNow".parse().unwrap()), ..who(JANE, JANE, None, &[]) };
    assert!(!by_source.matches(&for_themselves) && !rule("self", "anyone").matches(&for_themselves));
}

#[test]
fn what_a_rule_lets_a_source_do_has_to_make_sense() {
    let faults = |change: fn(&mut Rule)| {
        let mut policy = policy(EXAMPLE);
        policy.rules[0].requester = super::AnyOf(vec!["hook:ServiceNow".parse().unwrap()]);
        change(&mut policy.rules[0]);
        let faults = policy.faults();
        faults.into_iter().map(|fault| fault.what.split(':').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(faults(|rule| rule.stated_approval = true), [""; 0]);
    assert_eq!(faults(|rule| rule.number_match = true), ["match = true with requester = \"hook"]);
    let by_anyone = faults(|rule| {
        rule.stated_approval = true;
        rule.requester = super::AnyOf(vec!["anyone".parse().unwrap()]);
    });
    assert_eq!(by_anyone, ["only a source can state one; add requester = \"hook"]);
    let unapproved = faults(|rule| {
        (rule.stated_approval, rule.approvals, rule.pin) = (true, Vec::new(), vec![super::Route::Email]);
        rule.ticket = vec![super::Route::Sms];
        rule.contacts = vec![super::ContactSource::PhoneMethods, super::ContactSource::OtherMails];
        rule.allow_privileged = vec![GLOBAL_ADMINISTRATOR.parse().unwrap()];
    });
    assert_eq!(unapproved, ["with approvals = []", "with requester = \"hook"]);
}
