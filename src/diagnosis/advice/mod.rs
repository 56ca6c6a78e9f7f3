//! The fixes: lines to paste, by what they change.
//!
//! Each says which diagnoses it mends, by their codes, and where its lines go:
//! `grep TL301` in this folder finds the fix for TL301. They are text, one line a
//! string, with a comment where a line alone would not say enough. A rule takes
//! its fix from here and writes none of its own, so that two rules which mend
//! the same thing say the same.
//!
//! What comes from outside (a key, the name of a queue) is put into a line only
//! as [`plain`] lets it, since people paste these lines into a shell.

pub mod carrier;
pub mod celery;
pub mod envelope;
pub mod export;
pub mod extraction;
pub mod identity;
pub mod injection;
pub mod instrumentation;
pub mod propagators;
pub mod sampling;
pub mod tracelink;

/// A name from outside as it may stand in a line to paste: what is longer than 64
/// bytes, or holds more than letters, digits and these signs, is not repeated.
fn plain<'n>(name: &'n str, signs: &[u8], otherwise: &'static str) -> &'n str {
    const LONGEST: usize = 64;
    let is_plain = name.len() <= LONGEST
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || signs.contains(&byte));
    if is_plain { name } else { otherwise }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_shell_could_read_is_not_repeated() {
        assert_eq!(plain("trace-context", b"-_.", "…"), "trace-context");
        assert_eq!(plain("a; rm -rf ~", b"-_.", "…"), "…");
        assert_eq!(plain(&"a".repeat(65), b"-_.", "…"), "…");
    }
}
