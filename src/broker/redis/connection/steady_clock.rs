//! A clock that never runs backwards.

use std::time::Duration;

use crate::model::Timestamp;

/// What is left of a server's clock when its jumps back are taken out: looks stand in
/// the order of their time, so one that seemed to be older than the last would tell of
/// nothing new until the clock had caught up.
#[derive(Clone, Copy, Default, Debug)]
pub struct SteadyClock {
    latest: Timestamp,
    /// By how much the server's clock has jumped back so far.
    behind: Duration,
}

impl SteadyClock {
    /// The moment that the server's clock shows.
    pub fn read(&mut self, shown: Timestamp) -> Timestamp {
        let mut now = shown.after(self.behind);
        if now < self.latest {
            self.behind += self.latest.since(now);
            now = self.latest;
        }
        self.latest = now;
        now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_jumps_back_goes_on() {
        let at = |seconds: u64| Timestamp::from_nanos(seconds * 1_000_000_000);
        let mut clock = SteadyClock::default();
        let shown = [100, 101, 41, 42, 43, 3, 5, 200];
        let read = shown.map(|seconds| clock.read(at(seconds)));
        assert_eq!(read, [100, 101, 101, 102, 103, 103, 105, 300].map(at));
    }
}
