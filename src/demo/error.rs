//! Why the demo cannot go on.

use std::io;

use thiserror::Error;

use crate::model::{Blame, Blamed};

/// Why the demo cannot go on.
#[derive(Debug, Error)]
pub enum DemoError {
    /// Its source is in the text.
    #[error("the broker: {0}")]
    Broker(redis::RedisError),
    #[error("a process of the demo: {0}")]
    Io(#[from] io::Error),
    #[error("this is started by `tracelink demo`, and of no use by itself")]
    NotAlone,
    #[error("the order")]
    Request(#[from] http::Error),
    #[error("the API does not answer")]
    NoAnswer(#[from] hyper_util::client::legacy::Error),
    #[error("the API's answer")]
    Answer(#[from] hyper::Error),
    #[error("the {who} of the demo: {why}")]
    Process { who: &'static str, why: String },
    #[error("the {who} of the demo did not come up in {seconds} seconds")]
    Slow { who: &'static str, seconds: u64 },
    #[error("the {who} of the Python demo: {why}")]
    Python { who: String, why: String },
    /// A fix that leaves something to its reader.
    #[error("the fix cannot be pasted: {why}")]
    NotPasteable { why: String },
    #[error(
        "the Python demo needs an empty database on a broker of yours: real workers would take what waits there\n  \
         name another database, such as redis://127.0.0.1:6379/15, or let the demo bring its own Redis"
    )]
    NotEmpty,
    #[error("the Python demo needs a broker: no redis-server was asked for when its environment was made")]
    NoBroker,
    #[error(
        "nothing has moved for {seconds} seconds: something is stuck, or the machine is busy with other things\n  \
         try again, with less at a time: fewer --orders, a lower --rate"
    )]
    Still { seconds: u64 },
}

impl Blamed for DemoError {
    fn blame(&self) -> Blame {
        Blame::Environment
    }
}

impl From<redis::RedisError> for DemoError {
    fn from(error: redis::RedisError) -> Self {
        Self::Broker(error)
    }
}
