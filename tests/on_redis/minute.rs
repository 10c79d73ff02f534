//! Two replicas on one Redis, one of them killed every two seconds for a minute, while two hundred requests flow.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::Value;
use tapdesk_core::ids::RequestId;
use tapdesk_core::request::State;
use tapdesk_tests::check::ledger_lines;
use tapdesk_tests::errand::{Errand, Manager};
use tapdesk_tests::replicas::{Life, Replicas};
use tapdesk_tests::world::{Setting, USUAL_POLICY, World};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until, timeout};

const REQUESTS: usize = 200;
const MINUTE: Duration = Duration::from_mins(1);
const KILL_EVERY: Duration = Duration::from_secs(2);
/// Each asks for ten, which is within what the policy allows an hour.
const AGENTS: usize = 20;
const MANAGERS: usize = 40;
/// A claim whose replica died is given up after a minute; then the page tries again. The rest is for a busy machine.
const AFTERMATH: Duration = Duration::from_mins(8);
/// Long enough that what takes its time on a busy machine is not done again for that alone.
const LEASE: Duration = Duration::from_secs(12);
/// What is due for many people within a step is done together: each by itself takes minutes.
const STEP: Duration = Duration::from_mins(5);
/// Twelve hours, in which everything ends.
const STEPS: usize = 144;
/// Said of a task that its holder performed or gave back in vain.
const UNSETTLED: [&str; 3] =
    ["a task took too long", "a task could not be settled", "a task waits until its lease is over"];
/// Said by a holder of tasks that it cannot name.
const LEASES_LOST: [&str; 2] = ["due tasks could not be read", "a task was not finished"];

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_killed_every_request_ends_once() -> anyhow::Result<()> {
    let policy = USUAL_POLICY.replace("manager | group:{oncall}", "manager");
    let setting = Setting { policy, ..Setting::default() };
    let mut replicas = Replicas::with(2, setting, unhurried).await?;
    replicas.world.chat.repeats_deliveries(2);

    let began = Instant::now();
    let mut people = JoinSet::new();
    for (n, errand) in (0..).zip(errands(&replicas)?) {
        let at = began + MINUTE * n / u32::try_from(REQUESTS)?;
        people.spawn(async move {
            sleep_until(at).await;
            errand.run().await.with_context(|| format!("for {}", errand.subject.person.name()))
        });
    }
    kill_in_turns(&mut replicas, began).await?;
    let ends = timeout(AFTERMATH, people.join_all()).await.context("people still wait")?;
    let failed: Vec<String> =
        ends.into_iter().filter_map(Result::err).map(|error| format!("{error:#}")).collect();
    ensure!(failed.is_empty(), "{} requests went wrong:\n{}", failed.len(), failed.join("\n"));
    let settled = began.elapsed();

    replicas.stop().await?;
    for _ in 0..STEPS {
        replicas.world.hands.set(replicas.world.hands.now().saturating_add(STEP)?);
        replicas.world.settle().await?;
    }
    let minute = Minute::read(&replicas.world)?;
    let accepted = minute.accepted();
    every_one_ended_once(&replicas.world, &minute, &accepted).await?;
    let decisions = nothing_is_decided_twice(&minute, &accepted)?;
    let repeats = repeats_are_explained(&replicas, &minute)?;
    eprintln!(
        "replicas: {REQUESTS} people were helped in {settled:.0?} by {} accepted requests with {decisions} decisions, \
         through {} kills; {repeats}",
        accepted.len(),
        replicas.lives().filter(|life| life.was_killed).count(),
    );
    replicas.finish().await
}

fn unhurried(text: &str) -> String {
    let text = text.replace("total = \"1s\"", "total = \"5s\"");
    text.replace("lease = \"2s\"", &format!("lease = \"{}s\"", LEASE.as_secs()))
}

fn errands(replicas: &Replicas) -> anyhow::Result<Vec<Errand>> {
    let world = &replicas.world;
    let colleague = |name: String| {
        let upn = format!("{}@contoso.com", name.to_lowercase().replace(' ', "."));
        world.colleague(&name, &upn)
    };
    let agents: Vec<_> = (0..AGENTS).map(|n| colleague(format!("Agent A{n:02}"))).collect();
    for agent in &agents {
        world.helpdesk.member(&agent.person);
    }
    let managers: Vec<_> =
        (0..MANAGERS).map(|n| Manager::new(colleague(format!("Manager M{n:02}")))).collect();
    let errand = |n: usize| {
        let subject = colleague(format!("Subject {n:03}"));
        let (agent, manager) = (agents[n % AGENTS].clone(), managers[n % MANAGERS].clone());
        let phone = phone_of(&subject.person.name());
        Errand::new(replicas, agent, manager, subject, phone)
    };
    (0..REQUESTS).map(errand).collect()
}

