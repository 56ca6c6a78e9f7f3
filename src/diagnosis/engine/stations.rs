//! The five stations of one hand-off: where on the way the context was seen.

use crate::diagnosis::known::Known;
use crate::evidence::{Continuity, Handoff};
use crate::model::{Station, StationState, Stations};

/// What was seen of each station. `broken` is the station of the finding that explains the
/// hand-off.
pub fn of(handoff: &Handoff<'_>, known: &Known<'_>, broken: Option<Station>) -> Stations {
    use StationState::{Broken, CannotSee, Intact, NotSeen};

    let mut stations = Stations::default();
    let message = handoff.message();
    let carries_context = message.is_some_and(|message| !message.contexts.is_empty());
    let carries_valid = handoff.contexts().next().is_some();
    let continuity = handoff.continuity();
    let is_whole = matches!(continuity, Some(Continuity::Whole | Continuity::Unknown));

    let sender_seen = handoff.producer.is_some()
        || handoff.contexts().any(|context| known.evidence.spans.get(context).is_some());
    let parent_seen =
        handoff.consumer().is_some_and(|consumer| consumer.trace.parent_of(consumer.span).is_some());
    // If the sender began a trace of its own, the request that led to it was not seen.
    let is_a_root = handoff.producer.is_some_and(|producer| producer.span.parent.is_none());
    stations.request = match () {
        () if is_a_root => NotSeen,
        () if sender_seen || parent_seen => Intact,
        () if is_whole => NotSeen,
        () => CannotSee,
    };
    stations.inject = match message {
        Some(_) if carries_context => Intact,
        Some(_) if !is_whole => Broken,
        _ if is_whole => Intact,
        _ => CannotSee,
    };
    stations.carry = match () {
        () if carries_valid || is_whole => Intact,
        () if carries_context => Broken,
        () => CannotSee,
    };
    stations.extract = match continuity {
        Some(Continuity::Whole | Continuity::Unknown) => Intact,
        Some(Continuity::Orphaned | Continuity::Elsewhere) => Broken,
        None if !handoff.candidate_runs.is_empty() => Broken,
        None if handoff.was_run() && known.has_spans() => NotSeen,
        None => CannotSee,
    };
    stations.export = match continuity {
        Some(_) => Intact,
        None if handoff.was_run() && known.has_spans() => NotSeen,
        None => CannotSee,
    };
    if let Some(station) = broken {
        // The first broken station counts. Those before it held, as far as they were seen;
        // those after it are its consequence.
        for earlier in Station::ALL.into_iter().take_while(|earlier| *earlier < station) {
            if stations.get(earlier) == Broken {
                stations.set(earlier, CannotSee);
            }
        }
        stations.set(station, Broken);
        for later in Station::ALL.into_iter().filter(|later| *later > station) {
            if stations.get(later) == Broken {
                stations.set(later, NotSeen);
            }
        }
    } else {
        for station in Station::ALL {
            if stations.get(station) == Broken {
                stations.set(station, CannotSee);
            }
        }
    }
    stations
}
