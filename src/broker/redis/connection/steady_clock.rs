//! A clock that never runs backwards.

use std::time::Duration;

use crate::model::Timestamp;

/// A server's clock without its jumps back. Looks are ordered by their time. One that
/// seemed older than the last would report nothing new until the clock had caught up.
#[derive(Clone, Copy, Default, Debug)]
pub struct SteadyClock {
    latest: Timestamp,
    /// How far the server's clock has jumped back so far.
    behind: Duration,
}

impl SteadyClock {
    /// Reads the clock when the server's own shows `shown`.
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
