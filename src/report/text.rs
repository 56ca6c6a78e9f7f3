//! Text from outside, made safe for a terminal and measured in columns.
//!
//! Span names, header values and task names are hostile: no control character,
//! escape sequence or bidirectional override of theirs reaches the terminal.

use std::fmt::{self, Write};

use unicode_width::UnicodeWidthChar;

/// Writes a text with everything that could act on a terminal made visible.
#[derive(Clone, Copy, Debug)]
pub struct Safe<'a>(pub &'a str);

impl fmt::Display for Safe<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// How many combining marks one character may carry: no language needs more, and
        /// thousands would cover the lines around them.
        const MARKS: usize = 8;
        let mut marks = 0;
        self.0.chars().try_for_each(|letter| {
            marks = if letter.width() == Some(0) { marks + 1 } else { 0 };
            match letter {
                '\n' => f.write_str("\\n"),
                '\t' => f.write_str("\\t"),
                '\r' => f.write_str("\\r"),
                letter if marks > MARKS || acts_on_a_terminal(letter) => {
                    write!(f, "\\u{{{:x}}}", u32::from(letter))
                }
                letter => f.write_char(letter),
            }
        })
    }
}

/// Control characters (C0, C1), characters that override the direction of text
/// (<https://trojansource.codes>), and invisible ones, with which two different names would
/// look the same. So are Unicode's noncharacters, which XML forbids.
pub fn acts_on_a_terminal(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{fff9}'..='\u{fffb}')
        || is_default_ignorable(letter)
        || is_noncharacter(letter)
}

const fn is_noncharacter(letter: char) -> bool {
    let point = letter as u32;
    point & 0xfffe == 0xfffe || (0xfdd0 <= point && point <= 0xfdef)
}

