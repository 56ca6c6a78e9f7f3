//! Redis's glob patterns, without character classes.

/// Whether a name matches a pattern of `*`, `?` and `\`.
pub fn matches(pattern: &[u8], name: &[u8]) -> bool {
    // Where to go on when the rest does not match: the last star takes one more.
    let (mut p, mut n, mut retry) = (0, 0, None);
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                retry = Some((p + 1, n));
                p += 1;
                continue;
            }
            Some(b'?') => {
                (p, n) = (p + 1, n + 1);
                continue;
            }
            Some(b'\\') if pattern.get(p + 1) == Some(&name[n]) => {
                (p, n) = (p + 2, n + 1);
                continue;
            }
            Some(letter) if letter == &name[n] => {
                (p, n) = (p + 1, n + 1);
                continue;
            }
            _ => {}
        }
        match retry {
            Some((after_star, taken)) => {
                (p, n) = (after_star, taken + 1);
                retry = Some((after_star, n));
            }
            None => return false,
        }
    }
    pattern[p..].iter().all(|letter| *letter == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_marks() {
        for (pattern, name, expected) in [
            ("*", "", true),
            ("celery*", "celery-task-meta-1", true),
            ("*meta*1", "celery-task-meta-11", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("a\\*c", "a*c", true),
            ("a\\*c", "abc", false),
            ("a*b*c", "axxbxx", false),
        ] {
            assert_eq!(matches(pattern.as_bytes(), name.as_bytes()), expected, "{pattern} {name}");
        }
    }
}
