//! What a store counted itself, and how much of it was looked at.

use std::fmt::Write as _;

use super::escape::{code, prose};
use crate::model::Report;
use crate::report::database::{asked, looked_at, outcome};
use crate::report::text::count;

/// How many groups have a row, and how many characters a name.
const ROWS: usize = 20;
const NAME: usize = 40;

pub fn counted(report: &Report) -> String {
    let Some(database) = &report.database else { return String::new() };
    let mut text = format!(
        "{} {}: {}\n\n",
        code(&database.url, 100),
        code(&database.table, 80),
        prose(&asked(database), 300)
    );
    if !database.groups.is_empty() {
        text.push_str(
            "| | task | from | to | became | hand-offs | looked at |\n|---|---|---|---|---|--:|--:|\n",
        );
        for group in database.groups.iter().take(ROWS) {
            let mark = if group.is_whole() { "✅" } else { "❌" };
            let name = |name: &str| if name.is_empty() { "?".to_owned() } else { code(name, NAME) };
            let _ = writeln!(
                text,
                "| {mark} | {} | {} | {} | {} | {} | {} |",
                name(&group.task),
                name(&group.producer),
                name(&group.consumer),
                outcome(group.outcome),
                count(group.count),
                count(group.looked_at)
            );
        }
        text.push('\n');
        let more = database.groups.len().saturating_sub(ROWS);
        if more > 0 {
            let _ = write!(text, "{more} more groups are in no row.\n\n");
        }
    }
    if let Some(told) = looked_at(database) {
        let _ = write!(text, "{}.\n\n", prose(&told, 400));
    }
    text
}
