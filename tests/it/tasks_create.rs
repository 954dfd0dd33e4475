//! CreateTask: one job for each execution attempt.

use std::time::Duration;

use flightdeck::{
    config::{Config, HandleFormat},
    connector::{ConnectorError, Phase},
    supervisor::TaskError,
    wire::handle::Handle,
};
use tokio::time::sleep;
use tonic::Code;

use crate::common::{
    backend::{Backend, Does},
    requests::{anonymous, create, query},
    service::{exact, tasks},
};

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test(start_paused = true)]
async fn a_repeated_create_gets_the_same_handle_and_no_second_job() {
    let backend = Backend::new();
    let tasks = tasks(&exact(), &backend).await;
    let first = tasks.create(create("job", "s3://b/n0/0", 0)).await.expect("a handle");
    let again = tasks.create(create("job", "s3://b/n0/0", 0)).await.expect("a handle");
    assert_eq!(first, again);
    assert_eq!(backend.created().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn concurrent_creates_of_one_attempt_join() {
    let backend = Backend::new();
    backend.on_create(Does::Takes(Duration::from_secs(3), ()));
    let tasks = tasks(&exact(), &backend).await;
    let one = tasks.create(create("job", "s3://b/n0/0", 0));
    let two = tasks.create(create("job", "s3://b/n0/0", 0));
    let (one, two) = tokio::join!(one, two);
    assert_eq!(one.expect("a handle"), two.expect("a handle"));
    assert_eq!(backend.created().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn equal_ids_under_other_prefixes_and_other_attempts_are_other_tasks() {
    let backend = Backend::new();
    let tasks = tasks(&exact(), &backend).await;
    for request in [
        create("job", "s3://b/n0/0", 0),
        create("job", "s3://b/n1-0-n0/0", 0),
        create("job", "s3://b/n0/1", 1),
        anonymous("job"),
        anonymous("job"),
    ] {
        tasks.create(request).await.expect("a handle");
    }
    let mut keys = backend.created();
    assert_eq!(keys.len(), 5);
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 5, "each has an idempotency key of its own");
}

#[tokio::test(start_paused = true)]
async fn the_idempotency_key_of_an_attempt_is_the_same_after_a_restart() {
    let backend = Backend::new();
    for _ in 0..2 {
        let tasks = tasks(&exact(), &backend).await;
        tasks.create(create("job", "s3://b/n0/0", 0)).await.expect("a handle");
    }
    let keys = backend.created();
    assert_eq!(keys.len(), 2);
    assert_eq!(keys[0], keys[1]);
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_leaves_does_not_stop_the_create() {
    let backend = Backend::new();
    backend.on_create(Does::Takes(Duration::from_secs(30), ()));
    let tasks = tasks(&exact(), &backend).await;
    let impatient = tasks.create(create("job", "s3://b/n0/0", 0));
    tokio::time::timeout(Duration::from_secs(10), impatient).await.expect_err("it takes 30 s");
    sleep(MINUTE).await;
    assert_eq!(backend.created().len(), 1);
    tasks.create(create("job", "s3://b/n0/0", 0)).await.expect("the handle of the first");
    assert_eq!(backend.created().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_refused_create_leaves_nothing_and_may_be_repeated() {
    let backend = Backend::new();
    backend.on_create(Does::Fails(ConnectorError::invalid("no statement in the template")));
    let tasks = tasks(&exact(), &backend).await;
    let error = tasks.create(create("job", "s3://b/n0/0", 0)).await.expect_err("refused");
    assert_eq!(error.code(), Code::InvalidArgument);
    assert_eq!(
        error.to_string(),
        "failed to create job task with error:\n no statement in the template"
    );
    settle().await;
    assert!(tasks.is_empty());
    backend.on_create(Does::Answers(()));
    tasks.create(create("job", "s3://b/n0/0", 0)).await.expect("a handle");
}

#[tokio::test(start_paused = true)]
async fn a_create_that_panics_is_internal_and_never_rerun() {
    let backend = Backend::new();
    backend.on_create(Does::Panics);
    let tasks = tasks(&exact(), &backend).await;
    let error = tasks.create(create("job", "s3://b/n0/0", 0)).await.expect_err("a panic");
    assert_eq!(error.code(), Code::Internal);
    assert!(error.to_string().contains("the connector has a bug"), "{error}");
    backend.on_create(Does::Answers(()));
    sleep(MINUTE).await;
    assert_eq!(backend.created().len(), 0);
    assert!(tasks.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_create_that_hangs_ends_at_its_limit() {
    let backend = Backend::new();
    backend.on_create(Does::Hangs);
    let tasks = tasks(&exact(), &backend).await;
    let error = tasks.create(anonymous("job")).await.expect_err("a limit");
    assert_eq!(error.code(), Code::Unavailable);
    assert!(error.to_string().contains("within 1m"), "{error}");
    settle().await;
    assert!(tasks.is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_unknown_task_type_is_not_found_in_the_words_of_flytekit() {
    let tasks = tasks(&exact(), &Backend::new()).await;
    let error = tasks.create(anonymous("nobody")).await.expect_err("unknown");
    assert_eq!(error.code(), Code::NotFound);
    assert_eq!(error.to_string(), "Cannot find connector for task type: nobody.");
}

#[tokio::test(start_paused = true)]
async fn a_create_without_room_is_refused_but_a_get_is_not() {
    let backend = Backend::new();
    let mut config = exact();
    config.tasks.max_tasks = 1;
    let tasks = tasks(&config, &backend).await;
    let handle = tasks.create(create("job", "s3://b/n0/0", 0)).await.expect("room for one");
    let error = tasks.create(anonymous("job")).await.expect_err("no room");
    assert!(matches!(error, TaskError::Full(1)), "{error}");
    assert_eq!(error.code(), Code::ResourceExhausted);
    tasks.create(create("job", "s3://b/n0/0", 0)).await.expect("a repeat needs no room");
    tasks.get(query("job", &handle)).await.expect("a state");
    let foreign = br#"{"job": 7}"#.to_vec().into();
    tasks.get(query("job", &foreign)).await.expect("an adopted task needs no room");
}

#[tokio::test(start_paused = true)]
async fn a_handle_names_the_execution_and_carries_the_meta() {
    let backend = Backend::new();
    let tasks = tasks(&exact(), &backend).await;
    let handle = tasks.create(create("job", "s3://b/n0/2", 2)).await.expect("a handle");
    let handle = Handle::decode(&handle).expect("sound").expect("an envelope");
    let execution = handle.execution.expect("an execution id");
    assert_eq!((execution.name(), execution.node()), ("f1", "n0"));
    assert_eq!(execution.attempt, 2);
    assert_eq!(handle.meta, r#"{"job": 1}"#);
    assert_eq!(handle.connector, "Backend");
}

#[tokio::test(start_paused = true)]
async fn a_plain_handle_is_the_meta_and_equal_ones_share_a_task() {
    let backend = Backend::new();
    let mut config = Config::default();
    config.tasks.handle = HandleFormat::Plain;
    let tasks = tasks(&config, &backend).await;
    let handle = tasks.create(anonymous("job")).await.expect("a handle");
    assert_eq!(handle, r#"{"job": 1}"#);
    let resource = tasks.get(query("job", &handle)).await.expect("a state");
    assert_eq!(resource.phase(), Phase::Running);
}

#[tokio::test(start_paused = true)]
async fn equal_plain_handles_are_deleted_with_the_last_of_their_creates() {
    let backend = Backend::new();
    let mut config = Config::default();
    config.tasks.handle = HandleFormat::Plain;
    let tasks = tasks(&config, &backend).await;
    let path = tempfile::tempdir().expect("a directory");
    let request = || crate::service::file_sensor(&path.path().join("ready"));
    let one = tasks.create(request()).await.expect("a handle");
    let two = tasks.create(request()).await.expect("a handle");
    assert_eq!(one, two);
    settle().await;
    assert_eq!(tasks.len(), 1);
    for _ in 0..2 {
        tasks.delete(query("sensor", &one)).await.expect("OK");
    }
}

/// Lets actors that have finished stop.
async fn settle() {
    sleep(Duration::from_millis(1)).await;
}
