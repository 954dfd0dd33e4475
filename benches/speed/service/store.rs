//! An object store that speaks as much of S3 as is asked of it, has nothing, and
//! counts requests. Real servers are in `tests/stores`.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use axum::{
    Router,
    http::{Method, StatusCode},
    routing::get,
};

/// Where it tells how many requests there were.
const COUNT: &str = "/-/requests";

const NOTHING: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><ListBucketResult>\
                       <Name>bench</Name><KeyCount>0</KeyCount><MaxKeys>1000</MaxKeys>\
                       <IsTruncated>false</IsTruncated></ListBucketResult>";

pub(super) async fn serve() {
    static REQUESTS: AtomicU64 = AtomicU64::new(0);
    let answer = async |method: Method| {
        REQUESTS.fetch_add(1, Relaxed);
        match method {
            Method::GET => (StatusCode::OK, NOTHING),
            _ => (StatusCode::NOT_FOUND, ""),
        }
    };
    let router = Router::new()
        .route(COUNT, get(async || REQUESTS.load(Relaxed).to_string()))
        .fallback(answer);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    eprintln!("grpc={}", listener.local_addr().expect("a bound port"));
    axum::serve(listener, router).await.expect("it serves");
}

/// How many requests the store at this URL has had.
pub async fn requests(url: &str) -> u64 {
    let reply = reqwest::get(format!("{url}{COUNT}")).await.expect("the store");
    reply.text().await.expect("text").parse().expect("a count")
}
