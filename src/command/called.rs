//! How this program was called, so that the commands it prints work as printed.

use std::fs;
use std::path::{Path, PathBuf};

use crate::report::NAME;

/// The name to begin a tracelink command with, so that it works as printed: the path that
/// was typed (`target/debug/tracelink`, which `cargo run` uses too), or the name alone if
/// the shell finds this program by it.
#[allow(clippy::disallowed_methods, reason = "where a shell finds programs is no option of tracelink's")]
pub fn called() -> String {
    let program = std::env::args_os().next().unwrap_or_default();
    let path = std::env::var_os("PATH").unwrap_or_default();
    typed(Path::new(&program), &std::env::split_paths(&path).collect::<Vec<_>>())
}

fn typed(program: &Path, folders: &[PathBuf]) -> String {
    let (Some(path), Some(name)) = (program.to_str(), program.file_name()) else { return NAME.to_owned() };
    let same = |found: PathBuf| Some(fs::canonicalize(found).ok()? == fs::canonicalize(program).ok()?);
    let found = || folders.iter().map(|folder| folder.join(name)).find(|found| found.is_file());
    if program.is_absolute() && found().and_then(same) == Some(true) {
        return quoted(&name.to_string_lossy());
    }
    quoted(path)
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
        let typed = |program: &str| typed(Path::new(program), &["/bin".into()]);
        assert_eq!(typed("tracelink"), "tracelink");
        assert_eq!(typed("./tracelink"), "./tracelink");
        assert_eq!(typed("target/debug/tracelink"), "target/debug/tracelink");
        assert_eq!(typed("../my tools/tracelink"), "'../my tools/tracelink'");
        assert_eq!(typed("/opt/no such/tracelink"), "'/opt/no such/tracelink'");
        assert_eq!(typed("/bin/sh"), "sh", "the shell finds it by its name");
        assert_eq!(typed(""), "tracelink");
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
