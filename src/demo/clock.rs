//! The time of day for the processes of the demo. They stamp spans, results and ETAs, as
//! real applications do.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;

/// Since the Unix epoch.
#[allow(clippy::disallowed_methods, reason = "an application asks its clock")]
pub fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Nanoseconds since the Unix epoch, as OTLP counts.
pub fn nanos() -> u64 {
    u64::try_from(now().as_nanos()).unwrap_or(u64::MAX)
}

/// A time as Python's `datetime.isoformat` writes it: microseconds and an offset.
pub fn isoformat(since_epoch: Duration) -> String {
    let micros = i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX);
    let moment = Timestamp::from_microsecond(micros).unwrap_or(Timestamp::MAX);
    moment.strftime("%Y-%m-%dT%H:%M:%S.%6f+00:00").to_string()
}

/// How long it is until a time that `isoformat` or Celery wrote; zero if it has passed or
/// cannot be read.
pub fn until(moment: &str) -> Duration {
    let then = moment.parse::<Timestamp>().map_or(0, Timestamp::as_microsecond);
    Duration::from_micros(u64::try_from(then).unwrap_or(0)).saturating_sub(now())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_as_python_does_and_read_back() {
        let moment = Duration::from_micros(1_795_376_996_897_840);
        assert_eq!(isoformat(moment), "2026-11-22T19:49:56.897840+00:00");
        assert_eq!(until("2020-11-22T19:49:56.897840+00:00"), Duration::ZERO);
        assert_eq!(until("tomorrow"), Duration::ZERO);
        assert!(until(&isoformat(now() + Duration::from_mins(1))) > Duration::from_secs(59));
    }
}
