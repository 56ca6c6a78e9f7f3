//! Reads the body of a request, within limits of bytes and time, and every byte within
//! the budget.
//!
//! This is by hand because `http_body_util::Limited` limits one body at a time. Here all
//! bodies share a budget. Each byte is reserved there before it is read, and a slow body
//! gives its bytes back to another.

use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::budget::{Full, Reservation};

/// Why a body was not read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum BodyError {
    /// It is longer than a request may be, as it came or decompressed.
    TooLarge,
    /// The budget has no room now, or the body had to make room for another.
    Full,
    /// It did not come in time.
    Late,
    /// The client went away.
    Cut,
    /// Its content is not what the request says it is.
    Malformed(String),
}

impl From<Full> for BodyError {
    fn from(full: Full) -> Self {
        match full {
            Full::Now => Self::Full,
            Full::Ever => Self::TooLarge,
        }
    }
}

/// How a request announces the length of its body.
#[derive(Clone, Copy, Debug)]
pub enum Announced {
    /// HTTP's `content-length`.
    Length(Option<u64>),
    /// The five bytes before a gRPC message.
    Prefix,
}

/// The flag and the length before a gRPC message:
/// <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>.
pub const PREFIX: usize = 5;

impl Announced {
    /// The length of the whole body, as far as `start` tells it.
    fn whole(self, start: &[u8]) -> Option<usize> {
        match self {
            Self::Length(length) => length.map(|length| usize::try_from(length).unwrap_or(usize::MAX)),
            Self::Prefix => {
                let length: [u8; 4] = start.get(1..PREFIX)?.try_into().ok()?;
                usize::try_from(u32::from_be_bytes(length)).ok().map(|length| PREFIX.saturating_add(length))
            }
        }
    }
}

/// Reads a body of at most `limit` bytes.
///
/// An announced length is believed only as far as bytes come: a client that announces
/// much and sends little holds little.
pub async fn collect(
    body: &mut Incoming,
    announced: Announced,
    limit: usize,
    timeout: Duration,
    reservation: &mut Reservation,
) -> Result<Bytes, BodyError> {
    let is_revoked = reservation.is_revoked();
    let gathered = tokio::time::timeout(timeout, gather(body, announced, limit, reservation));
    let gathered = tokio::select! {
        gathered = gathered => gathered.unwrap_or(Err(BodyError::Late)),
        () = is_revoked => Err(BodyError::Full),
    };
    reservation.is_whole();
    gathered
}

async fn gather(
    body: &mut Incoming,
    announced: Announced,
    limit: usize,
    reservation: &mut Reservation,
) -> Result<Bytes, BodyError> {
    // A client that sent "expect: 100-continue" gets this answer instead of "continue".
    if announced.whole(&[]).is_some_and(|whole| whole > limit) {
        return Err(BodyError::TooLarge);
    }
    let mut whole = Gathered::Nothing;
    while let Some(frame) = body.frame().await {
        // Trailers are not used.
        let Ok(data) = frame.map_err(|_| BodyError::Cut)?.into_data() else { continue };
        if !data.is_empty() {
            reservation.read(data.len());
            whole.add(data, announced, limit, reservation).await?;
        }
    }
    Ok(whole.into_bytes())
}

/// The bytes that have come of a body.
enum Gathered {
    Nothing,
    /// As hyper read it: many bodies come in one piece, and are not copied.
    One(Bytes),
    Many(BytesMut),
}

