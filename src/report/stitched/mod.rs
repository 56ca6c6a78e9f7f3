//! A hand-off, or traces that belong together, laid out as the one trace that it should
//! have been: rows that are values, on one time axis, with the gap where the two sides do
//! not meet. Each view draws them in its own way.
//!
//! A layout borrows nothing, and names spans by their places, so that it can be kept beside
//! its traces. It costs as much as there are spans, however deep they lie.

mod axis;
mod health;
mod pieces;
mod row;
mod rows;
mod sides;
#[cfg(test)]
mod tests;
mod title;
mod traces;
mod tree;

use self::pieces::{Piece, of_group, of_handoff, of_passage};
use self::rows::Rows;
use self::sides::Sides;
use crate::model::HandoffReport;
use crate::report::text::safe;

pub use self::axis::Axis;
pub use self::health::{Health, finding_ids, has_no_run_yet};
pub use self::pieces::Between;
pub use self::row::{Content, Detail, Fragment, Row, Stitched};
pub use self::sides::{Gap, later};
pub use self::title::{fullest, main_handoff, task_title, title};
pub use self::traces::Parts;

impl Stitched {
    /// One hand-off among those of `parts`.
    pub fn of_handoff(handoff: &HandoffReport, parts: &Parts<'_>, between: Between, detail: Detail) -> Self {
        let sides = Sides::of(handoff, parts);
        let sender = sides.sender.map(|sender| &parts.traces[sender]);
        Self {
            title: task_title(sender, &handoff.task),
            stations: Some(handoff.stations),
            ..Rows::of(&of_handoff(handoff, &sides, parts, between), parts, detail)
        }
    }

    /// Traces in which nothing is broken, those that link to another one below it.
    pub fn of_group(parts: &Parts<'_>, detail: Detail) -> Self {
        let stations = match parts.handoffs {
            [handoff] => Some(handoff.stations),
            _ => None,
        };
        Self { title: title(parts), stations, ..Rows::of(&of_group(parts), parts, detail) }
    }

    /// Everything that belongs together, broken or not.
    pub fn of_passage(parts: &Parts<'_>, detail: Detail) -> Self {
        let stations = main_handoff(parts.handoffs).map(|handoff| handoff.stations);
        Self { title: title(parts), stations, ..Rows::of(&of_passage(parts), parts, detail) }
    }

    /// One of the traces by itself.
    pub fn of_trace(place: usize, parts: &Parts<'_>, detail: Detail) -> Self {
        let root = parts.traces[place].spans.first();
        let title = root.map(|root| safe(&root.name)).unwrap_or_default();
        Self { title, ..Rows::of(&[Piece::Tree(place)], parts, detail) }
    }
}
