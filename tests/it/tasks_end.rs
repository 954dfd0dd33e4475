//! How tasks end, leave, and survive panics.

use std::time::Duration;

use flightdeck::connector::{ConnectorError, Phase};
use flightdeck::wire::flyteidl::core::TaskMetadata;
use tokio::time::sleep;

use crate::common::{
    backend::{Backend, Does},
    requests::{anonymous, query},
    service::{exact, tasks, tasks_in, world},
};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_permanent_error_is_failed_with_the_cause_and_deletes_the_job() {
    let backend = Backend::new();
    backend.on_get(Does::Fails(ConnectorError::permanent("no such column")));
    let tasks = tasks(&exact(), &backend).await;
    let handle = tasks.create(anonymous("job")).await.expect("a handle");
    let resource = tasks.get(query("job", &handle)).await.expect("a state");
    assert_eq!(resource.phase(), Phase::Failed);
    assert_eq!(resource.message, "no such column");
    sleep(SECOND).await;
    assert_eq!(backend.deleted(), 1);
    let resource = tasks.get(query("job", &handle)).await.expect("a state");
    assert_eq!(resource.phase(), Phase::Failed, "the delete does not change the phase");
    tasks.delete(query("job", &handle)).await.expect("OK");
    assert_eq!(backend.deletes(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_delete_of_our_own_is_tried_until_confirmed() {
    let backend = Backend::new();
    backend.on_get(Does::Fails(ConnectorError::permanent("no such column")));
    backend.on_delete(Does::Fails(ConnectorError::permanent("not now")));
    let tasks = tasks(&exact(), &backend).await;
    tasks.create(anonymous("job")).await.expect("a handle");
    sleep(30 * SECOND).await;
    assert!(backend.deletes() > 2);
    backend.on_delete(Does::Answers(()));
    sleep(80 * SECOND).await;
    assert_eq!(backend.deleted(), 1);
}

#[tokio::test(start_paused = true)]
async fn denied_and_gone_end_a_task_only_after_persist_for() {
    for (error, phase) in [
        (ConnectorError::denied("403"), Phase::Failed),
        (ConnectorError::gone("404"), Phase::RetryableFailed),
    ] {
        let backend = Backend::new();
        backend.on_get(Does::Fails(error.clone()));
        let config = exact();
        let tasks = tasks(&config, &backend).await;
        let handle = tasks.create(anonymous("job")).await.expect("a handle");
        sleep(config.tasks.persist_for - SECOND).await;
        let resource = tasks.get(query("job", &handle)).await.expect("a state");
        assert!(!resource.phase().is_terminal());
        sleep(config.polling.max_backoff + 2 * SECOND).await;
        let resource = tasks.get(query("job", &handle)).await.expect("a state");
        assert_eq!(resource.phase(), phase);
        assert_eq!(resource.message, error.message());
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_successful_poll_for_long_a_task_is_given_up_and_deleted() {
    let backend = Backend::new();
    backend.on_get(Does::Fails(ConnectorError::transient("connection refused")));
    let config = exact();
    let tasks = tasks(&config, &backend).await;
    let handle = tasks.create(anonymous("job")).await.expect("a handle");
    sleep(config.tasks.give_up_after + config.polling.max_backoff).await;
    let resource = tasks.get(query("job", &handle)).await.expect("a state");
    assert_eq!(resource.phase(), Phase::RetryableFailed);
    assert_eq!(resource.message, "connection refused");
    assert_eq!(backend.deleted(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_enforced_timeout_counts_from_creation_over_restarts() {
    let backend = Backend::new();
    let mut config = exact();
    config.tasks.enforce_timeout = true;
    let world = world();
    let before = tasks_in(world.clone(), &config, &backend).await;
    let mut request = anonymous("job");
    if let Some(template) = &mut request.template {
        template.metadata = Some(TaskMetadata {
            timeout: Some(prost_types::Duration { seconds: 60, nanos: 0 }),
            ..TaskMetadata::default()
        });
    }
    let handle = before.create(request).await.expect("a handle");
    sleep(30 * SECOND).await;
    before.stop();

    let after = tasks_in(world, &config, &backend).await;
    let resource = after.get(query("job", &handle)).await.expect("a state");
    assert_eq!(resource.phase(), Phase::Running);
    sleep(31 * SECOND).await;
    let resource = after.get(query("job", &handle)).await.expect("a state");
    assert_eq!(resource.phase(), Phase::RetryableFailed);
    assert_eq!(resource.message, "timed out after 1m");
    assert_eq!(backend.deleted(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_panic_stops_one_actor_which_is_restarted_with_its_state() {
    let backend = Backend::new();
    let tasks = tasks(&exact(), &backend).await;
    let handle = tasks.create(anonymous("job")).await.expect("a handle");
    let other = tasks.create(anonymous("job")).await.expect("a handle");
    tasks.get(query("job", &handle)).await.expect("a state");
    backend.on_get(Does::Panics);
    sleep(SECOND + SECOND / 4).await;
    let resource = tasks.get(query("job", &handle)).await.expect("a state");
    assert_eq!(resource.phase(), Phase::Running);
    assert!(resource.message.contains("the connector has a bug"), "{}", resource.message);
    backend.job_is(Phase::Succeeded);
    sleep(10 * SECOND).await;
    for handle in [handle, other] {
        let resource = tasks.get(query("job", &handle)).await.expect("a state");
        assert_eq!(resource.phase(), Phase::Succeeded);
    }
}

#[tokio::test(start_paused = true)]
async fn a_connector_that_panics_again_and_again_ends_the_task_and_deletes_the_job() {
    let backend = Backend::new();
    backend.on_get(Does::Panics);
    let tasks = tasks(&exact(), &backend).await;
    let handle = tasks.create(anonymous("job")).await.expect("a handle");
    sleep(30 * SECOND).await;
    let resource = tasks.get(query("job", &handle)).await.expect("a state");
    assert_eq!(resource.phase(), Phase::RetryableFailed);
    assert!(resource.message.contains("restarted too often"), "{}", resource.message);
    assert!(resource.message.contains("the connector has a bug"), "{}", resource.message);
    assert_eq!(backend.gets().len(), 6, "the first start and five restarts");
    assert_eq!(backend.deleted(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_delete_reaches_a_task_whose_actor_is_being_restarted() {
    let backend = Backend::new();
    backend.on_get(Does::Panics);
    let tasks = tasks(&exact(), &backend).await;
    let handle = tasks.create(anonymous("job")).await.expect("a handle");
    tasks.get(query("job", &handle)).await.expect("a state");
    tasks.delete(query("job", &handle)).await.expect("OK");
    assert_eq!(backend.deleted(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_finished_task_stays_until_it_was_told_and_retention_longer() {
    let backend = Backend::new();
    backend.job_is(Phase::Succeeded);
    let config = exact();
    let tasks = tasks(&config, &backend).await;
    let handle = tasks.create(anonymous("job")).await.expect("a handle");
    sleep(3 * config.tasks.retention).await;
    assert_eq!(tasks.len(), 1, "nobody was told");
    tasks.get(query("job", &handle)).await.expect("a state");
    sleep(config.tasks.retention - SECOND).await;
    assert_eq!(tasks.len(), 1);
    sleep(config.tasks.retention).await;
    assert!(tasks.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_task_that_nobody_asks_about_leaves_and_its_job_is_not_touched() {
    let backend = Backend::new();
    let config = exact();
    let tasks = tasks(&config, &backend).await;
    let handle = tasks.create(anonymous("job")).await.expect("a handle");
    sleep(config.tasks.idle_timeout - 30 * SECOND).await;
    assert_eq!(tasks.len(), 1);
    sleep(60 * SECOND).await;
    assert!(tasks.is_empty());
    assert_eq!(backend.deletes(), 0);
    let resource = tasks.get(query("job", &handle)).await.expect("a later Get adopts it");
    assert_eq!(resource.phase(), Phase::Running);
}
