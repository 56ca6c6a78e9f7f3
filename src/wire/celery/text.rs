//! Texts that are kept only in part.

/// The longest name of a task, an id or an origin that is kept and saved, in bytes.
pub const NAME: usize = 256;

/// At most `limit` bytes from the start, on a character border.
pub fn cut(text: &str, limit: usize) -> &str {
    &text[..text.floor_char_boundary(limit)]
}

/// The last lines, at most `limit` bytes of them; if one line is longer, its end.
pub fn tail(text: &str, limit: usize) -> &str {
    let start = text.ceil_char_boundary(text.len().saturating_sub(limit));
    let end = &text[start..];
    let is_cut = start > 0 && !text[..start].ends_with('\n');
    match end.split_once('\n') {
        Some((_, lines)) if is_cut && !lines.is_empty() => lines,
        _ => end,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_the_end_whole_lines_are_kept() {
        const LIMIT: usize = 1024;

        let long = "  File \"/srv/é.py\", line 1\n".repeat(100) + "KeyError: 'traceparent'\n";
        let end = tail(&long, LIMIT);
        assert!(end.len() <= LIMIT && end.starts_with("  File") && end.ends_with("'traceparent'\n"));
        assert_eq!(tail("short", LIMIT), "short");
        assert_eq!(tail(&"é".repeat(LIMIT), LIMIT).len(), LIMIT);
    }
}
