//! Where requests run.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use hyper::rt::Executor;
use tokio::task::coop::poll_proceed;

/// Runs a request on the task of its connection for as long as it waits for
/// nothing, and else on a task of its own.
///
/// Most Gets are answered from memory. A task for each costs more than the
/// answer: it is allocated, scheduled, often taken by another thread, and has to
/// wake its connection. Run at once, the answers to all requests that have come
/// together leave together.
#[derive(Debug, Clone, Copy)]
pub(super) struct AtOnce;

impl<F> Executor<F> for AtOnce
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, request: F) {
        let mut request = Box::pin(request);
        if poll_once(request.as_mut()).is_pending() {
            // Its first poll there is what registers a waker.
            tokio::spawn(request);
        }
    }
}

/// Polls within the budget of the current task, so that a connection with many
/// requests lets others run too.
fn poll_once(request: Pin<&mut impl Future<Output = ()>>) -> Poll<()> {
    let mut context = Context::from_waker(Waker::noop());
    match poll_proceed(&mut context) {
        Poll::Ready(budget) => {
            budget.made_progress();
            request.poll(&mut context)
        }
        Poll::Pending => Poll::Pending,
    }
}
