//! Escapes text from outside so that Markdown and HTML show it as text.
//!
//! A name is a code span, in which GitHub creates no mention, issue or link.

use std::fmt::Write as _;

use crate::report::text::clip;

/// A name as code, in a sentence or in a cell of a table.
pub fn code(text: &str, letters: usize) -> String {
    let text = clip(text, letters);
    let is_plain = !text.contains(['`', '|', '\\']) && !text.starts_with(' ') && !text.ends_with(' ');
    if is_plain && !text.is_empty() {
        return format!("`{text}`");
    }
    // Each character as an entity, so that none of them has a meaning anywhere.
    let mut escaped = String::from("<code>");
    for letter in text.chars() {
        if letter.is_ascii_punctuation() {
            let _ = write!(escaped, "&#{};", u32::from(letter));
        } else {
            escaped.push(letter);
        }
    }
    escaped + "</code>"
}

/// A sentence of ours, possibly with names in it. A word that could be more than a word
/// becomes code.
pub fn prose(text: &str, letters: usize) -> String {
    let text = clip(text, letters);
    let words = text.split(' ').map(|word| {
        let acts = word.contains(['@', '#', '\\', '`', '|', '<', '>'])
            || word.contains("://")
            || word.contains("www.");
        if acts { code(word, letters) } else { escaped(word) }
    });
    words.collect::<Vec<_>>().join(" ")
}

/// A word with a backslash before anything that could be markup.
fn escaped(word: &str) -> String {
    let mut escaped = String::new();
    for letter in word.chars() {
        if matches!(letter, '*' | '_' | '[' | ']' | '&' | '~' | '!' | '$') {
            escaped.push('\\');
        }
        escaped.push(letter);
    }
    escaped
}

/// A name inside HTML, where no Markdown is read.
pub fn html(text: &str, letters: usize) -> String {
    clip(text, letters).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Lines as a block of code. The fence is longer than any run of backticks in it.
pub fn block(language: &str, lines: &[String]) -> String {
    let longest = lines.iter().map(|line| ticks(line)).max().unwrap_or_default();
    let fence = "`".repeat((longest + 1).max(3));
    format!("{fence}{language}\n{}\n{fence}\n", lines.join("\n"))
}

/// The longest run of backticks in a line.
fn ticks(line: &str) -> usize {
    line.split(|letter| letter != '`').map(str::len).max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_code() {
        assert_eq!(code("POST /orders", 80), "`POST /orders`");
        assert_eq!(code("a|b`c", 80), "<code>a&#124;b&#96;c</code>");
        assert_eq!(code("", 80), "<code></code>");
        assert_eq!(code("order", 2), "`or…`");
    }

    #[test]
    fn a_sentence_is_text() {
        assert_eq!(prose("set *it* at @once, see http://x", 80), "set \\*it\\* at `@once,` see `http://x`");
        assert_eq!(prose("<b>x</b>", 80), "`<b>x</b>`");
    }

    #[test]
    fn a_fence_is_longer_than_what_it_holds() {
        assert_eq!(block("sh", &["a```b".to_owned()]), "````sh\na```b\n````\n");
    }
}
