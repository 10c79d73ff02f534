//! What does the playground tell?
//!
//! Each tale is played by the real program against the simulators: one line per step, saying who did what and what
//! went over the wire, with secrets masked. A step that does not happen ends the tale with an error.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use axum::http::StatusCode;

use crate::chat::ChatKind;
use crate::tickets::approved_ticket;
use crate::wire::{Exchange, Wire};
use crate::world::{SECURITY, Setting, World};

/// A tale by its name, which the playground takes on its command line.
pub async fn tell(name: &str, say: &(dyn Fn(&str) + Sync)) -> anyhow::Result<()> {
    match name {
        "slack" => happy_path(ChatKind::Slack, say).await,
        "teams" => happy_path(ChatKind::Teams, say).await,
        "hook" => hook(say).await,
        other => anyhow::bail!("there is no tale {other:?}"),
    }
}

/// The names of all tales.
pub const ALL: [&str; 3] = ["slack", "teams", "hook"];

/// How a chat is spoken of.
struct Manner {
    asked: &'static str,
    answered: &'static str,
    private: &'static str,
    window: &'static str,
}

fn manner(chat: ChatKind) -> Manner {
    match chat {
        ChatKind::Slack => Manner {
            asked: "/tap for @jane lost her phone, INC0012345",
            answered: "  Slack → tapdesk   POST /slack/commands, signed; answered 200 “Checking…”, visible to Ada alone",
            private: "direct messages",
            window: "a private window",
        },
        ChatKind::Teams => Manner {
            asked: "tap for jane.doe@contoso.com lost her phone, INC0012345",
            answered: "  Teams → tapdesk   POST /teams/messages, with a token of the Bot Connector; answered 200, then “Checking…” in her chat",
            private: "chat with tapdesk",
            window: "a dialog",
        },
    }
}

/// The happy path in a chat.
async fn happy_path(chat: ChatKind, say: &(dyn Fn(&str) + Sync)) -> anyhow::Result<()> {
    let manner = manner(chat);
    let world = World::with(Setting { chat, ..Setting::default() }).await?;
    let mut wires = Wires::watch(&world);
    say(
        "Contoso, 10:00. Jane Doe has lost her phone and is locked out. tapdesk runs with the embedded store.",
    );

    let mention = world.jane.account.mention();
    let reply = world.types(&world.ada, &format!("for {mention} lost her phone, INC0012345")).await;
    ensure!(reply.is_accepted(), "the command was not accepted: {reply:?}");
    say(&format!("Ada (help desk)   types: {}", manner.asked));
    say(manner.answered);
    world.settle().await?;
    wires.tell(say);
    world.hears(&world.ada, "is with its approvers")?;

    let card = world.card(&world.mary, "Approve")?;
    say(&format!("Mary (manager)    reads in her {}:", manner.private));
    card.visible_text().lines().for_each(|line| say(&format!("                  | {line}")));
    world.presses(&world.mary, "Approve").await?;
    say("Mary              presses Approve");
    wires.tell(say);
    world.hears(&world.ada, "is approved by Mary Major")?;
    world.hears(&world.otto, "approved by Mary Major")?;
    say("Otto (on call)    sees the same card change: “approved by Mary Major”, without buttons");

    let code = world.code_at("+491701234512")?;
    say(&format!("Jane              gets a text message with the code {}", mask(&code)));
    world.presses(&world.mary, "Show PIN").await?;
    let pin = world.pin_before(&world.mary)?;
    say(&format!(
        "Mary              presses Show PIN, reads {} in {}, and calls Jane",
        mask(&pin),
        manner.window
    ));
    wires.tell(say);
    world.reads(&world.mary);

    let browser = world.browser();
    let wrong = browser.claim(&code, "00000000").await?;
    ensure!(wrong.state() == "wrong_pin", "a wrong PIN was answered with {wrong:?}");
    say("Jane              opens the claim page and mistypes the PIN: “wrong PIN, 4 tries left”");
    let passcode = browser.claims_and_sees(&code, &pin).await?;
    say("Jane              types code and PIN: tapdesk checks everything again and asks Graph for the pass");
    wires.tell(say);
    say(&format!(
        "Jane              reads the pass on her screen: {} (made at that moment, stored nowhere)",
        mask(&passcode)
    ));
    world.settle().await?;
    wires.tell(say);
    world.hears(&world.ada, "Jane Doe has the pass")?;
    world.hears(&world.mary, "A sign-in pass was made for Jane Doe")?;
    ensure!(world.smtp.read("jane.doe@contoso.com").len() == 1, "the account's owner was not told");
    say("Jane's mailbox    has a notice: “A Temporary Access Pass was made for your account”");

    let signed_in = world.graph.use_pass(&world.jane.person, &passcode);
    ensure!(signed_in == crate::graph::SignIn::Ok, "Windows answered {signed_in:?}");
    say("Jane              signs in at the Windows lock screen and sets up Windows Hello");
    world.advance(Duration::from_mins(10)).await?;
    wires.tell(say);
    world.hears(&world.ada, "used")?;
    say("Ada               reads: the pass is used, and that she should ask what Jane registered");
    ensure!(
        world.smtp.read("jane.doe@contoso.com").len() == 1,
        "the account's owner was not told of the end"
    );
    say("Jane's mailbox    has another notice: the pass was used to sign in; tapdesk has deleted it");
    world.finish().await?;
    say(
        "Afterwards        the ledger verifies, nothing is pending, and no secret is in any log, file or chat",
    );
    Ok(())
}

