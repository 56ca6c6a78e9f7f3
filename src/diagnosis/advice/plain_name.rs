//! Names from outside, as they may stand in a line that people paste.

/// A name from outside as it may stand in a line to paste: what is longer than 64
/// bytes, or holds more than letters, digits and these signs, is not repeated.
pub fn plain_name<'n>(name: &'n str, signs: &[u8], otherwise: &'static str) -> &'n str {
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
        assert_eq!(plain_name("trace-context", b"-_.", "…"), "trace-context");
        assert_eq!(plain_name("a; rm -rf ~", b"-_.", "…"), "…");
        assert_eq!(plain_name(&"a".repeat(65), b"-_.", "…"), "…");
    }
}
