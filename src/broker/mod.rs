//! The read-only shell around a live Redis.
//!
//! tracelink never consumes, moves, acknowledges or writes anything in a
//! user's broker. The commands that can be sent are those of [`client::Read`],
//! each of which Redis puts into its category `@read` (or, for `TIME`,
//! `@fast`); no other can be expressed outside that file.

mod client;
mod error;
mod survey;
mod url;

pub use client::{Client, Read};
pub use error::BrokerError;
pub use survey::{Found, ListReader, Page, Survey, survey};
pub use url::{BrokerUrl, UrlError};
