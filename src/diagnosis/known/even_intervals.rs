//! Whether points in time look like those of a clock.

use std::time::Duration;

use crate::model::Timestamp;

/// Fewer moments than this may be evenly spaced by accident.
const FEWEST: usize = 3;
/// Anything more frequent is more likely a load than a schedule; and messages that waited
/// in a queue run one right after the other.
const SHORTEST: Duration = Duration::from_millis(500);
/// How far an interval may be off: a fraction of it, plus the delay that a queue adds.
const SHARE: f64 = 0.1;
const JITTER: Duration = Duration::from_millis(200);
/// The fractions of the interval within which the gaps may lie, the closest first.
const SHARES: [f64; 4] = [0.01, 0.02, 0.05, SHARE];
/// The highest probability that unrelated gaps would lie so.
const ACCIDENT: f64 = 0.05;
/// How many points in time it takes to recognise two schedules.
const OF_TWO: usize = 6;
/// How many points in time are looked at: the first ones.
const LOOKED_AT: usize = 1_000;

/// Whether the runs that started at these times look like a scheduler's: most gaps are
/// close to the median or to its multiples, or to those of two schedules that run at once.
/// A task that others publish too needs more evidence.
pub(super) fn look_scheduled(starts: &[Timestamp], is_shared: bool) -> bool {
    let mut starts = starts.to_vec();
    starts.sort_unstable();
    starts.truncate(LOOKED_AT);
    let Some(ticks) = without_backlogs(&starts) else { return false };
    let fewest = if is_shared { FEWEST + 1 } else { FEWEST };
    ticks.len() >= fewest && (are_even(&ticks) || are_of_two(&ticks))
}

/// One point in time for each backlog: the messages that waited for a worker run at once
/// when one comes. Either there is one backlog, or each consists of as many runs, as with a
/// schedule of several entries.
fn without_backlogs(starts: &[Timestamp]) -> Option<Vec<Timestamp>> {
    let groups: Vec<_> = starts.chunk_by(|one, next| next.since(*one) < SHORTEST).collect();
    let backlogs = groups.iter().filter(|group| group.len() > 1).count();
    let usual = groups.last()?.len();
    let others = groups.iter().filter(|group| group.len() != usual).count();
    let allowed = 1 + groups.len() / 4;
    let ticks = groups.iter().filter_map(|group| group.last().copied()).collect();
    (backlogs <= allowed || others <= allowed).then_some(ticks)
}

/// Whether these times are as evenly spaced as a scheduler's, each one of them and in any
/// order.
pub fn is_even(times: &mut [Timestamp]) -> bool {
    times.sort_unstable();
    let gaps = gaps(times);
    times.len() >= FEWEST && middle(&gaps).is_some_and(|middle| are_all_close(&gaps, middle))
}

/// The gaps between the times in order, the shortest first.
fn gaps(ticks: &[Timestamp]) -> Vec<Duration> {
    let mut gaps: Vec<_> = ticks.windows(2).map(|pair| pair[1].since(pair[0])).collect();
    gaps.sort_unstable();
    gaps
}

/// The median gap, if it is long enough for a schedule.
fn middle(gaps: &[Duration]) -> Option<Duration> {
    gaps.get(gaps.len() / 2).copied().filter(|middle| *middle >= SHORTEST)
}

fn are_all_close(gaps: &[Duration], middle: Duration) -> bool {
    let slack = middle.mul_f64(SHARE).max(JITTER).min(middle / 4);
    gaps.iter().all(|gap| gap.abs_diff(middle) <= slack)
}

fn are_even(ticks: &[Timestamp]) -> bool {
    let gaps = gaps(ticks);
    let Some(middle) = middle(&gaps) else { return false };
    if are_all_close(&gaps, middle) {
        return true;
    }
    SHARES.into_iter().any(|share| {
        let close = gaps.iter().filter(|gap| is_multiple(**gap, middle, share)).count();
        // The median is always close to itself.
        close * 2 > gaps.len() && chance(gaps.len() - 1, close - 1, share * 2.0) <= ACCIDENT
    })
}

/// Whether a gap is the interval or a multiple of it, to within a fraction of the interval.
fn is_multiple(gap: Duration, interval: Duration, share: f64) -> bool {
    let times = gap.as_secs_f64() / interval.as_secs_f64();
    times > 0.5 && (times - times.round()).abs() <= share
}

