//! Signals other than traces. A file may hold their requests beside those of spans, or
//! instead: the Collector writes all signals of its pipelines into one file if they share
//! an exporter.

/// A signal that has no spans.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum OtherSignal {
    Logs,
    Metrics,
    Profiles,
}

impl OtherSignal {
    pub const ALL: [Self; 3] = [Self::Logs, Self::Metrics, Self::Profiles];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Logs => "logs",
            Self::Metrics => "metrics",
            Self::Profiles => "profiles",
        }
    }

    /// What is counted of it.
    pub const fn record(self) -> &'static str {
        match self {
            Self::Logs => "record",
            Self::Metrics => "data point",
            Self::Profiles => "profile",
        }
    }
}

/// How many records of other signals a request contained. A request may be about a signal
/// and have no record.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct OtherRecords([Option<u64>; 3]);

impl OtherRecords {
    /// So many of one signal, and of no other.
    pub fn of(signal: OtherSignal, records: u64) -> Self {
        let mut others = Self::default();
        others.add(signal, records);
        others
    }

    pub fn add(&mut self, signal: OtherSignal, records: u64) {
        let sum = &mut self.0[signal as usize];
        *sum = Some(sum.unwrap_or_default() + records);
    }

    /// Each signal that was there, with the number of its records.
    pub fn iter(&self) -> impl Iterator<Item = (OtherSignal, u64)> {
        OtherSignal::ALL.into_iter().filter_map(|signal| Some((signal, self.0[signal as usize]?)))
    }
}

impl std::ops::AddAssign for OtherRecords {
    fn add_assign(&mut self, other: Self) {
        other.iter().for_each(|(signal, records)| self.add(signal, records));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_add_up_by_signal() {
        let mut all = OtherRecords::of(OtherSignal::Logs, 2);
        all += OtherRecords::of(OtherSignal::Metrics, 0);
        all += OtherRecords::of(OtherSignal::Logs, 3);
        let told: Vec<_> = all.iter().collect();
        assert_eq!(told, [(OtherSignal::Logs, 5), (OtherSignal::Metrics, 0)]);
    }
}
