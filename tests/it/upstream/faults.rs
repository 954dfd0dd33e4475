//! A fault of the upstream stays away from the caller.

use std::time::Duration;

use bytes::Bytes;
use flightdeck::{
    config::Upstream,
    connector::Phase,
    wire::flyteidl::{
        admin::{ExecuteTaskSyncRequest, Resource, execute_task_sync_request::Part},
        core::LiteralMap,
        service::sync_agent_service_client::SyncAgentServiceClient,
    },
};
use futures::stream;
use tonic::{Code, Status};

use super::{
    Deck, meta, quick,
    road::Road,
    server::{FakeUpstream, agent},
};
use crate::common::requests::{create, delete, header};

const TRACE: &str = "failed to create team task with error:\n Trace:\n\n    Traceback (most \
                     recent call last):\n      File \"x.py\"\n\nMessage:\n\n    JobError: no \
                     such table.";

async fn team() -> (FakeUpstream, Deck) {
    let upstream = FakeUpstream::start(vec![agent("Team", &["team"], false)]).await;
    let mut config = quick();
    config.tasks.persist_for = Duration::from_millis(300);
    let deck = Deck::in_front_of(config, &upstream, "team").await;
    (upstream, deck)
}

async fn created(deck: &mut Deck) -> Bytes {
    let reply = deck.tasks.create_task(create("team", "s3://out/n0/0", 0)).await.expect("a task");
    let handle = reply.into_inner().resource_meta;
    deck.until("team", &handle, |resource| resource.phase() == Phase::Running).await;
    handle
}

/// Has the upstream go, until that is known: what is sent on a connection that
/// breaks at that moment is lost, and not tried again.
async fn leave(upstream: &FakeUpstream, deck: &mut Deck) {
    let reply = deck.tasks.create_task(create("team", "s3://out/other/0", 0)).await;
    let handle = reply.expect("a task").into_inner().resource_meta;
    upstream.go();
    let away = |resource: &Resource| resource.message.contains("cannot be reached");
    deck.until("team", &handle, away).await;
    upstream.with(|script| script.creates.clear());
}

#[tokio::test]
async fn an_upstream_that_goes_away_and_returns_costs_no_get() {
    let (upstream, mut deck) = team().await;
    let handle = created(&mut deck).await;
    upstream.go();
    let away = |resource: &Resource| resource.message.contains("upstream python");
    let resource = deck.until("team", &handle, away).await;
    assert_eq!(resource.phase(), Phase::Running);
    upstream.with(|script| {
        script.get = Ok(Resource { phase: Phase::Succeeded.into(), ..Resource::default() });
    });
    upstream.come().await;
    deck.until("team", &handle, |resource| resource.phase() == Phase::Succeeded).await;
    assert_eq!(upstream.with(|script| script.creates.len()), 1);
}

#[tokio::test]
async fn a_connection_that_hears_nothing_any_more_is_left_for_a_new_one() {
    let upstream = FakeUpstream::start(vec![agent("Team", &["team"], false)]).await;
    let road = Road::to(upstream.address).await;
    let mut config = quick();
    config.tasks.get_limit = Duration::from_millis(200);
    let endpoint = Some(road.address.to_string().parse().expect("an address"));
    let settings = Upstream { name: "python".to_owned(), endpoint, ..Upstream::default() };
    let mut deck = Deck::before(config, vec![settings]).await;
    deck.lists("team").await;
    let handle = created(&mut deck).await;
    road.lose_what_is_under_way();
    let late = |resource: &Resource| !resource.message.is_empty();
    deck.until("team", &handle, late).await;
    let resource = deck.until("team", &handle, |resource| resource.message.is_empty()).await;
    assert_eq!(resource.phase(), Phase::Running);
}

#[tokio::test]
async fn a_create_waits_for_an_upstream_that_returns() {
    let (upstream, mut deck) = team().await;
    leave(&upstream, &mut deck).await;
    let mut tasks = deck.tasks.clone();
    let create = tokio::spawn(async move { tasks.create_task(create("team", "a", 0)).await });
    // The list that it gave before stays in force, so the type is known.
    deck.lists("team").await;
    upstream.come().await;
    let reply = create.await.expect("no panic").expect("tried again until it was there");
    assert_eq!(meta(&reply.into_inner().resource_meta), "the upstream's");
    deck.get("team", &Bytes::from_static(b"another")).await;
}

