//! Jobs that nobody will ask about again.

use std::time::Duration;

use flightdeck::{connector::Phase, supervisor::Tasks};
use tokio::time::{Instant, sleep};

use crate::common::{
    backend::{Backend, Does},
    requests::{create, query},
    service::{exact, tasks},
};

const SECOND: Duration = Duration::from_secs(1);

/// A Create whose caller leaves after a second, before the reply.
async fn abandoned(tasks: &Tasks, backend: &Backend, attempt: u32) {
    backend.on_create(Does::Takes(3 * SECOND, ()));
    let prefix = format!("s3://b/n0/data/{attempt}");
    let impatient = tasks.create(create("job", &prefix, attempt));
    tokio::time::timeout(SECOND, impatient).await.expect_err("it takes 3 s");
    backend.on_create(Does::Answers(()));
}

#[tokio::test(start_paused = true)]
async fn a_job_whose_create_lost_its_caller_is_deleted_after_orphan_after() {
    let backend = Backend::new();
    let config = exact();
    let tasks = tasks(&config, &backend).await;
    abandoned(&tasks, &backend, 0).await;
    sleep(config.tasks.orphan_after - SECOND).await;
    assert_eq!((backend.created().len(), backend.deleted()), (1, 0));
    sleep(2 * SECOND).await;
    assert_eq!(backend.deleted(), 1);
    sleep(config.tasks.retention + SECOND).await;
    assert!(tasks.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_repeat_or_a_get_saves_the_job() {
    let config = exact();
    let backend = Backend::new();
    let tasks = tasks(&config, &backend).await;
    abandoned(&tasks, &backend, 0).await;
    let handle = tasks.create(create("job", "s3://b/n0/data/0", 0)).await.expect("a repeat");
    sleep(config.tasks.orphan_after * 3).await;
    assert_eq!((backend.created().len(), backend.deletes()), (1, 0));
    let resource = tasks.get(query("job", &handle)).await.expect("a state");
    assert_eq!(resource.phase(), Phase::Running);
}

#[tokio::test(start_paused = true)]
async fn a_create_that_was_answered_is_no_orphan_however_late_the_first_get() {
    let config = exact();
    let backend = Backend::new();
    backend.on_create(Does::Takes(3 * SECOND, ()));
    let tasks = tasks(&config, &backend).await;
    let request = || create("job", "s3://b/n0/data/0", 0);
    let (answered, left) = tokio::join!(
        tasks.create(request()),
        tokio::time::timeout(SECOND, tasks.create(request()))
    );
    answered.expect("a handle");
    left.expect_err("it left");
    sleep(config.tasks.orphan_after * 3).await;
    assert_eq!(backend.deletes(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_next_attempt_deletes_the_lower_one_that_was_never_asked_about() {
    let backend = Backend::new();
    let tasks = tasks(&exact(), &backend).await;
    abandoned(&tasks, &backend, 0).await;
    // It comes while the first create is still under way.
    tasks.create(create("job", "s3://b/n0/data/1", 1)).await.expect("a handle");
    assert_eq!(backend.deleted(), 0, "the create is waited for");
    sleep(5 * SECOND).await;
    assert_eq!((backend.created().len(), backend.deleted()), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn the_next_attempt_leaves_a_lower_one_alone_that_was_asked_about() {
    let backend = Backend::new();
    let tasks = tasks(&exact(), &backend).await;
    let lower = tasks.create(create("job", "s3://b/n0/data/0", 0)).await.expect("a handle");
    tasks.get(query("job", &lower)).await.expect("a state");
    tasks.create(create("job", "s3://b/n0/data/1", 1)).await.expect("a handle");
    // The same ids in a subworkflow are another node.
    tasks.create(create("job", "s3://b/n1-0-n0/data/2", 2)).await.expect("a handle");
    sleep(60 * SECOND).await;
    assert_eq!(backend.deletes(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_drain_gives_creates_deletes_and_orphans_their_time_and_no_more() {
    let backend = Backend::new();
    let tasks = tasks(&exact(), &backend).await;
    tasks.create(create("job", "s3://b/n1/data/0", 0)).await.expect("a handle");
    let start = Instant::now();
    tasks.drain(start + 60 * SECOND).await;
    assert_eq!(start.elapsed(), Duration::ZERO, "a task that lives on in its handle");

    abandoned(&tasks, &backend, 0).await;
    let next = tasks.create(create("job", "s3://b/n0/data/1", 1)).await.expect("the next");
    tasks.get(query("job", &next)).await.expect("a state");
    let start = Instant::now();
    tasks.drain(start + 60 * SECOND).await;
    assert_eq!((backend.created().len(), backend.deleted()), (3, 1));
    assert!(start.elapsed() < 5 * SECOND, "as soon as it is done");

    abandoned(&tasks, &backend, 2).await;
    let start = Instant::now();
    tasks.drain(start + 60 * SECOND).await;
    assert_eq!(start.elapsed(), 60 * SECOND, "a repeat of the Create may still come");
    assert_eq!(backend.deleted(), 1);
}
