//! Hand-written instrumentation, on which several faults build.

use crate::demo::native::scenario::Scenario;
use crate::demo::native::setup::{Form, HandMade, Reader, Reads, Source};

/// The key under which the article's code keeps its carrier.
pub const KEY: &str = "trace_context";

/// The application of the article: no instrumentor for Celery, a carrier in a
/// header of its own, a consumer span written by hand.
pub fn by_hand(scenario: &mut Scenario) {
    hand(scenario, Source::Current, Form::Json(KEY.to_owned()));
    reader(scenario, Reads::Json(KEY.to_owned()));
}

/// A carrier written by hand in the API, instead of the instrumentor's.
pub fn hand(scenario: &mut Scenario, source: Source, form: Form) {
    scenario.api.instrumentor = false;
    scenario.api.by_hand = Some(HandMade { source, form });
}

/// A consumer span written by hand in the worker, instead of the instrumentor's.
pub fn reader(scenario: &mut Scenario, reads: Reads) {
    scenario.worker.instrumentor = None;
    scenario.worker.by_hand = Some(Reader { reads, drops_context: false, leaks: false });
}
