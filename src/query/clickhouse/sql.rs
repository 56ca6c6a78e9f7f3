//! Questions, and how values stand in their SQL.

use std::fmt::Write;

/// A question: what it is about, for people, and its SQL.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Question {
    /// Why it is asked, as it follows "the question": `for the spans of traces`.
    pub what: &'static str,
    pub sql: String,
}

impl Question {
    /// The question whose answer are rows, a line each.
    pub fn new(what: &'static str, sql: impl Into<String>) -> Self {
        let mut sql = sql.into();
        sql.push_str("\nFORMAT JSONCompactEachRow");
        Self { what, sql }
    }
}

/// A text as a literal (<https://clickhouse.com/docs/sql-reference/syntax#string>). A NUL
/// ends no literal, but some proxies stop at one.
pub(super) fn text(value: &str) -> String {
    let mut literal = String::with_capacity(value.len() + 2);
    literal.push('\'');
    for letter in value.chars() {
        match letter {
            '\'' => literal.push_str("\\'"),
            '\\' => literal.push_str("\\\\"),
            '\0' => literal.push_str("\\0"),
            letter => literal.push(letter),
        }
    }
    literal.push('\'');
    literal
}

/// Texts as the list behind `IN`.
pub(super) fn texts<'t>(values: impl IntoIterator<Item = &'t str>) -> String {
    let mut list = String::new();
    for value in values {
        let comma = if list.is_empty() { "" } else { ", " };
        let _ = write!(list, "{comma}{}", text(value));
    }
    // An empty list is no SQL, and no id is empty.
    if list.is_empty() { "('')".to_owned() } else { format!("({list})") }
}

/// A name of a database, a table or a column.
pub(super) fn name(name: &str) -> String {
    format!("`{}`", name.replace('\\', "\\\\").replace('`', "\\`").replace('\0', "\\0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_leaves_its_literal() {
        for (value, literal) in [
            ("add", "'add'"),
            ("it's", r"'it\'s'"),
            (r"\", r"'\\'"),
            (r"\' OR 1=1 --", r"'\\\' OR 1=1 --'"),
            ("a\nb\0", "'a\nb\\0'"),
        ] {
            assert_eq!(text(value), literal);
        }
        assert_eq!(texts(["a", "b'"]), r"('a', 'b\'')");
        assert_eq!(texts([]), "('')");
        assert_eq!(name("otel`; DROP"), r"`otel\`; DROP`");
    }
}
