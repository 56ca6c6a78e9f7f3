//! The faults by family, as tables.

mod article;
mod carry;
mod delivery;
mod export;
mod extract;
mod healthy;
mod inject;
mod sampling;

pub use article::FAULTS as ARTICLE;
pub use carry::FAULTS as CARRY;
pub use delivery::FAULTS as DELIVERY;
pub use export::FAULTS as EXPORT;
pub use extract::FAULTS as EXTRACT;
pub use healthy::FAULTS as HEALTHY;
pub use inject::FAULTS as INJECT;
pub use sampling::FAULTS as SAMPLING;

use super::play::Play;
use super::setup::{Form, HandMade, Reader, Reads, Source};

/// The key under which the article's code keeps its carrier.
const KEY: &str = "trace_context";

/// The application of the article: no instrumentor for Celery, a carrier in a
/// header of its own, a consumer span written by hand.
fn by_hand(play: &mut Play) {
    hand(play, Source::Current, Form::Json(KEY.to_owned()));
    reader(play, Reads::Json(KEY.to_owned()));
}

/// A carrier written by hand in the API, instead of the instrumentor's.
fn hand(play: &mut Play, source: Source, form: Form) {
    play.api.instrumentor = false;
    play.api.by_hand = Some(HandMade { source, form });
}

/// A consumer span written by hand in the worker, instead of the instrumentor's.
fn reader(play: &mut Play, reads: Reads) {
    play.worker.instrumentor = None;
    play.worker.by_hand = Some(Reader { reads, drops_context: false, leaks: false });
}
