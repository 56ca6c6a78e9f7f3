//! A quoted piece of evidence, with what is wrong in it marked.

use super::text::{safe, width};
use crate::model::Quote;

/// The safe form of at most this many characters of a quote, in pieces that are marked as
/// wrong or not. What is missing at the end is a marked piece without text.
pub fn pieces(quote: &Quote, letters: usize) -> Vec<(String, bool)> {
    let mut pieces: Vec<(String, bool)> = Vec::new();
    for (at, letter) in quote.text.char_indices().take(letters) {
        let is_marked = quote.marks.iter().any(|mark| mark.start <= at && at < mark.end);
        match pieces.last_mut().filter(|(_, marked)| *marked == is_marked) {
            Some((text, _)) => text.push(letter),
            None => pieces.push((letter.to_string(), is_marked)),
        }
    }
    pieces.iter_mut().for_each(|(text, _)| *text = safe(text));
    if quote.text.chars().nth(letters).is_some() {
        pieces.push(("…".to_owned(), false));
    }
    if quote.marks.iter().any(|mark| mark.start == mark.end && mark.start >= quote.text.len()) {
        pieces.push((String::new(), true));
    }
    pieces
}

/// The safe form of at most this many characters of a quote, and the carets under its
/// marks.
pub fn underlined(quote: &Quote, letters: usize) -> (String, String) {
    let (mut text, mut carets) = (String::new(), String::new());
    for (piece, is_marked) in pieces(quote, letters) {
        let columns = if is_marked { width(&piece).max(1) } else { width(&piece) };
        carets.push_str(&(if is_marked { "^" } else { " " }).repeat(columns));
        text.push_str(&piece);
    }
    (text, carets)
}
