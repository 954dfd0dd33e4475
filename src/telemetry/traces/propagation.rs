//! Traces over process boundaries: the headers `traceparent` and `tracestate`
//! of the W3C.

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::{
    Context,
    propagation::{Extractor, Injector, TextMapPropagator},
};
use opentelemetry_sdk::propagation::TraceContextPropagator;

/// The header that is there whenever there is a trace.
const TRACEPARENT: &str = "traceparent";

/// Adds the headers of the current trace to those of a request, unless they are
/// there already: whom the request reaches then continues the task's trace.
/// Inside a connector's call the current trace is that of its task, or a span of
/// `tracing` that is entered. Without one nothing is added.
pub fn inject(headers: &mut HeaderMap) {
    let is_kept = || Context::map_current(|context| context.get::<KeptInside>().is_some());
    if !headers.contains_key(TRACEPARENT) && !is_kept() {
        TraceContextPropagator::new().inject(&mut Headers(headers));
    }
}

/// Marks a context whose trace is not passed on: `OTEL_PROPAGATORS` is without
/// `tracecontext`.
struct KeptInside;

/// A context that [`inject`] passes over.
pub(super) fn kept_inside(context: Context) -> Context {
    context.with_value(KeptInside)
}

/// The trace that a request's headers name; an empty context if they name none.
pub(super) fn extract(headers: &HeaderMap) -> Context {
    let none = Context::new();
    match headers.contains_key(TRACEPARENT) {
        true => TraceContextPropagator::new().extract_with_context(&none, &Read(headers)),
        false => none,
    }
}

struct Headers<'a>(&'a mut HeaderMap);

impl Injector for Headers<'_> {
    fn set(&mut self, key: &str, value: String) {
        // An empty tracestate says nothing.
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(key), HeaderValue::try_from(value))
            && !value.is_empty()
        {
            self.0.insert(name, value);
        }
    }
}

struct Read<'a>(&'a HeaderMap);

impl Extractor for Read<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::TraceContextExt;

    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn headers(parent: &'static str) -> HeaderMap {
        [(HeaderName::from_static(TRACEPARENT), HeaderValue::from_static(parent))]
            .into_iter()
            .collect()
    }

    #[test]
    fn what_comes_in_goes_out() {
        let _attached = extract(&headers(PARENT)).attach();
        let mut out = HeaderMap::new();
        inject(&mut out);
        assert_eq!(out, headers(PARENT));
    }

    #[test]
    fn a_request_that_has_a_trace_keeps_it() {
        let _attached = extract(&headers(PARENT)).attach();
        let own = "00-11111111111111111111111111111111-2222222222222222-00";
        let mut out = headers(own);
        inject(&mut out);
        assert_eq!(out, headers(own));
    }

    #[test]
    fn a_trace_that_is_kept_inside_goes_nowhere() {
        let _attached = kept_inside(extract(&headers(PARENT))).attach();
        let mut out = HeaderMap::new();
        inject(&mut out);
        assert!(out.is_empty());
    }

    #[test]
    fn without_a_trace_nothing_is_added_and_nonsense_is_none() {
        let mut out = HeaderMap::new();
        inject(&mut out);
        assert!(out.is_empty());
        for nonsense in ["", "00-xyz", "00-0-0-01"] {
            let context = extract(&headers(nonsense));
            assert!(!context.span().span_context().is_valid(), "{nonsense:?}");
        }
    }
}
