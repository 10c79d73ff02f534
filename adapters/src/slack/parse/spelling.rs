//! How does Slack write the people that somebody names, and what does it escape?

use tapdesk_core::command;
use tapdesk_core::people::Naming;

use super::account;

/// The spelling of one workspace, whose accounts a mention names.
pub(super) struct Spelling<'a> {
    pub(super) workspace: &'a str,
}

impl command::Spelling for Spelling<'_> {
    fn person<'t>(&self, text: &'t str) -> Option<(Naming, &'t str)> {
        let (name, rest) = text.split_at(name_ends(text));
        let naming = self.naming(name.trim_end_matches(command::PUNCTUATION))?;
        Some((naming, rest))
    }

    fn typed(&self, text: &str) -> String {
        unescape(text)
    }
}

impl Spelling<'_> {
    /// A mention `<@U1>` or `<@U1|name>`, an address that Slack made a link of, or an address as it was typed.
    fn naming(&self, word: &str) -> Option<Naming> {
        let Some(inside) = word.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')) else {
            return Naming::address(&unescape(word));
        };
        let target = inside.split('|').next()?;
        match target.strip_prefix('@') {
            Some(id) if is_account(id) => Some(Naming::Account(account(self.workspace, id))),
            Some(_) => None,
            None => Naming::address(&unescape(target.strip_prefix("mailto:")?)),
        }
    }
}

/// Where the first name of `text` ends.
fn name_ends(text: &str) -> usize {
    let bracketed = text.starts_with('<').then(|| text.find('>')).flatten().map(|at| at + 1);
    // The semicolon of `&amp;` belongs to a letter of the address.
    let escape = |at: usize| ["&amp", "&lt", "&gt"].iter().any(|escape| text[..at].ends_with(escape));
    let ends = |&(at, c): &(usize, char)| c.is_whitespace() || c == ',' || (c == ';' && !escape(at));
    let bare = || text.char_indices().find(ends).map_or(text.len(), |(at, _)| at);
    bracketed.unwrap_or_else(bare)
}

/// `U…`, or `W…` for accounts of an organisation.
pub(in super::super) fn is_account(id: &str) -> bool {
    id.starts_with(['U', 'W']) && id.len() > 1 && id.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// Undoes the three escapes that Slack makes, each once: `&amp;lt;` was typed as `&lt;`.
fn unescape(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use tapdesk_core::inbound::{Ask, Unclear, Wish};

    use super::*;

    fn read(text: &str) -> Wish {
        command::read(text, &Spelling { workspace: "T1" })
    }

    fn asks(subject: Naming, reason: &str) -> Wish {
        Wish::Ask(Ask::new(subject, reason.to_owned()))
    }

    fn jane() -> Naming {
        Naming::Address("jane@contoso.com".to_owned())
    }

    #[test]
    fn the_person_is_a_mention_or_an_address_in_any_of_slacks_spellings() {
        for text in [
            "for jane@contoso.com lost phone",
            "FOR Jane@Contoso.COM lost phone",
            "  for   jane@contoso.com,  lost phone ",
            "for jane@contoso.com: lost phone",
            "for <mailto:Jane@contoso.com|jane@contoso.com> lost phone",
            "for <mailto:jane@contoso.com>, lost phone",
        ] {
            assert_eq!(read(text), asks(jane(), "lost phone"), "{text}");
        }
        for text in
            ["for <@U123> lost phone", "for <@U123|jane> lost phone", "For <@U123|jane d>, lost phone"]
        {
            assert_eq!(read(text), asks(Naming::Account(account("T1", "U123")), "lost phone"), "{text}");
        }
        assert_eq!(read("for jane@contoso.com"), asks(jane(), ""));
        assert_eq!(
            read("for o&amp;m@contoso.com x"),
            asks(Naming::Address("o&m@contoso.com".to_owned()), "x")
        );
    }

    #[test]
    fn what_names_no_one_person_says_why() {
        let longest = format!("for {}@b x", "a".repeat(253));
        for (text, why) in [
            ("unlock jane@contoso.com", Unclear::NoSuchCommand),
            ("<@U123> lost phone", Unclear::NoSuchCommand),
            ("for", Unclear::NoPerson),
            ("for   ", Unclear::NoPerson),
            ("for @jane lost phone", Unclear::UnknownName),
            ("for jane lost phone", Unclear::NotAPerson),
            ("for jane@ x", Unclear::NotAPerson),
            ("for a@b@c x", Unclear::NotAPerson),
            ("for <!here> x", Unclear::NotAPerson),
            ("for <!subteam^S1|@staff> x", Unclear::NotAPerson),
            ("for <#C1|general> x", Unclear::NotAPerson),
            ("for <https://a@b.example> x", Unclear::NotAPerson),
            ("for <@> x", Unclear::NotAPerson),
            ("for <@U1 x", Unclear::NotAPerson),
            ("for &lt;@U1&gt; x", Unclear::NotAPerson),
            (longest.as_str(), Unclear::NotAPerson),
            ("for a@b c@d x", Unclear::SeveralPeople),
            ("for a@b,c@d x", Unclear::SeveralPeople),
            ("for a@b; c@d", Unclear::SeveralPeople),
            ("for <@U1> <@U2> x", Unclear::SeveralPeople),
            ("for <@U1>,<@U2>", Unclear::SeveralPeople),
            ("for <@U1> <mailto:a@b|a@b> x", Unclear::SeveralPeople),
        ] {
            assert_eq!(read(text), Wish::Unclear(why), "{text}");
        }
    }

    #[test]
    fn a_reason_is_kept_as_typed_and_unescaped_once() {
        let typed = "for jane@contoso.com R&amp;D &lt;b&gt; &amp;lt; asked <@U9|bob> (twice)…";
        assert_eq!(read(typed), asks(jane(), "R&D <b> &lt; asked <@U9|bob> (twice)…"));
    }
}
