//! Room for tasks, and turns for polls.

use std::{num::NonZero, time::Duration};

use flightdeck::{
    config::Config,
    connector::{ConnectorError, Phase},
    supervisor::{TaskError, Tasks},
    wire::flyteidl::admin::CreateTaskRequest,
};
use tokio::time::{Instant, sleep};
use tonic::Code;

use crate::common::{
    backend::{Backend, Does},
    requests::{anonymous, create, query},
    service::{exact, tasks},
};

const SECOND: Duration = Duration::from_secs(1);

fn room_for(tasks: usize) -> Config {
    let mut config = exact();
    config.tasks.max_tasks = tasks;
    config
}

#[tokio::test(start_paused = true)]
async fn a_told_task_leaves_first_when_room_is_short() {
    let backend = Backend::new();
    backend.job_is(Phase::Succeeded);
    let tasks = tasks(&room_for(2), &backend).await;
    let told = tasks.create(anonymous("job")).await.expect("room");
    tasks.get(query("job", &told)).await.expect("a state");
    tasks.create(anonymous("job")).await.expect("room");
    let start = Instant::now();
    tasks.create(anonymous("job")).await.expect("room, once the told task has left");
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert_eq!(tasks.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_create_waits_for_room_inside_half_of_its_deadline() {
    let backend = Backend::new();
    let tasks = tasks(&room_for(1), &backend).await;
    let held = tasks.create(anonymous("job")).await.expect("room");

    let start = Instant::now();
    let deadline = Some(start + 10 * SECOND);
    let error = tasks.create_within(anonymous("job"), deadline).await.expect_err("no room");
    assert_eq!(error.code(), Code::ResourceExhausted);
    assert_eq!(start.elapsed(), 5 * SECOND);

    let waiting = tasks.create_within(anonymous("job"), Some(Instant::now() + 10 * SECOND));
    let freeing = async {
        sleep(SECOND).await;
        backend.job_is(Phase::Succeeded);
        sleep(2 * SECOND).await;
        tasks.get(query("job", &held)).await.expect("a state");
    };
    // Told only after the waiting began: the next look finds it.
    let (created, ()) = tokio::join!(waiting, freeing);
    created.expect("room, once the task was told");
}

#[tokio::test(start_paused = true)]
async fn only_so_many_creates_wait() {
    let backend = Backend::new();
    let mut config = room_for(1);
    config.tasks.max_waiting_creates = 1;
    let tasks = tasks(&config, &backend).await;
    tasks.create(anonymous("job")).await.expect("room");
    let start = Instant::now();
    let one = tasks.create(anonymous("job"));
    let two = async {
        let error = tasks.create(anonymous("job")).await.expect_err("one waits already");
        assert!(matches!(error, TaskError::Full(1)));
        assert_eq!(start.elapsed(), Duration::ZERO);
    };
    let (one, ()) = tokio::join!(one, two);
    one.expect_err("no room");
}

#[tokio::test(start_paused = true)]
async fn above_the_ceiling_of_adoptions_a_get_is_running_without_an_actor() {
    let backend = Backend::new();
    backend.on_get(Does::Hangs);
    let mut config = exact();
    config.tasks.max_adoptions = 1;
    let tasks = tasks(&config, &backend).await;
    let meta = |job: usize| format!("{{\"job\": {job}}}").into();
    tasks.get(query("job", &meta(1))).await.expect("adopted");
    let resource = tasks.get(query("job", &meta(2))).await.expect("not refused");
    assert_eq!(resource.phase(), Phase::Running);
    assert_eq!(resource.log_links[0].uri, "http://backend/2");
    assert_eq!(tasks.len(), 1);
    let damaged = b"{}".to_vec().into();
    tasks.get(query("job", &damaged)).await.expect_err("refused all the same");
    tasks.delete(query("job", &meta(3))).await.expect("a Delete is never put off");

    backend.job_is(Phase::Succeeded);
    sleep(60 * SECOND).await;
    let resource = tasks.get(query("job", &meta(2))).await.expect("adopted now");
    assert_eq!(resource.phase(), Phase::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn a_create_that_was_surely_not_sent_is_tried_again_inside_the_deadline() {
    let backend = Backend::new();
    backend.on_create(Does::Fails(ConnectorError::unreached("connection refused")));
    let tasks = tasks(&exact(), &backend).await;
    let recovery = async {
        sleep(4 * SECOND).await;
        backend.on_create(Does::Answers(()));
    };
    let create = tasks.create_within(anonymous("job"), Some(Instant::now() + 10 * SECOND));
    let (created, ()) = tokio::join!(create, recovery);
    created.expect("a handle");

    backend.on_create(Does::Fails(ConnectorError::unreached("connection refused")));
    let start = Instant::now();
    let create = tasks.create_within(anonymous("job"), Some(start + 10 * SECOND));
    let error = create.await.expect_err("in time for the caller");
    assert_eq!(error.code(), Code::Unavailable);
    assert!(start.elapsed() < 10 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_create_that_may_have_been_sent_is_not_tried_again() {
    let backend = Backend::new();
    backend.on_create(Does::Fails(ConnectorError::transient("reset by peer")));
    let tasks = tasks(&exact(), &backend).await;
    let start = Instant::now();
    tasks.create(anonymous("job")).await.expect_err("an error");
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn after_a_delete_the_next_job_of_a_key_has_another_idempotency_key() {
    let backend = Backend::new();
    let tasks = tasks(&exact(), &backend).await;
    for _ in 0..3 {
        let handle = tasks.create(create("job", "s3://b/n0/0", 0)).await.expect("a handle");
        tasks.delete(query("job", &handle)).await.expect("OK");
    }
    let mut keys = backend.created();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_we_ended_keeps_its_key() {
    let backend = Backend::new();
    backend.on_get(Does::Fails(ConnectorError::permanent("no such column")));
    let tasks = tasks(&exact(), &backend).await;
    let request = || create("job", "s3://b/n0/0", 0);
    let handle = tasks.create(request()).await.expect("a handle");
    sleep(SECOND).await;
    assert_eq!(backend.deleted(), 1);
    let again = tasks.create(request()).await.expect("a handle");
    assert_eq!(again, handle, "the caller has not heard of the end yet");
}

/// A Create of a project.
fn of_project(project: &str, n: usize) -> CreateTaskRequest {
    let mut request = create("job", &format!("s3://b/{project}/{n}/0"), 0);
    let id = request.task_execution_metadata.as_mut().and_then(|m| m.task_execution_id.as_mut());
    let node = id.and_then(|id| id.node_execution_id.as_mut());
    if let Some(execution) = node.and_then(|node| node.execution_id.as_mut()) {
        execution.project = project.to_owned();
    }
    request
}

async fn create_many(tasks: &Tasks, project: &str, count: usize) -> Vec<bytes::Bytes> {
    let mut handles = Vec::new();
    for n in 0..count {
        handles.push(tasks.create(of_project(project, n)).await.expect("a handle"));
    }
    handles
}

#[tokio::test(start_paused = true)]
async fn a_project_whose_polls_hang_delays_nobody_else() {
    let backend = Backend::new();
    backend.on_get(Does::Hangs);
    let mut config = exact();
    config.polling.max_in_flight = 8;
    let tasks = tasks(&config, &backend).await;
    create_many(&tasks, "hanging", 50).await;
    sleep(Duration::from_millis(1)).await;
    assert_eq!(backend.gets().len(), 4, "half of the polls in flight, and no more");

    backend.job_is(Phase::Succeeded);
    let start = Instant::now();
    for handle in create_many(&tasks, "quick", 20).await {
        let resource = tasks.get(query("job", &handle)).await.expect("a state");
        assert_eq!(resource.phase(), Phase::Succeeded);
    }
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn polls_in_flight_have_a_limit_and_all_get_their_turn() {
    let backend = Backend::new();
    backend.on_get(Does::Hangs);
    let mut config = exact();
    config.polling.max_in_flight = 8;
    let tasks = tasks(&config, &backend).await;
    for project in ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"] {
        create_many(&tasks, project, 3).await;
    }
    sleep(Duration::from_millis(1)).await;
    assert!(backend.gets().len() <= 8, "{}", backend.gets().len());
    backend.job_is(Phase::Succeeded);
    sleep(config.tasks.get_limit + SECOND).await;
    assert_eq!(tasks.len(), 30);
    assert!(backend.gets().len() >= 30, "{}", backend.gets().len());
}

#[tokio::test(start_paused = true)]
async fn polls_begin_at_the_rate_of_the_setting() {
    let backend = Backend::new();
    let mut config = exact();
    config.polling.rate = NonZero::new(10);
    config.polling.first = Vec::new();
    config.polling.interval = Duration::from_secs(3600);
    config.polling.max_backoff = Duration::from_secs(3600);
    let tasks = tasks(&config, &backend).await;
    let start = Instant::now();
    create_many(&tasks, "a", 60).await;
    sleep(20 * SECOND).await;
    let gets = backend.gets();
    assert_eq!(gets.len(), 60);
    let first_second = gets.iter().filter(|at| **at - start < SECOND).count();
    assert!((10..=20).contains(&first_second), "a burst of ten, then ten a second: {first_second}");
    let took = gets[59] - start;
    assert!((4 * SECOND..7 * SECOND).contains(&took), "{took:?}");
}
