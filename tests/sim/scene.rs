//! How do stories about people and rules set their scene, and what do people notice in it?

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use axum::http::Method;
use tapdesk::config::Config;
use tapdesk_core::policy::Policy;

use crate::chat::{ChatKind, View};
use crate::people::Company;
use crate::wire::Exchange;
use crate::world::{Colleague, Setting, World};

/// The number that Jane's usual phone has.
pub const JANES_PHONE: &str = "+491701234512";
/// The button that raises the alarm.
pub const LOOKS_WRONG: &str = "This looks wrong";
/// Where in Graph passes are made.
const PASSES: &str = "temporaryAccessPassMethods";
/// The rule of most stories, key by key.
const USUAL_RULE: [(&str, &str); 8] = [
    ("name", r#""helpdesk for staff""#),
    ("requester", r#""group:{helpdesk}""#),
    ("subject", r#""anyone""#),
    ("approvals", r#"["manager | group:{oncall}"]"#),
    ("lifetime", r#""1h""#),
    ("ticket", r#"["sms"]"#),
    ("pin", r#"["approver"]"#),
    ("notice", r#"["email", "manager"]"#),
];
/// A configuration of which only the policy will be read.
const NOTHING_BUT_A_POLICY: &str = r#"
public_url = "https://tap.contoso.com"
listen = "127.0.0.1:0"
admin_listen = "127.0.0.1:0"
pepper_file = "unread"
[store]
kind = "embedded"
path = "unread"
[ledger]
path = "unread"
[security]
notify = []
[graph]
tenant_id = "unread"
client_id = "unread"
"#;

/// A `[policy]` section: `head` is its own keys, and each rule is the usual one with the given keys instead.
/// `{ada}`, `{mary}`, `{jane}`, `{otto}`, `{helpdesk}` and `{oncall}` stand for object ids.
#[must_use]
pub fn rulebook(head: &str, rules: &[&str]) -> String {
    let mut text = format!("[policy]\n{head}\n");
    for rule in rules {
        let given: Vec<(&str, &str)> =
            rule.lines().filter_map(|line| line.trim().split_once(" = ")).collect();
        let usual = USUAL_RULE.iter().filter(|(key, _)| given.iter().all(|(other, _)| other != key));
        text.push_str("[[policy.rule]]\n");
        for (key, value) in usual.chain(&given) {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{key} = {value}");
        }
    }
    who_is_who(&text)
}

/// The policy that a `[policy]` section says, whether it can be used or not.
pub fn policy_of(section: &str) -> anyhow::Result<Policy> {
    Ok(Config::parse("policy.toml", &format!("{NOTHING_BUT_A_POLICY}{section}"))?.policy)
}

/// A line that somebody reads, the same in every chat, and without the six characters that tell requests apart.
#[must_use]
pub fn said(text: &str) -> String {
    let is_short_id = |word: &str| {
        let bare = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        bare.len() == 6 && bare.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
    };
    let mask = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let masked = words.iter().enumerate().map(|(at, word)| {
            let after = at.checked_sub(1).and_then(|before| words.get(before)).copied().unwrap_or_default();
            let names_one = matches!(after, "Request" | "(request" | "already" | "tapdesk:");
            if names_one && is_short_id(word) {
                let bare = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
                word.replace(bare, "……")
            } else {
                (*word).to_owned()
            }
        });
        masked.collect::<Vec<_>>().join(" ")
    };
    let text = ChatKind::of_this_run().as_in_snapshots(text);
    text.lines().map(mask).collect::<Vec<_>>().join("\n")
}

/// A line that somebody reads, with letters for the numbers that they can choose from. How many buttons stand side by side
/// is each chat's own.
#[must_use]
pub fn lettered(text: &str, numbers: &[String]) -> String {
    let lettered = numbers.iter().zip(["AA", "BB", "CC"]).fold(said(text), |text, (number, letters)| {
        text.replace(&format!("[{number}]"), &format!("[{letters}]"))
    });
    lettered.replace("]\n[", "] [")
}

impl World {
    /// The usual people under another policy, which has to be one that `check-config` accepts.
    pub async fn under(policy: String) -> anyhow::Result<Self> {
        let world = Self::with(Setting { policy, ..Setting::default() }).await?;
        let faults = world.config().faults();
        ensure!(faults.is_empty(), "the policy of the story cannot be used: {faults:#?}");
        Ok(world)
    }

    /// Stops tapdesk, changes its configuration, and starts it again on the same files.
    pub async fn restart_configured(&mut self, change: impl FnOnce(&mut Config)) -> anyhow::Result<()> {
        self.stop_tapdesk().await;
        change(&mut self.config);
        self.start_tapdesk().await
    }

    /// The same with another policy.
    pub async fn restart_under(&mut self, policy: &str) -> anyhow::Result<()> {
        let policy = policy_of(policy)?;
        let faults = policy.faults();
        ensure!(faults.is_empty(), "the policy of the story cannot be used: {faults:#?}");
        self.restart_configured(|config| config.policy = policy).await
    }

    /// Somebody types a command, everybody works, and the sender reads everything that came of it for them. Where a chat has
    /// to be answered before anything is looked up, it is left out that it was.
    pub async fn asks(&self, who: &Colleague, text: &str) -> anyhow::Result<Vec<String>> {
        let reply = self.types(who, text).await;
        ensure!(reply.is_accepted(), "{text:?} was not accepted: {reply:?}");
        self.settle().await?;
        let mut read: Vec<String> = self.reads(who).iter().map(|text| said(text)).collect();
        read.retain(|text| !text.starts_with("One moment: I look"));
        Ok(read)
    }

    /// Somebody asks for a colleague whom they pick from the list.
    pub async fn asks_for(&self, who: &Colleague, subject: &Colleague) -> anyhow::Result<Vec<String>> {
        self.asks(who, &format!("for {} lost the phone, INC0012345", subject.account.mention())).await
    }

    /// Somebody types a command that brings them those words and nobody else anything.
    pub async fn is_turned_away(&self, who: &Colleague, text: &str, words: &str) -> anyhow::Result<()> {
        let read = self.asks(who, text).await?;
        ensure!(read.iter().any(|read| read.contains(words)), "{text:?} brings {read:#?}, not {words:?}");
        self.nobody_is_bothered()
    }

    /// The same for a colleague who is picked from the list.
    pub async fn is_refused(&self, who: &Colleague, subject: &Colleague, words: &str) -> anyhow::Result<()> {
        let text = format!("for {} lost the phone, INC0012345", subject.account.mention());
        self.is_turned_away(who, &text, words).await
    }

    /// Ada asks for Jane while Graph is in trouble at `path`; in the end she is told those words. Heals Graph.
    pub async fn is_refused_at_last(&self, path: &str, words: &str) -> anyhow::Result<()> {
        let mut read = self.asks_for(&self.ada, &self.jane).await?;
        self.advance(Duration::from_mins(11)).await?;
        self.graph.wire.heal();
        read.extend(self.reads(&self.ada));
        ensure!(read.iter().any(|read| read.contains(words)), "{path}: {read:#?}");
        self.nobody_is_bothered()
    }

    /// Nobody has anything new to read anywhere.
    pub fn nobody_is_bothered(&self) -> anyhow::Result<()> {
        self.nobody_is_bothered_but(&[])
    }

    /// The same, save for some people's chats.
    pub fn nobody_is_bothered_but(&self, others: &[&Colleague]) -> anyhow::Result<()> {
        let is_other = |id: &str| others.iter().any(|other| other.account.id == id);
        let chat = self.chat.all_unread().into_iter().map(|(person, _)| person);
        let chat: Vec<String> =
            chat.filter(|person| !is_other(&person.id)).map(|person| person.name).collect();
        ensure!(chat.is_empty(), "{chat:?} got messages");
        ensure!(self.twilio.unread().is_empty(), "a text message was sent");
        ensure!(self.smtp.unread().is_empty(), "a mail was sent");
        Ok(())
    }

    /// Nobody can press anything any more in somebody's private chat.
    pub fn has_no_button(&self, who: &Colleague) -> anyhow::Result<()> {
        for label in ["Approve", "Deny", "Show PIN", "Withdraw approval"] {
            ensure!(self.card(who, label).is_err(), "{} can still press {label}", who.account.name);
        }
        Ok(())
    }

    /// The numbers that somebody can choose from on their newest card.
    pub fn numbers_on_card(&self, who: &Colleague) -> anyhow::Result<Vec<String>> {
        let card = self.card(who, "Deny")?;
        let labels = card.buttons().into_iter().map(|button| button.label);
        Ok(labels.filter(|label| label.parse::<u8>().is_ok()).collect())
    }

    /// Somebody presses "This looks wrong", writes why, and everybody works.
    pub async fn says_it_looks_wrong(&self, who: &Colleague, line: &str) -> anyhow::Result<()> {
        self.presses(who, LOOKS_WRONG).await?;
        let reply = self.chat.submit_view(&who.account, &[("doubt", line)]).await?;
        ensure!(reply.is_accepted(), "the line was not accepted: {reply:?}");
        let is_left = |view: View| view.visible_text().contains("What looks wrong?");
        ensure!(!self.chat.modal(&who.account).is_some_and(is_left), "the window stays open");
        self.settle().await
    }

    /// What the newest message in somebody's private chat says now.
    pub fn newest(&self, who: &Colleague) -> anyhow::Result<String> {
        let inbox = self.chat.inbox(&who.account);
        let newest = inbox.last().with_context(|| format!("{} has no message", who.account.name))?;
        Ok(said(&newest.visible_text()))
    }

    /// How often Graph was asked to make a pass.
    #[must_use]
    pub fn passes_asked_for(&self) -> usize {
        self.graph.wire.count(&Method::POST, PASSES)
    }

    /// Jane tries code and PIN, is turned away for good, Ada is told why, and Graph was never asked for a pass.
    pub async fn claim_is_refused(&self, ticket: &(String, String), words: &str) -> anyhow::Result<()> {
        let answer = self.browser().claim(&ticket.0, &ticket.1).await?;
        ensure!(answer.state() == "refused", "not refused: {answer:?}");
        self.is_over_without_a_pass(ticket, words).await
    }

    /// A refused claim has ended the request: no pass, Ada knows why, and the ticket is worth nothing any more.
    pub async fn is_over_without_a_pass(&self, ticket: &(String, String), words: &str) -> anyhow::Result<()> {
        self.settle().await?;
        self.hears(&self.ada, words)?;
        self.has_no_button(&self.mary)?;
        let again = self.browser().claim(&ticket.0, &ticket.1).await?;
        ensure!(again.state() == "closed" && again.body["why"] == "denied", "{again:?}");
        ensure!(self.passes_asked_for() == 0, "Graph was asked for a pass");
        for colleague in [&self.mary, &self.otto] {
            self.reads(colleague);
        }
        Ok(())
    }

    /// What Graph was asked since it had answered `before` questions: method and path, with names instead of ids.
    #[must_use]
    pub fn asked_of_graph(&self, before: usize) -> Vec<String> {
        self.graph.wire.seen().iter().skip(before).map(|exchange| self.named(exchange)).collect()
    }

    fn named(&self, exchange: &Exchange) -> String {
        let target = exchange.target.replace("%27", "").replace("%20", " ");
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let of_whom = query.split('&').find(|part| part.contains("principalId")).unwrap_or_default();
        let mut line = format!("{} {path} {of_whom}", exchange.method);
        for person in self.company.people() {
            line = line.replace(person.id(), &person.name());
        }
        line.trim_end().to_owned()
    }
}

/// Object ids follow from sign-in names and group names, so they are known before there is a world.
fn who_is_who(text: &str) -> String {
    let company = Company::new();
    let mut text = text.to_owned();
    for (name, upn) in [
        ("{ada}", "ada.agent@contoso.com"),
        ("{mary}", "mary.major@contoso.com"),
        ("{jane}", "jane.doe@contoso.com"),
        ("{otto}", "otto.oncall@contoso.com"),
    ] {
        text = text.replace(name, company.person(name, upn).id());
    }
    for (name, group) in [("{helpdesk}", "Help desk"), ("{oncall}", "On call")] {
        text = text.replace(name, company.group(group).id());
    }
    text
}
