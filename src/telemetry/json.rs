//! Lines of the log as JSON objects.
//!
//! `tracing_subscriber`'s own have fields in objects of their own, and know
//! nothing of traces. Here a line has the fields of its event and of the spans
//! around it side by side, so that a query needs no path.

use std::fmt;

use opentelemetry::{Context, trace::TraceContextExt};
use serde_json::{Map, Value};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    fmt::{
        FmtContext, FormatEvent, FormattedFields,
        format::{JsonFields, Writer},
        time::{FormatTime, SystemTime},
    },
    registry::LookupSpan,
};

use super::subject;

const TRACE_ID: &str = "trace_id";
const SPAN_ID: &str = "span_id";

/// Writes an event as an object: `timestamp`, `level`, `target`, `message`, the
/// fields, and `trace_id` where there is a trace.
pub(super) struct JsonLine;

impl<S> FormatEvent<S, JsonFields> for JsonLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, JsonFields>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = Fields::default();
        let mut time = String::new();
        SystemTime.format_time(&mut Writer::new(&mut time))?;
        line.set("timestamp", time);
        line.set("level", event.metadata().level().as_str());
        line.set("target", event.metadata().target());
        for span in context.event_scope().into_iter().flat_map(|scope| scope.from_root()) {
            let extensions = span.extensions();
            let fields = extensions.get::<FormattedFields<JsonFields>>();
            line.add_all(fields.map_or("", |fields| fields.as_str()));
        }
        if let Some(subject) = subject::current() {
            subject.fields(&mut |name, value| line.set(name, value));
        }
        event.record(&mut line);
        line.add_trace();
        let text = serde_json::to_string(&line.0).map_err(|_| fmt::Error)?;
        writeln!(writer, "{text}")
    }
}

/// The fields of a line; the innermost of a name counts.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.0.insert(name.to_owned(), value.into());
    }

    /// The fields of a span, which are JSON already.
    fn add_all(&mut self, json: &str) {
        if let Ok(Value::Object(fields)) = serde_json::from_str(json) {
            self.0.extend(fields);
        }
    }

    /// The trace that the code runs in, for lines that name none.
    fn add_trace(&mut self) {
        if self.0.contains_key(TRACE_ID) {
            return;
        }
        let current = Context::map_current(|context| context.span().span_context().clone());
        if current.is_valid() {
            self.set(TRACE_ID, current.trace_id().to_string());
            self.set(SPAN_ID, current.span_id().to_string());
        }
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field.name(), value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field.name(), value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field.name(), value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field.name(), value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field.name(), value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.set(field.name(), format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Arc, Mutex, PoisonError},
    };

    use futures::FutureExt;
    use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};
    use tracing::{info, info_span};
    use tracing_subscriber::{fmt, layer::SubscriberExt};

    use super::*;
    use crate::telemetry::{About, Subject, Told};

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The one line that `log` logs.
    fn line(log: impl FnOnce()) -> Value {
        let written = Written::default();
        let writer = written.clone();
        let layer = fmt::layer()
            .with_writer(move || writer.clone())
            .fmt_fields(JsonFields::new())
            .event_format(JsonLine);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), log);
        let bytes = written.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        assert_eq!(bytes.iter().filter(|byte| **byte == b'\n').count(), 1);
        serde_json::from_slice(&bytes).expect("JSON")
    }

    #[test]
    fn fields_of_the_event_and_of_the_spans_around_it_are_side_by_side() {
        let line = line(|| {
            let span = info_span!("call", flightdeck.task_id = 7, cause = "outer");
            let _entered = span.enter();
            info!(cause = "say \"no\"", late = true, "it failed\nonce");
        });
        assert_eq!(line["message"], "it failed\nonce");
        assert_eq!(line["level"], "INFO");
        assert_eq!(line["flightdeck.task_id"], 7);
        assert_eq!(line["cause"], "say \"no\"", "the innermost counts");
        assert_eq!(line["late"], true);
        assert!(line["timestamp"].as_str().is_some_and(|time| time.ends_with('Z')), "{line}");
        assert_eq!(line.get(TRACE_ID), None);
    }

    #[test]
    fn a_line_tells_what_it_is_about_and_what_it_says_itself_counts() {
        struct Attempt;
        impl Subject for Attempt {
            fn fields(&self, tell: &mut dyn FnMut(&'static str, Told<'_>)) {
                tell("flyte.execution", Told::Text(&"f1"));
                tell("flyte.attempt", Told::Number(2));
                tell("operation", Told::Text(&"get"));
            }
        }
        let line = line(|| {
            let call = About::new(Arc::new(Attempt), async { info!(operation = "poke", "asked") });
            call.now_or_never().expect("it waits for nothing");
        });
        assert_eq!(line["flyte.execution"], "f1");
        assert_eq!(line["flyte.attempt"], 2);
        assert_eq!(line["operation"], "poke");
    }

    #[test]
    fn a_line_has_the_trace_that_it_names_else_the_current_one() {
        let current = SpanContext::new(
            TraceId::from(7u128),
            SpanId::from(8u64),
            TraceFlags::SAMPLED,
            true,
            TraceState::NONE,
        );
        let _attached = Context::new().with_remote_span_context(current).attach();
        let of_context = line(|| info!("here"));
        assert_eq!(of_context[TRACE_ID], format!("{:032x}", 7));
        assert_eq!(of_context[SPAN_ID], format!("{:016x}", 8));
        let named = line(|| info!(trace_id = "9", "there"));
        assert_eq!((&named[TRACE_ID], named.get(SPAN_ID)), (&Value::from("9"), None));
    }
}
