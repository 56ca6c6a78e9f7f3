//! The queues of the brokers that are watched, with how deep they were.

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::time::Duration;

/// A queue at one moment.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct QueueNow {
    /// The name of its broker, without a password.
    pub broker: String,
    pub name: String,
    /// Messages in its list, over all priorities.
    pub ready: u64,
    /// Messages of it that workers hold.
    pub held: u64,
    /// How many workers the broker knows; `None` if that cannot be seen.
    pub workers: Option<u64>,
    /// For how long the oldest message that waits has been seen to wait; `None` if that is
    /// not known.
    pub oldest: Option<Duration>,
}

/// A queue, and how deep it was.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct QueueFigures {
    pub now: QueueNow,
    /// How many messages were ready, once a second, the newest last.
    pub history: VecDeque<u64>,
}

/// All of them.
#[derive(Default, Debug)]
pub struct Queues {
    all: Vec<QueueFigures>,
    /// When the histories grew last.
    sampled: Option<Duration>,
}

impl Queues {
    /// How many queues are kept: the deepest.
    const MOST: usize = 64;
    /// How many samples of each.
    const HISTORY: usize = 120;
    const EVERY: Duration = Duration::from_secs(1);

    /// Takes what the queues hold now. Returns whether anything changed.
    pub fn look(&mut self, mut queues: Vec<QueueNow>, now: Duration) -> bool {
        let is_due = self.sampled.is_none_or(|last| now.saturating_sub(last) >= Self::EVERY);
        queues.sort_by(|one, other| {
            let key = |queue: &QueueNow| (Reverse(queue.ready), Reverse(queue.held));
            key(one)
                .cmp(&key(other))
                .then_with(|| (&one.broker, &one.name).cmp(&(&other.broker, &other.name)))
        });
        queues.truncate(Self::MOST);
        let mut before = std::mem::take(&mut self.all);
        let is_same = before.iter().map(|queue| &queue.now).eq(&queues);
        for now in queues {
            let known = before
                .iter_mut()
                .find(|known| (&known.now.broker, &known.now.name) == (&now.broker, &now.name));
            let mut history = known.map(|known| std::mem::take(&mut known.history)).unwrap_or_default();
            if is_due {
                if history.len() == Self::HISTORY {
                    history.pop_front();
                }
                history.push_back(now.ready);
            }
            self.all.push(QueueFigures { now, history });
        }
        if is_due {
            self.sampled = Some(now);
        }
        !is_same || (is_due && !self.all.is_empty())
    }

    pub fn all(&self) -> &[QueueFigures] {
        &self.all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deepest_are_kept_with_their_history() {
        let mut queues = Queues::default();
        let queue =
            |number: u64, ready| QueueNow { name: format!("q{number}"), ready, ..QueueNow::default() };
        for second in 0..200 {
            let many = (0..100).map(|number| queue(number, number + second)).collect();
            assert!(queues.look(many, Duration::from_secs(second)));
        }
        assert_eq!(queues.all().len(), Queues::MOST);
        let deepest = &queues.all()[0];
        assert_eq!((&*deepest.now.name, deepest.now.ready), ("q99", 298));
        assert_eq!(deepest.history.len(), Queues::HISTORY);
        assert_eq!(deepest.history.back(), Some(&298));
    }
}
