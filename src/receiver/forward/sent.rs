//! Counts what was sent on, and what was lost and why.

use std::collections::BTreeMap;
use std::fmt;

use http::StatusCode;
use tonic::Code;

/// Why a request did not arrive.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Loss {
    /// The endpoint refused it for good: an HTTP status.
    Refused(u16),
    /// The same over gRPC, such as `InvalidArgument`.
    RefusedGrpc(String),
    /// The endpoint was busy at every attempt: its last answer.
    Busy(String),
    /// There was no answer: connection refused, no such host, a wrong certificate, …
    Unreachable(String),
    /// The queue was full.
    QueueFull,
    /// It is JSON, which gRPC does not carry.
    JsonOverGrpc,
    /// It was still waiting when the time to close was over.
    NotInTime,
    /// There were too many different reasons to list this one.
    Other,
}

impl Loss {
    pub fn refused(status: StatusCode) -> Self {
        Self::Refused(status.as_u16())
    }

    pub fn refused_grpc(code: Code) -> Self {
        Self::RefusedGrpc(format!("{code:?}"))
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(status) => write!(f, "refused ({status})"),
            Self::RefusedGrpc(code) => write!(f, "refused ({code})"),
            Self::Busy(answer) => write!(f, "busy ({answer})"),
            Self::Unreachable(why) => write!(f, "not reached ({why})"),
            Self::QueueFull => f.write_str("queue full"),
            Self::JsonOverGrpc => f.write_str("JSON, which gRPC does not carry"),
            Self::NotInTime => f.write_str("not sent in time"),
            Self::Other => f.write_str("for other reasons"),
        }
    }
}

/// The outcome of all requests.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Sent {
    /// The endpoint, without user, password and path.
    pub to: String,
    /// Requests that it accepted.
    pub requests: u64,
    /// Spans, data points and log records in these that it rejected.
    pub rejected: u64,
    /// Requests that did not arrive.
    pub lost: BTreeMap<Loss, u64>,
}

impl Sent {
    /// The most reasons that are listed, so that an endpoint cannot make the text
    /// endless.
    const REASONS: usize = 16;

    pub(super) fn lose(&mut self, why: Loss) {
        let is_known = self.lost.contains_key(&why) || self.lost.len() < Self::REASONS;
        *self.lost.entry(if is_known { why } else { Loss::Other }).or_default() += 1;
    }

    /// Requests that did not arrive, for any reason.
    pub fn losses(&self) -> u64 {
        self.lost.values().sum()
    }
}

impl fmt::Display for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = if self.requests == 1 { "" } else { "s" };
        write!(f, "forwarded {} request{s} to {}", self.requests, self.to)?;
        if self.rejected > 0 {
            write!(f, "; it rejected {} records of them", self.rejected)?;
        }
        let mut reasons: Vec<_> = self.lost.iter().collect();
        reasons.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        for (place, (why, count)) in reasons.into_iter().enumerate() {
            match place {
                0 => write!(f, "; {} lost: {count} {why}", self.losses())?,
                _ => write!(f, ", {count} {why}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_line_for_people() {
        let mut sent = Sent { to: "http://otel:4318".to_owned(), requests: 120, ..Sent::default() };
        assert_eq!(sent.to_string(), "forwarded 120 requests to http://otel:4318");
        sent.lose(Loss::QueueFull);
        sent.lose(Loss::Refused(400));
        sent.lose(Loss::Refused(400));
        sent.rejected = 7;
        assert_eq!(
            sent.to_string(),
            "forwarded 120 requests to http://otel:4318; it rejected 7 records of them; \
             3 lost: 2 refused (400), 1 queue full"
        );
    }

    #[test]
    fn reasons_are_bounded_and_counts_are_whole() {
        let mut sent = Sent::default();
        (0..100).for_each(|status| sent.lose(Loss::Refused(status)));
        assert_eq!((sent.lost.len(), sent.losses()), (Sent::REASONS + 1, 100));
    }
}
