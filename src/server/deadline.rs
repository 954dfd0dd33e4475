//! A request ends at its caller's deadline: the header `grpc-timeout`.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use http::{Request, Response};
use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep};
use tonic::{Status, body::Body};
use tower::Service;

use super::caller;

/// A service whose handlers are dropped at the deadline.
#[derive(Clone)]
pub(super) struct Deadline<S>(pub(super) S);

impl<S, B> Service<Request<B>> for Deadline<S>
where
    S: Service<Request<B>, Response = Response<Body>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = InTime<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let over = caller::timeout(request.headers()).map(sleep);
        InTime { answer: self.0.call(request), over }
    }
}

pin_project! {
    /// The response to come, or DEADLINE_EXCEEDED.
    pub(super) struct InTime<F> {
        #[pin]
        answer: F,
        #[pin]
        over: Option<Sleep>,
    }
}

impl<F, E> Future for InTime<F>
where
    F: Future<Output = Result<Response<Body>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Poll::Ready(answer) = this.answer.poll(cx) {
            return Poll::Ready(answer);
        }
        match this.over.as_pin_mut() {
            Some(over) => over.poll(cx).map(|()| Ok(too_late())),
            None => Poll::Pending,
        }
    }
}

fn too_late() -> Response<Body> {
    Status::deadline_exceeded("the caller's deadline passed before there was an answer").into_http()
}
