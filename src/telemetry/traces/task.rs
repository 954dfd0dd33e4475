//! The trace of one task. It is longer than a process and than a span that a
//! backend shows: a root of 1 us at creation, and short spans as its children,
//! each sent when what it tells of is over.

use std::{
    fmt,
    sync::atomic::{AtomicU8, Ordering::Relaxed},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use opentelemetry::{
    InstrumentationScope, KeyValue,
    trace::{Link, SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState},
};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};

/// The name of every task's root.
const ROOT: &str = "task";

/// Exactly so long, or Jaeger takes the children's clocks for wrong.
const ROOT_LENGTH: Duration = Duration::from_micros(1);
/// A child outlasts the root at least by so much.
const SHORTEST: Duration = Duration::from_micros(2);

/// The longest cause of an error that is sent, in bytes.
const LONGEST_CAUSE: usize = 1024;

/// The bytes in a handle: trace id, span id and flags.
const LENGTH: usize = 25;

/// In the flags, beside the W3C's: the task's end was sent. Never in a handle.
const ENDED: u8 = 0x80;

/// The same: it is sampled now, but was not when the handle was made.
const SAMPLED_LATE: u8 = 0x40;

/// The context of a task's trace, kept with the task; all zero without one.
pub struct TaskTrace {
    trace: [u8; 16],
    root: [u8; 8],
    flags: AtomicU8,
}

impl TaskTrace {
    /// No trace.
    pub fn none() -> Self {
        Self { trace: [0; 16], root: [0; 8], flags: AtomicU8::new(0) }
    }

    pub(super) fn new(trace: TraceId, root: SpanId, sampled: bool) -> Self {
        let flags = TraceFlags::default().with_sampled(sampled).to_u8();
        Self { trace: trace.to_bytes(), root: root.to_bytes(), flags: AtomicU8::new(flags) }
    }

    /// The trace in a handle, if there is one.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; LENGTH] = bytes.try_into().ok()?;
        let (trace, rest) = bytes.split_first_chunk()?;
        let (root, flags) = rest.split_first_chunk()?;
        let flags = AtomicU8::new(flags.first()? & TraceFlags::SAMPLED.to_u8());
        Some(Self { trace: *trace, root: *root, flags }).filter(|trace| trace.root().is_some())
    }

    /// The bytes for a handle, always the same; none without a trace.
    pub fn encode(&self) -> Bytes {
        if self.root().is_none() {
            return Bytes::new();
        }
        let flags = match self.flags.load(Relaxed) {
            flags if flags & SAMPLED_LATE != 0 => TraceFlags::NOT_SAMPLED,
            flags => TraceFlags::new(flags) & TraceFlags::SAMPLED,
        };
        Bytes::from([&self.trace[..], &self.root, &[flags.to_u8()]].concat())
    }

    /// The root's context, for children, links and requests that go out.
    pub fn root(&self) -> Option<SpanContext> {
        let context = SpanContext::new(
            TraceId::from_bytes(self.trace),
            SpanId::from_bytes(self.root),
            TraceFlags::default().with_sampled(self.is_sampled()),
            true,
            TraceState::NONE,
        );
        context.is_valid().then_some(context)
    }

    pub(super) fn sampled_root(&self) -> Option<SpanContext> {
        if self.is_sampled() { self.root() } else { None }
    }

    /// The trace's id, as log lines have it.
    pub fn id(&self) -> Option<TraceId> {
        Some(TraceId::from_bytes(self.trace)).filter(|id| *id != TraceId::INVALID)
    }

    /// True if its spans are sent.
    pub fn is_sampled(&self) -> bool {
        self.flags.load(Relaxed) & TraceFlags::SAMPLED.to_u8() != 0
    }

    /// Has its spans sent from now on: true if they were not before.
    pub fn sample(&self) -> bool {
        let sampled = TraceFlags::SAMPLED.to_u8();
        let late = |flags| (flags & sampled == 0).then_some(flags | sampled | SAMPLED_LATE);
        self.root().is_some() && self.flags.fetch_update(Relaxed, Relaxed, late).is_ok()
    }

    /// Notes that the end of the task is told: true the first time.
    pub fn end(&self) -> bool {
        self.flags.fetch_or(ENDED, Relaxed) & ENDED == 0
    }
}

impl fmt::Debug for TaskTrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TaskTrace").field(&self.root()).finish()
    }
}