fn phone_of(name: &str) -> String {
    format!("+4917012300{}", name.trim_start_matches("Subject "))
}

/// Kills the replicas in turns and starts each again at once.
async fn kill_in_turns(replicas: &mut Replicas, began: Instant) -> anyhow::Result<()> {
    let mut ticks = interval_at(began + KILL_EVERY, KILL_EVERY);
    // On a busy machine a start takes its time; both would die at once without this.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for n in [0, 1].into_iter().cycle() {
        if ticks.tick().await >= began + MINUTE {
            break;
        }
        replicas.kill(n).await?;
        replicas.start_again(n).await?;
    }
    Ok(())
}

/// What the ledgers say, without the lines that do not count.
struct Minute(Vec<Value>);

impl Minute {
    fn read(world: &World) -> anyhow::Result<Self> {
        let mut lines = ledger_lines(&world.files.path().join("ledger"))?;
        let void: BTreeSet<(String, String)> = lines
            .iter()
            .filter(|line| line["facts"]["result"] == "superseded")
            .map(|line| (line["ledger"].to_string(), text(&line["facts"]["line"]).to_owned()))
            .collect();
        lines.retain(|line| {
            line["phase"] == "event" && !void.contains(&(line["ledger"].to_string(), line["seq"].to_string()))
        });
        Ok(Self(lines))
    }

    /// How often each request has such an event.
    fn times(&self, is_it: impl Fn(&str) -> bool) -> BTreeMap<&str, usize> {
        let mut times = BTreeMap::new();
        for line in self.0.iter().filter(|line| is_it(text(&line["what"]))) {
            *times.entry(text(&line["request"])).or_default() += 1;
        }
        times
    }

    fn accepted(&self) -> BTreeSet<&str> {
        self.times(|what| what == "request.received").into_keys().collect()
    }

    /// The requests for a subject.
    fn requests_for(&self, subject: &str) -> BTreeSet<&str> {
        let checked = self.0.iter().filter(|line| line["facts"]["subject"] == subject);
        checked.map(|line| text(&line["request"])).collect()
    }
}

async fn every_one_ended_once(
    world: &World,
    minute: &Minute,
    accepted: &BTreeSet<&str>,
) -> anyhow::Result<()> {
    const ENDS: [&str; 5] =
        ["request.used", "request.expired", "request.refused", "request.locked", "request.revoked"];
    let ended = minute.times(|what| ENDS.contains(&what) || what.starts_with("request.lapsed"));
    for id in accepted {
        let id: RequestId = id.parse()?;
        let stored = world.tapdesk()?.worker.desk.store().load(&id).await?.context("a request was lost")?;
        ensure!(
            matches!(stored.request.state, State::Closed { .. }),
            "{id} is {}",
            stored.request.state.name()
        );
        let times = ended.get(id.as_str()).copied().unwrap_or_default();
        ensure!(times == 1, "{id} ended {times} times");
    }
    let used = minute.times(|what| what == "request.used").len();
    ensure!(used == REQUESTS, "{used} of {REQUESTS} people signed in");
    Ok(())
}

fn nothing_is_decided_twice(minute: &Minute, accepted: &BTreeSet<&str>) -> anyhow::Result<usize> {
    let decided = minute.times(|what| matches!(what, "request.approved" | "request.denied"));
    let twice: Vec<_> = decided.iter().filter(|(_, times)| **times > 1).collect();
    ensure!(twice.is_empty(), "decided more than once: {twice:?}");
    ensure!(decided.keys().all(|id| accepted.contains(id)), "something was decided that was never accepted");
    Ok(decided.len())
}