impl Gathered {
    async fn add(
        &mut self,
        data: Bytes,
        announced: Announced,
        limit: usize,
        reservation: &mut Reservation,
    ) -> Result<(), BodyError> {
        let (length, capacity) = match self {
            Self::Nothing => (0, 0),
            Self::One(first) => (first.len(), first.len()),
            Self::Many(whole) => (whole.len(), whole.capacity()),
        };
        let length = length + data.len();
        let start = match self {
            Self::Nothing => &data,
            Self::One(first) => &first[..],
            Self::Many(whole) => &whole[..],
        };
        let expected = announced.whole(start);
        if length > limit || expected.is_some_and(|expected| expected > limit) {
            return Err(BodyError::TooLarge);
        }
        if let Self::Nothing = self {
            reservation.reserve(length).await?;
            *self = Self::One(data);
            return Ok(());
        }
        if let Self::Many(whole) = self
            && capacity >= length
        {
            whole.extend_from_slice(&data);
            return Ok(());
        }
        let wanted = grown(length, expected, limit).min(reservation.most_more()).max(length);
        reservation.reserve(wanted).await?;
        let mut grown = BytesMut::with_capacity(wanted);
        match std::mem::replace(self, Self::Nothing) {
            Self::Nothing => {}
            Self::One(first) => grown.extend_from_slice(&first),
            Self::Many(whole) => grown.extend_from_slice(&whole),
        }
        grown.extend_from_slice(&data);
        *self = Self::Many(grown);
        reservation.shrink(capacity);
        Ok(())
    }

    fn into_bytes(self) -> Bytes {
        match self {
            Self::Nothing => Bytes::new(),
            Self::One(whole) => whole,
            Self::Many(whole) => whole.freeze(),
        }
    }
}

/// How many bytes to allocate for a body of which `length` bytes have come: all of it
/// once an eighth has come. So a body of known length never holds more than one and a
/// half times its own bytes, even while it is copied.
fn grown(length: usize, expected: Option<usize>, limit: usize) -> usize {
    const LEAST: usize = 16 << 10;
    let ahead = length.saturating_mul(4).max(LEAST).min(limit);
    match expected {
        Some(expected) if expected <= ahead.saturating_mul(2) => expected.max(length),
        _ => ahead.max(length),
    }
}

/// Reads the rest and drops it. A client over HTTP/1 that writes all before it reads then
/// gets the answer instead of a broken pipe.
pub async fn drain(body: &mut Incoming, limit: u64, timeout: Duration) {
    let drained = async {
        let mut seen = 0_u64;
        while let Some(Ok(frame)) = body.frame().await {
            seen += frame.data_ref().map_or(0, |data| data.remaining() as u64);
            if seen > limit {
                break;
            }
        }
    };
    let _ = tokio::time::timeout(timeout, drained).await;
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::Budget;
    use super::*;

    fn gathered(parts: &[&[u8]], announced: Announced, limit: usize) -> (Result<Bytes, BodyError>, usize) {
        let budget = Arc::new(Budget::new(1 << 20));
        let mut reservation = budget.share(Duration::MAX).open();
        let mut whole = Gathered::Nothing;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        for part in parts {
            let part = Bytes::copy_from_slice(part);
            if let Err(error) = runtime.block_on(whole.add(part, announced, limit, &mut reservation)) {
                return (Err(error), budget.peak());
            }
        }
        (Ok(whole.into_bytes()), budget.peak())
    }

    #[test]
    fn parts_come_together() {
        let parts = [&[1; 10_000][..], &[2; 10_000], &[3; 10_000]];
        let (whole, _) = gathered(&parts, Announced::Length(Some(30_000)), 1 << 20);
        assert_eq!(whole.expect("small"), parts.concat());
    }

    #[test]
    fn an_announcement_holds_no_memory() {
        let lies = Announced::Length(Some(1 << 19));
        let (_, held) = gathered(&[b"a", b"b"], lies, 1 << 20);
        assert!(held <= 1 + (16 << 10), "{held}");
        let (_, held) = gathered(&[b"\0\0\x07\0\0", b"b"], Announced::Prefix, 1 << 20);
        assert!(held <= 5 + (16 << 10), "{held}");
    }

    #[test]
    fn a_limit_holds_for_what_comes_and_for_what_is_announced() {
        let over = |parts: &[&[u8]], announced| gathered(parts, announced, 100).0;
        assert_eq!(over(&[&[0; 60], &[0; 41]], Announced::Length(None)), Err(BodyError::TooLarge));
        assert!(over(&[&[0; 60], &[0; 40]], Announced::Length(None)).is_ok());
        assert_eq!(over(&[&[0; 6]], Announced::Length(Some(101))), Err(BodyError::TooLarge));
        assert_eq!(over(&[b"\0\xff\xff\xff\xff"], Announced::Prefix), Err(BodyError::TooLarge));
    }
}