/// Something that happened to a task and is over.
#[derive(Debug)]
pub struct TaskSpan {
    /// What it was.
    pub name: &'static str,
    /// When it began.
    pub start: SystemTime,
    /// When it was over.
    pub end: SystemTime,
    /// What is known of the task.
    pub attributes: Vec<KeyValue>,
    /// Why it failed, if it did.
    pub error: Option<String>,
}

impl TaskSpan {
    pub(super) fn into_data(
        self,
        context: SpanContext,
        root: SpanId,
        scope: &InstrumentationScope,
        created: SystemTime,
    ) -> SpanData {
        // Another host's clock may be behind that of the creation.
        let end = self.end.max(created + SHORTEST);
        let start = self.start.min(end - SHORTEST).max(created);
        let mut data = data(context, scope, self.name, start, end);
        data.parent_span_id = root;
        data.attributes = self.attributes;
        if let Some(cause) = self.error {
            data.status = Status::error(shortened(cause));
        }
        data
    }
}

/// A root, linked with the request that created the task.
pub(super) fn root(
    context: SpanContext,
    scope: &InstrumentationScope,
    created: SystemTime,
    attributes: Vec<KeyValue>,
    link: Option<SpanContext>,
) -> SpanData {
    let mut data = data(context, scope, ROOT, created, created + ROOT_LENGTH);
    data.attributes = attributes;
    data.links.links = link.into_iter().map(Link::with_context).collect();
    data
}

fn data(
    span_context: SpanContext,
    scope: &InstrumentationScope,
    name: &'static str,
    start_time: SystemTime,
    end_time: SystemTime,
) -> SpanData {
    SpanData {
        span_context,
        parent_span_id: SpanId::INVALID,
        parent_span_is_remote: false,
        span_kind: SpanKind::Internal,
        name: name.into(),
        start_time,
        end_time,
        attributes: Vec::new(),
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: Status::Unset,
        instrumentation_scope: scope.clone(),
    }
}

/// At most so many bytes of a cause, whole characters.
pub(super) fn shortened(mut cause: String) -> String {
    if cause.len() > LONGEST_CAUSE {
        cause.truncate(cause.floor_char_boundary(LONGEST_CAUSE));
    }
    cause
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    fn trace(sampled: bool) -> TaskTrace {
        TaskTrace::new(TraceId::from(7u128), SpanId::from(8u64), sampled)
    }

    #[test]
    fn a_trace_comes_back_from_a_handle_with_its_sampling() {
        for sampled in [true, false] {
            let sent = trace(sampled);
            sent.end();
            let bytes = sent.encode();
            assert_eq!(bytes.len(), LENGTH);
            let back = TaskTrace::decode(&bytes).expect("a trace");
            assert_eq!(back.root(), sent.root());
            assert_eq!(back.is_sampled(), sampled);
            assert!(back.end(), "what one process has told is not in the handle");
        }
    }

    #[test]
    fn bytes_that_are_no_trace_are_none() {
        assert_eq!(TaskTrace::none().encode(), Bytes::new());
        for bytes in [&[][..], &[0; LENGTH], &[1; LENGTH - 1], &[1; LENGTH + 1]] {
            assert!(TaskTrace::decode(bytes).is_none(), "{bytes:?}");
        }
    }

    #[test]
    fn a_trace_is_sampled_later_once() {
        let trace = trace(false);
        let in_handle = trace.encode();
        assert!(trace.sample() && !trace.sample() && trace.is_sampled());
        assert_eq!(trace.encode(), in_handle, "callers have that handle");
        assert!(!TaskTrace::none().sample(), "there is nothing to sample");
    }

    #[test]
    fn a_child_is_not_before_the_root_and_longer() {
        let scope = InstrumentationScope::builder("test").build();
        let created = UNIX_EPOCH + Duration::from_secs(9);
        let root = trace(true).root().expect("a root");
        let span = TaskSpan {
            name: "create",
            start: UNIX_EPOCH,
            end: UNIX_EPOCH,
            attributes: Vec::new(),
            error: Some("é".repeat(LONGEST_CAUSE)),
        };
        let data = span.into_data(root.clone(), root.span_id(), &scope, created);
        assert_eq!(data.start_time, created);
        assert_eq!(data.end_time, created + SHORTEST);
        assert_eq!(data.status, Status::error("é".repeat(LONGEST_CAUSE / 2)));
    }
}
