//! What a hundred thousand sensors on a thousand objects of a store cost: how
//! many requests a round, and memory, lateness and CPU.
//!
//! `cargo bench --bench stores [-- SENSORS [SECONDS]]` has a process of its own
//! for the store, which speaks as much of S3 as is asked of it, has nothing, and
//! counts requests. Real servers are in `tests/stores`.

mod common;

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use axum::{
    Router,
    http::{Method, StatusCode},
    routing::get,
};
use common::{Args, row, sensors::measure};
use flightdeck::config::{Config, S3};

const SENSORS: usize = 100_000;
/// How long polls are measured, after the quick first ones.
const SECONDS: usize = 30;
/// Objects that are waited for, in folders of a hundred.
const OBJECTS: usize = 1_000;
/// How often a sensor looks.
const ROUND: f64 = 10.0;

/// The argument of the process that is the store.
const STORE: &str = "store";
/// Where it tells how many requests there were.
const COUNT: &str = "/-/requests";

const NOTHING: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><ListBucketResult>\
                       <Name>bench</Name><KeyCount>0</KeyCount><MaxKeys>1000</MaxKeys>\
                       <IsTruncated>false</IsTruncated></ListBucketResult>";

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    if std::env::args().nth(1).as_deref() == Some(STORE) {
        return runtime.block_on(serve());
    }
    let args = Args::parse(&[(SENSORS, 1_000), (SECONDS, 2)]);
    let (count, seconds) = (args.number(0), args.number(1));
    runtime.block_on(run(count, Duration::from_secs(seconds as u64)));
}

async fn run(count: usize, measured: Duration) {
    let store = Store::start();
    let mut config = Config::default();
    config.storage.s3 =
        S3 { endpoint: Some(store.url.clone()), anonymous: Some(true), ..S3::default() };
    let path = |number: usize| {
        let object = number % OBJECTS;
        format!("s3://bench/{}/{object}", object / 100)
    };
    let mut before = 0;
    let from_now_on = async || before = store.requests().await;
    let polled = measure(&config, count, measured, path, from_now_on).await;
    let requests = (store.requests().await - before) as f64;
    polled.print(count);
    row("requests in a round", requests / polled.seconds * ROUND, None);
    row("polls for a request", polled.polls.count() as f64 / requests, None);
}

/// The store as a process, ended when it is dropped.
struct Store {
    url: String,
    child: Child,
}

impl Store {
    fn start() -> Self {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .arg(STORE)
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let stdout = child.stdout.take().expect("a pipe");
        let mut url = String::new();
        BufReader::new(stdout).read_line(&mut url).expect("its address");
        Self { url: url.trim().to_owned(), child }
    }

    async fn requests(&self) -> u64 {
        let reply = reqwest::get(format!("{}{COUNT}", self.url)).await.expect("the store");
        reply.text().await.expect("text").parse().expect("a count")
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Has no object, and lists nothing.
async fn serve() {
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
    println!("http://{}", listener.local_addr().expect("a bound port"));
    axum::serve(listener, router).await.expect("it serves");
}
