//! One connection, from its first bytes to its end.

use std::{io, pin::pin, sync::Arc};

use http::Request;
use hyper::{body::Incoming, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, join},
    net::TcpStream,
    sync::oneshot,
    time::{Duration, sleep, timeout},
};
use tonic::{body::Body, service::Routes};
use tower::{Layer, ServiceExt};
use tracing::debug;

use super::{
    activity::Activity,
    admission::{Admission, Admit},
    deadline::Deadline,
    panic,
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
    first_byte_timeout: Duration,
    http2: http2::Builder<TokioExecutor>,
    routes: Routes,
    admission: Arc<Admission>,
}

impl Protocol {
    pub(super) fn new(
        settings: &config::Server,
        routes: Routes,
        admission: Arc<Admission>,
    ) -> Self {
        let header = u32::try_from(settings.max_header_size.as_u64()).unwrap_or(u32::MAX);
        let mut http2 = http2::Builder::new(TokioExecutor::new());
        http2
            .timer(TokioTimer::new())
            .max_concurrent_streams(settings.max_concurrent_streams)
            .max_header_list_size(header)
            .max_pending_accept_reset_streams(settings.max_pending_resets)
            .max_local_error_reset_streams(settings.max_error_resets)
            .keep_alive_interval(settings.keepalive_interval)
            .keep_alive_timeout(settings.keepalive_timeout);
        Self { first_byte_timeout: settings.first_byte_timeout, http2, routes, admission }
    }

    /// Serves a connection until it ends; it is asked to leave at this age, and
    /// by a word through `leave`.
    pub(super) async fn serve(
        &self,
        stream: TcpStream,
        activity: Arc<Activity>,
        age: Option<Duration>,
        mut leave: oneshot::Receiver<Leave>,
    ) -> End {
        let preface = timeout(self.first_byte_timeout, read_preface(stream));
        let io = tokio::select! {
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
        let service = service_fn(move |request: Request<Incoming>| {
            handler.clone().oneshot(request.map(Body::new))
        });
        let mut connection = pin!(self.http2.serve_connection(TokioIo::new(io), service));

        let mut end = End::Over;
        let told = tokio::select! {
            closed = &mut connection => return ended(closed),
            told = &mut leave => told,
            () = pass(age) => {
                end = End::Aged;
                connection.as_mut().graceful_shutdown();
                tokio::select! {
                    _ = &mut connection => return end,
                    told = &mut leave => told,
                }
            }
        };
        connection.as_mut().graceful_shutdown();
        match told {
            Ok(Leave::Drain) => drop(connection.await),
            Ok(Leave::Idlest) | Err(_) => drop(timeout(LEAVE_LIMIT, connection).await),
        }
        end
    }
}

/// Reads the preface, and gives it back before the rest of the stream.
async fn read_preface(
    mut stream: TcpStream,
) -> io::Result<impl AsyncRead + AsyncWrite + Unpin + Send + 'static> {
    let mut preface = [0; PREFACE_LENGTH];
    stream.read_exact(&mut preface).await?;
    let (reader, writer) = stream.into_split();
    Ok(join(io::Cursor::new(preface).chain(reader), writer))
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
