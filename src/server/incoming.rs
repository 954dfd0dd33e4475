//! Where connections come from.

use std::{future::Future, io};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{
        TcpListener,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};
use tracing::debug;

/// A source of connections: a port of this machine, or a simulated network.
pub trait Incoming: Send {
    /// What is read from a peer.
    type Reader: AsyncRead + Send + Unpin + 'static;
    /// What is written to it.
    type Writer: AsyncWrite + Send + Unpin + 'static;

    /// Waits for the next connection. Dropping the future loses none.
    fn accept(&mut self) -> impl Future<Output = io::Result<(Self::Reader, Self::Writer)>> + Send;
}

impl Incoming for TcpListener {
    type Reader = OwnedReadHalf;
    type Writer = OwnedWriteHalf;

    async fn accept(&mut self) -> io::Result<(OwnedReadHalf, OwnedWriteHalf)> {
        let (stream, _) = TcpListener::accept(self).await?;
        if let Err(error) = stream.set_nodelay(true) {
            debug!(%error, "a connection without nodelay");
        }
        Ok(stream.into_split())
    }
}
