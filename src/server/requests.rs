//! Where the requests of a connection run.

use std::{
    future::{Future, poll_fn},
    mem::take,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use futures::future::BoxFuture;
use hyper::rt::Executor;
use tokio::task::coop::poll_proceed;

/// The requests that a connection has read and that have not run yet.
///
/// They run on the connection's task, all that have come together, for as long
/// as they wait for nothing; one that has to wait gets a task of its own. Most
/// Gets are answered from memory, where a task for each costs more than its
/// answer: it is allocated, scheduled, often taken by another thread, and has to
/// wake its connection. And what is answered together leaves in one write.
#[derive(Clone, Default)]
pub(super) struct Requests(Arc<Mutex<Vec<BoxFuture<'static, ()>>>>);

impl<F> Executor<F> for Requests
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, request: F) {
        self.waiting().push(Box::pin(request));
    }
}

impl Requests {
    /// Serves their connection, which reads requests and sends answers, and runs
    /// what it reads.
    pub(super) fn serve<C: Future>(
        &self,
        mut connection: Pin<&mut C>,
    ) -> impl Future<Output = C::Output> {
        poll_fn(move |context| {
            loop {
                let over = connection.as_mut().poll(context);
                if !self.run() || over.is_ready() {
                    return over;
                }
            }
        })
    }

    /// Runs what was read: false if nothing was.
    fn run(&self) -> bool {
        let mut requests = take(&mut *self.waiting());
        if requests.is_empty() {
            return false;
        }
        for mut request in requests.drain(..) {
            if poll_once(request.as_mut()).is_pending() {
                // Its first poll there is what registers a waker.
                tokio::spawn(request);
            }
        }
        // Its memory serves again.
        let mut waiting = self.waiting();
        requests.append(&mut waiting);
        *waiting = requests;
        true
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<BoxFuture<'static, ()>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Polls within the budget of the current task, so that a connection with many
/// requests lets others run too.
fn poll_once(request: Pin<&mut (impl Future<Output = ()> + ?Sized)>) -> Poll<()> {
    let mut context = Context::from_waker(Waker::noop());
    match poll_proceed(&mut context) {
        Poll::Ready(budget) => {
            budget.made_progress();
            request.poll(&mut context)
        }
        Poll::Pending => Poll::Pending,
    }
}
