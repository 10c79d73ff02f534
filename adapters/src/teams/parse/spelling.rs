//! How does Teams write the people that somebody names?
//!
//! A mention is a piece of the text, `<at>Jane</at>`, and an entity that says who is meant. Whoever is meant is taken
//! from the entities alone: text that only looks like a mention names nobody.

use tapdesk_core::command;
use tapdesk_core::ids::ChatUser;
use tapdesk_core::people::Naming;

use super::activity::{Entity, some};
use super::{Ours, account};

/// Stand around the number of a mention. Nobody can type them: what is typed loses them first.
const OPEN: char = '\u{e000}';
const CLOSE: char = '\u{e001}';

/// A text whose mentions are numbered, and who they are.
pub(super) struct Spelled {
    text: String,
    mentions: Vec<Mention>,
}

struct Mention {
    id: String,
    name: String,
    naming: Option<ChatUser>,
}

impl Spelled {
    /// The text without mentions of ourselves, and with everybody else's numbered.
    pub(super) fn read(text: &str, entities: &[Entity], ours: &Ours) -> Self {
        let text = text.replace("&nbsp;", " ");
        let mut text: String = text.chars().filter(|c| ![OPEN, CLOSE].contains(c)).collect();
        let mut mentions = Vec::new();
        for entity in entities.iter().filter(|entity| some(entity.kind.as_ref()) == Some("mention")) {
            let Some((mentioned, written)) = entity.mentioned.as_ref().zip(some(entity.text.as_ref())) else {
                continue;
            };
            let Some(id) = some(mentioned.id.as_ref()) else { continue };
            if ours.is_us(id) {
                text = text.replacen(written, " ", 1);
                continue;
            }
            text = text.replacen(written, &format!("{OPEN}{}{CLOSE}", mentions.len()), 1);
            let name = some(mentioned.name.as_ref()).unwrap_or(written).to_owned();
            mentions.push(Mention {
                id: id.to_owned(),
                name,
                naming: named(id, mentioned.aad_object_id.as_deref(), ours),
            });
        }
        Self { text: text.trim().to_owned(), mentions }
    }

    /// The text after the command's own word, which may be left out.
    pub(super) fn command(&self, command: &str) -> &str {
        let (word, rest) = self.text.split_once(char::is_whitespace).unwrap_or((&self.text, ""));
        let word = word.trim_start_matches('/').to_lowercase();
        if word == command.trim_start_matches('/').to_lowercase() { rest.trim() } else { &self.text }
    }

    /// The people who are mentioned by an id of Teams' own, which only it can tell the owner of.
    pub(super) fn to_look_up(&self) -> impl Iterator<Item = (&ChatUser, &str)> {
        let by_teams = |mention: &&Mention| mention.naming.as_ref().is_some_and(|user| user.id == mention.id);
        self.mentions
            .iter()
            .filter(by_teams)
            .filter_map(|mention| Some((mention.naming.as_ref()?, mention.id.as_str())))
    }
}

impl command::Spelling for Spelled {
    fn person<'t>(&self, text: &'t str) -> Option<(Naming, &'t str)> {
        if let Some(inside) = text.strip_prefix(OPEN) {
            let (number, rest) = inside.split_once(CLOSE)?;
            let mention = self.mentions.get(number.parse::<usize>().ok()?)?;
            return Some((Naming::Account(mention.naming.clone()?), rest));
        }
        let ends = |c: char| c.is_whitespace() || [',', ';', OPEN].contains(&c);
        let (word, rest) = text.split_at(text.find(ends).unwrap_or(text.len()));
        Naming::address(word.trim_end_matches(command::PUNCTUATION)).map(|naming| (naming, rest))
    }

    fn typed(&self, text: &str) -> String {
        let mut typed = text.to_owned();
        for (number, mention) in self.mentions.iter().enumerate() {
            typed = typed.replace(&format!("{OPEN}{number}{CLOSE}"), &mention.name);
        }
        typed
    }
}

/// Who is meant by an id: a person by object id, or by Teams' own id for them, which is looked up later. Bots, teams,
/// channels and tags are nobody.
fn named(id: &str, object_id: Option<&str>, ours: &Ours) -> Option<ChatUser> {
    let by_object = [object_id, Some(id), id.strip_prefix("8:orgid:")];
    let person = by_object.into_iter().flatten().find_map(|id| account(id, ours));
    person.or_else(|| id.starts_with("29:").then(|| ours.user(id)))
}
