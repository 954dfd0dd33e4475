//! What the model has found: each case a test of its own.

use std::time::Duration;

use flightdeck::connector::ConnectorError;
use tokio::time::sleep;

use crate::common::{
    backend::{Backend, Does},
    requests::{create, query},
    service::{exact, tasks},
};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_deleted_task_leaves_also_after_a_panic_of_the_look_at_it() {
    let backend = Backend::new();
    let config = exact();
    let tasks = tasks(&config, &backend).await;
    let handle = tasks.create(create("job", "s3://b/n0/0", 0)).await.expect("a handle");
    tasks.delete(query("job", &handle)).await.expect("OK");
    backend.on_get(Does::Panics);
    tasks.get(query("job", &handle)).await.expect("a state");
    sleep(config.tasks.retention + SECOND).await;
    assert!(tasks.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_higher_attempt_deletes_the_job_that_a_deleted_one_was_followed_by() {
    let backend = Backend::new();
    let tasks = tasks(&exact(), &backend).await;
    let first = tasks.create(create("job", "s3://b/n0/0", 0)).await.expect("a handle");
    tasks.delete(query("job", &first)).await.expect("OK");
    tasks.create(create("job", "s3://b/n0/0", 0)).await.expect("another handle");
    tasks.create(create("job", "s3://b/n0/1", 1)).await.expect("a handle");
    sleep(SECOND).await;
    assert_eq!(backend.deleted(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_create_that_failed_does_not_bring_back_the_key_of_a_deleted_job() {
    let backend = Backend::new();
    let tasks = tasks(&exact(), &backend).await;
    let request = || create("job", "s3://b/n0/0", 0);
    let handle = tasks.create(request()).await.expect("a handle");
    tasks.delete(query("job", &handle)).await.expect("OK");
    backend.on_create(Does::Fails(ConnectorError::transient("503")));
    tasks.create(request()).await.expect_err("the backend fails");
    backend.on_create(Does::Answers(()));
    tasks.create(request()).await.expect("another handle");
    let keys = backend.created();
    assert_ne!(keys[0], keys[1], "the backend knows the first key as deleted");
}
