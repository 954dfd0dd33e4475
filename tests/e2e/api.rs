//! The backend: some [`Books`] as a plain HTTP API.

use std::{future::pending, net::SocketAddr, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::{Path, State as Extract},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use tokio::{
    net::TcpListener,
    sync::watch,
    task::JoinHandle,
    time::{sleep, timeout},
};

use crate::{
    books::{Books, Fault, State},
    process::LIMIT,
};

/// The running API; dropping it closes its port.
pub struct Api {
    address: SocketAddr,
    books: Books,
    held: watch::Sender<usize>,
    asked: watch::Sender<usize>,
    server: JoinHandle<()>,
}

#[derive(Clone)]
struct Served {
    books: Books,
    /// How many creates were done while the backend hangs: their answers never
    /// come.
    held: watch::Sender<usize>,
    /// How many requests there were.
    asked: watch::Sender<usize>,
}

impl Api {
    pub async fn start(books: Books) -> Self {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)), books).await
    }

    pub async fn start_at(address: SocketAddr, books: Books) -> Self {
        let listener = TcpListener::bind(address).await.expect("a free port");
        let address = listener.local_addr().expect("a bound port");
        let (held, asked) = (watch::Sender::new(0), watch::Sender::new(0));
        let served = Served { books: books.clone(), held: held.clone(), asked: asked.clone() };
        let router = Router::new()
            .route("/jobs", post(create))
            .route("/jobs/{id}", get(show).delete(delete))
            .with_state(served);
        let server = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("a listening socket");
        });
        Self { address, books, held, asked, server }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn books(&self) -> &Books {
        &self.books
    }

    /// Waits until it was asked so many times more.
    pub async fn is_asked(&self, times: usize) {
        let mut asked = self.asked.subscribe();
        let enough = *asked.borrow() + times;
        let enough = asked.wait_for(|asked| *asked >= enough);
        let enough = timeout(LIMIT, enough).await;
        enough.expect("requests come").expect("the sender is here");
    }

    /// Waits until so many creates were done without an answer.
    pub async fn has_held(&self, creates: usize) {
        let mut held = self.held.subscribe();
        let enough = timeout(LIMIT, held.wait_for(|held| *held >= creates)).await;
        enough.expect("creates come").expect("the sender is here");
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn create(Extract(served): Extract<Served>, headers: HeaderMap) -> Response {
    let Some(key) = headers.get("idempotency-key").and_then(|key| key.to_str().ok()) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    if served.books.fault() == Some(Fault::Hangs) {
        // The worst of it: the job is there and its id is not told.
        served.books.create(key, None);
        served.held.send_modify(|held| *held += 1);
        return pending().await;
    }
    served
        .answer(|books| {
            let id = books.create(key, None);
            (StatusCode::CREATED, format!(r#"{{"id": "{id}"}}"#)).into_response()
        })
        .await
}

async fn show(Extract(served): Extract<Served>, Path(id): Path<usize>) -> Response {
    let state = |books: &Books| match books.get(id) {
        Some(State::Running) => r#"{"state": "RUNNING"}"#.into_response(),
        Some(State::Succeeded) => r#"{"state": "SUCCEEDED"}"#.into_response(),
        Some(State::Deleted) => r#"{"state": "CANCELLED"}"#.into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    };
    if served.books.fault() == Some(Fault::Lags) {
        return served.answer(|_| StatusCode::NOT_FOUND.into_response()).await;
    }
    served.answer(state).await
}

async fn delete(Extract(served): Extract<Served>, Path(id): Path<usize>) -> Response {
    let delete = |books: &Books| match books.delete(id) {
        true => StatusCode::NO_CONTENT.into_response(),
        false => StatusCode::NOT_FOUND.into_response(),
    };
    served.answer(delete).await
}

impl Served {
    /// What is done, and what is answered, as the fault of the moment has it.
    async fn answer(&self, act: impl FnOnce(&Books) -> Response) -> Response {
        self.asked.send_modify(|asked| *asked += 1);
        match self.books.fault() {
            None | Some(Fault::Lags) => act(&self.books),
            Some(Fault::Hangs) => pending().await,
            Some(Fault::Unavailable) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
            Some(Fault::Denied) => StatusCode::UNAUTHORIZED.into_response(),
            Some(Fault::Slow(time)) => {
                let response = act(&self.books);
                sleep(time).await;
                response
            }
            // A body that breaks off: the connection is cut in the middle. A
            // listening server cannot refuse, so this stands in for that too.
            Some(Fault::Cut) => {
                act(&self.books);
                cut()
            }
            Some(Fault::Refused) => cut(),
        }
    }
}

fn cut() -> Response {
    let broken = futures::stream::once(async {
        sleep(Duration::ZERO).await;
        Err::<String, _>(std::io::Error::other("cut"))
    });
    Body::from_stream(broken).into_response()
}
