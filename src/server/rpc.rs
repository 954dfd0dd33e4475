//! One span and one measurement for each request, whatever becomes of it.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Instant,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Request, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use pin_project_lite::pin_project;
use tonic::{Code, Status};
use tower::Service;

use crate::telemetry::{Method, Metrics, RpcSpan, Traces};

const STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// Where requests are counted and traced.
#[derive(Clone)]
pub(super) struct Observer {
    pub(super) metrics: Arc<Metrics>,
    pub(super) traces: Traces,
}

/// A service whose requests are observed.
#[derive(Clone)]
pub(super) struct Observe<S> {
    pub(super) inner: S,
    pub(super) observer: Observer,
}

/// A request from its head to the end of its response; dropped before, it was
/// cancelled.
struct Call {
    metrics: Arc<Metrics>,
    method: Method,
    began: Instant,
    /// None if it is not sampled.
    span: Option<RpcSpan>,
    is_over: bool,
}

impl Call {
    fn begin(observer: &Observer, path: &str, headers: &HeaderMap) -> Self {
        let method = Method::of(path);
        Self {
            metrics: observer.metrics.clone(),
            method,
            began: Instant::now(),
            span: observer.traces.begin_rpc(headers, method),
            is_over: false,
        }
    }

    /// The status that ends it, if these headers or trailers have it.
    fn read(&mut self, headers: &HeaderMap) {
        let Some(code) = headers.get(STATUS) else {
            return;
        };
        let code = Code::from_bytes(code.as_bytes());
        // Reading it copies all headers, so it is read for an error's span only.
        let is_told = self.span.is_some() && code != Code::Ok;
        let status = is_told.then(|| Status::from_header_map(headers)).flatten();
        self.end(code, status.map(|status| status.message().to_owned()));
    }

    fn end(&mut self, code: Code, message: Option<String>) {
        if std::mem::replace(&mut self.is_over, true) {
            return;
        }
        self.metrics.rpc_took(self.method, code, self.began.elapsed());
        if let Some(span) = &self.span {
            span.end(code, message);
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.end(Code::Cancelled, None);
    }
}

impl<S, B, R> Service<Request<B>> for Observe<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = Response<ObservedBody<R>>;
    type Error = S::Error;
    type Future = Observed<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let call = Call::begin(&self.observer, request.uri().path(), request.headers());
        Observed { answer: self.inner.call(request), call: Some(call) }
    }
}

pin_project! {
    /// The response to come.
    pub(super) struct Observed<F> {
        #[pin]
        answer: F,
        call: Option<Call>,
    }
}

impl<F, R, E> Future for Observed<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<ObservedBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        // Handlers find the span of their request as the current one.
        let attached = this.call.as_ref().and_then(|call| call.span.as_ref()).map(RpcSpan::attach);
        let answer = this.answer.poll(cx);
        drop(attached);
        let response = ready!(answer)?;
        let mut call = this.call.take();
        if let Some(call) = &mut call {
            call.read(response.headers());
        }
        Poll::Ready(Ok(response.map(|body| ObservedBody { body, call })))
    }
}

pin_project! {
    /// The body of a response, with whose trailers its request ends.
    pub(super) struct ObservedBody<R> {
        #[pin]
        body: R,
        call: Option<Call>,
    }
}

impl<R: HttpBody<Data = Bytes>> HttpBody for ObservedBody<R> {
    type Data = Bytes;
    type Error = R::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, R::Error>>> {
        let this = self.project();
        let frame = ready!(this.body.poll_frame(cx));
        let trailers = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.trailers_ref());
        if let (Some(call), Some(trailers)) = (this.call.as_mut(), trailers) {
            call.read(trailers);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
