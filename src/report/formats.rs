//! All formats, by name.

use super::format::Format;
use super::{github, html, human, json, jsonl, junit, markdown, sarif};

/// Makes the enum from a table: the variant, the type that writes it, the name that users
/// type, and its description.
macro_rules! formats {
    ($($variant:ident: $format:ty, $name:literal, $about:literal;)+) => {
        /// The name of a format.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum FormatName {
            $(#[doc = $about] $variant,)+
        }

        impl FormatName {
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// As users write it.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// Its description for users.
            pub const fn about(self) -> &'static str {
                match self { $(Self::$variant => $about,)+ }
            }

            /// A writer of this format, for one output.
            pub fn writer(self) -> Box<dyn Format> {
                match self { $(Self::$variant => Box::<$format>::default(),)+ }
            }
        }
    };
}

formats! {
    Human: human::Human, "human", "For a person at a terminal";
    Json: json::Json, "json", "One document, schema tracelink/1";
    Jsonl: jsonl::Jsonl, "jsonl", "One event a line; the last is the report";
    Markdown: markdown::Markdown, "markdown", "For a pull request, or a step's summary";
    Junit: junit::Junit, "junit", "A test case for each hand-off, for CI servers";
    Sarif: sarif::Sarif, "sarif", "A result for each finding, for viewers of SARIF 2.1.0";
    Github: github::Github, "github", "Annotations of GitHub Actions";
    Html: html::Html, "html", "One page for a browser, with everything in it";
}

impl FormatName {
    /// The format of this name.
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|format| format.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Report;
    use crate::report::text::acts_on_a_terminal;
    use crate::report::{Form, Subject, View};

    #[test]
    fn names_are_short_lower_case_words_and_no_two_are_alike() {
        for format in FormatName::ALL {
            assert_eq!(FormatName::find(format.name()), Some(*format));
            assert!(format.name().chars().all(|letter| letter.is_ascii_lowercase()), "{format:?}");
            assert!(!format.about().is_empty() && !format.about().ends_with('.'), "{format:?}");
        }
    }

    #[test]
    fn a_format_that_does_not_stream_takes_no_traces() {
        for format in FormatName::ALL {
            let mut writer = format.writer();
            assert_eq!(writer.streams(), writer.traces_a_round() > 0, "{format:?}");
        }
    }

    #[test]
    fn no_format_writes_what_acts_on_a_terminal() {
        let hostile = "a\u{1b}[2J\u{9b}31m\u{202e}b\u{7f}\u{e0041}é🦀\n";
        let report = Report { error: Some(hostile.to_owned()), ..Report::default() };
        let view = View { exit_code: 4, ..View::default() };
        for format in FormatName::ALL {
            let mut writer = format.writer();
            let mut written = Vec::new();
            writer.report(&report, Subject::Queue, &view, &mut written).expect("memory");
            let text = String::from_utf8(written).expect("UTF-8");
            assert!(!text.chars().any(|letter| letter != '\n' && acts_on_a_terminal(letter)), "{text}");
            assert!(text.contains("é🦀"), "{text}");
            if matches!(writer.form(), Some(Form::Document | Form::Lines)) {
                let read: serde_json::Value = serde_json::from_str(&text).expect("JSON");
                assert_eq!(read.get("report").unwrap_or(&read)["error"], hostile);
            }
        }
    }
}
