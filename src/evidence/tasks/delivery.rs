//! A message of a task, and each time that it was found in a broker.

use std::sync::Arc;

use crate::model::{Message, MessageState, Timestamp};

/// When a message was found in its broker, and in which state.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Observation {
    pub at: Timestamp,
    pub state: MessageState,
    pub redelivered: bool,
}

impl Observation {
    /// Whether another one shows the same, at whatever time.
    pub fn is_like(&self, other: &Self) -> bool {
        (self.state, self.redelivered) == (other.state, other.redelivered)
    }
}

/// What a delivery takes besides its message.
const MESSAGE: usize =
    size_of::<Delivery>() + size_of::<Message>() + Delivery::OBSERVATIONS * size_of::<Observation>();

/// About how many bytes a message takes beyond its own size.
fn weight(message: &Message) -> usize {
    const CONTEXT: usize = 256;
    message.contexts.len() * CONTEXT + message.args.as_deref().map_or(0, str::len) + 256
}

/// The message of one attempt, over all looks at the broker.
#[derive(Debug)]
pub struct Delivery {
    /// As its producer wrote it, and where in its list it was last seen.
    pub message: Arc<Message>,
    /// The broker's name.
    pub broker: Arc<str>,
    /// In the order of their time; equal ones in a row are cut to the first and the last.
    pub observations: Vec<Observation>,
}

impl Delivery {
    /// How many observations are kept of one message: the first and the latest.
    const OBSERVATIONS: usize = 8;

    /// About how many bytes it takes.
    pub fn bytes(&self) -> usize {
        MESSAGE + weight(&self.message)
    }

    /// For a message that lay there at every look, only the first and the last observation
    /// say anything, and only its last index in the list may still be right. Returns
    /// whether this observation differs from the last.
    pub(super) fn observe(&mut self, observation: Observation, index: Option<u64>) -> bool {
        let is_news = !self.last().is_like(&observation);
        let in_list = self.observations.iter().filter(|seen| seen.state == MessageState::Ready);
        let last_place = match in_list.max() {
            _ if observation.state != MessageState::Ready => self.message.index,
            Some(last) if *last > observation => self.message.index,
            Some(last) if *last == observation => self.message.index.min(index),
            _ => index,
        };
        if self.message.index != last_place {
            Arc::make_mut(&mut self.message).index = last_place;
        }
        let place = self.observations.partition_point(|earlier| *earlier < observation);
        if self.observations.get(place) != Some(&observation) {
            self.observations.insert(place, observation);
        }
        for between in (place.saturating_sub(1)..=place + 1).rev() {
            let is_same =
                |one: usize| self.observations.get(one).is_some_and(|one| one.is_like(&observation));
            if between > 0 && is_same(between - 1) && is_same(between) && is_same(between + 1) {
                self.observations.remove(between);
            }
        }
        if self.observations.len() > Self::OBSERVATIONS {
            self.observations.remove(1);
        }
        is_news
    }

    /// How many times it was handed to the workers: once, and once more each time a worker
    /// gave it back.
    pub fn deliveries(&self) -> usize {
        let pairs = self.observations.iter().zip(self.observations.iter().skip(1));
        let given_back = pairs.filter(|(earlier, later)| {
            let was_held = earlier.state != MessageState::Ready && later.state == MessageState::Ready;
            later.redelivered && (was_held || !earlier.redelivered)
        });
        1 + given_back.count()
    }

    pub fn first(&self) -> Observation {
        self.observations[0]
    }

    pub fn last(&self) -> Observation {
        self.observations[self.observations.len() - 1]
    }
}
