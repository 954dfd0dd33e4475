//! The way to an upstream, on which connections can fall silent.

use std::{net::SocketAddr, sync::Arc};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

/// Forwards connections to an address, until it is dropped.
pub struct Road {
    pub address: SocketAddr,
    /// The age of the road; connections of an earlier age are silent.
    age: Arc<watch::Sender<u64>>,
    _accepting: JoinSet<()>,
}

impl Road {
    pub async fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound port");
        let age = Arc::new(watch::Sender::new(0));
        let mut accepting = JoinSet::new();
        let ages = age.clone();
        accepting.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(forward(stream, target, ages.subscribe()));
            }
        });
        Self { address, age, _accepting: accepting }
    }

    /// No connection there is now hears anything again, and none is closed.
    pub fn lose_what_is_under_way(&self) {
        self.age.send_modify(|age| *age += 1);
    }
}

async fn forward(mut near: TcpStream, target: SocketAddr, mut age: watch::Receiver<u64>) {
    let Ok(mut far) = TcpStream::connect(target).await else { return };
    tokio::select! {
        _ = copy_bidirectional(&mut near, &mut far) => {}
        Ok(()) = age.changed() => std::future::pending().await,
    }
}
