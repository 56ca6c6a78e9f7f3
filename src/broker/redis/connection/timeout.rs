//! How long tracelink waits for a server.

use std::time::Duration;

/// How long a host may take to accept a connection.
pub const CONNECT: Duration = Duration::from_secs(5);
/// How long a server may take for the TLS handshake. A Redis without TLS never answers
/// it: it waits for the end of a line.
pub const GREETING: Duration = Duration::from_secs(5);
/// How long an answer may take. Redis is single-threaded, so a slow command of another
/// client delays ours.
pub const ANSWER: Duration = Duration::from_secs(30);
