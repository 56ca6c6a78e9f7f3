//! How long a server is waited for.

use std::time::Duration;

/// How long a host may take to accept a connection.
pub const CONNECT: Duration = Duration::from_secs(5);
/// How long a server may take to return the greeting of TLS. A Redis without TLS
/// never does: it waits for the end of a line.
pub const GREETING: Duration = Duration::from_secs(5);
/// How long an answer may take: Redis is single-threaded, and a slow command of
/// another client holds up ours.
pub const ANSWER: Duration = Duration::from_secs(30);
