//! How many requests are under way, and that they are not too many: decided by
//! a request's head, before anything of its body is read.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::sync::Notify;
use tonic::{Status, body::Body};
use tower::Service;

use super::activity::Activity;
use crate::{
    telemetry::Metrics,
    wire::flyteidl::service::{async_agent_service_server, sync_agent_service_server},
};

/// The services whose requests count. The others (health, reflection, the list
/// of agents) hold nothing, and must answer in any overload: one failed
/// ListAgents makes propeller forget every task type.
const COUNTED: [&str; 2] =
    [async_agent_service_server::SERVICE_NAME, sync_agent_service_server::SERVICE_NAME];

/// When a refused caller may try again, in milliseconds (gRFC A6).
const PUSHBACK: (&str, HeaderValue) = ("grpc-retry-pushback-ms", HeaderValue::from_static("1000"));

/// The requests under way on all connections.
#[derive(Debug)]
pub(super) struct Admission {
    limit: usize,
    under_way: AtomicUsize,
    emptied: Notify,
    metrics: Arc<Metrics>,
}

impl Admission {
    pub(super) fn new(limit: usize, metrics: Arc<Metrics>) -> Arc<Self> {
        let under_way = AtomicUsize::new(0);
        Arc::new(Self { limit, under_way, emptied: Notify::new(), metrics })
    }

    /// How many counted requests are under way.
    pub(super) fn under_way(&self) -> usize {
        self.under_way.load(SeqCst)
    }

    /// Completes once no counted request is under way.
    pub(super) async fn empty(&self) {
        loop {
            // Before the look at the count, so that no word is missed.
            let emptied = self.emptied.notified();
            if self.under_way() == 0 {
                return;
            }
            emptied.await;
        }
    }

    fn admit(self: &Arc<Self>, path: &str) -> Result<Option<Counted>, Status> {
        if !is_counted(path) {
            return Ok(None);
        }
        let others = self.under_way.fetch_add(1, SeqCst);
        self.metrics.server().in_flight().inc();
        let counted = Counted(self.clone());
        if others < self.limit {
            return Ok(Some(counted));
        }
        self.metrics.refused("max_in_flight");
        Err(Status::resource_exhausted(format!(
            "{} requests are under way, which is server.max_in_flight; try again later or raise \
             the limit",
            self.limit
        )))
    }
}

/// True for a request about tasks.
pub(super) fn is_counted(path: &str) -> bool {
    let service = path.strip_prefix('/').and_then(|path| path.split_once('/'));
    service.is_some_and(|(service, _)| COUNTED.contains(&service))
}

/// One counted request, until this is dropped.
struct Counted(Arc<Admission>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.metrics.server().in_flight().dec();
        if self.0.under_way.fetch_sub(1, SeqCst) == 1 {
            self.0.emptied.notify_waiters();
        }
    }
}

/// One request of a connection, until this is dropped: when the caller has the
/// whole response, or has gone.
struct UnderWay {
    activity: Arc<Activity>,
    _counted: Option<Counted>,
}

impl UnderWay {
    fn begin(activity: &Arc<Activity>, counted: Option<Counted>) -> Self {
        activity.begin();
        Self { activity: activity.clone(), _counted: counted }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.activity.end();
    }
}

/// How many frames of a refused request are read and thrown away: all of it,
/// unless it is a stream without an end.
const LEFT_OUT: u8 = 64;

/// The service of one connection behind the admission.
#[derive(Clone)]
pub(super) struct Admit<S> {
    pub(super) inner: S,
    pub(super) admission: Arc<Admission>,
    pub(super) activity: Arc<Activity>,
}

impl<S, B> Service<Request<B>> for Admit<S>
where
    S: Service<Request<B>, Response = Response<Body>>,
    B: HttpBody,
{
    type Response = Response<AdmittedBody>;
    type Error = S::Error;
    type Future = Admitted<S::Future, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        match self.admission.admit(request.uri().path()) {
            Ok(counted) => Admitted::Answering {
                under_way: Some(UnderWay::begin(&self.activity, counted)),
                answer: self.inner.call(request),
            },
            Err(status) => Admitted::Refused {
                rest: request.into_body(),
                frames: LEFT_OUT,
                status: Some(status),
            },
        }
    }
}

pin_project! {
    /// The response to come.
    #[project = AdmittedProjection]
    pub(super) enum Admitted<F, B> {
        Answering { #[pin] answer: F, under_way: Option<UnderWay> },
        /// The rest of the request is read and thrown away first: HTTP/2 takes
        /// what still comes after an answer for an error of the connection.
        Refused { #[pin] rest: B, frames: u8, status: Option<Status> },
    }
}

impl<F, B, E> Future for Admitted<F, B>
where
    F: Future<Output = Result<Response<Body>, E>>,
    B: HttpBody,
{
    type Output = Result<Response<AdmittedBody>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let (response, under_way) = match self.project() {
            AdmittedProjection::Answering { answer, under_way } => {
                (ready!(answer.poll(cx))?, under_way.take())
            }
            AdmittedProjection::Refused { mut rest, frames, status } => {
                while *frames > 0 && matches!(ready!(rest.as_mut().poll_frame(cx)), Some(Ok(_))) {
                    *frames -= 1;
                }
                let status = status.take().unwrap_or_else(|| Status::internal("answered already"));
                (refusal(status), None)
            }
        };
        Poll::Ready(Ok(response.map(|body| AdmittedBody { body, _under_way: under_way })))
    }
}

fn refusal(status: Status) -> Response<Body> {
    let mut response = status.into_http();
    let (name, value) = PUSHBACK;
    response.headers_mut().insert(name, value);
    response
}

/// The body of a response, with which its request ends.
pub(super) struct AdmittedBody {
    body: Body,
    _under_way: Option<UnderWay>,
}

impl HttpBody for AdmittedBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        Pin::new(&mut self.get_mut().body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_requests_about_tasks_count() {
        for (path, counted) in [
            ("/flyteidl.service.AsyncAgentService/GetTask", true),
            ("/flyteidl.service.SyncAgentService/ExecuteTaskSync", true),
            ("/flyteidl.service.AgentMetadataService/ListAgents", false),
            ("/grpc.health.v1.Health/Check", false),
            ("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", false),
            ("/nobody/Nothing", false),
            ("", false),
        ] {
            assert_eq!(is_counted(path), counted, "{path:?}");
        }
    }
}