/// The probability of at least this many hits among this many independent trials.
fn chance(all: usize, hits: usize, each: f64) -> f64 {
    let mut exactly = (1.0 - each).powi(i32::try_from(all).unwrap_or(i32::MAX));
    let mut fewer = 0.0;
    #[allow(clippy::cast_precision_loss, reason = "a chance, not a count")]
    for hit in 0..hits {
        fewer += exactly;
        exactly *= (all - hit) as f64 / (hit + 1) as f64 * each / (1.0 - each);
    }
    1.0 - fewer
}

/// Whether the times are those of two schedules: one has a run at each of its intervals,
/// and what remains is even too.
fn are_of_two(ticks: &[Timestamp]) -> bool {
    /// How many of the first times are tried as the second run of one schedule.
    const TRIED: usize = 4;
    if ticks.len() < OF_TWO {
        return false;
    }
    // The first one may have run late.
    (0..2).any(|first| {
        (first + 1..=first + TRIED).any(|second| {
            let interval = ticks[second].since(ticks[first]);
            interval >= SHORTEST && parts_well(&ticks[first..], interval)
        })
    })
}

fn parts_well(ticks: &[Timestamp], interval: Duration) -> bool {
    /// Closer than for a single gap: two schedules match in more ways.
    const CLOSE: f64 = 0.05;
    let (mut one, mut rest) = (vec![ticks[0]], Vec::new());
    for tick in &ticks[1..] {
        let gap = tick.since(one[one.len() - 1]);
        let is_next = gap.abs_diff(interval) <= interval.mul_f64(CLOSE);
        if is_next {
            one.push(*tick);
        } else if gap > interval.mul_f64(1.0 + CLOSE) {
            // One is missing.
            return false;
        } else {
            rest.push(*tick);
        }
    }
    one.len() >= FEWEST && rest.len() >= FEWEST && are_even(&rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: &[u64]) -> Vec<Timestamp> {
        millis.iter().map(|at| Timestamp::from_nanos(at * 1_000_000)).collect()
    }

    fn scheduled(millis: &[u64]) -> bool {
        look_scheduled(&at(millis), false)
    }

    #[test]
    fn a_schedule_is_even_and_not_too_fast() {
        assert!(scheduled(&[4_010, 0, 2_020]));
        assert!(scheduled(&[0, 60_000, 120_300, 180_000]));
        assert!(!scheduled(&[0, 2_000]));
        assert!(!scheduled(&[0, 2_000, 5_000]));
        assert!(!scheduled(&[0, 100, 200, 300]));
        assert!(!scheduled(&[]));
    }

    #[test]
    fn one_late_start_and_a_tick_that_is_missing_are_no_matter() {
        assert!(scheduled(&[0, 1_526, 3_539, 5_528, 7_526]));
        assert!(scheduled(&[0, 2_000, 4_001, 8_002, 10_000, 12_003]));
        // A backlog ran at once.
        assert!(scheduled(&[9_820, 9_834, 9_848, 9_875, 11_389, 13_389, 15_389, 17_388]));
        // A load that comes in bursts is no schedule, even if some of it is evenly spaced.
        assert!(!scheduled(&[0, 10, 2_000, 2_010, 2_020, 4_000, 5_100, 5_150, 7_300, 9_000, 9_010, 9_030]));
    }

    #[test]
    fn two_schedules_at_once_are_seen_as_two() {
        // Every three seconds, and every five.
        assert!(scheduled(&[0, 1_000, 3_001, 6_000, 6_500, 9_000, 11_501, 12_002, 15_000, 16_500]));
        // One interval, half a second and more apart.
        assert!(scheduled(&[0, 600, 2_000, 2_602, 4_001, 4_600, 6_000, 6_601]));
    }

    #[test]
    fn a_load_is_seldom_taken_for_a_schedule() {
        let mut seed = 7_u64;
        let mut next = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            seed >> 33
        };
        for fewest in [4, 6, 10, 30] {
            let taken = (0..1_000).filter(|_| {
                let mut now = 0;
                let starts: Vec<_> = (0..fewest)
                    .map(|_| {
                        now += 500 + next() % 4_000;
                        now
                    })
                    .collect();
                scheduled(&starts)
            });
            let taken = taken.count();
            assert!(taken < 150, "{taken} of 1,000 loads of {fewest}");
        }
    }
}
