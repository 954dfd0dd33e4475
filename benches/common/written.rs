//! Requests that are written before they are sent, by a client of HTTP/2 and no
//! more.

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use h2::client::SendRequest;
use http::{
    Request,
    header::{CONTENT_TYPE, HeaderValue, TE, USER_AGENT},
};
use prost::Message;
use tonic::Status;

/// What gRPC has before a message: a flag and a length.
const PREFIX: usize = 5;

/// A request with one message.
#[derive(Clone)]
pub struct Written {
    head: Request<()>,
    message: Bytes,
}

impl Written {
    /// A call of a method, by its path, with propeller's headers.
    pub fn new(path: &str, message: &impl Message) -> Self {
        let head = Request::post(format!("http://flightdeck{path}"))
            .header(CONTENT_TYPE, "application/grpc")
            .header(USER_AGENT, "grpc-go/1.62.1")
            .header(TE, "trailers")
            .body(())
            .expect("a path");
        let mut bytes = BytesMut::new();
        bytes.put_u8(0);
        bytes.put_u32(u32::try_from(message.encoded_len()).expect("a short message"));
        message.encode(&mut bytes).expect("room for it");
        Self { head, message: bytes.freeze() }
    }

    /// Tells the service how long the caller will wait.
    pub fn within(mut self, limit: Duration) -> Self {
        let limit = HeaderValue::try_from(format!("{}u", limit.as_micros())).expect("a number");
        self.head.headers_mut().insert("grpc-timeout", limit);
        self
    }

    /// The message of the reply.
    pub async fn send(&self, client: &SendRequest<Bytes>) -> Result<Bytes, Status> {
        let lost = |error: h2::Error| Status::from_error(error.into());
        let mut client = client.clone().ready().await.map_err(lost)?;
        let (response, mut stream) = client.send_request(self.head.clone(), false).map_err(lost)?;
        stream.send_data(self.message.clone(), true).map_err(lost)?;
        let response = response.await.map_err(lost)?;
        if let Some(status) = Status::from_header_map(response.headers()) {
            return Err(status);
        }
        let mut body = response.into_body();
        let mut reply = BytesMut::new();
        while let Some(data) = body.data().await {
            let data = data.map_err(lost)?;
            body.flow_control().release_capacity(data.len()).map_err(lost)?;
            reply.put(data);
        }
        let trailers = body.trailers().await.map_err(lost)?.unwrap_or_default();
        if trailers.get("grpc-status").is_none_or(|status| status != "0") {
            let without = || Status::unknown("a reply without a status");
            return Err(Status::from_header_map(&trailers).unwrap_or_else(without));
        }
        match reply.len() {
            PREFIX.. => Ok(reply.split_off(PREFIX).freeze()),
            _ => Err(Status::unknown("a reply without a message")),
        }
    }
}
