//! What a request says of its caller.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName};
use tokio::time::Instant;
use tonic::metadata::MetadataMap;

use crate::{connector::TaskCategory, supervisor::TaskQuery, wire::flyteidl::admin};

const TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// When the caller stops waiting, by the header `grpc-timeout`.
pub(super) fn deadline(metadata: &MetadataMap) -> Option<Instant> {
    Instant::now().checked_add(timeout(metadata.as_ref())?)
}

/// How long the caller waits, by the header `grpc-timeout`; one that cannot be
/// read is none.
pub(super) fn timeout(headers: &HeaderMap) -> Option<Duration> {
    parse(headers.get(TIMEOUT)?.to_str().ok()?)
}

/// The task that a request asks about.
pub(super) fn query(
    metadata: &MetadataMap,
    category: Option<admin::TaskCategory>,
    task_type: String,
    resource_meta: Bytes,
    output_prefix: String,
) -> TaskQuery {
    let category = TaskCategory::requested(category.as_ref(), &task_type);
    TaskQuery {
        task_type: match task_type.is_empty() {
            true => category.name.clone(),
            false => task_type,
        },
        category,
        resource_meta,
        output_prefix,
        deadline: deadline(metadata),
    }
}

/// Up to eight digits and a unit, as gRPC writes a time-out.
fn parse(timeout: &str) -> Option<Duration> {
    let (digits, unit) = timeout.split_at_checked(timeout.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 {
        return None;
    }
    let value: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(value * 3600),
        "M" => Duration::from_secs(value * 60),
        "S" => Duration::from_secs(value),
        "m" => Duration::from_millis(value),
        "u" => Duration::from_micros(value),
        "n" => Duration::from_nanos(value),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_read_in_every_unit() {
        for (text, expected) in [
            ("10S", Some(Duration::from_secs(10))),
            ("9999999m", Some(Duration::from_millis(9_999_999))),
            ("5u", Some(Duration::from_micros(5))),
            ("7n", Some(Duration::from_nanos(7))),
            ("2M", Some(Duration::from_secs(120))),
            ("1H", Some(Duration::from_secs(3600))),
            ("", None),
            ("S", None),
            ("10", None),
            ("123456789S", None),
            ("-1S", None),
            ("1é", None),
        ] {
            assert_eq!(parse(text), expected, "{text:?}");
        }
    }
}
