//! Instrumentation written by hand, which several faults begin with.

use crate::demo::play::Play;
use crate::demo::setup::{Form, HandMade, Reader, Reads, Source};

/// The key under which the article's code keeps its carrier.
pub const KEY: &str = "trace_context";

/// The application of the article: no instrumentor for Celery, a carrier in a
/// header of its own, a consumer span written by hand.
pub fn by_hand(play: &mut Play) {
    hand(play, Source::Current, Form::Json(KEY.to_owned()));
    reader(play, Reads::Json(KEY.to_owned()));
}

/// A carrier written by hand in the API, instead of the instrumentor's.
pub fn hand(play: &mut Play, source: Source, form: Form) {
    play.api.instrumentor = false;
    play.api.by_hand = Some(HandMade { source, form });
}

/// A consumer span written by hand in the worker, instead of the instrumentor's.
pub fn reader(play: &mut Play, reads: Reads) {
    play.worker.instrumentor = None;
    play.worker.by_hand = Some(Reader { reads, drops_context: false, leaks: false });
}
