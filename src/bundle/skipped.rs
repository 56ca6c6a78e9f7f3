//! What was skipped in saved evidence, and where.

use std::path::{Path, PathBuf};

use super::place::Place;
use super::signals::Signals;
use super::spanless::Spanless;
use crate::wire::otlp::Counts;

/// Something that was skipped, and where. Nothing else is lost with it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Skipped {
    pub path: PathBuf,
    /// Where in the file; `None` if it concerns the whole file.
    pub place: Option<Place>,
    pub what: String,
    /// Whether that is normal, such as another program's list. Then only users who ask for
    /// more see it.
    pub is_expected: bool,
}

/// What was skipped in one file. The first thousand places are reported one by one, the
/// others as a number: a file may have a billion of them.
pub struct SkippedIn<'n> {
    path: &'n Path,
    all: &'n mut Vec<Skipped>,
    places: usize,
    /// Whether something of the file is lost.
    has_loss: bool,
    signals: Signals,
}

impl<'n> SkippedIn<'n> {
    const PLACES: usize = 1_000;

    pub fn of(path: &'n Path, all: &'n mut Vec<Skipped>) -> Self {
        Self { path, all, places: 0, has_loss: false, signals: Signals::default() }
    }

    fn push(&mut self, place: Option<Place>, what: String, is_expected: bool) {
        self.has_loss |= !is_expected;
        self.all.push(Skipped { path: self.path.to_owned(), place, what, is_expected });
    }

    /// Whether anything was skipped that should not have been.
    pub const fn has_loss(&self) -> bool {
        self.has_loss
    }

    /// Counts what a request contained that begins here.
    pub fn took(&mut self, place: Place, counts: Counts) {
        self.signals.add(place, counts);
    }

    /// Adds what the file holds of other signals than traces, once all of it was read. If it
    /// holds nothing else, that is returned instead.
    pub fn other_signals(&mut self) -> Option<Spanless> {
        let signals = std::mem::take(&mut self.signals);
        let spanless = signals.without_spans().filter(|_| !self.has_loss);
        if spanless.is_none() {
            let path = self.path;
            let told = signals.told().map(|(place, what)| Skipped {
                path: path.to_owned(),
                place: Some(place),
                what,
                is_expected: false,
            });
            self.all.extend(told);
        }
        spanless
    }

    /// Adds something about the whole file.
    pub fn file(&mut self, what: impl Into<String>) {
        self.push(None, what.into(), false);
    }

    /// Adds what the file's format cannot express, although nothing of the file is lost.
    pub fn format(&mut self, what: &str) {
        self.all.push(Skipped {
            path: self.path.to_owned(),
            place: None,
            what: what.to_owned(),
            is_expected: false,
        });
    }

    /// Adds something normal about the whole file.
    pub fn expected(&mut self, what: impl Into<String>) {
        self.push(None, what.into(), true);
    }

    /// Adds something about a line, counted from 1.
    pub fn line(&mut self, number: usize, what: impl Into<String>) {
        self.at(Place::Line(number), what.into());
    }

    /// Adds something about what begins at a byte, counted from 0.
    pub fn byte(&mut self, at: u64, what: impl Into<String>) {
        self.at(Place::Byte(at), what.into());
    }

    /// Adds something at a place.
    pub fn at(&mut self, place: Place, what: String) {
        self.places += 1;
        self.has_loss = true;
        if self.places <= Self::PLACES {
            self.push(Some(place), what, false);
        }
    }
}

impl Drop for SkippedIn<'_> {
    fn drop(&mut self) {
        if let Some(untold) = self.places.checked_sub(Self::PLACES).filter(|untold| *untold > 0) {
            self.push(None, format!("{untold} more places that cannot be read were passed over"), false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_broken_lines_take_a_thousand_places() {
        let mut all = Vec::new();
        let mut skipped = SkippedIn::of(Path::new("spans.jsonl"), &mut all);
        (1..=1_000_000).for_each(|number| skipped.line(number, "broken"));
        drop(skipped);
        assert_eq!(all.len(), 1_001);
        assert_eq!(all[999].place, Some(Place::Line(1_000)));
        assert!(all[1_000].what.starts_with("999000 more places"), "{:?}", all[1_000]);
    }
}
