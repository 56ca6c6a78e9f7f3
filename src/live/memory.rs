//! The plan of memory: how `--max-memory` is divided, and why.
//!
//! Everything that grows with input from outside gets its limit from here, drops by a rule
//! of its own what does not fit, and counts it. Shares are in units of [`PARTS`], so that a
//! test can add them up.

use crate::bundle::EvidenceOptions;
use crate::evidence::Bounds;

/// The whole of the memory.
const PARTS: usize = 64;

/// Bodies of requests while they are read, decompressed and decoded. A quarter: a request may
/// be 64 MiB, which is there compressed and decompressed, and a request that finds no room is
/// resent.
const BODIES: usize = 16;
/// What connections take besides the bodies, or questions to a store: read-ahead and protocol state. An eighth: 16 connections at 16 MiB, 227 at 256 MiB.
const CONNECTIONS: usize = 8;
/// Requests that wait to be forwarded. An eighth: at a usual rate, nothing is lost while
/// an endpoint is away for some seconds.
const FORWARDING: usize = 8;
/// What waits to be written to the bundle. An eighth, as for the network.
const SAVING: usize = 8;
/// What is known about the broker's keys and asked about each of them in a look.
const KEYS: usize = 6;
/// The messages and results of one look while they are read. Bytes from Redis are copied,
/// so half of this may be read.
const LOOK: usize = 3;
/// What is remembered of the messages of the last look, so that the next one reads only
/// what is new.
const REMEMBERED: usize = 3;
/// What live views show: passages and findings as they were told, and what somebody has
/// opened. At 256 MiB that is some five thousand passages, and a trace of ten thousand spans.
const VIEW: usize = 4;
/// Spans, tasks, brokers, processes and their findings. It gets what nobody else needs.
const EVIDENCE: usize = 8;

/// What a round of judging takes while it lasts (it judges at most four thousand units,
/// whatever the limit), what a map or a list takes twice while it grows, and what the
/// allocator has not returned yet. According to `tests/listen/memory.rs`, eleven sixteenths
/// of what the others leave are enough for small limits, and leave something for evidence.
const AT_WORK: usize = 16 << 20;

/// What an allocator loses between allocations that come and go, in eighths of
/// what they hold: three, as `benches/soak.rs` measures where several threads
/// file by turns. With one alone it is two (`benches/hold.rs`).
const LOST: usize = 3;

/// Of the evidence: marks of what was let go, so that what comes late is not taken for an
/// orphan.
const MARKS: usize = 4;
/// Of the evidence: looks at brokers, and the names that they showed.
const BROKERS: usize = 16;
/// Of the evidence: processes with their requests, and which export brought which spans.
const SENDERS: usize = 8;
/// Of the evidence: open findings, and the conclusions from what was let go.
const FINDINGS: usize = 8;
/// Of the evidence: the least that is left for traces and tasks.
const GROUPS: usize = 28;
/// The part of the evidence that the spans of one trace may take. A quarter: its tasks and
/// indices take up to twice as much again, and there must be room beside an endless trace.
const ONE_TRACE: usize = 4;
/// The part of the evidence that is freed at a time. Letting go costs as much as is held,
/// so it is not done for each span.
const FREED_AT_ONCE: usize = 12;

const _: () = {
    assert!(BODIES + CONNECTIONS + FORWARDING + SAVING + KEYS + LOOK + REMEMBERED + VIEW + EVIDENCE == PARTS);
    assert!(MARKS + BROKERS + SENDERS + FINDINGS + GROUPS == PARTS);
};

/// What a session does in addition to receiving.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Uses {
    pub forwards: bool,
    pub saves: bool,
    pub watches_broker: bool,
    /// Whether it shows a live view.
    pub shows_view: bool,
    /// Whether it asks a store, and receives nothing.
    pub asks_store: bool,
}

/// How many bytes each holder may take.
#[derive(Clone, Copy, Debug)]
pub struct MemoryPlan {
    /// Bodies of requests in flight.
    pub bodies: usize,
    /// Connections, beside the bodies; of a store what questions and answers take.
    pub connections: usize,
    /// Requests that wait to be sent on.
    pub forwarding: usize,
    /// What waits to be written to the bundle.
    pub saving: usize,
    /// Keys that are known to be Celery's.
    pub keys: usize,
    /// Messages and results that one look reads.
    pub look: usize,
    /// What is remembered of the last look.
    pub remembered: usize,
    /// What live views show, without the allocator's losses: half of it on the board, half
    /// for what is opened. None where there is no view.
    pub view: usize,
    pub evidence: Bounds,
}

impl MemoryPlan {
    /// Divides this many bytes. What is not used goes to the evidence.
    pub fn new(memory: usize, uses: Uses) -> Self {
        let share = |parts: usize, is_used: bool| if is_used { part(memory, parts) } else { 0 };
        let bodies = share(BODIES, !uses.asks_store);
        let connections = share(CONNECTIONS, true);
        let forwarding = share(FORWARDING, uses.forwards);
        let saving = share(SAVING, uses.saves);
        let [keys, look, remembered] =
            [KEYS, LOOK, REMEMBERED].map(|parts| share(parts, uses.watches_broker));
        let view = share(VIEW, uses.shows_view);
        let others = bodies + connections + forwarding + saving + keys + look + remembered + view;
        Self {
            bodies,
            connections,
            forwarding,
            saving,
            keys,
            look: look / 2,
            remembered,
            view: view / (8 + LOST) * 8,
            evidence: Self::for_evidence(memory - others - at_work(memory - others)),
        }
    }

