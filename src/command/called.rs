//! How this program was called, so that the commands it prints work as printed.

use std::ffi::OsStr;

/// The name to begin a tracelink command with: the typed path, if it is relative to the
/// working directory (`target/debug/tracelink`, which `cargo run` uses too), otherwise
/// `tracelink`.
pub fn called() -> String {
    std::env::args_os().next().map_or_else(|| NAME.to_owned(), |program| typed(&program))
}

const NAME: &str = "tracelink";

fn typed(program: &OsStr) -> String {
    match program.to_str() {
        Some(path) if path.contains('/') && !path.starts_with('/') => quoted(path),
        _ => NAME.to_owned(),
    }
}

/// A word as a shell reads it back.
pub fn quoted(word: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-+:=@%,~".contains(letter);
    if !word.is_empty() && !word.starts_with('~') && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_begins_as_it_was_typed() {
        let typed = |program: &str| typed(OsStr::new(program));
        assert_eq!(typed("tracelink"), "tracelink");
        assert_eq!(typed("./tracelink"), "./tracelink");
        assert_eq!(typed("target/debug/tracelink"), "target/debug/tracelink");
        assert_eq!(typed("../my tools/tracelink"), "'../my tools/tracelink'");
        assert_eq!(typed("/usr/bin/tracelink"), "tracelink");
    }

    #[test]
    fn a_shell_reads_back_what_was_quoted() {
        assert_eq!(quoted("redis://127.0.0.1:6379/0"), "redis://127.0.0.1:6379/0");
        assert_eq!(quoted("it's $HOME"), r"'it'\''s $HOME'");
        assert_eq!(quoted("redis://h/0?a=1&b=2"), "'redis://h/0?a=1&b=2'");
        assert_eq!(quoted("~x"), "'~x'");
        assert_eq!(quoted(""), "''");
    }
}
