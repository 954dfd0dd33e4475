//! A connection as calls see it.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures::{FutureExt, future::BoxFuture};
use h2::{RecvStream, client::SendRequest};
use http::{
    Request, Response, Uri,
    uri::{Authority, Scheme},
};
use http_body::{Body as HttpBody, Frame};
use http_body_util::BodyExt;
use tokio::net::TcpStream;
use tonic::{
    body::Body,
    codegen::{Service, StdError},
    transport::Channel,
};

/// A connection to a service, shared by its clones.
#[derive(Clone)]
pub enum Wire {
    /// tonic's own client, which connects again when it has to.
    Channel(Channel),
    /// HTTP/2 and no more, so that less of the machine is the client's. The
    /// head of a request and its message leave together, as from gRPC in C++
    /// and mostly from Go; tonic's client sends them one after the other.
    Lean(SendRequest<Bytes>),
}

impl Wire {
    /// Connects to `host:port`.
    pub async fn lean(address: &str) -> Self {
        let stream = TcpStream::connect(address).await.expect("a service listens");
        stream.set_nodelay(true).expect("a TCP stream");
        // As tonic's. From the window follows how many short replies may wait
        // to be read before h2 takes them for an attack, and closes.
        let mut http2 = h2::client::Builder::new();
        http2.initial_window_size(2 << 20).initial_connection_window_size(5 << 20);
        let (client, connection) = http2.handshake(stream).await.expect("HTTP/2");
        // Calls fail where it does.
        tokio::spawn(connection.map(drop));
        Self::Lean(client)
    }
}

impl Service<Request<Body>> for Wire {
    type Response = Response<Body>;
    type Error = StdError;
    type Future = BoxFuture<'static, Result<Response<Body>, StdError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), StdError>> {
        match self {
            Self::Channel(channel) => channel.poll_ready(context).map_err(Into::into),
            Self::Lean(client) => client.poll_ready(context).map_err(Into::into),
        }
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        match self {
            Self::Channel(channel) => channel.call(request).map(|reply| Ok(reply?)).boxed(),
            Self::Lean(client) => send(client.clone(), request).boxed(),
        }
    }
}

/// Sends a request whose messages are all there.
async fn send(
    mut client: SendRequest<Bytes>,
    request: Request<Body>,
) -> Result<Response<Body>, StdError> {
    let (mut head, body) = request.into_parts();
    let mut uri = head.uri.into_parts();
    uri.scheme = Some(Scheme::HTTP);
    uri.authority = Some(Authority::from_static("flightdeck"));
    head.uri = Uri::from_parts(uri)?;
    let messages = body.collect().await?.to_bytes();
    let (response, mut stream) = client.send_request(Request::from_parts(head, ()), false)?;
    stream.send_data(messages, true)?;
    Ok(response.await?.map(|body| Body::new(Reply(body))))
}

/// The body of a response.
struct Reply(RecvStream);

impl HttpBody for Reply {
    type Data = Bytes;
    type Error = h2::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        if let Some(data) = ready!(self.0.poll_data(context)) {
            let data = data?;
            self.0.flow_control().release_capacity(data.len())?;
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        let trailers = ready!(self.0.poll_trailers(context))?;
        Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }
}
