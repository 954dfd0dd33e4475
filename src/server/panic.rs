//! A panic in a handler is one failed request, not a cut connection.

use std::any::Any;

use tonic::{Status, body::Body};
use tower_http::catch_panic::{CatchPanicLayer, ResponseForPanic};
use tracing::error;

/// Answers INTERNAL where a handler panics.
pub(super) fn layer() -> CatchPanicLayer<Answer> {
    CatchPanicLayer::custom(Answer)
}

/// The answer to a request whose handler panicked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answer;

impl ResponseForPanic for Answer {
    type ResponseBody = Body;

    fn response_for_panic(&mut self, panic: Box<dyn Any + Send>) -> http::Response<Body> {
        let message = panic.downcast_ref::<String>().map(String::as_str);
        let message = message.or_else(|| panic.downcast_ref::<&str>().copied());
        error!(message = message.unwrap_or("without a message"), "a request handler panicked");
        Status::internal("the request handler panicked; the service goes on").into_http()
    }
}
