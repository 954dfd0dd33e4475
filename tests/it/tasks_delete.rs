//! DeleteTask: an intent that is kept until the backend confirms it.

use std::time::Duration;

use flightdeck::connector::{ConnectorError, Phase};
use tokio::time::{Instant, sleep};
use tonic::Code;

use crate::common::{
    backend::{Backend, Does},
    requests::{anonymous, create, query},
    service::{exact, tasks},
};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_confirmed_delete_ends_polling_and_repeats_are_ok_without_a_call() {
    let backend = Backend::new();
    let tasks = tasks(&exact(), &backend).await;
    let handle = tasks.create(anonymous("job")).await.expect("a handle");
    tasks.get(query("job", &handle)).await.expect("a state");
    for _ in 0..3 {
        tasks.delete(query("job", &handle)).await.expect("OK");
    }
    assert_eq!(backend.deletes(), 1);
    let polls = backend.gets().len();
    sleep(60 * SECOND).await;
    assert_eq!(backend.gets().len(), polls);
}

#[tokio::test(start_paused = true)]
async fn a_delete_aborts_a_poll_under_way() {
    let backend = Backend::new();
    backend.on_get(Does::Hangs);
    let tasks = tasks(&exact(), &backend).await;
    let handle = tasks.create(anonymous("job")).await.expect("a handle");
    sleep(SECOND).await;
    let start = Instant::now();
    tasks.delete(query("job", &handle)).await.expect("OK");
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_get_after_a_delete_looks_at_the_backend_afresh() {
    let backend = Backend::new();
    let tasks = tasks(&exact(), &backend).await;
    let handle = tasks.create(anonymous("job")).await.expect("a handle");
    tasks.get(query("job", &handle)).await.expect("a state");
    tasks.delete(query("job", &handle)).await.expect("OK");
    backend.job_is(Phase::Aborted);
    let resource = tasks.get(query("job", &handle)).await.expect("a state");
    assert_eq!(resource.phase(), Phase::Aborted);
}

#[tokio::test(start_paused = true)]
async fn a_finished_task_is_deleted_without_a_call() {
    let backend = Backend::new();
    backend.job_is(Phase::Succeeded);
    let tasks = tasks(&exact(), &backend).await;
    let handle = tasks.create(anonymous("job")).await.expect("a handle");
    tasks.get(query("job", &handle)).await.expect("a state");
    tasks.delete(query("job", &handle)).await.expect("OK");
    assert_eq!(backend.deletes(), 0);
}

#[tokio::test(start_paused = true)]
async fn gone_confirms_a_delete() {
    let backend = Backend::new();
    backend.on_delete(Does::Fails(ConnectorError::gone("no such job")));
    let tasks = tasks(&exact(), &backend).await;
    let handle = tasks.create(anonymous("job")).await.expect("a handle");
    tasks.delete(query("job", &handle)).await.expect("OK");
}

#[tokio::test(start_paused = true)]
async fn a_delete_is_tried_until_confirmed_unavailable_first_then_ok() {
    let backend = Backend::new();
    backend.on_delete(Does::Fails(ConnectorError::transient("503")));
    let tasks = tasks(&exact(), &backend).await;
    let handle = tasks.create(anonymous("job")).await.expect("a handle");
    let start = Instant::now();
    let error = tasks.delete(query("job", &handle)).await.expect_err("not confirmed");
    assert_eq!(error.code(), Code::Unavailable);
    assert!(error.to_string().contains("503"), "{error}");
    assert_eq!(start.elapsed().as_secs(), 2, "delete_wait");

    sleep(60 * SECOND).await;
    tasks.delete(query("job", &handle)).await.expect("OK after a minute: the actor goes on");
    assert_eq!(backend.deleted(), 0);

    backend.on_delete(Does::Answers(()));
    sleep(80 * SECOND).await;
    assert_eq!(backend.deleted(), 1, "nobody had to ask again");
}

#[tokio::test(start_paused = true)]
async fn a_permanent_refusal_is_an_error_with_its_cause_and_the_task_goes_on() {
    let backend = Backend::new();
    backend.on_delete(Does::Fails(ConnectorError::permanent("jobs of this kind stay")));
    let tasks = tasks(&exact(), &backend).await;
    let handle = tasks.create(anonymous("job")).await.expect("a handle");
    let error = tasks.delete(query("job", &handle)).await.expect_err("refused");
    assert_eq!(error.to_string(), "failed to delete job task with error:\n jobs of this kind stay");
    backend.job_is(Phase::Succeeded);
    sleep(60 * SECOND).await;
    let resource = tasks.get(query("job", &handle)).await.expect("a state");
    assert_eq!(resource.phase(), Phase::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn a_delete_that_panics_is_tried_again() {
    let backend = Backend::new();
    backend.on_delete(Does::Panics);
    let tasks = tasks(&exact(), &backend).await;
    let handle = tasks.create(anonymous("job")).await.expect("a handle");
    tasks.delete(query("job", &handle)).await.expect_err("not confirmed");
    backend.on_delete(Does::Answers(()));
    sleep(10 * SECOND).await;
    assert_eq!(backend.deleted(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_task_is_adopted_and_deleted() {
    let backend = Backend::new();
    let tasks = tasks(&exact(), &backend).await;
    let meta = br#"{"job": 7}"#.to_vec().into();
    tasks.delete(query("job", &meta)).await.expect("OK");
    assert_eq!(backend.deleted(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_confirmed_delete_releases_the_key_of_the_create() {
    let backend = Backend::new();
    let tasks = tasks(&exact(), &backend).await;
    let request = || create("job", "s3://b/n0/0", 0);
    let first = tasks.create(request()).await.expect("a handle");
    tasks.delete(query("job", &first)).await.expect("OK");
    let second = tasks.create(request()).await.expect("a handle");
    assert_ne!(first, second);
    assert_eq!(backend.created().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_tombstone_stays_for_retention_and_no_longer() {
    let backend = Backend::new();
    let config = exact();
    let tasks = tasks(&config, &backend).await;
    let handle = tasks.create(anonymous("job")).await.expect("a handle");
    tasks.delete(query("job", &handle)).await.expect("OK");
    sleep(config.tasks.retention - SECOND).await;
    assert_eq!(tasks.len(), 1);
    sleep(2 * SECOND).await;
    assert!(tasks.is_empty());
}