/// A ticket system asks, and the ticket's approver is told at once.
async fn hook(say: &(dyn Fn(&str) + Sync)) -> anyhow::Result<()> {
    let world = World::with_trusted_tickets().await?;
    let mut wires = Wires::watch(&world);
    say(
        "Contoso, 10:00. Jane Doe is locked out; the help desk has a ticket, and Mary, her manager, approved it there.",
    );

    let ticket = approved_ticket();
    let heard = world.order(&ticket).await?;
    ensure!(heard.status == StatusCode::ACCEPTED, "the ticket was not taken: {heard:?}");
    say("ServiceNow → tapdesk  POST /hooks/requests, signed with HMAC-SHA256 over timestamp.body:");
    say(&format!("                  | {ticket}"));
    say("  answered 202 with the request's id: it is durable, and nothing was looked up yet");
    let again = world.order(&ticket).await?;
    ensure!(again.body == heard.body, "the same key is another request: {again:?}");
    say("ServiceNow        sends it once more, as systems do: the same key, the same answer, one request");
    world.settle().await?;
    wires.tell(say);

    say("Mary (manager)    is not asked, but told at once:");
    let card = world.card(&world.mary, "I did not approve this")?;
    card.visible_text().lines().for_each(|line| say(&format!("                  | {line}")));
    world.presses(&world.mary, "Show PIN").await?;
    let (code, pin) = (world.code_at("+491701234512")?, world.pin_before(&world.mary)?);
    say(&format!("Mary              did approve it: she presses Show PIN and tells Jane {}", mask(&pin)));
    wires.tell(say);
    world.jane_signs_in(&code, &pin).await?;
    say("Jane              claims with code and PIN, reads the pass on her screen, and signs in");
    wires.tell(say);
    for news in world.tickets.reads() {
        say(&format!("tapdesk → ServiceNow  {}: {}", news["event"], news["message"]));
    }
    ensure!(world.tickets.refused() == 0, "the ticket system refused a signature");
    say("ServiceNow        has checked each signature: no number, no code, no PIN is in any of it");
    world.everybody_reads();

    let mut forged = approved_ticket();
    forged["idempotency_key"] = serde_json::json!("INC0012346");
    forged["ticket_number"] = serde_json::json!("INC0012346");
    world.orders(&forged).await?;
    say(
        "Somebody          who can write in ServiceNow makes another ticket and says that Mary approved that, too",
    );
    world.presses(&world.mary, "I did not approve this").await?;
    say("Mary              presses I did not approve this");
    wires.tell(say);
    let mails = world.smtp.read(SECURITY);
    ensure!(
        mails.iter().any(|mail| mail.subject.contains("looks wrong to Mary Major")),
        "security was not told"
    );
    say("Security          has a mail; the request is stopped for good, and code and PIN are void");
    let last = world.tickets.reads().pop().context("the ticket system was not told")?;
    ensure!(last["outcome"] == "withdrawn", "{last}");
    say("ServiceNow        reads only that it was withdrawn: whoever speaks for it may be the attacker");
    world.everybody_reads();
    world.finish().await?;
    say(
        "Afterwards        the ledger verifies, nothing is pending, and no secret is in any log, file or chat",
    );
    Ok(())
}

/// The first and last characters of a secret.
fn mask(secret: &str) -> String {
    let characters: Vec<char> = secret.chars().collect();
    match characters[..] {
        [first, .., last] => format!("{first}{}{last}", "•".repeat(characters.len() - 2)),
        _ => "•".to_owned(),
    }
}

/// What went over the wires since it was last told.
struct Wires {
    wires: Vec<(&'static str, Wire, usize)>,
}

impl Wires {
    fn watch(world: &World) -> Self {
        let wires = [
            ("Entra", &world.entra.wire),
            ("Graph", &world.graph.wire),
            (world.chat.name(), world.chat.wire()),
            ("Twilio", &world.twilio.wire),
            ("ticket system", &world.tickets.wire),
        ];
        Self { wires: wires.map(|(name, wire)| (name, wire.clone(), 0)).to_vec() }
    }

    fn tell(&mut self, say: &(dyn Fn(&str) + Sync)) {
        for (name, wire, told) in &mut self.wires {
            let seen = wire.seen();
            for exchange in &seen[*told..] {
                say(&format!("  tapdesk → {name:<7} {}", line(exchange)));
            }
            *told = seen.len();
        }
    }
}

/// Method, path without ids, and status; bodies and queries stay out.
fn line(exchange: &Exchange) -> String {
    let path = exchange.target.split('?').next().unwrap_or_default();
    let path: Vec<&str> = path.split('/').map(|part| if is_id(part) { "…" } else { part }).collect();
    let status = exchange.status.map_or_else(|| "no answer".to_owned(), |status| status.as_u16().to_string());
    format!("{} {} → {status}", exchange.method, path.join("/"))
}

fn is_id(part: &str) -> bool {
    part.len() > 20 && part.contains(|c: char| c.is_ascii_digit()) || part.contains('@')
}
