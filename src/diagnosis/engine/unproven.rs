//! What a hand-off lacks to be called whole, although nothing is wrong with it.
//!
//! A green tick for what was not seen would be a false all-clear. So a hand-off counts as
//! whole only if both of its sides were seen and are connected, or if it was seen why it
//! has no run. Everything else is unproven: it is counted, with the evidence that would
//! settle the matter.

use std::collections::BTreeMap;

use crate::diagnosis::advice::tracelink;
use crate::diagnosis::known::Known;
use crate::diagnosis::partial_run;
use crate::diagnosis::unsampled::unsampled_context;
use crate::evidence::{Continuity, Evidence, Handoff, Presence};
use crate::model::{CarriedContext, Message, Place, TaskStatus, Text, Unproven};

/// Why a hand-off cannot be called whole, in the order of the report.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum UnprovenReason {
    /// It was published; neither a run nor a reason for its absence was seen.
    RunNotSeen,
    /// A run was seen, but nothing of the side that published it.
    SenderNotSeen,
    /// Both sides were seen, but nothing shows that they belong together.
    NotJoined,
    /// Its message was seen, without a context that a worker's library reads.
    ContextNotReadable,
    /// Its result was seen, but not its message.
    MessageNotSeen,
    /// It ran and its publisher was not seen, while an API served requests and visibly
    /// published nothing.
    PublisherNotSeen,
    /// Evidence for it came so late that more may have been on its way.
    NotSettled,
    /// It was let go before it had settled.
    LetGo,
    /// Some of what was saved is missing, and may have been of it.
    EvidenceMissing,
    /// The store was not asked for all that belongs to it.
    NotFetched,
}

impl UnprovenReason {
    const ALL: [Self; 10] = [
        Self::RunNotSeen,
        Self::SenderNotSeen,
        Self::NotJoined,
        Self::ContextNotReadable,
        Self::MessageNotSeen,
        Self::PublisherNotSeen,
        Self::NotSettled,
        Self::LetGo,
        Self::EvidenceMissing,
        Self::NotFetched,
    ];

    /// Its stable name.
    pub fn reason(self) -> &'static str {
        match self {
            Self::RunNotSeen => "run-not-seen",
            Self::SenderNotSeen => "sender-not-seen",
            Self::NotJoined => "not-joined",
            Self::ContextNotReadable => "context-not-readable",
            Self::MessageNotSeen => "message-not-seen",
            Self::PublisherNotSeen => "publisher-not-seen",
            Self::NotSettled => "not-settled",
            Self::LetGo => "let-go",
            Self::EvidenceMissing => HOLES.reason,
            Self::NotFetched => NOT_FETCHED.reason,
        }
    }

    fn what(self) -> &'static str {
        match self {
            Self::RunNotSeen => {
                "published, but no run was seen: the message may still wait, or a worker ran it and sent nothing"
            }
            Self::SenderNotSeen => "with only the run seen: nothing came from the process that published",
            Self::NotJoined => "seen on both sides, but nothing shows that the two belong together",
            Self::ContextNotReadable => "with no trace context that a worker's library reads",
            Self::MessageNotSeen => "known only by a result: the message was not seen",
            Self::PublisherNotSeen => {
                "known only by a result, while requests visibly published nothing: the API may have no active Celery instrumentor (TL101)"
            }
            Self::NotSettled => "still on the way when the watch ended",
            Self::LetGo => "let go because memory was short, before everything had come",
            Self::EvidenceMissing => HOLES.what,
            Self::NotFetched => NOT_FETCHED.what,
        }
    }

    /// `saw_broker`: whether a look was taken at a broker.
    fn needs(self, saw_broker: bool) -> &'static str {
        match self {
            Self::RunNotSeen if saw_broker => {
                "the worker's spans, or a result backend that says whether it ran"
            }
            Self::RunNotSeen => "the broker, live or as a snapshot, to see whether a worker took the message",
            Self::SenderNotSeen => "the spans of the process that publishes",
            Self::NotJoined if saw_broker => "each message as it is sent, to see the one between the two",
            Self::NotJoined => "the broker, live or as a snapshot, to see the message between the two",
            Self::ContextNotReadable => "the worker's spans, to see whether its own code reads the context",
            Self::MessageNotSeen | Self::PublisherNotSeen => {
                "a look at the broker while the message waits, or each message as it is sent"
            }
            Self::NotSettled => "a longer watch: exporters hold spans for seconds before they send them",
            Self::LetGo => "more memory to hold them in",
            Self::EvidenceMissing => HOLES.needs,
            Self::NotFetched => NOT_FETCHED.needs,
        }
    }

    /// What to run so that tracelink sees it, if one of its options can show it.
    fn command(self, saw_broker: bool) -> Option<Text> {
        let command = match self {
            Self::RunNotSeen | Self::NotJoined if !saw_broker => Some(tracelink::LOOK_AT_THE_BROKER),
            Self::NotJoined | Self::MessageNotSeen | Self::PublisherNotSeen => {
                Some(tracelink::HEAR_THE_BROKER)
            }
            Self::NotSettled => Some(tracelink::WATCH_LONGER),
            Self::LetGo => Some(tracelink::HOLD_MORE),
            Self::RunNotSeen
            | Self::SenderNotSeen
            | Self::ContextNotReadable
            | Self::EvidenceMissing
            | Self::NotFetched => None,
        };
        command.map(Text::Borrowed)
    }

    /// This reason, unless `handoff` turns out to be whole.
    pub fn unless_whole(self, handoff: &Handoff<'_>, known: &Known<'_>) -> Option<Self> {
        Self::of(handoff, known).map(|_| self)
    }

    /// What `handoff` lacks, given that no finding explains it; `None` if it is whole.
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
            None if !handoff.candidate_runs.is_empty() => Some(Self::NotJoined),
            None => of_absent_run(handoff, known),
        }
    }
}

