//! What does an auditor read, and a day worth reading about?

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::Value;

use crate::graph::SignIn;
use crate::process::{Ended, run};
use crate::scene::{JANES_PHONE, rulebook};
use crate::world::{World, pin_in};

const MINUTE: Duration = Duration::from_mins(1);
/// What somebody types who wants the auditor's spreadsheet and browser to work for them.
pub const NASTY: &str = r#"=HYPERLINK("http://evil.example","<script>alert(1)</script>")"#;

/// A day with every ending, a minute apart where they take no longer; the last request is still open.
pub async fn a_day_of_every_ending() -> anyhow::Result<World> {
    let world = World::under(rulebook(
        "tickets_per_day = 100\nrequests_per_hour = 100\nremind_after = \"0s\"",
        &[
            "name = \"at the source\"\nrequester = \"user:{mary}\"\napprovals = []\npin = [\"email\"]\n\
             contacts = [\"phone-methods\", \"otherMails\"]",
            "name = \"number matched\"\nrequester = \"user:{otto}\"\nmatch = true",
            "ticket_number = \"INC[0-9]{7}\"",
        ],
    ))
    .await?;
    world.jane.person.other_mail("jane@home.example");
    let mention = world.jane.account.mention();

    // Used.
    let passcode = world.jane_sees_a_pass().await?.1;
    ensure!(world.graph.use_pass(&world.jane.person, &passcode) == SignIn::Ok);
    world.minutes_pass(10).await?;
    // Never used.
    world.jane_sees_a_pass().await?;
    world.minutes_pass(120).await?;
    // Revoked by who asked.
    world.jane_sees_a_pass().await?;
    world.asks(&world.ada, &format!("revoke {mention}")).await?;
    world.minutes_pass(1).await?;
    // Nobody has that address.
    world.asks(&world.ada, "for nobody@contoso.com lost everything, INC0012346").await?;
    world.minutes_pass(1).await?;
    // Denied.
    world.ada_asks_for_jane().await?;
    world.presses(&world.mary, "Deny").await?;
    world.minutes_pass(1).await?;
    // A wrong number, typed for by somebody who wants more.
    let (_, wrong) = world.otto_gets_a_number(NASTY).await?;
    world.presses(&world.mary, &wrong).await?;
    world.minutes_pass(1).await?;
    // The right one, and second thoughts.
    let (right, _) = world.otto_gets_a_number("left it in a taxi").await?;
    world.presses(&world.mary, &right).await?;
    world.presses(&world.mary, "Withdraw approval").await?;
    world.minutes_pass(1).await?;
    // Cancelled.
    world.ada_asks_for_jane().await?;
    world.asks(&world.ada, "cancel").await?;
    world.minutes_pass(1).await?;
    // Nobody decides; nobody claims.
    world.ada_asks_for_jane().await?;
    world.minutes_pass(240).await?;
    world.ticket_for_jane().await?;
    world.minutes_pass(30).await?;
    // Five wrong PINs.
    let ticket = world.ticket_for_jane().await?;
    world.guesses(&world.browser(), &ticket, 5).await?;
    world.minutes_pass(1).await?;
    // Not the owner.
    let code = world.jane_sees_a_pass().await?.0;
    world.browser().report(&code).await?;
    world.minutes_pass(1).await?;
    // Approved at the source.
    let reply = world.types(&world.mary, &format!("for {mention} stands beside me")).await;
    ensure!(reply.is_accepted(), "{reply:?}");
    world.settle().await?;
    let mails = world.smtp.read("jane@home.example");
    let pin =
        mails.last().and_then(|mail| mail.text.lines().find_map(|line| pin_in(line.rsplit(':').next()?)));
    let passcode =
        world.browser().claims_and_sees(&world.code_at(JANES_PHONE)?, &pin.context("no PIN")?).await?;
    ensure!(world.graph.use_pass(&world.jane.person, &passcode) == SignIn::Ok);
    world.minutes_pass(10).await?;
    // Still open.
    world.ada_asks_for_jane().await?;
    world.everybody_reads();
    Ok(world)
}

/// The report that was written as JSON.
pub fn report_in(said: &Ended) -> anyhow::Result<Value> {
    ensure!(said.code == Some(0), "{said:?}");
    Ok(serde_json::from_str(&said.out)?)
}

impl World {
    /// What `tapdesk report` of the world's first day answers, in that form.
    pub async fn reported(&self, form: &[&str]) -> anyhow::Result<Ended> {
        let config = self.config_with_admin()?;
        self.reported_by(&config, form).await
    }

    /// The same with another configuration.
    pub async fn reported_by(&self, config: &Path, form: &[&str]) -> anyhow::Result<Ended> {
        let day = ["report", "--from", "2026-11-23", "--to", "2026-11-23"];
        run(config, &[&day[..], form].concat()).await
    }

    /// The configuration file, naming the admin listener that runs.
    pub fn config_with_admin(&self) -> anyhow::Result<PathBuf> {
        let admin = format!("admin_listen = \"{}\"", self.admin_base().authority());
        self.write_config(|text| text.replace("admin_listen = \"127.0.0.1:0\"", &admin))
    }

    /// What an auditor reads, without what differs from one telling to the next: ids of requests, numbers of lines,
    /// heads, and when the report was made.
    pub fn told_to_auditors(&self, text: &str) -> anyhow::Result<String> {
        let mut text = text.to_owned();
        for id in self.request_ids()? {
            text = text.replace(&id, "req_…");
        }
        let is_hex = |c: char| c.is_ascii_hexdigit() && !c.is_ascii_uppercase();
        text = masked(&text, "head ", is_hex);
        for before in ["tapdesk ", "replica-2 "] {
            text = masked(&text, before, |c| c.is_ascii_digit() || "-, ".contains(c));
            text = masked(&text, &format!("{before}…"), is_hex);
        }
        text = masked(&text, "every one of its", |c| c.is_ascii_digit() || c == ' ');
        Ok(masked(&text, "; made", |c| c.is_ascii_digit() || " -:.TZ".contains(c)))
    }

    async fn minutes_pass(&self, minutes: u32) -> anyhow::Result<()> {
        self.everybody_reads();
        self.advance(MINUTE * minutes).await?;
        self.everybody_reads();
        Ok(())
    }

    /// The code and the passcode.
    async fn jane_sees_a_pass(&self) -> anyhow::Result<(String, String)> {
        let (code, pin) = self.ticket_for_jane().await?;
        let passcode = self.browser().claims_and_sees(&code, &pin).await?;
        self.settle().await?;
        Ok((code, passcode))
    }

    /// Otto asks for Jane; the number that he is shown, and one that he is not.
    async fn otto_gets_a_number(&self, reason: &str) -> anyhow::Result<(String, String)> {
        let read = self.asks(&self.otto, &format!("for {} {reason}", self.jane.account.mention())).await?;
        let read = read.join("\n");
        let number = read.split_once("Your number is ").with_context(|| read.clone())?.1[..2].to_owned();
        let other = self.numbers_on_card(&self.mary)?.into_iter().find(|other| *other != number);
        Ok((number, other.context("there is one number only")?))
    }
}

/// The text with `…` for what follows each `before` and consists of such characters.
fn masked(text: &str, before: &str, is_such: impl Fn(char) -> bool) -> String {
    let mut parts = text.split(before);
    let mut masked = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(&is_such);
        masked += before;
        masked += if rest.len() == part.len() { "" } else { "…" };
        masked += rest;
    }
    masked
}
