//! One golden [`Report`](crate::model::Report), many formats. A format turns it into text
//! and prints nothing: the caller decides where it goes.

pub mod database;
pub mod explanation;
pub mod html;
pub mod human;
pub mod short_ids;
pub mod stitched;
pub mod text;
pub mod tried_fixes;

mod format;
mod formats;
mod github;
mod json;
mod json_document;
mod jsonl;
mod junit;
mod markdown;
mod quoted;
mod sarif;
mod verdict;

pub use format::{Form, Format, NAME, Subject, Verbosity, View};
pub use formats::FormatName;
