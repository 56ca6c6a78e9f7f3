//! Copying through the terminal, which works over ssh too.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// How much is copied at most: some terminals take no more.
const MOST: usize = 64 << 10;

/// The sequence by which a terminal takes a text into the clipboard, OSC 52
/// (<https://invisible-island.net/xterm/ctlseqs/ctlseqs.html>). `None` if the text is too
/// long.
pub fn osc52(text: &str) -> Option<String> {
    (text.len() <= MOST).then(|| format!("\u{1b}]52;c;{}\u{7}", STANDARD.encode(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_copied_is_encoded_and_bounded() {
        assert_eq!(osc52("fix").as_deref(), Some("\u{1b}]52;c;Zml4\u{7}"));
        assert_eq!(osc52(&"x".repeat(MOST + 1)), None);
    }
}
