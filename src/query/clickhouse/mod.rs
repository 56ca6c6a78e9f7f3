//! ClickHouse over its HTTP interface, read only
//! (<https://clickhouse.com/docs/interfaces/http>).
//!
//! `url.rs` says where it is, `client.rs` asks it, and `error.rs` has why it does not answer.
//! `schema.rs` finds out by its tables whose they are, and `table.rs` is such a table: the
//! expressions that give what diagnoses read. `window.rs` is a time to ask for, and `spans.rs`
//! fetches the spans of traces;
//! `survey.rs` has the store count hand-offs.

mod answer;
mod client;
mod error;
mod limits;
mod schema;
mod spans;
mod sql;
mod survey;
mod table;
mod url;
mod window;

pub use client::{Client, Cost, Told};
pub use error::QueryError;
pub use limits::Limits;
pub use schema::{Store, find};
pub use spans::{Extent, Fetched, Filter};
pub use survey::{Group, OUTCOMES, Sampled, Survey};
pub use table::{Kind, SpanTable};
pub use url::{ClickhouseUrl, is_clickhouse};
pub use window::Window;
