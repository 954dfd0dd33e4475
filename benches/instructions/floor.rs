//! The floor: tonic's server, whose handlers answer with messages of the same
//! size and do nothing else.

use flightdeck::wire::flyteidl::service::async_agent_service_server::AsyncAgentServiceServer;
use futures::stream::{self, StreamExt};
use tokio::io::DuplexStream;
use tonic::transport::Server;

use crate::{bare::Bare, subjects};

/// Serves one connection.
pub async fn serve(connection: DuplexStream) {
    let one = stream::iter([Ok::<_, std::io::Error>(connection)]).chain(stream::pending());
    let service = AsyncAgentServiceServer::new(Bare { handle: subjects::handle().encode().into() });
    let server = Server::builder().add_service(service);
    server.serve_with_incoming(one).await.expect("it serves");
}
