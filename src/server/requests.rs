//! Where the requests of a connection run.

use std::{
    collections::VecDeque,
    future::{Future, poll_fn},
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    task::{Context, Poll, Wake, Waker},
};

use futures::{
    FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered, task::AtomicWaker,
};
use hyper::rt::Executor;
use tokio::task::coop::{has_budget_remaining, poll_proceed};

/// A request until all of its answer is on its way. A panic ends it alone.
type Request = BoxFuture<'static, ()>;

/// The requests of a connection, which run on its task.
///
/// A task for each would cost more than most answers: it is allocated, scheduled,
/// often taken by another thread, and has to wake its connection. And what is
/// answered together leaves in one write.
#[derive(Default)]
pub(super) struct Requests {
    arrived: Arrived,
    waiting: FuturesUnordered<Request>,
}

/// The requests that their connection has read and that have not run yet.
#[derive(Clone, Default)]
pub(super) struct Arrived(Arc<Mutex<VecDeque<Request>>>);

impl<F> Executor<F> for Arrived
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, request: F) {
        let request = AssertUnwindSafe(request).catch_unwind().map(drop);
        self.lock().push_back(Box::pin(request));
    }
}

impl Arrived {
    fn next(&self) -> Option<Request> {
        self.lock().pop_front()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Request>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Requests {
    /// What the connection is to run its requests on.
    pub(super) fn executor(&self) -> Arrived {
        self.arrived.clone()
    }

    /// Serves the connection, which reads requests and sends answers, and runs
    /// what it reads. Those that still wait when it is over have no caller.
    pub(super) fn serve<C: Future>(
        &mut self,
        mut connection: Pin<&mut C>,
    ) -> impl Future<Output = C::Output> {
        let bell = Arc::new(Bell::default());
        let waker = Waker::from(bell.clone());
        poll_fn(move |context| {
            bell.owner.register(context.waker());
            let mut context = Context::from_waker(&waker);
            loop {
                bell.answer();
                let over = connection.as_mut().poll(&mut context);
                if over.is_ready() {
                    return over;
                }
                self.begin();
                self.go_on(&mut context);
                if bell.leave() {
                    return Poll::Pending;
                }
            }
        })
    }

    /// Begins what has arrived.
    fn begin(&mut self) {
        while let Some(mut request) = self.arrived.next() {
            // Most need not wait, and nobody to wake them.
            let mut context = Context::from_waker(Waker::noop());
            let answered = match poll_proceed(&mut context) {
                Poll::Ready(budget) => {
                    budget.made_progress();
                    request.poll_unpin(&mut context)
                }
                Poll::Pending => Poll::Pending,
            };
            if answered.is_pending() {
                // Its first poll there is what registers a waker.
                self.waiting.push(request);
            }
        }
    }

    /// Goes on with those that waited, within the budget of the connection's
    /// task so that it lets others run.
    fn go_on(&mut self, context: &mut Context<'_>) {
        while !self.waiting.is_empty() {
            let Poll::Ready(budget) = poll_proceed(context) else {
                return;
            };
            // Also if none gets further, or one that wakes itself would go on
            // for ever.
            budget.made_progress();
            if !matches!(self.waiting.poll_next_unpin(context), Poll::Ready(Some(()))) {
                return;
            }
        }
    }
}

/// Wakes a connection. What its own requests have for it, it hears of at once:
/// waking its task would have it run once more for nothing.
#[derive(Default)]
struct Bell {
    owner: AtomicWaker,
    is_served: AtomicBool,
    has_rung: AtomicBool,
}

impl Bell {
    /// The connection is served now, with all that it was to hear of.
    fn answer(&self) {
        self.is_served.store(true, SeqCst);
        self.has_rung.store(false, SeqCst);
    }

    /// The connection rests, and its task is woken from now on: false if it has
    /// to be served once more before.
    fn leave(&self) -> bool {
        self.is_served.store(false, SeqCst);
        if has_budget_remaining() {
            return !self.has_rung.load(SeqCst);
        }
        // It is due again at once, but others come first.
        self.owner.wake();
        true
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.has_rung.store(true, SeqCst);
        if !self.is_served.load(SeqCst) {
            self.owner.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        pin::pin,
        sync::{atomic::AtomicUsize, mpsc},
        time::Duration,
    };

    use tokio::{
        runtime::Builder,
        sync::oneshot,
        time::{sleep, timeout},
    };

    use super::*;

    const LIMIT: Duration = Duration::from_secs(20);

    /// A connection that reads these requests at once, and is over when so many
    /// are answered: how many of them were when it was served next.
    async fn served(requests: Vec<Request>, enough: usize) -> usize {
        let answered = Arc::new(AtomicUsize::new(0));
        let mut served = Requests::default();
        let arrived = served.executor();
        let mut requests = requests.into_iter();
        let mut first = None;
        let connection = pin!(poll_fn(|context| {
            if requests.len() == 0 {
                first.get_or_insert(answered.load(SeqCst));
            }
            for request in requests.by_ref() {
                let (answered, waker) = (answered.clone(), context.waker().clone());
                // As h2 has its connection woken to send what is answered.
                let answer = request.map(move |()| {
                    answered.fetch_add(1, SeqCst);
                    waker.wake();
                });
                arrived.execute(answer);
            }
            if answered.load(SeqCst) < enough { Poll::Pending } else { Poll::Ready(()) }
        }));
        timeout(LIMIT, served.serve(connection)).await.expect("in time");
        first.expect("it was served again")
    }

    fn at_once() -> Request {
        std::future::ready(()).boxed()
    }

    #[tokio::test]
    async fn requests_that_came_together_are_answered_together() {
        let requests = (0..16).map(|_| at_once()).collect();
        assert_eq!(served(requests, 16).await, 16);
    }

    #[tokio::test]
    async fn a_request_that_waits_holds_up_no_other() {
        let (sender, waits) = oneshot::channel::<()>();
        tokio::spawn(async {
            sleep(Duration::from_millis(1)).await;
            let _ = sender.send(());
        });
        let requests = vec![waits.map(drop).boxed(), at_once(), at_once()];
        assert_eq!(served(requests, 3).await, 2);
    }

    #[tokio::test]
    async fn a_request_that_panics_ends_alone() {
        let panics = async { panic!("out of order") };
        assert_eq!(served(vec![at_once(), panics.boxed(), at_once()], 2).await, 2);
    }

    #[tokio::test]
    async fn more_requests_than_a_task_has_budget_for_are_answered_too() {
        let requests = (0..1000).map(|_| at_once()).collect();
        assert!(served(requests, 1000).await < 1000, "others came first");
    }

    #[test]
    fn a_request_that_wakes_itself_lets_other_tasks_run() {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let restless = poll_fn(|context| {
            context.waker().wake_by_ref();
            Poll::Pending
        });
        let (sender, ran) = mpsc::channel();
        runtime.spawn(served(vec![restless.boxed()], 1));
        runtime.spawn(async move { sender.send(()) });
        ran.recv_timeout(LIMIT).expect("the other task has run");
        runtime.shutdown_background();
    }
}
