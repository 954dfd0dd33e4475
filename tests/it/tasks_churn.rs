//! Nothing is left of tasks that are over: neither in the supervisor nor in its
//! gauges.

use std::{future::Future, time::Duration};

use bytes::Bytes;
use flightdeck::{
    connector::{ConnectorError, Phase},
    supervisor::Tasks,
};
use futures::future::join_all;
use tokio::time::sleep;
use tonic::Code;

use crate::common::{
    backend::{Backend, Does},
    requests::{anonymous, create, query},
    service::{exact, tasks},
};

/// Tasks of each kind that are under way at once, and how often.
const AT_ONCE: usize = 500;
const ROUNDS: usize = 6;

#[tokio::test(start_paused = true)]
async fn nothing_is_left_of_tens_of_thousands_of_tasks() {
    let backend = Backend::new();
    let mut config = exact();
    // Polls are not what is tested here.
    config.polling.interval = Duration::from_secs(300);
    config.polling.max_backoff = config.polling.interval;
    config.tasks.idle_timeout = Duration::from_secs(30 * 60);
    let tasks = tasks(&config, &backend).await;
    for round in 0..ROUNDS {
        refused(&tasks, &backend, round).await;
        // The end is told, or nobody asks, or it is deleted before, or after.
        let told = created(&tasks, "told", round).await;
        let untold = created(&tasks, "untold", round).await;
        let deleted = created(&tasks, "deleted", round).await;
        all(&deleted, |handle| tasks.delete(query("job", handle))).await;
        backend.job_is(Phase::Succeeded);
        sleep(Duration::from_secs(20)).await;
        all(&told, |handle| tasks.get(query("job", handle))).await;
        all(&told, |handle| tasks.delete(query("job", handle))).await;
        assert_eq!(tasks.len(), 3 * AT_ONCE, "told, not told, and tombstones");

        // A connector that panics, and one whose end is our decision.
        backend.on_get(Does::Panics);
        let _panicked = created(&tasks, "panicked", round).await;
        sleep(Duration::from_secs(60)).await;
        backend.on_get(Does::Fails(ConnectorError::permanent("no such column")));
        let _failed = created(&tasks, "failed", round).await;
        sleep(Duration::from_secs(60)).await;
        backend.job_is(Phase::Running);

        // What is adopted leaves as well.
        all(&untold[..AT_ONCE / 2], |handle| tasks.get(query("job", handle))).await;
        sync(&tasks).await;
        sleep(3 * config.tasks.idle_timeout).await;
        all(&deleted, |handle| tasks.get(query("job", handle))).await;
        assert_eq!(tasks.len(), AT_ONCE, "adopted");
        sleep(3 * config.tasks.idle_timeout).await;
        assert_eq!(tasks.len(), 0);
        assert_eq!(gauges(&tasks), Vec::<String>::new());
    }
    assert!(backend.created().len() >= 4 * AT_ONCE * ROUNDS);
}

async fn created(tasks: &Tasks, kind: &str, round: usize) -> Vec<Bytes> {
    let creates = (0..AT_ONCE).map(|number| {
        let prefix = format!("s3://flyte/{kind}{round}/n{number}/0");
        async move { tasks.create(create("job", &prefix, 0)).await.expect("a handle") }
    });
    join_all(creates).await
}

async fn refused(tasks: &Tasks, backend: &Backend, round: usize) {
    backend.on_create(Does::Fails(ConnectorError::invalid("no such warehouse")));
    let creates = (0..AT_ONCE).map(|number| {
        let prefix = format!("s3://flyte/refused{round}/n{number}/0");
        async move { tasks.create(create("job", &prefix, 0)).await }
    });
    for refused in join_all(creates).await {
        assert_eq!(refused.expect_err("refused").code(), Code::InvalidArgument);
    }
    backend.on_create(Does::Answers(()));
}

async fn sync(tasks: &Tasks) {
    let creates = (0..AT_ONCE).map(|_| tasks.create(anonymous("call")));
    for handle in join_all(creates).await {
        handle.expect("a handle");
    }
}

async fn all<T, E: std::fmt::Debug, F: Future<Output = Result<T, E>>>(
    handles: &[Bytes],
    act: impl Fn(&Bytes) -> F,
) {
    for done in join_all(handles.iter().map(act)).await {
        done.expect("OK");
    }
}

/// The gauges of tasks and of what they do that are not 0.
fn gauges(tasks: &Tasks) -> Vec<String> {
    let text = tasks.metrics().render().expect("metrics");
    let is_gauge = |line: &&str| line.starts_with("# TYPE flightdeck_") && line.ends_with("gauge");
    let names: Vec<_> =
        text.lines().filter(is_gauge).filter_map(|line| line.split(' ').nth(2)).collect();
    let of_a_gauge =
        |line: &&str| names.iter().any(|name| line.split(['{', ' ']).next() == Some(name));
    text.lines()
        .filter(of_a_gauge)
        .filter(|line| !line.ends_with(" 0"))
        .map(str::to_owned)
        .collect()
}
