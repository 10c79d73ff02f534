//! What people type, and what they are called, is shown and never obeyed.

use anyhow::ensure;
use serde_json::Value;
use tapdesk_tests::check::ledger_lines;
use tapdesk_tests::world::World;

/// What an attacker would type as a reason, or be called: `(what is typed, what approvers are to read of it)`.
const HOSTILE: [(&str, &str); 13] = [
    ("<!channel> <!here> <!everyone> look", "<!channel> <!here> <!everyone> look"),
    ("&lt;!channel&gt; look here", "<!channel> look here"),
    ("ask <@U0MARY> who said yes", "ask <@U0MARY> who said yes"),
    ("<https://evil.example|approve here>", "<https://evil.example|approve here>"),
    ("*bold* _slanted_ ~struck~ `code` :tada:", "*bold* _slanted_ ~struck~ `code` :tada:"),
    ("```a block of code``` > and a quote", "```a block of code``` > and a quote"),
    ("first line\nApproved by: Mary Major\n[Approve]", "first line Approved by: Mary Major [Approve]"),
    ("typed as &amp;lt; and R&amp;D", "typed as &lt; and R&D"),
    ("lost \u{202e}enohp eht\u{202c} and \u{2066}more\u{2069}", "lost enohp eht and more"),
    ("ze\u{200b}ro\u{feff}wi\u{2060}dth\u{ad} text", "zerowidth text"),
    ("bell \u{7} escape \u{1b}[31m red \u{85} end", "bell escape [31m red end"),
    ("tags \u{e0041}\u{e0042}\u{e007f} nobody sees", "tags nobody sees"),
    ("{\"text\":\"json\"} {{template}} ${env} %s", "{\"text\":\"json\"} {{template}} ${env} %s"),
];

/// Everything that tapdesk sent to Slack shows texts as they are: no markup, no links, no mentions.
fn is_inert(sent: &Value) -> anyhow::Result<()> {
    match sent {
        Value::Object(fields) => {
            if let Some(kind) = fields.get("type").and_then(Value::as_str) {
                ensure!(!matches!(kind, "mrkdwn" | "rich_text" | "markdown"), "markup was sent: {sent}");
            }
            if let Some(Value::String(text)) = fields.get("text") {
                ensure!(!text.contains(['<', '>']), "{text:?} is not escaped");
                let hidden = |c: char| c.is_control() && c != '\n' || ('\u{202a}'..='\u{202e}').contains(&c);
                ensure!(!text.contains(hidden), "{text:?} hides something");
            }
            fields.values().try_for_each(is_inert)
        }
        Value::Array(items) => items.iter().try_for_each(is_inert),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}

fn everything_is_inert(world: &World) -> anyhow::Result<()> {
    world.chat.everything_ever_seen().iter().chain(&world.chat.modals_ever_opened()).try_for_each(is_inert)
}

#[tokio::test(flavor = "multi_thread")]
async fn reasons_are_shown_and_never_obeyed() -> anyhow::Result<()> {
    let world = World::start().await?;
    for (typed, read) in HOSTILE {
        world.types(&world.ada, &format!("for jane.doe@contoso.com {typed}")).await;
        world.settle().await?;
        let card = world.card(&world.mary, "Approve")?.visible_text();
        ensure!(card.contains(&format!("Reason\n{read}\n")), "{typed:?} reads {card}");
        world.presses(&world.mary, "Deny").await?;
        world.everybody_reads();
    }
    everything_is_inert(&world)?;
    let ledger = serde_json::to_string(&ledger_lines(&world.files.path().join("ledger"))?)?;
    ensure!(ledger.matches("\"reason\":\"~").count() == HOSTILE.len(), "a reason has no pseudonym");
    for free in ["evil.example", "channel", "bold", "json", "jane.doe", "Jane Doe", "Ada Agent", "contoso"] {
        ensure!(!ledger.contains(free), "{free} is in the ledger");
    }
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reason_that_nobody_could_see_is_none() -> anyhow::Result<()> {
    let world = World::start().await?;
    for hidden in
        ["\u{200b}\u{200b}\u{200b}\u{200b}\u{200b}\u{200b}", "\u{2060}\u{feff}a\u{202e}b\u{200f}\u{200e}"]
    {
        let reply = world.types(&world.ada, &format!("for jane.doe@contoso.com {hidden}")).await;
        ensure!(reply.body.contains("Add a reason of 5 to 300 characters"), "{hidden:?}: {}", reply.body);
    }
    let emoji = "📵".repeat(300);
    let reply = world.types(&world.ada, &format!("for jane.doe@contoso.com {emoji}")).await;
    ensure!(reply.body.contains("Checking…"), "{}", reply.body);
    world.settle().await?;
    ensure!(world.card(&world.mary, "Approve")?.visible_text().contains(&emoji), "the reason was cut");
    let longer = format!("for jane.doe@contoso.com {emoji}📵");
    ensure!(world.types(&world.ada, &longer).await.body.contains("Add a reason"));
    world.everybody_reads();
    world.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn names_from_the_directory_are_shown_and_never_obeyed() -> anyhow::Result<()> {
    let world = World::start().await?;
    for (number, (typed, read)) in
        HOSTILE.into_iter().enumerate().filter(|(_, (_, read))| !read.contains('&'))
    {
        let upn = format!("guest{number}@contoso.com");
        let person = world.company.person(typed, &upn).mobile("+491709876543");
        person.manager(&world.mary.person);
        world.types(&world.ada, &format!("for {upn} lost the phone on a train")).await;
        world.settle().await?;
        let card = world.card(&world.mary, "Approve")?.visible_text();
        let shown = if typed.contains("&lt;") { typed } else { read };
        ensure!(card.contains(&format!("For\n{shown} ({upn})\n")), "{typed:?} reads {card}");
        world.presses(&world.mary, "Approve").await?;
        world.presses(&world.mary, "Show PIN").await?;
        let (code, pin) = (world.code_at("+491709876543")?, world.pin_before(&world.mary)?);
        ensure!(world.twilio.sent().iter().all(|sms| sms.body.is_ascii()), "a name is in a text message");
        if number == 0 {
            world.browser().claims_and_sees(&code, &pin).await?;
        } else {
            world.browser().report(&code).await?;
        }
        world.settle().await?;
        world.everybody_reads();
    }
    everything_is_inert(&world)?;
    for mail in world.smtp.sent() {
        ensure!(!mail.subject.contains(['\n', '\r', '\u{202e}']), "{:?}", mail.subject);
    }
    world.finish_unread().await
}
