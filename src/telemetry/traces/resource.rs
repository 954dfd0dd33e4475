//! Who sends the spans.

use opentelemetry::{Key, KeyValue};
use opentelemetry_sdk::{Resource, trace::IdGenerator};
use uuid::Builder;

use crate::telemetry::names::{SERVICE_INSTANCE, SERVICE_NAME, SERVICE_VERSION};

/// What the SDK calls a service whose name nobody has set.
const UNKNOWN: &str = "unknown_service";

/// The resource: what `OTEL_RESOURCE_ATTRIBUTES` and `OTEL_SERVICE_NAME` say,
/// and the rest from us. The instance is another one with every start.
pub(super) fn describe(ids: &impl IdGenerator) -> Resource {
    let given = Resource::builder().build();
    let is_given = |name: &'static str| {
        given
            .get(&Key::from_static_str(name))
            .is_some_and(|value| !value.as_str().starts_with(UNKNOWN))
    };
    let instance = Builder::from_random_bytes(ids.new_trace_id().to_bytes()).into_uuid();
    let ours = [
        (SERVICE_NAME, env!("CARGO_PKG_NAME").to_owned()),
        (SERVICE_VERSION, env!("CARGO_PKG_VERSION").to_owned()),
        (SERVICE_INSTANCE, instance.to_string()),
    ];
    let missing = ours.into_iter().filter(|(name, _)| !is_given(name));
    Resource::builder()
        .with_attributes(missing.map(|(name, value)| KeyValue::new(name, value)))
        .build()
}
