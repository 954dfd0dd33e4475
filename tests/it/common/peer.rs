//! Callers that wait, and peers that do not speak.

use std::io;

use flightdeck::wire::flyteidl::{
    admin::{
        CreateRequestHeader, ExecuteTaskSyncRequest, ExecuteTaskSyncResponse,
        execute_task_sync_request::Part,
    },
    core::LiteralMap,
    service::sync_agent_service_client::SyncAgentServiceClient,
};
use futures::{StreamExt, stream};
use tokio::{io::AsyncReadExt, net::TcpStream, sync::oneshot, task::JoinHandle, time::timeout};
use tonic::{Status, transport::Channel};

use super::service::LIMIT;

/// What every HTTP/2 client begins with: the preface and empty SETTINGS.
pub const BEGINNING: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// A request that is under way until its inputs are sent.
pub struct UnderWay {
    inputs: Option<oneshot::Sender<LiteralMap>>,
    reply: JoinHandle<Result<ExecuteTaskSyncResponse, Status>>,
}

impl UnderWay {
    /// Begins an ExecuteTaskSync of this header on the connection.
    pub fn begin(channel: Channel, header: CreateRequestHeader) -> Self {
        let (inputs, later) = oneshot::channel();
        let part = |part| ExecuteTaskSyncRequest { part: Some(part) };
        let sent = stream::iter([part(Part::Header(header))]).chain(
            stream::once(later).map(move |inputs| part(Part::Inputs(inputs.unwrap_or_default()))),
        );
        let mut client = SyncAgentServiceClient::new(channel);
        let reply = tokio::spawn(async move {
            let mut replies = client.execute_task_sync(sent).await?.into_inner();
            replies.message().await?.ok_or_else(|| Status::internal("no reply"))
        });
        Self { inputs: Some(inputs), reply }
    }

    /// Sends the inputs, and waits for the reply.
    pub async fn finish(mut self) -> Result<ExecuteTaskSyncResponse, Status> {
        self.send_inputs();
        self.reply().await
    }

    /// Sends the inputs.
    pub fn send_inputs(&mut self) {
        let inputs = self.inputs.take().expect("sent once");
        inputs.send(LiteralMap::default()).expect("it is under way");
    }

    /// Gives up.
    pub fn abandon(self) {
        self.reply.abort();
    }

    /// Waits for the reply.
    pub async fn reply(self) -> Result<ExecuteTaskSyncResponse, Status> {
        timeout(LIMIT, self.reply).await.expect("a reply").expect("no panic")
    }
}

/// Waits until the service closes the connection, and gives what it sent.
pub async fn closed(stream: &mut TcpStream) -> Vec<u8> {
    let mut sent = Vec::new();
    let end = timeout(LIMIT, stream.read_to_end(&mut sent)).await;
    match end.expect("the service closes it") {
        Err(error) if error.kind() != io::ErrorKind::ConnectionReset => panic!("{error}"),
        _ => sent,
    }
}

/// True if there is a GOAWAY among these HTTP/2 frames.
pub fn has_goaway(mut frames: &[u8]) -> bool {
    const GOAWAY: u8 = 7;
    while let [a, b, c, kind, _flags, _, _, _, _, rest @ ..] = frames {
        if *kind == GOAWAY {
            return true;
        }
        let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
        frames = rest.get(length..).unwrap_or_default();
    }
    false
}
