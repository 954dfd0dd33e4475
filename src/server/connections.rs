//! All connections: each has a place, and a task that its owner here ends.

use std::{collections::HashMap, convert::Infallible, io, sync::Arc};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::{AbortHandle, Id, JoinError, JoinSet},
    time::{Duration, Instant, sleep, sleep_until},
};
use tracing::{debug, error, warn};

use super::{
    activity::Activity,
    admission::Admission,
    connection::{End, Leave, Protocol},
};
use crate::{supervisor::Randomness, telemetry::Metrics};

/// Connections above the limit that may be on their way out at once. Beyond,
/// the idlest goes without a farewell.
const MAX_LEAVING: usize = 64;

/// The pause after the system refused a connection, for example for want of
/// file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long a drain without requests waits for peers to read what was sent to
/// them and to close: a silent one must not hold it longer.
const FAREWELL: Duration = Duration::from_millis(500);

/// The open connections of a service.
pub(super) struct Connections {
    limit: usize,
    age: Option<Duration>,
    protocol: Arc<Protocol>,
    metrics: Arc<Metrics>,
    randomness: Arc<Randomness>,
    /// One task a connection, also of those that are leaving.
    tasks: JoinSet<End>,
    staying: HashMap<Id, Place>,
}

/// A connection that was not asked to leave.
struct Place {
    activity: Arc<Activity>,
    leave: oneshot::Sender<Leave>,
    task: AbortHandle,
}

impl Connections {
    /// No connection yet. An age of zero is none.
    pub(super) fn new(
        limit: usize,
        age: Duration,
        protocol: Protocol,
        metrics: Arc<Metrics>,
        randomness: Arc<Randomness>,
    ) -> Self {
        Self {
            limit,
            age: (!age.is_zero()).then_some(age),
            protocol: Arc::new(protocol),
            metrics,
            randomness,
            tasks: JoinSet::new(),
            staying: HashMap::new(),
        }
    }

    /// Accepts connections for as long as it is polled; dropping it closes the
    /// port and leaves the connections as they are.
    pub(super) async fn accept(&mut self, listener: TcpListener) -> Infallible {
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => self.open(stream),
                    Err(error) => self.refused(error).await,
                },
                Some(ended) = self.tasks.join_next_with_id() => self.close(ended),
            }
        }
    }

    fn open(&mut self, stream: TcpStream) {
        if self.staying.len() >= self.limit {
            self.displace_idlest();
        }
        if let Err(error) = stream.set_nodelay(true) {
            debug!(%error, "a connection without nodelay");
        }
        let activity = Arc::new(Activity::new());
        let age = self.age.map(|age| age.mul_f64(0.9 + 0.2 * self.randomness.roll()));
        let (leave, told) = oneshot::channel();
        let (protocol, used) = (self.protocol.clone(), activity.clone());
        let task = self.tasks.spawn(async move { protocol.serve(stream, used, age, told).await });
        self.staying.insert(task.id(), Place { activity, leave, task });
        self.metrics.server().connections(self.tasks.len());
    }

    /// Asks the connection to leave that has been without a request for the
    /// longest time.
    fn displace_idlest(&mut self) {
        let idlest = self.staying.iter().min_by_key(|(_, place)| place.activity.now());
        let idlest = idlest.map(|(id, _)| *id);
        let Some(place) = idlest.and_then(|id| self.staying.remove(&id)) else {
            return;
        };
        self.metrics.server().connection_closed("idlest");
        let leaving = self.tasks.len() - self.staying.len();
        if leaving > MAX_LEAVING {
            place.task.abort();
        }
        // It is gone already if nobody listens.
        let _ = place.leave.send(Leave::Idlest);
    }

    /// The system has no connection for us. Where it is a want of descriptors,
    /// one that is given up makes room.
    async fn refused(&mut self, error: io::Error) {
        use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
        if matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted) {
            return;
        }
        warn!(%error, connections = self.tasks.len(), "cannot accept, closing the idlest");
        self.displace_idlest();
        sleep(ACCEPT_PAUSE).await;
    }

    fn close(&mut self, ended: Result<(Id, End), JoinError>) {
        let id = match ended {
            Ok((id, end)) => {
                match end {
                    End::Silent => self.metrics.server().connection_closed("first_byte"),
                    End::Aged => self.metrics.server().connection_closed("age"),
                    End::Over => {}
                }
                id
            }
            Err(failed) => {
                if failed.is_panic() {
                    error!(error = %failed, "the task of a connection panicked");
                }
                failed.id()
            }
        };
        self.staying.remove(&id);
        self.metrics.server().connections(self.tasks.len());
    }

    /// Says GOAWAY on every connection, waits until they are closed or only
    /// peers without a request are left, at most until `deadline`, and closes
    /// the rest.
    pub(super) async fn drain(mut self, admission: &Admission, deadline: Instant) {
        for (_, place) in self.staying.drain() {
            // It is gone already if nobody listens.
            let _ = place.leave.send(Leave::Drain);
        }
        tokio::select! {
            () = closed(&mut self.tasks) => {}
            () = quiet(admission) => {
                debug!(connections = self.tasks.len(), "only silent peers are left");
            }
            () = sleep_until(deadline) => {
                let requests = admission.under_way();
                warn!(requests, "the drain is over, requests under way are cut off");
            }
        }
        self.tasks.shutdown().await;
        self.metrics.server().connections(0);
    }
}

async fn closed(tasks: &mut JoinSet<End>) {
    while tasks.join_next().await.is_some() {}
}

/// Completes once no request is under way and none has come for a while.
async fn quiet(admission: &Admission) {
    loop {
        admission.empty().await;
        sleep(FAREWELL).await;
        if admission.under_way() == 0 {
            return;
        }
    }
}
