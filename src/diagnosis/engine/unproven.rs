//! What a hand-off lacks to be called whole, although nothing is wrong with it.
//!
//! A green tick for what was not seen would be a false all-clear. So a hand-off
//! counts as whole only where both of its sides were seen and hang together, or
//! where it was seen why it has no run. Everything else is unproven: counted, and
//! said with the evidence that would close it.

use std::collections::BTreeMap;

use crate::diagnosis::advice::tracelink;
use crate::diagnosis::known::Known;
use crate::diagnosis::partial_run;
use crate::diagnosis::unsampled::unsampled_context;
use crate::evidence::{Continuity, Fate, Handoff};
use crate::model::{CarriedContext, Message, Place, TaskStatus, Unproven};

/// Why a hand-off cannot be called whole. In the order in which they are told.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum UnprovenReason {
    /// It was published, and neither a run nor a reason for its absence was seen.
    RunNotSeen,
    /// A run was seen, and nothing of the side that published it.
    SenderNotSeen,
    /// Both sides were seen, and nothing shows that they belong together.
    NotJoined,
    /// Its message was seen without a context that a worker's library reads.
    ContextNotReadable,
    /// Its result was seen and its message was not.
    MessageNotSeen,
    /// It ran, and nothing was seen of who published it, while an API served
    /// requests and published nothing that is seen.
    PublisherNotSeen,
    /// Evidence for it came so late that more may have been on its way.
    NotSettled,
    /// It was let go before it had settled.
    LetGo,
}

impl UnprovenReason {
    /// Its stable name.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::RunNotSeen => "run-not-seen",
            Self::SenderNotSeen => "sender-not-seen",
            Self::NotJoined => "not-joined",
            Self::ContextNotReadable => "context-not-readable",
            Self::MessageNotSeen => "message-not-seen",
            Self::PublisherNotSeen => "publisher-not-seen",
            Self::NotSettled => "not-settled",
            Self::LetGo => "let-go",
        }
    }

    const fn what(self) -> &'static str {
        match self {
            Self::RunNotSeen => {
                "published, and nothing was seen of the run: it may wait, or have run in a silent worker"
            }
            Self::SenderNotSeen => "seen as a run alone: nothing came from the process that published",
            Self::NotJoined => "seen on both sides, and nothing shows that the two belong together",
            Self::ContextNotReadable => "with no trace context that a worker's library reads",
            Self::MessageNotSeen => "known by a result alone: the message was not seen",
            Self::PublisherNotSeen => {
                "known by a result alone, while requests published nothing that is seen: the API may have no active instrumentor of Celery (TL101)"
            }
            Self::NotSettled => "still on the way when the watch ended",
            Self::LetGo => "let go for want of memory before all of it had come",
        }
    }

    /// `saw_broker` tells whether a broker was looked at.
    const fn needs(self, saw_broker: bool) -> &'static str {
        match self {
            Self::RunNotSeen if saw_broker => {
                "the worker's spans, or a result backend that says whether it ran"
            }
            Self::RunNotSeen => "the broker, live or as a snapshot, to see whether a worker took the message",
            Self::SenderNotSeen => "the spans of the process that publishes",
            Self::NotJoined if saw_broker => {
                "each message as it is sent, to see the one that lies between them"
            }
            Self::NotJoined => "the broker, live or as a snapshot, to see the message that lies between them",
            Self::ContextNotReadable => {
                "the worker's spans, to see whether its own code takes the context up"
            }
            Self::MessageNotSeen | Self::PublisherNotSeen => {
                "a look at the broker while the message waits, or each message as it is sent"
            }
            Self::NotSettled => "a longer watch: spans are held back for seconds before they are sent",
            Self::LetGo => "more memory to hold them in",
        }
    }

    /// What to run so that tracelink sees it, where that is a matter of its options.
    const fn command(self, saw_broker: bool) -> Option<&'static str> {
        match self {
            Self::RunNotSeen | Self::NotJoined if !saw_broker => Some(tracelink::LOOK_AT_THE_BROKER),
            Self::NotJoined | Self::MessageNotSeen | Self::PublisherNotSeen => {
                Some(tracelink::HEAR_THE_BROKER)
            }
            Self::NotSettled => Some(tracelink::WATCH_LONGER),
            Self::LetGo => Some(tracelink::HOLD_MORE),
            Self::RunNotSeen | Self::SenderNotSeen | Self::ContextNotReadable => None,
        }
    }

    /// This reason, unless `handoff` is whole all the same.
    pub fn unless_whole(self, handoff: &Handoff<'_>, known: &Known<'_>) -> Option<Self> {
        Self::of(handoff, known).map(|_| self)
    }

    /// What `handoff`, for which no finding speaks, lacks; `None` where it is whole.
    pub fn of(handoff: &Handoff<'_>, known: &Known<'_>) -> Option<Self> {
        if !known.has_spans() {
            // Broker evidence alone: the question ends at the message.
            return match handoff.message() {
                Some(message) => of_message(message, handoff, known),
                None => Some(Self::MessageNotSeen),
            };
        }
        match handoff.continuity() {
            Some(Continuity::Whole) => None,
            Some(Continuity::Unknown) => (!hangs_below_a_span(handoff)).then_some(Self::SenderNotSeen),
            Some(Continuity::Orphaned) if is_scheduled(handoff, known) => None,
            Some(Continuity::Orphaned) if handoff.producer.is_none() && handoff.message().is_none() => {
                Some(Self::SenderNotSeen)
            }
            Some(Continuity::Orphaned | Continuity::Elsewhere) => Some(Self::NotJoined),
            None if !handoff.lookalikes.is_empty() => Some(Self::NotJoined),
            None => of_absent_run(handoff, known),
        }
    }
}

