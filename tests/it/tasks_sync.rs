//! Sync tasks: ExecuteTaskSync, and a Create of a sync task type.

use std::time::Duration;

use flightdeck::{
    connector::{ConnectorError, Phase, Resource},
    wire::flyteidl::admin::CreateRequestHeader,
};
use tokio::time::sleep;
use tonic::Code;

use crate::common::{
    backend::{Backend, Does},
    requests::{anonymous, create, header, query},
    service::{exact, tasks},
};

#[tokio::test(start_paused = true)]
async fn a_sync_task_is_run_in_the_call_and_leaves_nothing() {
    let backend = Backend::new();
    backend.on_get(Does::Takes(
        Duration::from_secs(5),
        Resource::new(Phase::Succeeded).with_message("done"),
    ));
    let tasks = tasks(&exact(), &backend).await;
    let resource = tasks.execute(header("call"), None).await.expect("a result");
    assert_eq!((resource.phase(), resource.message.as_str()), (Phase::Succeeded, "done"));
    sleep(Duration::from_millis(1)).await;
    assert!(tasks.is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_error_and_a_panic_of_a_sync_connector_are_internal_with_the_cause() {
    for (does, cause) in [
        (Does::Fails(ConnectorError::transient("no route to host")), "no route to host"),
        (Does::Panics, "the connector has a bug"),
        (Does::Answers(Resource::new(Phase::Running)), "phase RUNNING"),
    ] {
        let backend = Backend::new();
        backend.on_get(does);
        let tasks = tasks(&exact(), &backend).await;
        let error = tasks.execute(header("call"), None).await.expect_err("a failure");
        assert_eq!(error.code(), Code::Internal);
        let text = error.to_string();
        assert!(text.starts_with("failed to do call task with error:\n"), "{text}");
        assert!(text.contains(cause), "{text}");
        assert_eq!(backend.gets().len(), 1, "run once");
        sleep(Duration::from_millis(1)).await;
        assert!(tasks.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn the_time_limit_of_a_sync_task_is_a_retryable_failure() {
    let backend = Backend::new();
    backend.on_get(Does::Hangs);
    let tasks = tasks(&exact(), &backend).await;
    let resource = tasks.execute(header("call"), None).await.expect("an end");
    assert_eq!(resource.phase(), Phase::RetryableFailed);
    assert!(resource.message.contains("within 5m"), "{}", resource.message);
}

#[tokio::test(start_paused = true)]
async fn an_async_task_type_cannot_be_executed() {
    let tasks = tasks(&exact(), &Backend::new()).await;
    let error = tasks.execute(header("job"), None).await.expect_err("async");
    assert_eq!(error.code(), Code::InvalidArgument);
    assert!(error.to_string().contains("does not support sync execution"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_create_of_a_sync_task_runs_it_and_a_get_tells_the_result() {
    let backend = Backend::new();
    backend.on_get(Does::Takes(Duration::from_secs(9), Resource::new(Phase::Succeeded)));
    let tasks = tasks(&exact(), &backend).await;
    let handle = tasks.create(anonymous("call")).await.expect("a handle at once");
    let resource = tasks.get(query("call", &handle)).await.expect("a state");
    assert_eq!(resource.phase(), Phase::Initializing);
    sleep(Duration::from_secs(60)).await;
    let resource = tasks.get(query("call", &handle)).await.expect("a state");
    assert_eq!(resource.phase(), Phase::Succeeded);
    assert_eq!(backend.gets().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_created_sync_task_that_fails_is_a_retryable_failure_and_never_rerun() {
    for does in [Does::Fails(ConnectorError::transient("503")), Does::Panics] {
        let backend = Backend::new();
        backend.on_get(does);
        let tasks = tasks(&exact(), &backend).await;
        let handle = tasks.create(anonymous("call")).await.expect("a handle");
        sleep(Duration::from_secs(60)).await;
        let resource = tasks.get(query("call", &handle)).await.expect("a state");
        assert_eq!(resource.phase(), Phase::RetryableFailed);
        assert_eq!(backend.gets().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_sync_result_lost_at_a_restart_is_a_retryable_failure_never_a_second_run() {
    let backend = Backend::new();
    backend.job_is(Phase::Succeeded);
    let before = tasks(&exact(), &backend).await;
    let handle = before.create(anonymous("call")).await.expect("a handle");
    before.get(query("call", &handle)).await.expect("a state");
    before.stop();
    let after = tasks(&exact(), &backend).await;
    let resource = after.get(query("call", &handle)).await.expect("a state");
    assert_eq!(resource.phase(), Phase::RetryableFailed);
    assert!(resource.message.contains("lost"), "{}", resource.message);
    sleep(Duration::from_secs(60)).await;
    assert_eq!(backend.gets().len(), 1);
    after.delete(query("call", &handle)).await.expect("OK");
}

#[tokio::test(start_paused = true)]
async fn a_delete_aborts_a_sync_task_for_good() {
    let backend = Backend::new();
    backend.on_get(Does::Hangs);
    let tasks = tasks(&exact(), &backend).await;
    let handle = tasks.create(anonymous("call")).await.expect("a handle");
    sleep(Duration::from_secs(1)).await;
    tasks.delete(query("call", &handle)).await.expect("OK");
    let resource = tasks.get(query("call", &handle)).await.expect("a state");
    assert_eq!(resource.phase(), Phase::Aborted);
    assert_eq!(backend.gets().len(), 1);
}

/// The header of an execution attempt's call.
fn keyed(attempt: u32) -> CreateRequestHeader {
    let create = create("call", &format!("s3://b/n0/data/{attempt}"), attempt);
    CreateRequestHeader {
        template: create.template,
        output_prefix: create.output_prefix,
        task_execution_metadata: create.task_execution_metadata,
        ..CreateRequestHeader::default()
    }
}

#[tokio::test(start_paused = true)]
async fn a_repeated_call_gets_the_kept_result_and_no_second_run() {
    let backend = Backend::new();
    backend.job_is(Phase::Succeeded);
    let config = exact();
    let tasks = tasks(&config, &backend).await;
    let first = tasks.execute(keyed(0), None).await.expect("a result");
    let again = tasks.execute(keyed(0), None).await.expect("a result");
    assert_eq!(first, again);
    assert_eq!(backend.gets().len(), 1);
    tasks.execute(keyed(1), None).await.expect("the next attempt is another call");
    assert_eq!(backend.gets().len(), 2);
    sleep(config.tasks.retention + Duration::from_secs(1)).await;
    assert!(tasks.is_empty(), "results are kept for retention");
}

#[tokio::test(start_paused = true)]
async fn a_repeat_joins_a_call_under_way_also_when_the_first_caller_has_left() {
    let backend = Backend::new();
    backend.on_get(Does::Takes(Duration::from_secs(20), Resource::new(Phase::Succeeded)));
    let tasks = tasks(&exact(), &backend).await;
    let hasty = tasks.execute(keyed(0), None);
    tokio::time::timeout(Duration::from_secs(10), hasty).await.expect_err("it takes 20 s");
    tasks.execute(keyed(0), None).await.expect("the result of the first");
    assert_eq!(backend.gets().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_error_is_not_kept() {
    let backend = Backend::new();
    backend.on_get(Does::Fails(ConnectorError::transient("503")));
    let tasks = tasks(&exact(), &backend).await;
    tasks.execute(keyed(0), None).await.expect_err("a failure");
    sleep(Duration::from_millis(1)).await;
    backend.job_is(Phase::Succeeded);
    tasks.execute(keyed(0), None).await.expect("propeller repeats the call");
}

#[tokio::test(start_paused = true)]
async fn results_are_kept_within_a_budget_of_bytes_the_oldest_leave_first() {
    let backend = Backend::new();
    backend.on_get(Does::Answers(Resource::new(Phase::Succeeded).with_message("x".repeat(1000))));
    let mut config = exact();
    config.tasks.max_result_size = bytesize::ByteSize::b(2500);
    let tasks = tasks(&config, &backend).await;
    for attempt in 0..4 {
        tasks.execute(keyed(attempt), None).await.expect("a result");
        sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(tasks.len(), 2);
    tasks.execute(keyed(3), None).await.expect("kept");
    assert_eq!(backend.gets().len(), 4);
    tasks.execute(keyed(0), None).await.expect("run again");
    assert_eq!(backend.gets().len(), 5);
}
