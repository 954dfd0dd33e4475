//! Durations in flags.

use std::time::Duration;

/// The longest that a flag takes; the header `grpc-timeout` ends not far above.
const MAX: Duration = Duration::from_secs(365 * 24 * 3600);

/// Reads a duration in words, such as `1m 30s`. Zero is none: a pause of
/// nothing keeps a service busy, and a limit of nothing allows nothing.
pub(super) fn parse(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if duration.is_zero() || duration > MAX {
        return Err("it must be more than 0s and at most 365days".to_owned());
    }
    Ok(duration)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit_and_sense() {
        assert_eq!(parse("1m 30s"), Ok(Duration::from_secs(90)));
        for text in ["", "10", "0s", "366days", "100000000years", "-1s"] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }
}
