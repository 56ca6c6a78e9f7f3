//! OTLP trace requests, in protobuf and JSON.
//!
//! Both are decoded by visitors written for this project: protobuf for speed (checked
//! against `opentelemetry-proto` in `tests/otlp.rs`), JSON because a batch must not be lost
//! over one odd field.

pub(super) mod attributes;
mod count;
mod json;
mod protobuf;
mod redacted;
mod signal;
mod transcode;

pub use super::json::{api_error, has_lone_half, mend};
pub use count::{
    count_logs_json, count_logs_protobuf, count_metrics_json, count_metrics_protobuf, count_protobuf,
};
pub use json::{decode_json, decode_json_documents, decode_json_stream};
pub use protobuf::{Piece, PieceState, Pieces, decode_protobuf, other_signal};
pub use redacted::Redacted;
pub use signal::{OtherRecords, OtherSignal};
pub use transcode::transcode;

use super::json::Allowance;
use crate::model::{Invalid, Resource, Scope, Span};

/// After how many spans of one request those that follow are called another's. A request of
/// millions is so read in pieces, between which room can be made.
pub const PIECE: u64 = 2_048;

/// Takes what a request holds, in its order: a resource, its scopes, their spans.
///
/// A decoder borrows from the request's bytes, so a sink copies what it keeps.
pub trait Sink {
    /// The spans that follow come from this process.
    fn resource(&mut self, resource: &Resource<'_>);
    /// The spans that follow were made by this scope.
    fn scope(&mut self, scope: &Scope<'_>);
    /// A span with valid ids.
    fn span(&mut self, span: &Span<'_>);
    /// A span that cannot be kept, and its path in the request
    /// (`resourceSpans[0].scopeSpans[1].spans[7]`).
    fn refused(&mut self, why: Invalid, at: &str);
    /// A span that only announces another, which comes separately.
    fn announced(&mut self) {}
}

/// What a request contained.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Counts {
    pub spans: u64,
    /// Spans that cannot be kept.
    pub refused: u64,
    /// Fields that the specification does not allow and that were understood
    /// all the same (`"SPAN_KIND_SERVER"`, flags as a string).
    pub lenient: u64,
    /// Records of other signals, which nobody takes.
    pub others: OtherRecords,
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.spans += other.spans;
        self.refused += other.refused;
        self.lenient += other.lenient;
        self.others += other.others;
    }
}

/// Why a request could not be decoded. What came before that place was taken.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    #[error("broken protobuf at byte {at}: {why}")]
    Protobuf { at: usize, why: &'static str },
    #[error("broken JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("a part of it is too long")]
    TooLong,
    /// Nothing that is there was lost.
    #[error("the backend says that it left out spans of the trace (status PARTIAL)")]
    Partial,
    /// Nothing that is there was lost. It has the API's own words, where it has any.
    #[error(
        "the API ended its answer with an error{}: the answer is not whole, so nothing is said of what it lacks",
        .0.as_ref().map(|said| format!(" (\"{said}\")")).unwrap_or_default()
    )]
    Failed(Option<Box<str>>),
}

impl DecodeError {
    /// How the walk of a JSON document ended, of whose parts so much was allowed. Where a
    /// part used that up, its length is why the walk broke off.
    pub(super) fn of_walk(walked: Result<(), serde_json::Error>, allowance: &Allowance) -> Result<(), Self> {
        match walked {
            Err(_) if allowance.is_used_up() => Err(Self::TooLong),
            walked => Ok(walked?),
        }
    }

    /// Whether all of the text was read: it is whoever wrote it who says that something lacks.
    pub const fn is_of_whole_text(&self) -> bool {
        matches!(self, Self::Partial | Self::Failed(_))
    }

    /// The same error, of a part that begins so many bytes behind the start.
    #[must_use]
    pub fn behind(self, begins: u64) -> Self {
        match self {
            Self::Protobuf { at, why } => {
                let begins = usize::try_from(begins).unwrap_or(usize::MAX);
                Self::Protobuf { at: at.saturating_add(begins), why }
            }
            other => other,
        }
    }

    /// What went wrong, for who knows the place better: a part of a file has its own lines.
    pub fn without_place(&self) -> String {
        match self {
            Self::Json(error) => format!("broken JSON: {}", super::json::without_place(error)),
            error => error.to_string(),
        }
    }
}

/// A document among others that could not be decoded.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct BrokenDocument {
    /// The byte behind the document before it.
    pub at: usize,
    pub error: DecodeError,
}

/// What Grafana leaves out of a trace of Tempo beside that, and what follows from it.
pub const GRAFANA_LACKS: &str = "Grafana's download has no flags of spans, and one resource for all processes of a \
                                 service: what rests on either is less sure, and a worker that has the API's name is \
                                 not seen. Tempo's own API (/api/traces/ID) tells the processes apart";

/// What Tempo leaves out of a trace, and what follows from that.
pub const TEMPO_LACKS: &str = "Tempo keeps no flags of spans, so it does not say whether a parent is of another \
                               process: what rests on that is a step less sure";

/// Gives the sink a span that was read, or says why it cannot be kept and where it is;
/// either is counted. A span that only announces another is neither. Both decoders end
/// here.
fn give(
    read: Result<Span<'_>, Invalid>,
    [resource, scope, span]: [usize; 3],
    counts: &mut Counts,
    sink: &mut impl Sink,
) {
    give_at(read, || place(resource, scope, span), counts, sink);
}

/// The same for a reader with other paths.
pub(super) fn give_at(
    read: Result<Span<'_>, Invalid>,
    place: impl FnOnce() -> String,
    counts: &mut Counts,
    sink: &mut impl Sink,
) {
    match read {
        // It repeats, as a child, a span that comes separately.
        Ok(span) if span.is_pending => sink.announced(),
        Ok(span) => {
            counts.spans += 1;
            sink.span(&span);
        }
        Err(why) => {
            counts.refused += 1;
            sink.refused(why, &place());
        }
    }
}

/// The path of a span in its request.
fn place(resource: usize, scope: usize, span: usize) -> String {
    format!("resourceSpans[{resource}].scopeSpans[{scope}].spans[{span}]")
}
