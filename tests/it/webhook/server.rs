//! An HTTP server that keeps what it got, byte for byte, and answers with
//! bytes.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A request, as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// The request line and the headers.
    pub head: String,
    pub body: Vec<u8>,
}

impl Received {
    pub fn line(&self) -> &str {
        self.head.lines().next().unwrap_or_default()
    }

    /// The header lines, sorted.
    pub fn headers(&self) -> Vec<&str> {
        let mut headers: Vec<_> = self.head.lines().skip(1).collect();
        headers.sort_unstable();
        headers
    }
}

/// What follows a request.
pub enum Reply {
    /// These bytes; then the connection waits for the next request.
    Next(Vec<u8>),
    /// These bytes; then the connection is closed.
    Last(Vec<u8>),
    /// These bytes; then nothing, for as long as the client stays.
    Held(Vec<u8>),
}

pub struct Server {
    authority: String,
    log: Arc<Log>,
}

#[derive(Default)]
struct Log {
    requests: Mutex<Vec<Received>>,
    connections: AtomicUsize,
}

impl Server {
    /// Answers every request with these bytes.
    pub async fn answering(response: Vec<u8>) -> Self {
        Self::start(move |_| Reply::Next(response.clone())).await
    }

    pub async fn start(reply: impl Fn(&Received) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let authority = listener.local_addr().unwrap().to_string();
        let log = Arc::new(Log::default());
        tokio::spawn(accept(listener, log.clone(), Arc::new(reply)));
        Self { authority, log }
    }

    /// A URL at which nobody listens.
    pub async fn nobody() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        format!("http://{}/", listener.local_addr().unwrap())
    }

    pub fn authority(&self) -> &str {
        &self.authority
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.authority)
    }

    /// The requests since the last call of this or of `only_request`.
    pub fn requests(&self) -> Vec<Received> {
        std::mem::take(&mut self.log.requests.lock().unwrap())
    }

    pub fn only_request(&self) -> Received {
        let mut requests = self.requests();
        assert_eq!(requests.len(), 1, "{requests:?}");
        requests.remove(0)
    }

    pub fn connections(&self) -> usize {
        self.log.connections.load(Ordering::Relaxed)
    }
}

/// A response of this status with these headers and a length.
pub fn response(status: &str, headers: &[&str], body: &[u8]) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n", body.len());
    for header in headers {
        head += header;
        head += "\r\n";
    }
    [head.as_bytes(), b"\r\n", body].concat()
}

type Replies = Arc<dyn Fn(&Received) -> Reply + Send + Sync>;

async fn accept(listener: TcpListener, log: Arc<Log>, replies: Replies) {
    while let Ok((stream, _)) = listener.accept().await {
        log.connections.fetch_add(1, Ordering::Relaxed);
        // a client that leaves is no concern of ours
        tokio::spawn(serve(stream, log.clone(), replies.clone()));
    }
}

async fn serve(mut stream: TcpStream, log: Arc<Log>, replies: Replies) -> io::Result<()> {
    let mut buffer = Vec::new();
    while let Some(request) = read_request(&mut stream, &mut buffer).await? {
        let reply = replies(&request);
        log.requests.lock().unwrap().push(request);
        match reply {
            Reply::Next(bytes) => stream.write_all(&bytes).await?,
            Reply::Last(bytes) => return stream.write_all(&bytes).await,
            Reply::Held(bytes) => {
                stream.write_all(&bytes).await?;
                std::future::pending::<()>().await;
            }
        }
    }
    Ok(())
}

async fn read_request(
    stream: &mut TcpStream,
    buffer: &mut Vec<u8>,
) -> io::Result<Option<Received>> {
    loop {
        if let Some(request) = take_request(buffer) {
            return Ok(Some(request));
        }
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    }
}

/// The first request in the buffer, once it is whole.
fn take_request(buffer: &mut Vec<u8>) -> Option<Received> {
    let end = buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n")?;
    let head = String::from_utf8(buffer[..end].to_vec()).unwrap();
    let length = head
        .lines()
        .filter_map(|line| line.split_once(": "))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .map_or(0, |(_, length)| length.parse().unwrap());
    let body_start = end + 4;
    let body = buffer.get(body_start..body_start + length)?.to_vec();
    buffer.drain(..body_start + length);
    Some(Received { head, body })
}
