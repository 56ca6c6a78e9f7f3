//! Plain values that every floor shares: identifiers, trace context, messages,
//! spans, task results, findings and the report.
//!
//! Nothing here reads a byte, asks a clock or knows where a value came from. If a value can
//! be wrong in a way that occurs in the field, the flaw is part of the type ([`Flaw`],
//! [`Invalid`]) instead of an error that would lose the rest.

mod blame;
mod context;
mod database;
mod durations;
mod event;
mod exception;
mod figures;
mod finding;
mod fix;
mod id;
mod map;
pub mod memory_size;
mod message;
mod report;
mod result;
mod sentence;
mod span;
mod time;

pub use blame::{Blame, Blamed};
pub use context::{
    CarriedContext, ContextFormat, Encoding, Flaw, FlawKind, Mark, Place, Sampling, SpanContext,
};
pub use database::{DatabaseReport, HandoffGroup};
pub use durations::Durations;
pub use event::Event;
pub use exception::{Exception, HIDDEN};
pub use figures::{Distribution, RetryShare};
pub use finding::{
    Alternative, Confidence, Finding, InBaseline, Quote, Severity, Station, StationState, Stations,
};
pub use fix::{Fix, FixPlace, Language, Side, Step, StepKind, Text};
pub use id::{SpanId, TraceId};
pub use map::{Map, MapHash, SecretHash, Set};
pub use message::{EmptyCarrier, Message, MessageState, MissingParts, NextTask, Part, Protocol};
pub use report::{
    Comparison, ContextReport, Expired, Gone, HandoffReport, Ignored, IgnoredBy, Inputs, LimitCounts,
    MessageReport, Metrics, QueueReport, Report, Retracted, SCHEMA, ShareReport, SpanAccount, SpanReport,
    Status, TraceReport, Unproven, Verdict,
};
pub use result::{FailedAt, TaskResult, TaskStatus};
pub use sentence::{Context, Key, Sentence, Value, key};
pub use span::{
    AttributeValue, CeleryAction, Invalid, ParentOrigin, Resource, Scope, Span, SpanKind, SpanStatus,
};
pub use time::Timestamp;
