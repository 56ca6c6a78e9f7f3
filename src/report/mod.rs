//! One golden [`Report`](crate::model::Report), many formats. A format turns it
//! into text and prints nothing: where it goes is the caller's affair.

pub mod explanation;
pub mod human;
pub mod text;
pub mod tried;

mod document;
mod format;
mod formats;
mod json;
mod jsonl;

pub use format::{Form, Format, Subject, Verbosity, View};
pub use formats::FormatName;