/// Of a message whose run is not to be seen, or is still to come.
fn of_message(message: &Message, handoff: &Handoff<'_>, known: &Known<'_>) -> Option<UnprovenReason> {
    let is_read = |found: &CarriedContext| {
        let is_where_readers_look =
            matches!(found.place, Place::Header | Place::NestedHeaders | Place::Carrier(_));
        is_where_readers_look && found.context().is_some()
    };
    let is_whole = message.contexts.iter().any(is_read) || is_scheduled(handoff, known);
    (!is_whole).then_some(UnprovenReason::ContextNotReadable)
}

/// Of a hand-off without a run: whether it was seen why it has none.
fn of_absent_run(handoff: &Handoff<'_>, known: &Known<'_>) -> Option<UnprovenReason> {
    if let (Fate::Waiting(_), Some(message)) = (handoff.fate, handoff.message()) {
        return of_message(message, handoff, known);
    }
    let is_answered = handoff
        .result
        .is_some_and(|result| matches!(result.status, TaskStatus::Started | TaskStatus::Revoked));
    let is_expired = handoff.result.is_none()
        && handoff.message().and_then(|message| message.expires).is_some_and(|expires| expires < known.now);
    if is_answered
        || is_expired
        || handoff.message().and_then(unsampled_context).is_some()
        || partial_run::arrived(handoff, known)
    {
        return None;
    }
    let is_result_alone = handoff.producer.is_none() && handoff.delivery.is_none() && handoff.was_run();
    Some(match is_result_alone {
        true if known.services().uninstrumented_publishers().next().is_some() => {
            UnprovenReason::PublisherNotSeen
        }
        true => UnprovenReason::MessageNotSeen,
        false => UnprovenReason::RunNotSeen,
    })
}

/// Whether a scheduler published it, which has no context to hand over.
fn is_scheduled(handoff: &Handoff<'_>, known: &Known<'_>) -> bool {
    handoff.message().is_some_and(|message| message.from_beat) || known.schedules().includes(handoff)
}

/// Whether the span above the run is there, whoever made it.
fn hangs_below_a_span(handoff: &Handoff<'_>) -> bool {
    handoff.consumer().is_some_and(|run| run.trace.parent_of(run.span).is_some())
}

/// How many hand-offs are whole, and what the others lack.
#[derive(Clone, Default, Debug)]
pub struct ProofCounts {
    pub whole: u64,
    unproven: BTreeMap<UnprovenReason, u64>,
}

impl ProofCounts {
    /// Takes so many hand-offs that are unproven for this reason, or whole.
    pub fn saw(&mut self, reason: Option<UnprovenReason>, count: u64) {
        match reason {
            None => self.whole += count,
            Some(reason) => *self.unproven.entry(reason).or_default() += count,
        }
    }

    /// What could not be told; `saw_broker` tells whether a broker was looked at.
    pub fn unproven(&self, saw_broker: bool) -> Vec<Unproven> {
        let told = |(reason, count): (&UnprovenReason, &u64)| Unproven {
            reason: reason.reason(),
            what: reason.what(),
            count: *count,
            needs: reason.needs(saw_broker),
            command: reason.command(saw_broker),
        };
        self.unproven.iter().map(told).collect()
    }
}

/// What is said where a look at a broker ended before it had met all names.
pub const LOOK_ENDED_EARLY: Unproven = Unproven {
    reason: "look-ended-early",
    what: "the look ended before all keys of the database were met: queues may be there that it did not see",
    count: 0,
    needs: "a look to its end, by a user who may read every key; or the names of the queues, to ask for those alone",
    command: None,
};

/// What is said of evidence of which a part was not saved, or cannot be read.
pub const HOLES: Unproven = Unproven {
    reason: "evidence-missing",
    what: "seen in part: some of what was saved is missing, or cannot be read",
    count: 0,
    needs: "a bundle that is whole: one that its writer ended, on a disk with room for it",
    command: None,
};

/// What is said where no hand-off was seen at all; `serves` tells whether requests
/// were: an API without an instrumentor of Celery publishes nothing that is seen.
pub fn nothing_handed_over(saw_broker: bool, serves: bool) -> Unproven {
    Unproven {
        reason: "no-handoff-seen",
        what: if serves {
            "no hand-off was seen, beside requests: where they publish tasks, the API has no active instrumentor of Celery (TL101)"
        } else {
            "no hand-off was seen: neither a message nor a span of a task"
        },
        count: 0,
        needs: match (saw_broker, serves) {
            (true, true) => "each message as it is sent, to see one that is taken before a look",
            (true, false) => "a task that is published while tracelink listens, and the worker's spans",
            (false, _) => "the broker, live or as a snapshot, and a task that is published meanwhile",
        },
        command: match (saw_broker, serves) {
            (true, true) => Some(tracelink::HEAR_THE_BROKER),
            (true, false) => None,
            (false, _) => Some(tracelink::LOOK_AT_THE_BROKER),
        },
    }
}