/// A message that came again is one of a task that was repeated; a task is repeated because its replica was killed, or ran
/// out of time on a busy machine, or got no answer from outside.
fn repeats_are_explained(replicas: &Replicas, minute: &Minute) -> anyhow::Result<String> {
    let mut repeated: BTreeMap<Task, usize> = BTreeMap::new();
    let killed = |worker: &str| replicas.lives().any(|life| life.was_killed && life.worker == worker);
    let mut late = 0;
    let unsettled = UNSETTLED.iter().flat_map(|part| logged(replicas, minute, part));
    let unsettled: BTreeSet<Task> = unsettled.map(|line| Task::of(&line)).collect();
    for line in logged(replicas, minute, "a task is repeated") {
        let task = Task::of(&line);
        let holder = field(&line, "left_by");
        if !killed(&holder) {
            let is_lost = replicas.lives().any(|life| life.worker == holder && has_lost_leases(life));
            ensure!(is_lost || unsettled.contains(&task), "nothing explains: {line}");
            late += 1;
        }
        *repeated.entry(task).or_default() += 1;
    }
    // What was sent and not answered in time may have arrived.
    let unanswered = logged(replicas, minute, "a task will be tried again");
    for line in &unanswered {
        *repeated.entry(Task::of(line)).or_default() += 1;
    }
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut unexplained = 0;
    for Again { kind, subject, words, times } in came_again(&replicas.world) {
        let tasks: &[&str] = match kind {
            "text message" => &["send_code"],
            "mail" => &["notify_owner"],
            _ => &["prompt", "tell", "notify_owner"],
        };
        let requests = minute.requests_for(&subject);
        let of_it =
            |task: &Task| requests.contains(task.request.as_str()) && tasks.contains(&task.name.as_str());
        let explained: usize = repeated.iter().filter(|(key, _)| of_it(key)).map(|(_, times)| times).sum();
        if explained < times {
            eprintln!("a {kind} came {times} times again, {explained} explained: {words}");
            unexplained += times - explained;
        }
        *counts.entry(kind).or_default() += times;
    }
    ensure!(unexplained == 0, "{unexplained} messages came again, and nothing explains them");
    let tasks: usize = repeated.values().sum();
    let counts = |kind| counts.get(kind).copied().unwrap_or_default();
    let (texts, mails, chats) = (counts("text message"), counts("mail"), counts("chat message"));
    Ok(format!(
        "{tasks} tasks were repeated ({late} of them had run out of time, {} had no answer), and for that {texts} text messages, {mails} \
         mails and {chats} chat messages came again",
        unanswered.len()
    ))
}

fn has_lost_leases(life: &Life) -> bool {
    LEASES_LOST.iter().any(|part| !life.said(part).is_empty())
}

/// What came more often than it should.
struct Again {
    kind: &'static str,
    /// About whom: an object id.
    subject: String,
    words: String,
    /// How often too often.
    times: usize,
}

fn came_again(world: &World) -> Vec<Again> {
    let profiles = world.company.people().into_iter().map(|person| person.profile());
    let subjects: Vec<_> = profiles.filter(|profile| profile.display_name.starts_with("Subject ")).collect();
    let about = |text: &str| subjects.iter().find(|subject| text.contains(&subject.display_name));
    let mut came: BTreeMap<(&'static str, String, String), usize> = BTreeMap::new();
    for post in world.chat.wire().seen().iter().filter(|post| post.target.contains("chat.postMessage")) {
        let text = String::from_utf8_lossy(&post.body).into_owned();
        let Some(subject) = about(&text) else { continue };
        *came.entry(("chat message", subject.id.clone(), text)).or_default() += 1;
    }
    for mail in world.smtp.sent() {
        let Some(subject) = subjects.iter().find(|subject| mail.to.contains(&subject.upn)) else {
            continue;
        };
        *came.entry(("mail", subject.id.clone(), mail.text)).or_default() += 1;
    }
    let passes = world.graph.passes();
    let mut again: Vec<_> = came
        .into_iter()
        .map(|((kind, subject, words), times)| {
            // Each pass that was made for somebody is news, and the same words.
            let made = passes.iter().filter(|pass| pass.user == subject).count();
            Again { kind, subject, words, times: times.saturating_sub(made.max(1)) }
        })
        .collect();
    for subject in &subjects {
        let texts = world.twilio.phone(&phone_of(&subject.display_name)).messages().len();
        again.push(Again {
            kind: "text message",
            subject: subject.id.clone(),
            words: format!("for {}", subject.display_name),
            times: texts.saturating_sub(1),
        });
    }
    again.retain(|again| again.times > 0);
    again
}

/// A task as the log names it.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Task {
    request: String,
    name: String,
}

impl Task {
    fn of(line: &str) -> Self {
        Self { request: field(line, "request.id"), name: field(line, "task") }
    }
}

/// The lines about this minute's requests with that part. What the last dead left is done by the tapdesk inside the story.
fn logged(replicas: &Replicas, minute: &Minute, part: &str) -> Vec<String> {
    let accepted = minute.accepted();
    let mut lines = replicas.said(part);
    lines.extend(replicas.world.logged().lines().filter(|line| line.contains(part)).map(str::to_owned));
    lines.retain(|line| accepted.contains(field(line, "request.id").as_str()));
    lines
}

/// Of a line of text or of JSON.
fn field(line: &str, name: &str) -> String {
    if let Ok(line) = serde_json::from_str::<Value>(line) {
        return text(&line["fields"][name]).to_owned();
    }
    let rest = line.split_once(&format!(" {name}=")).map_or("", |(_, rest)| rest);
    rest.split_whitespace().next().unwrap_or_default().trim_matches('"').to_owned()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
