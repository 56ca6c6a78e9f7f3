//! A quoted piece of evidence, with what is wrong in it marked.

use super::text::{safe, width};
use crate::model::Quote;

/// The safe form of at most this many characters of a quote, and the carets under its
/// marks.
pub fn underlined(quote: &Quote, letters: usize) -> (String, String) {
    let (mut text, mut carets) = (String::new(), String::new());
    for (number, (at, letter)) in quote.text.char_indices().enumerate() {
        if number == letters {
            text.push('…');
            break;
        }
        let written = safe(letter.encode_utf8(&mut [0; 4]));
        let is_marked = quote.marks.iter().any(|mark| mark.start <= at && at < mark.end);
        carets.extend(std::iter::repeat_n(if is_marked { '^' } else { ' ' }, width(&written)));
        text.push_str(&written);
    }
    // A missing part is missing at the end.
    if quote.marks.iter().any(|mark| mark.start == mark.end && mark.start >= quote.text.len()) {
        carets.push('^');
    }
    (text, carets)
}
