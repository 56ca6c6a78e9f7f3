//! Elements that several parts of a page use.

use crate::model::Severity;

/// The mark of a finding.
pub const fn mark(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "❌",
        Severity::Warning => "🟠",
        Severity::Note => "🔵",
    }
}

/// Something that opens with a click.
pub fn folded(title: &str, text: &str) -> String {
    format!("<details><summary>{title}</summary>\n\n{}\n\n</details>\n\n", text.trim_end())
}
