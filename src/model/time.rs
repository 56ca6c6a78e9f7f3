//! Time as an argument: nanoseconds since the Unix epoch.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp as Instant;
use serde::{Serialize, Serializer};

/// A point in time, in nanoseconds since 1970-01-01T00:00:00Z.
///
/// The unit is OTLP's. Years past 2554 do not fit and are clamped by readers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The epoch, which OTLP uses for "not set".
    pub const UNSET: Self = Self(0);

    /// From nanoseconds since the epoch.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Reads an RFC 3339 time stamp, with any offset.
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        let instant: Instant = text.parse().ok()?;
        u64::try_from(instant.as_nanosecond()).ok().map(Self)
    }

    /// Nanoseconds since the epoch.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// How long after `earlier` this is; zero where it is not after.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// Milliseconds from `earlier` to this, negative where this comes first.
    #[allow(clippy::cast_precision_loss, reason = "a difference that loses nanoseconds is centuries long")]
    pub fn millis_since(self, earlier: Self) -> f64 {
        if self >= earlier { (self.0 - earlier.0) as f64 / 1e6 } else { -((earlier.0 - self.0) as f64 / 1e6) }
    }

    /// This less `duration`, clamped at the beginning of the range.
    #[must_use]
    pub fn before(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// This plus `duration`, clamped at the end of the range.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(nanos))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Instant::from_nanosecond(i128::from(self.0)) {
            Ok(instant) => fmt::Display::fmt(&instant, f),
            Err(_) => write!(f, "{} ns", self.0),
        }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc3339_is_read_with_any_offset_and_written_in_utc() {
        let utc = Timestamp::parse_rfc3339("2026-11-22T19:49:57.749Z").expect("valid");
        let offset = Timestamp::parse_rfc3339("2026-11-22T20:49:57.749+01:00").expect("valid");
        assert_eq!(utc, offset);
        assert_eq!(utc.to_string(), "2026-11-22T19:49:57.749Z");
        assert_eq!(Timestamp::parse_rfc3339("yesterday"), None);
    }
}
