//! Dates and durations, as Python reads them.

use jiff::{SignedDuration, civil};
use prost_types::{Duration, Timestamp};

use super::LiteralError;

const EPOCH: civil::DateTime = civil::datetime(1970, 1, 1, 0, 0, 0, 0);
const MICROS_PER_SECOND: i128 = 1_000_000;
const SECONDS_PER_DAY: i64 = 86_400;
const MAX_DAYS: i64 = 999_999_999;

/// `datetime.isoformat()` in UTC: microseconds, cut off below, and only if
/// there are any.
pub(super) fn isoformat(timestamp: &Timestamp) -> Result<String, LiteralError> {
    if !(0..=999_999_999).contains(&timestamp.nanos) {
        return Err(LiteralError::Timestamp {
            field: "Nanos",
            value: timestamp.nanos.into(),
            range: "a range [0, 999999]",
        });
    }
    let time = EPOCH
        .checked_add(SignedDuration::new(timestamp.seconds, timestamp.nanos))
        .ok()
        .filter(|time| time.year() >= 1)
        .ok_or(LiteralError::Timestamp {
            field: "Seconds",
            value: timestamp.seconds,
            range: "range [-62135596800, 253402300799]",
        })?;
    let micros = timestamp.nanos / 1_000;
    let fraction = if micros == 0 { String::new() } else { format!(".{micros:06}") };
    Ok(format!("{}{fraction}+00:00", time.strftime("%Y-%m-%dT%H:%M:%S")))
}

/// `timedelta.total_seconds()`: whole microseconds, divided once.
pub(super) fn total_seconds(duration: &Duration) -> Result<f64, LiteralError> {
    let days = duration.seconds / SECONDS_PER_DAY;
    if days.abs() > MAX_DAYS {
        return Err(LiteralError::Duration { days });
    }
    let micros =
        i128::from(duration.seconds) * MICROS_PER_SECOND + i128::from(duration.nanos / 1_000);
    // Through decimal text, because that rounds once, as Python's division of
    // integers does; as a float the microseconds may have been rounded before.
    let sign = if micros < 0 { "-" } else { "" };
    let (whole, fraction) = (
        micros.unsigned_abs() / MICROS_PER_SECOND.unsigned_abs(),
        micros.unsigned_abs() % MICROS_PER_SECOND.unsigned_abs(),
    );
    let text = format!("{sign}{whole}.{fraction:06}");
    Ok(text.parse().unwrap_or(f64::NAN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        for (seconds, nanos, text) in [
            (1_700_000_000, 0, "2023-11-14T22:13:20+00:00"),
            (1_700_000_000, 123_456_789, "2023-11-14T22:13:20.123456+00:00"),
            (1_700_000_000, 999, "2023-11-14T22:13:20+00:00"),
            (-1, 500_000_000, "1969-12-31T23:59:59.500000+00:00"),
            (-62_135_596_800, 0, "0001-01-01T00:00:00+00:00"),
            (253_402_300_799, 999_999_999, "9999-12-31T23:59:59.999999+00:00"),
        ] {
            let timestamp = Timestamp { seconds, nanos };
            assert_eq!(isoformat(&timestamp).as_deref(), Ok(text));
        }
    }

    #[test]
    fn dates_that_python_has_not() {
        for (seconds, nanos, text) in [
            (
                -62_135_596_801,
                0,
                "Timestamp is not valid: Seconds -62135596801 must be in range \
                 [-62135596800, 253402300799].",
            ),
            (
                i64::MAX,
                0,
                "Timestamp is not valid: Seconds 9223372036854775807 must be in range \
                 [-62135596800, 253402300799].",
            ),
            (5, -5000, "Timestamp is not valid: Nanos -5000 must be in a range [0, 999999]."),
        ] {
            let error = isoformat(&Timestamp { seconds, nanos }).unwrap_err();
            assert_eq!(error.to_string(), text);
        }
        assert!(isoformat(&Timestamp { seconds: i64::MIN, nanos: 0 }).is_err());
        assert!(isoformat(&Timestamp { seconds: 253_402_300_800, nanos: 0 }).is_err());
    }

    #[test]
    fn durations() {
        for (seconds, nanos, total) in [
            (5, 0, 5.0),
            (1, 1, 1.0),
            (1, 1999, 1.000001),
            (-1, -500_000_000, -1.5),
            (-1, 500_000_000, -0.5),
            (1, -500_000_000, 0.5),
            (0, -1999, -1e-06),
            (315_576_000_000, 999_999_999, 315_576_000_001.0),
            (9_007_199_255, 123_456_789, 9_007_199_255.123_455),
            (90_071_992_551, 654_321_000, 90_071_992_551.654_33),
            (86_399_999_913_600, 0, 86_399_999_913_600.0),
        ] {
            assert_eq!(total_seconds(&Duration { seconds, nanos }), Ok(total));
        }
        assert_eq!(
            total_seconds(&Duration { seconds: i64::MIN, nanos: 0 }),
            Err(LiteralError::Duration { days: -106_751_991_167_300 })
        );
    }
}
