//! GetTaskLogs and GetTaskMetrics of a task whose connector has neither.

use std::time::{Duration, SystemTime};

use flightdeck::{
    connector::{ConnectorError, LogQuery, MetricsQuery, Phase},
    supervisor::Tasks,
};
use futures::StreamExt;
use tokio::time::sleep;
use tonic::Code;

use crate::common::{
    backend::{Backend, Does},
    requests::{anonymous, query},
    service::{exact, tasks},
};

async fn page(tasks: &Tasks, handle: &bytes::Bytes, query_: LogQuery) -> (Vec<String>, String) {
    let pages = tasks.logs(query("job", handle), query_).await.expect("a log");
    let pages: Vec<_> = pages.collect().await;
    let [Ok(page)] = pages.as_slice() else {
        panic!("one page, not {pages:?}");
    };
    let lines = page.structured_lines.iter().map(|line| line.message.clone());
    (lines.collect(), page.token.clone())
}

#[tokio::test(start_paused = true)]
async fn the_log_of_a_task_is_its_history() {
    let backend = Backend::new();
    let tasks = tasks(&exact(), &backend).await;
    let handle = tasks.create(anonymous("job")).await.expect("a handle");
    sleep(Duration::from_secs(8)).await;
    backend.on_get(Does::Fails(ConnectorError::transient("503")));
    sleep(Duration::from_secs(20)).await;
    backend.job_is(Phase::Succeeded);
    sleep(Duration::from_secs(60)).await;
    let (lines, token) = page(&tasks, &handle, LogQuery::default()).await;
    assert_eq!(
        lines,
        [
            "created",
            "polled (4 times): RUNNING",
            "poll failed (2 times), transient: 503",
            "ended: SUCCEEDED",
        ]
    );
    assert_eq!(token, "");
}

#[tokio::test(start_paused = true)]
async fn the_log_is_read_in_pages_by_token() {
    let tasks = tasks(&exact(), &Backend::new()).await;
    let handle = tasks.create(anonymous("job")).await.expect("a handle");
    tasks.get(query("job", &handle)).await.expect("a state");
    let of = |token: &str| LogQuery { lines: 1, token: token.to_owned() };
    let (first, token) = page(&tasks, &handle, of("")).await;
    assert_eq!(first, ["created"]);
    let (second, token) = page(&tasks, &handle, of(&token)).await;
    assert_eq!(second, ["polled: RUNNING"]);
    assert_eq!(token, "");
    let error =
        tasks.logs(query("job", &handle), of("page-2")).await.err().expect("a token of elsewhere");
    assert_eq!(error.code(), Code::InvalidArgument);
}

#[tokio::test(start_paused = true)]
async fn the_metrics_of_a_task_are_those_of_its_polls() {
    let tasks = tasks(&exact(), &Backend::new()).await;
    let handle = tasks.create(anonymous("job")).await.expect("a handle");
    sleep(Duration::from_secs(8)).await;
    let all = tasks.measurements(query("job", &handle), MetricsQuery::default()).await;
    let names: Vec<String> = all.expect("metrics").into_iter().map(|m| m.metric).collect();
    assert_eq!(names, ["polls", "poll_failures", "poll_latency_seconds"]);

    let one = MetricsQuery { queries: vec!["polls".to_owned()], ..MetricsQuery::default() };
    let one = tasks.measurements(query("job", &handle), one).await.expect("metrics");
    assert_eq!(one.len(), 1);

    let unknown = MetricsQuery { queries: vec!["cpu".to_owned()], ..MetricsQuery::default() };
    let error = tasks.measurements(query("job", &handle), unknown).await.expect_err("no cpu");
    assert_eq!(error.code(), Code::InvalidArgument);
}

#[tokio::test(start_paused = true)]
async fn a_range_without_data_is_out_of_range() {
    let tasks = tasks(&exact(), &Backend::new()).await;
    let handle = tasks.create(anonymous("job")).await.expect("a handle");
    tasks.get(query("job", &handle)).await.expect("a state");
    let past = MetricsQuery { end: Some(SystemTime::UNIX_EPOCH), ..MetricsQuery::default() };
    let error = tasks.measurements(query("job", &handle), past).await.expect_err("no data");
    assert_eq!(error.code(), Code::OutOfRange);
}
