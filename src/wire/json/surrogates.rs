//! Escapes of one half of a surrogate pair. Python's `json.dumps` writes them for a file
//! name that is not UTF-8, and JavaScript for a text that was cut inside an emoji. They are
//! valid JSON but no text: a parser refuses them, with everything around them.

use std::borrow::Cow;

use memchr::memmem;

/// `\ufffd`, which is as long as any other escape.
const REPLACED: &[u8; 6] = br"\ufffd";

/// The text, with each lone half replaced.
pub fn without_lone_halves(json: &[u8]) -> Cow<'_, [u8]> {
    let Some(first) = next_lone_half(json, 0) else { return Cow::Borrowed(json) };
    let mut mended = json.to_vec();
    mend_from(&mut mended, first);
    Cow::Owned(mended)
}

/// Whether a lone half stands anywhere.
pub fn has_lone_half(json: &[u8]) -> bool {
    next_lone_half(json, 0).is_some()
}

/// Replaces each lone half.
pub fn mend(json: &mut [u8]) {
    if let Some(first) = next_lone_half(json, 0) {
        mend_from(json, first);
    }
}

fn mend_from(json: &mut [u8], first: usize) {
    let mut next = Some(first);
    while let Some(at) = next {
        json[at..at + REPLACED.len()].copy_from_slice(REPLACED);
        next = next_lone_half(json, at + REPLACED.len());
    }
}

/// Where the next lone half is, from `from` on.
fn next_lone_half(json: &[u8], mut from: usize) -> Option<usize> {
    loop {
        let at = from + memmem::find(&json[from..], br"\u")?;
        // What follows a backslash that is itself escaped is no escape.
        let backslashes = json[..at].iter().rev().take_while(|byte| **byte == b'\\').count();
        let half = half_at(json, at).filter(|_| backslashes.is_multiple_of(2));
        from = match half {
            None => at + 2,
            Some(Half::Leading) if half_at(json, at + 6) == Some(Half::Trailing) => at + 12,
            Some(_) => return Some(at),
        };
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Half {
    Leading,
    Trailing,
}

fn half_at(json: &[u8], at: usize) -> Option<Half> {
    let [b'\\', b'u', b'd' | b'D', second, third, fourth] = *json.get(at..at + REPLACED.len())? else {
        return None;
    };
    if !third.is_ascii_hexdigit() || !fourth.is_ascii_hexdigit() {
        return None;
    }
    match second {
        b'8'..=b'9' | b'a'..=b'b' | b'A'..=b'B' => Some(Half::Leading),
        b'c'..=b'f' | b'C'..=b'F' => Some(Half::Trailing),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn mended(json: &str) -> String {
        String::from_utf8(without_lone_halves(json.as_bytes()).into_owned()).expect("as it was")
    }

    #[test]
    fn halves_that_belong_together_stay() {
        for whole in [
            r#""\ud83d\ude00""#,
            r#""\\ud83d""#,
            r#""\\\\ud83d""#,
            r#""\u00e4\n""#,
            r#""\ud7ff""#,
            r"\ud8",
            "",
        ] {
            assert_eq!(mended(whole), whole);
        }
    }

    #[test]
    fn a_half_alone_is_replaced() {
        for (lone, whole) in [
            (r#""a\ud83db""#, r#""a\ufffdb""#),
            (r#""\uDE00""#, r#""\ufffd""#),
            (r#""\ude00\ud83d""#, r#""\ufffd\ufffd""#),
            (r#""\ud83d\ud83d\ude00""#, r#""\ufffd\ud83d\ude00""#),
            (r#""\\\ud83d""#, r#""\\\ufffd""#),
        ] {
            assert_eq!(mended(lone), whole);
        }
    }

    proptest! {
        #[test]
        fn what_is_mended_is_a_text(escapes in proptest::collection::vec(any::<u16>(), 0..20)) {
            let escapes: Vec<_> = escapes.iter().map(|unit| format!("\\u{:04x}", unit | 0xd000)).collect();
            let json = mended(&format!("\"{}\"", escapes.concat()));
            prop_assert!(serde_json::from_str::<String>(&json).is_ok(), "{}", json);
        }
    }
}
