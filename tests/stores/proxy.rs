//! What stands between a sensor and a store: it counts requests, and breaks
//! them in the ways that networks and stores do.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, Method, StatusCode},
    response::{IntoResponse, Response},
};
use reqwest::redirect;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

/// How the store is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weather {
    Fair,
    /// Connections are refused.
    Refused,
    /// Every request is answered with this status, and a `Retry-After`.
    Status(u16, Option<u64>),
    /// Connections are taken, and nothing ever comes back on any.
    Silent,
    /// Those that are open bring nothing more; new ones work.
    HalfOpen,
    /// The bucket is in this region: who signs for another is sent there.
    Region(&'static str),
    /// Objects may be read, and buckets may not be listed.
    DeniesListing,
}

/// A proxy before one server. What it does ends with it.
pub struct Proxy {
    address: SocketAddr,
    weather: watch::Sender<Weather>,
    shared: Arc<Shared>,
    tasks: Vec<JoinHandle<()>>,
}

struct Shared {
    upstream: String,
    client: reqwest::Client,
    weather: watch::Receiver<Weather>,
    requests: AtomicUsize,
    /// What was asked: method and path with query.
    log: Mutex<Vec<String>>,
    authorization: Mutex<Option<String>>,
}

impl Proxy {
    /// Before this server, whose URL may have a path.
    pub async fn before(endpoint: &str) -> Self {
        let url = reqwest::Url::parse(endpoint).expect("a URL");
        let (weather, watched) = watch::channel(Weather::Fair);
        let shared = Arc::new(Shared {
            upstream: format!("http://{}", url.authority()),
            client: reqwest::Client::builder()
                .redirect(redirect::Policy::none())
                .no_proxy()
                .build()
                .expect("a client"),
            weather: watched.clone(),
            requests: AtomicUsize::new(0),
            log: Mutex::default(),
            authorization: Mutex::default(),
        });
        let http = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let inside = http.local_addr().expect("an address");
        let front = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = front.local_addr().expect("an address");
        let router = Router::new().fallback(answer).with_state(shared.clone());
        let tasks = vec![
            tokio::spawn(async move { axum::serve(http, router).await.expect("it serves") }),
            tokio::spawn(relay(front, inside, watched)),
        ];
        Self { address, weather, shared, tasks }
    }

    /// Where it listens, with the path of the server behind.
    pub fn endpoint(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn set(&self, weather: Weather) {
        self.weather.send_replace(weather);
    }

    /// Requests until now.
    pub fn requests(&self) -> usize {
        self.shared.requests.load(Ordering::Relaxed)
    }

    /// What was asked until now.
    pub fn log(&self) -> Vec<String> {
        self.shared.log.lock().expect("no panic").clone()
    }

    /// The last request's credentials.
    pub fn authorization(&self) -> Option<String> {
        self.shared.authorization.lock().expect("no panic").clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// Takes connections, and hands them on as the weather is.
async fn relay(front: TcpListener, inside: SocketAddr, mut weather: watch::Receiver<Weather>) {
    let address = front.local_addr().expect("an address");
    let mut front = Some(front);
    loop {
        let now = *weather.borrow_and_update();
        if now == Weather::Refused {
            front = None;
        } else if front.is_none() {
            front = TcpListener::bind(address).await.ok();
        }
        let accepted = async {
            match &front {
                Some(front) => front.accept().await.ok(),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = weather.changed() => {}
            Some((stream, _)) = accepted => {
                tokio::spawn(carry(stream, inside, weather.clone()));
            }
        }
    }
}

/// One connection.
async fn carry(mut stream: TcpStream, inside: SocketAddr, mut weather: watch::Receiver<Weather>) {
    let opened = *weather.borrow_and_update();
    let stuck = |now: Weather| match now {
        Weather::Silent => true,
        Weather::HalfOpen => opened != Weather::HalfOpen,
        _ => false,
    };
    if !stuck(opened) {
        let Ok(mut server) = TcpStream::connect(inside).await else { return };
        loop {
            tokio::select! {
                _ = copy_bidirectional(&mut stream, &mut server) => return,
                _ = weather.changed() => {
                    let now = *weather.borrow_and_update();
                    if now == Weather::Refused {
                        return;
                    }
                    if stuck(now) {
                        break;
                    }
                }
            }
        }
    }
    // Open until the client gives it up, and for ever without an answer.
    let mut sink = tokio::io::sink();
    let _ = tokio::io::copy(&mut stream, &mut sink).await;
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    shared.requests.fetch_add(1, Ordering::Relaxed);
    let (parts, body) = request.into_parts();
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned();
    shared.log.lock().expect("no panic").push(format!("{} {target}", parts.method));
    let given = parts.headers.get("authorization").and_then(|value| value.to_str().ok());
    *shared.authorization.lock().expect("no panic") = given.map(str::to_owned);
    let weather = *shared.weather.borrow();
    match weather {
        Weather::Status(status, retry_after) => {
            let mut headers = HeaderMap::new();
            headers.extend(retry_after.map(|wait| (http::header::RETRY_AFTER, wait.into())));
            let status = StatusCode::from_u16(status).expect("a status");
            return (status, headers).into_response();
        }
        Weather::Region(region) if !given.is_some_and(|given| given.contains(region)) => {
            let status = StatusCode::MOVED_PERMANENTLY;
            return (status, [("x-amz-bucket-region", region)]).into_response();
        }
        Weather::DeniesListing if parts.method == Method::GET || target.contains("not/there") => {
            return StatusCode::FORBIDDEN.into_response();
        }
        _ => {}
    }
    forward(&shared, parts.method, &target, parts.headers, body).await
}

async fn forward(
    shared: &Shared,
    method: Method,
    target: &str,
    mut headers: HeaderMap,
    body: Body,
) -> Response {
    let body = to_bytes(body, 1 << 20).await.expect("a small body");
    // The server behind may go by its own name.
    headers.remove("host");
    headers.remove("content-length");
    headers.remove("transfer-encoding");
    let url = format!("{}{target}", shared.upstream);
    let sent = shared.client.request(method, url).headers(headers).body(body).send().await;
    let answer = sent.expect("the server answers");
    let (status, mut headers) = (answer.status(), answer.headers().clone());
    headers.remove("transfer-encoding");
    headers.remove("connection");
    let body = answer.bytes().await.expect("a body");
    (status, headers, body).into_response()
}
