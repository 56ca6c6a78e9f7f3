//! Text from outside as it stands in the page, and the ids by which its parts are linked.
//!
//! Every text goes through [`crate::report::text`] first, so that nothing turns its
//! neighbours around or hides; maud escapes it for HTML after that.

use maud::{Markup, html};

use crate::model::{Sentence, Value};
use crate::report::text::{clip, count, safe};

/// How many characters of a name are written, of a sentence, and of a line of code.
pub(super) const NAME: usize = 160;
pub(super) const SENTENCE: usize = 600;
pub(super) const LINE: usize = 4_000;

/// A name.
pub(super) fn name(text: &str) -> String {
    clip(text, NAME)
}

/// A sentence, in which words between backquotes are code.
pub(super) fn prose(text: &str) -> Markup {
    let text = clip(text, SENTENCE);
    html! {
        @for (number, piece) in text.split('`').enumerate() {
            @if number % 2 == 1 { code { (piece) } } @else { (piece) }
        }
    }
}

/// What a finding says, with names as code.
pub(super) fn sentence(sentence: &Sentence) -> Markup {
    html! {
        @for (text, part) in sentence.parts() {
            (prose(text))
            @match part {
                Some(Value::Number(number)) => (count(*number)),
                Some(part) => code { (clip(&part.to_string(), SENTENCE)) },
                None => {}
            }
        }
    }
}

/// The id of a finding's element: `finding-propagator-mismatch:b3-to-w3c`.
pub(super) fn finding_anchor(id: &str) -> String {
    format!("finding-{}", finding_name(id))
}

/// A finding's id, with what an address would have to escape replaced.
pub(super) fn finding_name(id: &str) -> String {
    let plain = |letter: char| {
        if letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.' | ':') { letter } else { '_' }
    };
    safe(id).chars().take(NAME).map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_text_whatever_is_in_it() {
        let hostile = name("<b>\u{202e}x\u{1b}[2J");
        let written = html! { (hostile) }.into_string();
        assert_eq!(written, "&lt;b&gt;\\u{202e}x\\u{1b}[2J");
        assert_eq!(name(&"x".repeat(1 << 20)).chars().count(), NAME + 1);
    }

    #[test]
    fn a_finding_has_an_address() {
        assert_eq!(finding_anchor("propagator-mismatch:b3-to-w3c"), "finding-propagator-mismatch:b3-to-w3c");
        assert_eq!(finding_anchor("a \"b\"#c"), "finding-a__b__c");
    }

    #[test]
    fn words_between_backquotes_are_code() {
        assert_eq!(prose("set `x<y` now").into_string(), "set <code>x&lt;y</code> now");
    }
}
