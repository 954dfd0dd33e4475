//! One connection, from its first bytes to its end.

use std::{io, pin::pin, sync::Arc};

use bytesize::ByteSize;
use http::Request;
use hyper::{body::Incoming, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, join},
    sync::oneshot,
    time::{Duration, sleep, timeout},
};
use tonic::{body::Body, service::Routes};
use tower::{Layer, ServiceExt};
use tracing::debug;

use super::{
    activity::Activity,
    admission::{Admission, Admit, is_counted},
    arrival::Arriving,
    deadline::Deadline,
    panic,
    requests::{Arrived, Requests},
    rpc::{Observe, Observer},
};
use crate::config;

/// What every HTTP/2 connection begins with: `PRI * HTTP/2.0...`
const PREFACE_LENGTH: usize = 24;

/// How long the idlest connection may take to close after its GOAWAY. It has
/// no request under way; a request that crosses the GOAWAY is still answered.
const LEAVE_LIMIT: Duration = Duration::from_secs(1);

/// Why a connection is asked to leave.
#[derive(Debug, Clone, Copy)]
pub(super) enum Leave {
    /// Another one needs its place.
    Idlest,
    /// The service stops. Whoever asks sets the limit, by dropping the rest.
    Drain,
}

/// Why a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The peer closed or broke it, or it was asked to leave.
    Over,
    /// The peer did not say in time that it speaks HTTP/2.
    Silent,
    /// It reached `server.max_connection_age`.
    Aged,
}

/// What all connections of a service share.
pub(super) struct Protocol {
    settings: config::Server,
    routes: Routes,
    admission: Arc<Admission>,
    observer: Observer,
}

impl Protocol {
    pub(super) fn new(
        settings: &config::Server,
        routes: Routes,
        admission: Arc<Admission>,
        observer: Observer,
    ) -> Self {
        Self { settings: settings.clone(), routes, admission, observer }
    }

    /// Serves a connection until it ends; it is asked to leave at this age, and
    /// by a word through `leave`.
    pub(super) async fn serve(
        &self,
        reader: impl AsyncRead + Send + Unpin + 'static,
        writer: impl AsyncWrite + Send + Unpin + 'static,
        activity: Arc<Activity>,
        age: Option<Duration>,
        mut leave: oneshot::Receiver<Leave>,
    ) -> End {
        let preface = timeout(self.settings.first_byte_timeout, read_preface(reader, writer));
        let io = tokio::select! {
            biased;
            preface = preface => match preface {
                Ok(Ok(io)) => io,
                Ok(Err(_)) => return End::Over,
                Err(_) => return End::Silent,
            },
            // It has asked for nothing yet, so it loses nothing.
            _ = &mut leave => return End::Over,
        };

        let handler = panic::layer().layer(Admit {
            inner: Deadline(self.routes.clone()),
            admission: self.admission.clone(),
            activity,
        });
        let handler = Observe { inner: handler, observer: self.observer.clone() };
        let body_timeout = self.settings.body_timeout;
        let service = service_fn(move |request: Request<Incoming>| {
            handler.clone().oneshot(with_limit(request, body_timeout))
        });
        let mut requests = Requests::default();
        let http2 = http2(&self.settings, requests.executor());
        let mut connection = pin!(http2.serve_connection(TokioIo::new(io), service));

        let mut end = End::Over;
        let told = tokio::select! {
            biased;
            closed = requests.serve(connection.as_mut()) => return ended(closed),
            told = &mut leave => told,
            () = pass(age) => {
                end = End::Aged;
                connection.as_mut().graceful_shutdown();
                tokio::select! {
                    biased;
                    _ = requests.serve(connection.as_mut()) => return end,
                    told = &mut leave => told,
                }
            }
        };
        connection.as_mut().graceful_shutdown();
        let rest = requests.serve(connection);
        match told {
            Ok(Leave::Drain) => drop(rest.await),
            Ok(Leave::Idlest) | Err(_) => drop(timeout(LEAVE_LIMIT, rest).await),
        }
        end
    }
}

/// What connections are served with.
fn http2(settings: &config::Server, executor: Arrived) -> http2::Builder<Arrived> {
    let size = |size: ByteSize| u32::try_from(size.as_u64()).unwrap_or(u32::MAX);
    let mut http2 = http2::Builder::new(executor);
    http2
        .timer(TokioTimer::new())
        .max_concurrent_streams(settings.max_concurrent_streams)
        .max_header_list_size(size(settings.max_header_size))
        .initial_stream_window_size(size(settings.stream_window))
        .initial_connection_window_size(size(settings.connection_window))
        .max_frame_size(size(settings.max_frame_size))
        .max_send_buf_size(usize::try_from(settings.send_buffer.as_u64()).unwrap_or(usize::MAX))
        .max_pending_accept_reset_streams(settings.max_pending_resets)
        .max_local_error_reset_streams(settings.max_error_resets)
        .keep_alive_interval(settings.keepalive_interval)
        .keep_alive_timeout(settings.keepalive_timeout);
    http2
}

/// Reads the preface, and gives it back before the rest of the stream.
async fn read_preface(
    mut reader: impl AsyncRead + Send + Unpin + 'static,
    writer: impl AsyncWrite + Send + Unpin + 'static,
) -> io::Result<impl AsyncRead + AsyncWrite + Unpin + Send + 'static> {
    let mut preface = [0; PREFACE_LENGTH];
    reader.read_exact(&mut preface).await?;
    Ok(join(io::Cursor::new(preface).chain(reader), writer))
}

/// A request of which no part may take longer than `limit`. Reflection is left
/// alone: its callers keep a stream open on which they ask now and then.
fn with_limit(request: Request<Incoming>, limit: Duration) -> Request<Body> {
    match is_counted(request.uri().path()) {
        true => request.map(|body| Body::new(Arriving::new(body, limit))),
        false => request.map(Body::new),
    }
}

async fn pass(age: Option<Duration>) {
    match age {
        Some(age) => sleep(age).await,
        None => std::future::pending().await,
    }
}

fn ended(closed: hyper::Result<()>) -> End {
    if let Err(error) = closed {
        debug!(%error, "a connection broke");
    }
    End::Over
}
