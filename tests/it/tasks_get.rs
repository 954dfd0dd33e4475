//! GetTask: never fails for the backend's sake.

use std::time::Duration;

use bytes::Bytes;
use flightdeck::connector::{ConnectorError, Phase, Resource};
use tokio::time::{Instant, sleep};
use tonic::Code;

use crate::common::{
    backend::{Backend, Does},
    requests::{anonymous, create, query},
    service::{exact, tasks},
};

const SECOND: Duration = Duration::from_secs(1);

fn plain(job: usize) -> Bytes {
    format!("{{\"job\": {job}}}").into()
}

#[tokio::test(start_paused = true)]
async fn polls_follow_the_actors_own_schedule_not_the_callers() {
    let backend = Backend::new();
    let tasks = tasks(&exact(), &backend).await;
    let start = Instant::now();
    let handle = tasks.create(anonymous("job")).await.expect("a handle");
    for _ in 0..100 {
        tasks.get(query("job", &handle)).await.expect("a state");
    }
    sleep(Duration::from_secs(28)).await;
    let polls: Vec<u64> = backend.gets().iter().map(|at| (*at - start).as_secs()).collect();
    assert_eq!(polls, [0, 1, 3, 7, 17, 27]);
}

#[tokio::test(start_paused = true)]
async fn the_first_get_waits_for_the_first_poll() {
    let backend = Backend::new();
    backend.on_get(Does::Takes(SECOND, Resource::new(Phase::Running)));
    let tasks = tasks(&exact(), &backend).await;
    let handle = tasks.create(anonymous("job")).await.expect("a handle");
    let resource = tasks.get(query("job", &handle)).await.expect("a state");
    assert_eq!(resource.phase(), Phase::Running);
}

#[tokio::test(start_paused = true)]
async fn a_get_waits_no_longer_than_get_wait_and_half_of_its_deadline() {
    let backend = Backend::new();
    backend.on_get(Does::Hangs);
    let tasks = tasks(&exact(), &backend).await;
    let handle = tasks.create(anonymous("job")).await.expect("a handle");

    let start = Instant::now();
    let resource = tasks.get(query("job", &handle)).await.expect("a state");
    assert_eq!(start.elapsed().as_secs(), 2);
    assert_eq!(resource.phase(), Phase::Initializing);
    assert_eq!(resource.log_links[0].uri, "http://backend/1", "links come with the first reply");

    let start = Instant::now();
    let mut hasty = query("job", &handle);
    hasty.deadline = Some(start + SECOND);
    tasks.get(hasty).await.expect("a state");
    assert_eq!(start.elapsed().as_millis(), 500);
}

#[tokio::test(start_paused = true)]
async fn while_the_backend_fails_a_get_is_the_last_known_state_with_the_cause() {
    let backend = Backend::new();
    let tasks = tasks(&exact(), &backend).await;
    let handle = tasks.create(anonymous("job")).await.expect("a handle");
    tasks.get(query("job", &handle)).await.expect("a state");
    for error in [
        ConnectorError::transient("503 from the warehouse"),
        ConnectorError::denied("401 from the warehouse"),
        ConnectorError::gone("404 from the warehouse"),
    ] {
        backend.on_get(Does::Fails(error.clone()));
        sleep(Duration::from_secs(130)).await;
        let start = Instant::now();
        let resource = tasks.get(query("job", &handle)).await.expect("a state");
        assert_eq!(resource.phase(), Phase::Running);
        assert_eq!(resource.message, error.message());
        assert_eq!(start.elapsed(), Duration::ZERO, "no wait while the backend fails");
    }
    backend.job_is(Phase::Succeeded);
    sleep(Duration::from_secs(130)).await;
    let resource = tasks.get(query("job", &handle)).await.expect("a state");
    assert_eq!((resource.phase(), resource.message.as_str()), (Phase::Succeeded, ""));
}

#[tokio::test(start_paused = true)]
async fn a_poll_that_hangs_is_a_failed_poll_at_its_limit() {
    let backend = Backend::new();
    backend.on_get(Does::Hangs);
    let tasks = tasks(&exact(), &backend).await;
    let handle = tasks.create(anonymous("job")).await.expect("a handle");
    sleep(Duration::from_secs(31)).await;
    let resource = tasks.get(query("job", &handle)).await.expect("a state");
    assert!(resource.message.contains("within 30s"), "{}", resource.message);
}

#[tokio::test(start_paused = true)]
async fn after_a_restart_a_task_is_adopted_from_its_handle() {
    let backend = Backend::new();
    let before = tasks(&exact(), &backend).await;
    let handle = before.create(create("job", "s3://b/n0/0", 0)).await.expect("a handle");
    before.stop();

    let after = tasks(&exact(), &backend).await;
    let resource = after.get(query("job", &handle)).await.expect("a state");
    assert_eq!(resource.phase(), Phase::Running);
    let again = after.create(create("job", "s3://b/n0/0", 0)).await.expect("a handle");
    assert_eq!(again, handle, "the key of the Create is known again");
    assert_eq!(backend.created().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_adopted_task_is_running_until_its_first_poll() {
    let backend = Backend::new();
    backend.on_get(Does::Hangs);
    let tasks = tasks(&exact(), &backend).await;
    let resource = tasks.get(query("job", &plain(7))).await.expect("a state");
    assert_eq!(resource.phase(), Phase::Running);
    assert_eq!(resource.log_links[0].uri, "http://backend/7");
}

#[tokio::test(start_paused = true)]
async fn a_plain_meta_of_flytekit_is_taken_over_by_one_actor() {
    let backend = Backend::new();
    let tasks = tasks(&exact(), &backend).await;
    let meta = plain(7);
    let (one, two) = tokio::join!(tasks.get(query("job", &meta)), tasks.get(query("job", &meta)));
    assert_eq!(one.expect("a state"), two.expect("a state"));
    assert_eq!(tasks.len(), 1);
    assert_eq!(backend.gets().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn changed_bytes_are_another_task() {
    let tasks = tasks(&exact(), &Backend::new()).await;
    tasks.get(query("job", &plain(7))).await.expect("a state");
    tasks.get(query("job", &plain(8))).await.expect("a state");
    assert_eq!(tasks.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn bytes_that_are_no_handle_are_refused_with_the_reason() {
    let backend = Backend::new();
    let tasks = tasks(&exact(), &backend).await;
    let foreign = tasks.create(anonymous("call")).await.expect("a handle");
    for (bytes, reason) in [
        (Bytes::new(), "neither a handle nor a meta of connector \"Backend\""),
        (Bytes::from_static(b"\x00\xff junk"), "neither a handle nor a meta"),
        (Bytes::from_static(br#"{"other": 1}"#), "missing field `job`"),
        (Bytes::from_static(b"\xfdFD\x01\x02\x03"), "damaged"),
        (foreign, "belongs to a task of connector \"Sync Backend\""),
    ] {
        let held = tasks.len();
        let error = tasks.get(query("job", &bytes)).await.expect_err("refused");
        assert_eq!(error.code(), Code::InvalidArgument);
        assert!(error.to_string().contains(reason), "{error}");
        assert_eq!(tasks.len(), held, "nothing is left behind");
    }
}