    /// Divides this many bytes within the evidence. The bounds apply to what is counted,
    /// without the allocator's losses.
    pub fn for_evidence(memory: usize) -> Bounds {
        let all = memory / (8 + LOST) * 8;
        Bounds {
            all,
            one_trace: all / ONE_TRACE,
            marks: part(all, MARKS),
            brokers: part(all, BROKERS),
            senders: part(all, SENDERS),
            findings: part(all, FINDINGS),
            freed_at_once: all / FREED_AT_ONCE,
        }
    }
}

/// How files share it out: nothing is received, and nothing waits.
#[derive(Clone, Copy, Debug)]
pub struct FilePlan {
    /// The most of a file that is held at once: a span, a message, a trace.
    pub longest: usize,
    /// What a page shows, as of [`MemoryPlan::view`].
    pub view: usize,
    pub evidence: Bounds,
}

impl FilePlan {
    /// Of the memory: the part of a file that is read (a span, a message, a trace), which
    /// stands there twice while it is mended. At 1 GiB it is 304 MiB: one trace of a
    /// backend's download may be as long as that.
    const LONGEST: usize = 19;
    /// Of the evidence: marks of what was let go. A quarter: once the oldest are
    /// forgotten, nothing more is said of absence, and a file may be a hundred times as
    /// large as memory. At 1 GiB that is some six million hand-offs.
    const MARKS: usize = 4;

    /// Shares this many bytes out, with a page that shows what was read or without.
    pub fn new(memory: usize, shows_view: bool) -> Self {
        let longest = part(memory, Self::LONGEST);
        let view = if shows_view { part(memory, VIEW) } else { 0 };
        let left = memory - 2 * longest - view;
        let evidence = MemoryPlan::for_evidence(left - at_work(left));
        Self {
            longest: longest.min(EvidenceOptions::LONGEST),
            view: view / (8 + LOST) * 8,
            evidence: Bounds { marks: evidence.all / Self::MARKS, ..evidence },
        }
    }
}

impl FilePlan {
    /// What is fetched of a store takes no more, whatever the memory: a sample is enough.
    const OF_A_STORE: usize = 44 << 20;

    /// Shares this many bytes out for what is fetched of a store. Its rows are short.
    pub fn of_store(memory: usize, shows_view: bool) -> Self {
        let memory = memory.min(Self::OF_A_STORE);
        let view = if shows_view { part(memory, VIEW) } else { 0 };
        let left = memory - view;
        let evidence = MemoryPlan::for_evidence(left - at_work(left));
        Self {
            longest: 0,
            view: view / (8 + LOST) * 8,
            evidence: Bounds { marks: evidence.all / Self::MARKS, ..evidence },
        }
    }
}

/// How much of what the others leave is for work.
fn at_work(left: usize) -> usize {
    // In this order, so that no size overflows.
    AT_WORK.min(left / 16 * 11)
}

fn part(whole: usize, parts: usize) -> usize {
    // In this order, so that no size overflows.
    whole / PARTS * parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_add_up_to_the_whole() {
        for bits in 0..32 {
            let [forwards, saves, watches_broker, shows_view, asks_store] =
                [1, 2, 4, 8, 16].map(|bit| bits & bit > 0);
            // With the last, a sum that overflowed would panic.
            for memory in [16 << 20, 256 << 20, (1 << 34) + 12_345, usize::MAX] {
                let uses = Uses { forwards, saves, watches_broker, shows_view, asks_store };
                let plan = MemoryPlan::new(memory, uses);
                assert_eq!((plan.view > 0, plan.bodies > 0), (shows_view, !asks_store));
                let Bounds { all, marks, brokers, senders, findings, .. } = plan.evidence;
                let received = plan.bodies + plan.connections;
                let broker = plan.keys + plan.look * 2 + plan.remembered;
                let view = plan.view / 8 * (8 + LOST);
                let held = received + plan.forwarding + plan.saving + broker + view;
                let sum = held + at_work(memory - held) + all / 8 * (8 + LOST);
                assert!(sum <= memory, "{sum} of {memory}");
                assert!(sum >= memory - memory / 1_000, "{sum} of {memory} are shared out");
                assert!(marks + brokers + senders + findings <= all / 2 + all / 16);
                assert!(all >= part(memory, EVIDENCE) / (8 + LOST) * 2);
            }
        }
    }

    #[test]
    fn what_files_take_stays_within_the_memory() {
        for (memory, shows_view) in [16 << 20, 256 << 20, (1 << 34) + 12_345, usize::MAX]
            .into_iter()
            .flat_map(|memory| [(memory, false), (memory, true)])
        {
            let plan = FilePlan::new(memory, shows_view);
            assert_eq!(plan.view > 0, shows_view);
            let lines = 2 * part(memory, FilePlan::LONGEST);
            assert!(plan.longest <= lines / 2);
            let held = lines + plan.view / 8 * (8 + LOST);
            let sum = held + at_work(memory - held) + plan.evidence.all / 8 * (8 + LOST);
            assert!(sum <= memory && sum >= memory - memory / 1_000, "{sum} of {memory}");
        }
    }
}
