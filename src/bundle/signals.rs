//! What a file holds of each signal. Only spans are read; of the others it is said how many
//! records there are, and where.

use std::collections::BTreeMap;

use super::place::Place;
use super::spanless::{Spanless, in_words};
use crate::wire::otlp::{Counts, OtherSignal};

/// What requests of a file contained.
#[derive(Default)]
pub struct Signals {
    spans: u64,
    others: BTreeMap<OtherSignal, Seen>,
}

/// The requests of one signal.
struct Seen {
    records: u64,
    first: Place,
    last: Place,
}

impl Signals {
    /// Adds what a request contained that begins here.
    pub fn add(&mut self, place: Place, counts: Counts) {
        self.spans += counts.spans + counts.refused;
        for (signal, records) in counts.others.iter() {
            let seen = self.others.entry(signal).or_insert(Seen { records: 0, first: place, last: place });
            seen.records += records;
            seen.last = place;
        }
    }

    /// What it holds, if it holds other signals and no spans.
    pub fn without_spans(&self) -> Option<Spanless> {
        let others: Vec<_> = self.others.iter().map(|(signal, seen)| (*signal, seen.records)).collect();
        (self.spans == 0 && !others.is_empty()).then_some(Spanless::Signals(others))
    }

    /// What is said of each other signal, at the place where it was first seen.
    pub fn told(&self) -> impl Iterator<Item = (Place, String)> {
        self.others.iter().map(|(signal, Seen { records, first, last })| {
            let until = match last {
                last if last == first => String::new(),
                Place::Line(number) => format!(", the last in line {number}"),
                Place::Byte(at) => format!(", the last at byte {at}"),
            };
            let what = in_words(*signal, *records);
            (*first, format!("{what} beside the spans{until}: passed over, as a hand-off is told by spans"))
        })
    }
}
