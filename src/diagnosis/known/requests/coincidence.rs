//! Publishes that began a trace of their own and fall into requests by chance, as some of
//! those of a scheduler inside an API do.

use std::time::Duration;

use super::publisher_roots::{ByPublisher, Roots};
use crate::evidence::{Activity, Evidence, Process};
use crate::model::{Set, Timestamp};

/// Fewer publishes than this say little, unless most lie outside of requests.
const FEW: usize = 4;
/// Up to this probability, chance is ruled out.
const ACCIDENT: f64 = 0.05;
/// A publish this long after any request is a scheduler's. If there are some, this many
/// others must lie in requests, with this small a probability of chance, for those not to
/// be a scheduler's.
const LONG_AFTER: Duration = Duration::from_secs(10);
const OTHERS: usize = 3;
const OTHERS_ACCIDENT: f64 = 0.01;

/// Tasks, with the process that publishes them as roots, if some were published while no
/// request was open and no more of them lie in requests than chance would put there.
pub(super) fn by_chance<'e>(evidence: &'e Evidence, roots: &ByPublisher<'e>) -> Set<(&'e str, &'e Process)> {
    let found = roots.iter().filter(|((process, _), roots)| {
        evidence.processes.of(process).is_some_and(|activity| falls_by_chance(roots, activity))
    });
    found.map(|((process, task), _)| (*task, *process)).collect()
}

fn falls_by_chance(roots: &Roots, activity: &Activity) -> bool {
    let inside = roots.iter().filter(|(start, _)| activity.has_open_request(*start)).count();
    let outside = roots.len() - inside;
    if outside == 0 {
        return false;
    }
    let is_long_after = |start: Timestamp| !activity.has_request_within(start.before(LONG_AFTER), start);
    // A thread may outlive the request that started it.
    let has_schedulers = roots.iter().any(|(start, _)| is_long_after(*start));
    if !has_schedulers && roots.len() < FEW && outside <= inside {
        return false;
    }
    let (Some((first, _)), Some((last, _))) = (roots.first(), roots.last()) else { return false };
    let chance = at_least(roots.len(), inside, activity.busy_share_of(*first, *last));
    if has_schedulers { inside < OTHERS || chance > OTHERS_ACCIDENT } else { chance > ACCIDENT }
}

/// An upper bound for the probability that at least `inside` of this many independent
/// trials hit, each with this probability: <https://en.wikipedia.org/wiki/Chernoff_bound>,
/// for sums of Bernoulli trials.
fn at_least(all: usize, inside: usize, each: f64) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "a share, not a count")]
    let (all, share) = (all as f64, inside as f64 / all as f64);
    if share <= each {
        return 1.0;
    }
    if each <= 0.0 {
        return 0.0;
    }
    let part = |observed: f64, expected: f64| {
        if observed > 0.0 { observed * (observed / expected).ln() } else { 0.0 }
    };
    (-all * (part(share, each) + part(1.0 - share, 1.0 - each))).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_of_many_are_an_accident() {
        // Requests take a tenth of the time: two of 27 fall there.
        assert!(at_least(27, 2, 0.1) >= 1.0, "fewer than are to be expected");
        assert!(at_least(27, 4, 0.1) > ACCIDENT);
        assert!(at_least(27, 20, 0.1) < ACCIDENT);
        // For a few, all of them: the product of their probabilities.
        assert!((at_least(3, 3, 0.1) - 0.001).abs() < 1e-9);
        assert!(at_least(1_000_000, 1_000_000, 0.5) < ACCIDENT);
    }
}