/// For a message whose run cannot be seen, or is still to come.
fn of_message(message: &Message, handoff: &Handoff<'_>, known: &Known<'_>) -> Option<UnprovenReason> {
    let is_read = |found: &CarriedContext| {
        let is_where_readers_look =
            matches!(found.place, Place::Header | Place::NestedHeaders | Place::Carrier(_));
        is_where_readers_look && found.context().is_some()
    };
    let is_whole = message.contexts.iter().any(is_read) || is_scheduled(handoff, known);
    (!is_whole).then_some(UnprovenReason::ContextNotReadable)
}

/// For a hand-off without a run: whether the reason for that was seen.
fn of_absent_run(handoff: &Handoff<'_>, known: &Known<'_>) -> Option<UnprovenReason> {
    if let (Presence::Waiting(_), Some(message)) = (handoff.presence, handoff.message()) {
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

/// Whether a scheduler published it: a scheduler has no context to hand over.
fn is_scheduled(handoff: &Handoff<'_>, known: &Known<'_>) -> bool {
    handoff.message().is_some_and(|message| message.from_beat) || known.schedules().includes(handoff)
}

/// Whether the parent of the run is there, whoever made it.
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
    /// Counts hand-offs that are unproven for this reason, or whole.
    pub fn saw(&mut self, reason: Option<UnprovenReason>, count: u64) {
        match reason {
            None => self.whole += count,
            Some(reason) => *self.unproven.entry(reason).or_default() += count,
        }
    }

    /// What could not be proven of the hand-offs in the evidence.
    pub fn unproven(&self, evidence: &Evidence) -> Vec<Unproven> {
        let told = |(reason, count): (&UnprovenReason, &u64)| {
            let mut unproven = in_words(*reason, *count, !evidence.brokers.is_empty());
            if *reason == UnprovenReason::LetGo {
                unproven.command = Some(tracelink::hold_more(evidence));
            }
            unproven
        };
        self.unproven.iter().map(told).collect()
    }
}

fn in_words(reason: UnprovenReason, count: u64, saw_broker: bool) -> Unproven {
    Unproven {
        reason: reason.reason(),
        what: reason.what(),
        count,
        needs: reason.needs(saw_broker),
        command: reason.command(saw_broker),
    }
}

/// Why one hand-off is unproven, by the reason's stable name as a hand-off of a report has
/// it. `saw_broker`: whether a look was taken at a broker.
pub fn unproven_handoff(reason: &str, saw_broker: bool) -> Option<Unproven> {
    let reason = UnprovenReason::ALL.into_iter().find(|known| known.reason() == reason)?;
    Some(in_words(reason, 1, saw_broker))
}

/// For a look at a broker that ended before it had visited all keys.
pub const LOOK_ENDED_EARLY: Unproven = Unproven {
    reason: "look-ended-early",
    what: "the look ended before it had visited all keys of the database: there may be queues that it did not see",
    count: 0,
    needs: "a look that runs to its end, by a user who may read every key; or the names of the queues, to read only those",
    command: None,
};

/// For evidence that is incomplete: a part was not saved or cannot be read.
pub const HOLES: Unproven = Unproven {
    reason: "evidence-missing",
    what: "seen only in part: some of what was saved is missing or cannot be read",
    count: 0,
    needs: "all that was saved: its writer has to end it, on a disk with enough room",
    command: None,
};

/// For hand-offs of a store that lie at the edge of what it was asked for: the other side may
/// be beyond, or still to come.
pub const NOT_FETCHED: Unproven = Unproven {
    reason: "not-fetched",
    what: "at the edge of what was asked for: their other side may lie beyond it, or still be on its way",
    count: 0,
    needs: "a wider time (--since, --margin), or the same question a few minutes later",
    command: None,
};

/// For hand-offs that a store counts as broken or one-sided, and that are none of those that
/// were looked at.
pub const NOT_LOOKED_AT: Unproven = Unproven {
    reason: "not-looked-at",
    what: "counted by the store and not looked at: causes are of a sample of each group",
    count: 0,
    needs: "a larger sample (--sample), less time (--since, --from, --to), or one task or service (--task, --service)",
    command: None,
};

/// For evidence without any hand-off. `serves`: whether requests were seen. An API without
/// a Celery instrumentor publishes nothing that is visible. `ran`: whether a run was seen in
/// the trace of a request, which shows that a context was handed over.
pub fn nothing_handed_over(saw_broker: bool, serves: bool, ran: bool) -> Unproven {
    Unproven {
        reason: "no-handoff-seen",
        what: if ran {
            "runs were seen in the traces of requests, and nothing names their tasks: no hand-off can be told"
        } else if serves {
            "requests were seen but no hand-off: if they publish tasks, the API has no active Celery instrumentor (TL101)"
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
        }
        .map(Text::Borrowed),
    }
}
