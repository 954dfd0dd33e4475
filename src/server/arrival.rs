//! The body of a request arrives in time, or the request is over: a caller that
//! opens requests and sends nothing more would hold their places for ever.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep};
use tonic::Status;

pin_project! {
    /// A body whose next part comes within a limit, or that fails with
    /// DEADLINE_EXCEEDED.
    ///
    /// `tower_http`'s `TimeoutBody` sets its timer before it looks; here only a
    /// body that is waited for has one, so most requests need none.
    pub(super) struct Arriving {
        #[pin]
        body: Incoming,
        limit: Duration,
        #[pin]
        over: Option<Sleep>,
    }
}

impl Arriving {
    pub(super) fn new(body: Incoming, limit: Duration) -> Self {
        Self { body, limit, over: None }
    }
}

impl HttpBody for Arriving {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let mut this = self.project();
        if let Poll::Ready(frame) = this.body.poll_frame(cx) {
            this.over.set(None);
            return Poll::Ready(frame.map(|frame| frame.map_err(broken)));
        }
        if this.over.is_none() {
            this.over.set(Some(sleep(*this.limit)));
        }
        match this.over.as_pin_mut() {
            Some(over) => over.poll(cx).map(|()| Some(Err(late(*this.limit)))),
            None => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// As tonic reports a body that breaks.
fn broken(error: hyper::Error) -> Status {
    Status::from_error(Box::new(error))
}

fn late(limit: Duration) -> Status {
    Status::deadline_exceeded(format!(
        "the next part of the request did not come within {}, which is server.body_timeout",
        humantime::format_duration(limit)
    ))
}