#[tokio::test]
async fn a_sync_call_waits_for_an_upstream_that_returns() {
    let agents = vec![agent("Team", &["team"], false), agent("Team Sync", &["sync"], true)];
    let upstream = FakeUpstream::start(agents).await;
    let mut deck = Deck::in_front_of(quick(), &upstream, "sync").await;
    leave(&upstream, &mut deck).await;
    let parts = [Part::Header(header("sync")), Part::Inputs(LiteralMap::default())];
    let parts = parts.map(|part| ExecuteTaskSyncRequest { part: Some(part) });
    let mut sync = SyncAgentServiceClient::new(deck.service.channel().await);
    let call = tokio::spawn(async move { sync.execute_task_sync(stream::iter(parts)).await });
    upstream.come().await;
    let mut replies = call.await.expect("no panic").expect("a stream").into_inner();
    assert!(replies.message().await.expect("a result").is_some());
    assert_eq!(upstream.with(|script| script.executes.len()), 1);
}

#[tokio::test]
async fn a_failed_create_has_the_connectors_own_text_without_the_traceback() {
    let (upstream, mut deck) = team().await;
    upstream.with(|script| script.create = Err(Status::internal(TRACE)));
    let failed = deck.tasks.create_task(create("team", "a", 0)).await.expect_err("it raised");
    assert_eq!(failed.code(), Code::Internal);
    let text = "failed to create team task with error:\n JobError: no such table";
    assert_eq!(failed.message(), text);
    assert_eq!(upstream.with(|script| script.creates.len()), 1, "it is not tried again");
}

#[tokio::test]
async fn what_a_connector_raises_shows_in_the_message_and_ends_the_task_once_it_persists() {
    let (upstream, mut deck) = team().await;
    let handle = created(&mut deck).await;
    upstream.with(|script| script.get = Err(Status::internal(TRACE)));
    let raised = |resource: &Resource| resource.message == "JobError: no such table";
    let resource = deck.until("team", &handle, raised).await;
    assert_eq!(resource.phase(), Phase::Running, "it may pass");
    let ended = |resource: &Resource| resource.phase() != Phase::Running;
    let resource = deck.until("team", &handle, ended).await;
    assert_eq!(resource.phase(), Phase::RetryableFailed);
    assert_eq!(resource.message, "JobError: no such table");
    let begun = tokio::time::Instant::now();
    while upstream.with(|script| script.deletes.is_empty()) {
        assert!(begun.elapsed() < crate::common::service::LIMIT, "its job is left");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_worker_that_does_not_know_the_type_yet_ends_no_task() {
    let (upstream, mut deck) = team().await;
    let handle = created(&mut deck).await;
    let unknown = Status::not_found("Cannot find connector for task type: team.");
    upstream.with(|script| script.get = Err(unknown));
    let starting = |resource: &Resource| resource.message.contains("Cannot find connector");
    deck.until("team", &handle, starting).await;
    // Longer than what must persist to count.
    let polls = upstream.with(|script| script.gets.len());
    deck.until("team", &handle, |_| upstream.with(|script| script.gets.len()) > polls + 6).await;
    assert_eq!(deck.get("team", &handle).await.phase(), Phase::Running);
}

#[tokio::test]
async fn an_upstream_that_hangs_is_told_apart_by_no_get() {
    let (upstream, mut deck) = team().await;
    let handle = created(&mut deck).await;
    upstream.with(|script| script.hangs = true);
    let begun = tokio::time::Instant::now();
    for _ in 0..20 {
        assert_eq!(deck.get("team", &handle).await.phase(), Phase::Running);
    }
    assert!(begun.elapsed() < crate::common::service::LIMIT);
}

#[tokio::test]
async fn a_delete_that_the_upstream_fails_is_kept_up() {
    let (upstream, mut deck) = team().await;
    let handle = created(&mut deck).await;
    upstream.with(|script| script.delete = Err(Status::internal(TRACE)));
    let tried = deck.tasks.delete_task(delete("team", &handle)).await.expect_err("not yet");
    assert_eq!(tried.code(), Code::Unavailable);
    assert!(tried.message().contains("JobError: no such table"), "{tried}");
    upstream.with(|script| script.delete = Ok(()));
    deck.tasks.delete_task(delete("team", &handle)).await.expect("deleted");
}

#[tokio::test]
async fn an_upstream_without_phases_is_read_by_its_states() {
    let (upstream, mut deck) = team().await;
    let handle = created(&mut deck).await;
    upstream.with(|script| script.get = Ok(Resource::default()));
    let silent = |resource: &Resource| resource.message.contains("without a phase");
    assert_eq!(deck.until("team", &handle, silent).await.phase(), Phase::Running);
    upstream.with(|script| script.get = Ok(Resource { state: 4, ..Resource::default() }));
    deck.until("team", &handle, |resource| resource.phase() == Phase::Succeeded).await;
}
