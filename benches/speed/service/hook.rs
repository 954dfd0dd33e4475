//! What webhooks are sent to.

use std::time::Duration;

use axum::{Router, extract::Path, routing::post};
use tokio::time::sleep;

/// Answers each request with a few bytes of JSON: at once, or on `/after/N` N
/// milliseconds later.
pub(super) async fn serve() {
    let answer = async || "{\"ok\":true}";
    let later = async move |Path(millis): Path<u64>| {
        sleep(Duration::from_millis(millis)).await;
        answer().await
    };
    let router = Router::new().route("/after/{millis}", post(later)).fallback(answer);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    eprintln!("grpc={}", listener.local_addr().expect("a bound port"));
    axum::serve(listener, router).await.expect("it serves");
}
