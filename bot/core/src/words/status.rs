//! How do requests look from a distance, one line each?

use std::time::Duration;

use jiff::Timestamp;

use super::{length, reason, standing, subject_name};
use crate::card::Card;
use crate::request::{Reason, Request};

/// So many lines fit into one answer.
pub(super) const MOST_LINES: usize = 10;

/// The acknowledgement of an inquiry.
#[must_use]
pub fn looking() -> Card {
    Card::line("One moment: I look that up.")
}

/// An inquiry could not be answered.
#[must_use]
pub fn not_looked_up() -> Card {
    Card::line("I could not look that up just now. Ask again in a minute; nothing was changed.")
}

/// Somebody asks whom the directory does not know.
#[must_use]
pub fn not_for_you(why: &Reason) -> Card {
    Card::line("I have nothing to show you.").text(reason(why))
}

/// What waits for somebody's decision, and what they asked for.
#[must_use]
pub fn pending(to_decide: &[Request], asked: &[Request], now: Timestamp) -> Card {
    if to_decide.is_empty() && asked.is_empty() {
        return Card::line("Nothing waits for you, and you wait for nothing.");
    }
    let card = Card::line("What is open:");
    let card = list(card, "Waits for your decision", to_decide, now);
    list(card, "You asked for", asked, now)
}

fn list(card: Card, title: &str, requests: &[Request], now: Timestamp) -> Card {
    if requests.is_empty() {
        return card;
    }
    let mut lines = vec![format!("{title}:")];
    lines.extend(requests.iter().take(MOST_LINES).map(|request| line(request, now)));
    if let Some(more @ 1..) = requests.len().checked_sub(MOST_LINES) {
        lines.push(format!("and {more} more"));
    }
    card.text(lines.join("\n"))
}

/// One request.
fn line(request: &Request, now: Timestamp) -> String {
    let since = Duration::try_from(now.duration_since(request.received_at)).unwrap_or_default();
    let (name, id) = (subject_name(request), request.id.short());
    format!("{name} ({id}): {}, asked {} ago", standing(request), length(since))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::tests::samples::Sample;

    fn text(card: &Card) -> String {
        [std::slice::from_ref(&card.title), &card.text].concat().join("\n")
    }

    #[test]
    fn a_long_list_says_how_much_is_left_out() {
        let sample = Sample::received();
        let many = vec![sample.request.clone(); MOST_LINES + 3];
        let shown = text(&pending(&[], &many, sample.now));
        assert_eq!(shown.lines().count(), 2 + MOST_LINES + 1, "{shown}");
        assert!(shown.ends_with("and 3 more"), "{shown}");
        let fits = text(&pending(&[], &many[3..], sample.now));
        assert!(!fits.contains("more"), "{fits}");
    }

    #[test]
    fn whoever_has_nothing_open_hears_so() {
        insta::assert_snapshot!(text(&pending(&[], &[], Sample::received().now)), @"Nothing waits for you, and you wait for nothing.");
    }
}