/// Unicode's `Default_Ignorable_Code_Point`, which is invisible in a font that does not
/// know it: fillers, joiners, selectors, tags
/// (<https://www.unicode.org/Public/UCD/latest/ucd/DerivedCoreProperties.txt>).
const fn is_default_ignorable(letter: char) -> bool {
    matches!(letter,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
}

/// The safe form of a text.
pub fn safe(text: &str) -> String {
    Safe(text).to_string()
}

/// The safe form of a text of several lines, which stay separate.
pub fn safe_lines(text: &str) -> String {
    text.split('\n').map(safe).collect::<Vec<_>>().join("\n")
}

/// The safe form of at most this many characters of a text; `…` replaces the rest.
pub fn clip(text: &str, letters: usize) -> String {
    match text.char_indices().nth(letters) {
        Some((end, _)) => format!("{}…", Safe(&text[..end])),
        None => safe(text),
    }
}

/// How many columns a safe text takes.
pub fn width(text: &str) -> usize {
    text.chars().map(|letter| letter.width().unwrap_or(0)).sum()
}

/// At most `columns` of a safe text; `…` replaces the rest.
pub fn fit(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut fitted = String::new();
    let mut taken = 0;
    for letter in text.chars() {
        let wide = letter.width().unwrap_or(0);
        if taken + wide + 1 > columns {
            break;
        }
        taken += wide;
        fitted.push(letter);
    }
    fitted.push('…');
    fitted
}

/// A text of exactly `columns`: cut, or padded on the right.
pub fn pad(text: &str, columns: usize) -> String {
    let fitted = fit(text, columns);
    let missing = columns.saturating_sub(width(&fitted));
    fitted + &" ".repeat(missing)
}

/// Breaks a safe text into lines of at most `columns`, at spaces if possible.
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(1);
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("there is a first line");
        if line.is_empty() {
            line.push_str(word);
        } else if width(line) + 1 + width(word) <= columns {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

/// A duration that can be read at a glance: `20 µs`, `3 ms`, `1.25 s`, `2 m 5 s`, `3 h 20
/// m`, `2 d 4 h`.
pub fn duration(millis: f64) -> String {
    let magnitude = millis.abs();
    if magnitude == 0.0 {
        "0 ms".to_owned()
    } else if magnitude < 0.1 {
        format!("{:.0} µs", millis * 1_000.0)
    } else if magnitude < 1.0 {
        format!("{millis:.1} ms")
    } else if magnitude < 1_000.0 {
        format!("{millis:.0} ms")
    } else if magnitude < 60_000.0 {
        let text = format!("{:.2}", millis / 1_000.0);
        format!("{} s", text.trim_end_matches('0').trim_end_matches('.'))
    } else {
        #[allow(clippy::cast_possible_truncation, reason = "`as` saturates")]
        let seconds = (millis / 1_000.0).round() as i64;
        let (minutes, hours) = (seconds / 60, seconds / 3_600);
        match (minutes.abs(), hours.abs()) {
            (..60, _) => format!("{minutes} m {} s", seconds.abs() % 60),
            (_, ..48) => format!("{hours} h {} m", minutes.abs() % 60),
            _ => format!("{} d {} h", hours / 24, hours.abs() % 24),
        }
    }
}

/// Which try an attempt is to people, who count from 1. A message may name any number.
pub fn which_try(attempt: u32) -> u64 {
    u64::from(attempt) + 1
}

/// A count with its noun: `1 trace`, `2 traces`.
pub fn plural(number: u64, what: &str) -> String {
    format!("{} {what}{}", count(number), if number == 1 { "" } else { "s" })
}

/// A count with its thousands separated: `1 000 000`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push('\u{a0}');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Regression: the number that follows the largest one was none.
    #[test]
    fn any_attempt_can_be_told() {
        assert_eq!((which_try(0), which_try(u32::MAX)), (1, 1 << 32));
    }

    #[test]
    fn nothing_acts_on_the_terminal() {
        let hostile = "\u{1b}[2Jname\u{202e}gpj\u{9b}31m\n";
        assert_eq!(safe(hostile), "\\u{1b}[2Jname\\u{202e}gpj\\u{9b}31m\\n");
        assert_eq!(safe_lines("one\u{1b}c\n  two\r"), "one\\u{1b}c\n  two\\r");
    }

    #[test]
    fn what_is_cut_is_told() {
        assert_eq!(clip("order", 5), "order");
        assert_eq!(clip("or\u{202e}der", 3), "or\\u{202e}…");
    }

    /// The ranges of Unicode 16.0, as `DerivedCoreProperties.txt` has them: 4,174 code
    /// points. The names of those that stand alone say what each is.
    #[test]
    fn nothing_that_is_ignored_by_default_is_shown_raw() {
        const RANGES: [(u32, u32, &str); 17] = [
            (0xad, 0xad, "SOFT HYPHEN"),
            (0x34f, 0x34f, "COMBINING GRAPHEME JOINER"),
            (0x61c, 0x61c, "ARABIC LETTER MARK"),
            (0x115f, 0x1160, "HANGUL CHOSEONG FILLER, HANGUL JUNGSEONG FILLER"),
            (0x17b4, 0x17b5, "KHMER VOWELS INHERENT"),
            (0x180b, 0x180f, "MONGOLIAN SELECTORS"),
            (0x200b, 0x200f, "ZERO WIDTH SPACE and on"),
            (0x202a, 0x202e, "DIRECTIONS"),
            (0x2060, 0x206f, "WORD JOINER and on"),
            (0x3164, 0x3164, "HANGUL FILLER"),
            (0xfe00, 0xfe0f, "VARIATION SELECTORS"),
            (0xfeff, 0xfeff, "ZERO WIDTH NO-BREAK SPACE"),
            (0xffa0, 0xffa0, "HALFWIDTH HANGUL FILLER"),
            (0xfff0, 0xfff8, "not assigned"),
            (0x1_bca0, 0x1_bca3, "SHORTHAND FORMATS"),
            (0x1_d173, 0x1_d17a, "MUSICAL FORMATS"),
            (0xe_0000, 0xe_0fff, "TAGS, VARIATION SELECTORS"),
        ];
        let mut seen = 0;
        for (first, last, name) in RANGES {
            for letter in (first..=last).filter_map(char::from_u32) {
                seen += 1;
                let shown = safe(&format!("pay{letter}ment"));
                assert_eq!(shown, format!("pay\\u{{{:x}}}ment", u32::from(letter)), "{name}");
            }
        }
        assert_eq!(seen, 4_174);
    }

    #[test]
    fn a_letter_carries_so_many_marks_and_the_rest_is_seen() {
        let heap = format!("e{}", "\u{301}".repeat(5_000));
        let shown = safe(&heap);
        assert_eq!(shown.matches('\u{301}').count(), 8);
        assert!(fit(&shown, 20).len() < 60, "{}", fit(&shown, 20));
        let word = "नमस्ते한국";
        assert_eq!(safe(word), word);
    }

    #[test]
    fn durations_and_counts_read_at_a_glance() {
        let cases = [
            (0.0, "0 ms"),
            (0.022, "22 µs"),
            (0.1, "0.1 ms"),
            (3.4, "3 ms"),
            (1_250.0, "1.25 s"),
            (125_000.0, "2 m 5 s"),
            (12_000_000.0, "3 h 20 m"),
            (187_200_000.0, "2 d 4 h"),
            (-1_900.0, "-1.9 s"),
            (-90_500.0, "-1 m 31 s"),
            (f64::MAX, "106751991167300 d 15 h"),
        ];
        for (millis, text) in cases {
            assert_eq!(duration(millis), text);
        }
        assert_eq!(count(1_000_000), "1\u{a0}000\u{a0}000");
        assert_eq!(count(412), "412");
    }

    proptest! {
        #[test]
        fn what_is_fitted_fits(text in "\\PC{0,40}", columns in 1..30usize) {
            prop_assert!(width(&fit(&safe(&text), columns)) <= columns);
            prop_assert_eq!(width(&pad(&safe(&text), columns)), columns);
        }

        #[test]
        fn no_text_is_left_that_acts(text in any::<String>()) {
            prop_assert!(!safe(&text).chars().any(acts_on_a_terminal));
        }
    }
}
