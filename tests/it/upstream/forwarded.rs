//! What is forwarded goes and comes whole.

use std::time::{Duration, UNIX_EPOCH};

use flightdeck::{
    config::HandleFormat,
    connector::Phase,
    wire::{
        flyteidl::{
            admin::{
                CreateRequestHeader, CreateTaskResponse, ExecuteTaskSyncRequest,
                GetTaskLogsRequest, GetTaskLogsResponse, GetTaskLogsResponseBody,
                GetTaskLogsResponseHeader, GetTaskMetricsRequest, GetTaskMetricsResponse, Resource,
                TaskCategory, execute_task_sync_request::Part, execute_task_sync_response::Res,
                get_task_logs_response,
            },
            core::{ExecutionMetricResult, LiteralMap, TaskLog},
            service::sync_agent_service_client::SyncAgentServiceClient,
        },
        literal,
    },
};
use futures::TryStreamExt;
use prost_types::{Struct, Value, value::Kind};
use tonic::Code;

use super::{
    Deck, at, meta, quick,
    server::{FakeUpstream, agent},
};
use crate::common::requests::{create, delete, get, header};

fn inputs() -> LiteralMap {
    LiteralMap { literals: [("n".to_owned(), literal::string("é 世"))].into() }
}

fn whole() -> Resource {
    let text = Value { kind: Some(Kind::StringValue("x".to_owned())) };
    Resource {
        phase: Phase::Succeeded.into(),
        message: "done".to_owned(),
        outputs: Some(inputs()),
        log_links: vec![TaskLog { name: "Console".to_owned(), ..TaskLog::default() }],
        custom_info: Some(Struct { fields: [("k".to_owned(), text)].into() }),
        ..Resource::default()
    }
}

#[tokio::test]
async fn a_task_is_created_asked_about_and_deleted_at_its_upstream() {
    let upstream = FakeUpstream::start(vec![agent("Team", &["team"], false)]).await;
    let mut deck = Deck::in_front_of(quick(), &upstream, "team").await;
    let mut request = create("team", "s3://out/n0/0", 0);
    request.inputs = Some(inputs());
    let reply = deck.tasks.create_task(request.clone()).await.expect("a task");
    let handle = reply.into_inner().resource_meta;
    assert_eq!(meta(&handle), "the upstream's", "its bytes are untouched");
    assert_eq!(upstream.with(|script| script.creates.clone()), [request], "the whole request");

    deck.until("team", &handle, |resource| resource.phase() == Phase::Running).await;
    upstream.with(|script| script.get = Ok(whole()));
    let resource = deck.until("team", &handle, |resource| resource.phase() != Phase::Running).await;
    assert_eq!(resource, whole(), "the whole resource");
    let asked = upstream.with(|script| script.gets[0].clone());
    assert_eq!(asked.resource_meta, "the upstream's");
    assert_eq!(asked.output_prefix, "s3://out/n0/0");
    assert_eq!(asked.task_type, "team");
    assert_eq!(asked.task_category, Some(TaskCategory { name: "team".to_owned(), version: 0 }));
}

#[tokio::test]
async fn a_delete_reaches_the_upstream_once() {
    let upstream = FakeUpstream::start(vec![agent("Team", &["team"], false)]).await;
    let mut deck = Deck::in_front_of(quick(), &upstream, "team").await;
    let reply = deck.tasks.create_task(create("team", "s3://out/n0/0", 0)).await.expect("a task");
    let handle = reply.into_inner().resource_meta;
    for _ in 0..2 {
        deck.tasks.delete_task(delete("team", &handle)).await.expect("deleted");
    }
    let deletes = upstream.with(|script| script.deletes.clone());
    assert_eq!(deletes.len(), 1);
    assert_eq!(deletes[0].resource_meta, "the upstream's");
}

#[tokio::test]
async fn a_repeated_create_is_forwarded_once() {
    let upstream = FakeUpstream::start(vec![agent("Team", &["team"], false)]).await;
    let mut deck = Deck::in_front_of(quick(), &upstream, "team").await;
    let mut handles = Vec::new();
    for _ in 0..3 {
        let reply = deck.tasks.create_task(create("team", "s3://out/n0/0", 0)).await;
        handles.push(reply.expect("a task").into_inner().resource_meta);
    }
    assert!(handles.iter().all(|handle| *handle == handles[0]));
    assert_eq!(upstream.with(|script| script.creates.len()), 1);
}

#[tokio::test]
async fn a_sync_task_is_executed_with_its_header_and_inputs() {
    let upstream = FakeUpstream::start(vec![agent("Team Sync", &["sync"], true)]).await;
    let deck = Deck::in_front_of(quick(), &upstream, "sync").await;
    upstream.with(|script| script.execute = Ok(whole()));
    let header = CreateRequestHeader {
        output_prefix: "s3://out/n0/0".to_owned(),
        max_dataset_size_bytes: 77,
        ..header("sync")
    };
    let parts = [Part::Header(header.clone()), Part::Inputs(inputs())];
    let parts = parts.map(|part| ExecuteTaskSyncRequest { part: Some(part) });
    let mut sync = SyncAgentServiceClient::new(deck.service.channel().await);
    let replies = sync.execute_task_sync(futures::stream::iter(parts)).await.expect("a stream");
    let first = replies.into_inner().message().await.expect("a message").expect("one at least");
    let Some(Res::Header(reply)) = first.res else { panic!("{first:?}") };
    assert_eq!(reply.resource, Some(whole()));
    assert_eq!(upstream.with(|script| script.executes.clone()), [(header, inputs())]);
}

#[tokio::test]
async fn logs_and_metrics_are_the_upstreams_where_it_has_any() {
    let upstream = FakeUpstream::start(vec![agent("Team", &["team"], false)]).await;
    let mut deck = Deck::in_front_of(quick(), &upstream, "team").await;
    let reply = deck.tasks.create_task(create("team", "s3://out/n0/0", 0)).await.expect("a task");
    let handle = reply.into_inner().resource_meta;
    let body = GetTaskLogsResponseBody { results: vec!["line".into()], ..Default::default() };
    let messages = [
        get_task_logs_response::Part::Header(GetTaskLogsResponseHeader { token: "2".into() }),
        get_task_logs_response::Part::Body(body),
    ]
    .map(|part| GetTaskLogsResponse { part: Some(part) });
    let results = vec![ExecutionMetricResult { metric: "cpu".into(), data: None }];
    upstream.with(|script| {
        script.logs = Ok(messages.to_vec());
        script.metrics = Ok(GetTaskMetricsResponse { results: results.clone() });
    });
    let logs = GetTaskLogsRequest {
        task_type: "team".into(),
        resource_meta: handle.clone(),
        lines: 5,
        token: "1".into(),
        ..Default::default()
    };
    let replies = deck.tasks.get_task_logs(logs).await.expect("logs").into_inner();
    assert_eq!(replies.try_collect::<Vec<_>>().await.expect("all of them"), messages);
    let asked = upstream.with(|script| script.asked_logs[0].clone());
    assert_eq!((asked.lines, asked.token.as_str()), (5, "1"));

    let start = UNIX_EPOCH + Duration::from_secs(1_790_000_000);
    let metrics = GetTaskMetricsRequest {
        task_type: "team".into(),
        resource_meta: handle,
        queries: vec!["cpu".into()],
        start_time: Some(start.into()),
        ..Default::default()
    };
    let reply = deck.tasks.get_task_metrics(metrics).await.expect("metrics").into_inner();
    assert_eq!(reply.results, results);
    let asked = upstream.with(|script| script.asked_metrics[0].clone());
    assert_eq!(asked.queries, ["cpu"]);
    assert_eq!(asked.start_time, Some(start.into()));
    assert_eq!(asked.resource_meta, "the upstream's");
}

#[tokio::test]
async fn without_logs_and_metrics_of_the_upstream_they_are_the_tasks_own() {
    let upstream = FakeUpstream::start(vec![agent("Team", &["team"], false)]).await;
    let mut deck = Deck::in_front_of(quick(), &upstream, "team").await;
    let reply = deck.tasks.create_task(create("team", "s3://out/n0/0", 0)).await.expect("a task");
    let handle = reply.into_inner().resource_meta;
    deck.until("team", &handle, |resource| resource.phase() == Phase::Running).await;
    let logs = GetTaskLogsRequest {
        task_type: "team".into(),
        resource_meta: handle.clone(),
        ..Default::default()
    };
    let replies = deck.tasks.get_task_logs(logs).await.expect("logs").into_inner();
    let replies: Vec<GetTaskLogsResponse> = replies.try_collect().await.expect("all of them");
    assert!(format!("{replies:?}").contains("created"), "{replies:?}");
    let metrics = GetTaskMetricsRequest {
        task_type: "team".into(),
        resource_meta: handle,
        ..Default::default()
    };
    let reply = deck.tasks.get_task_metrics(metrics).await.expect("metrics").into_inner();
    assert!(reply.results.iter().any(|result| result.metric == "polls"), "{reply:?}");
}

#[tokio::test]
async fn a_task_outlives_the_service_and_one_of_the_upstream_is_taken_over() {
    let upstream = FakeUpstream::start(vec![agent("Team", &["team"], false)]).await;
    let mut first = Deck::in_front_of(quick(), &upstream, "team").await;
    let reply = first.tasks.create_task(create("team", "s3://out/n0/0", 0)).await.expect("a task");
    let handle = reply.into_inner().resource_meta;
    first.service.stop().await.expect("stopped");

    let mut second = Deck::in_front_of(quick(), &upstream, "team").await;
    upstream.with(|script| script.get = Ok(whole()));
    let ended = |resource: &Resource| resource.phase() == Phase::Succeeded;
    assert_eq!(second.until("team", &handle, ended).await, whole());
    assert_eq!(second.until("team", &meta(&handle), ended).await, whole(), "from its plain meta");
    assert_eq!(upstream.with(|script| script.creates.len()), 1);
}

#[tokio::test]
async fn plain_handles_are_the_upstreams_bytes() {
    let upstream = FakeUpstream::start(vec![agent("Team", &["team"], false)]).await;
    let mut config = quick();
    config.tasks.handle = HandleFormat::Plain;
    let mut deck = Deck::in_front_of(config, &upstream, "team").await;
    let meta = b"{\"job\": 1}".to_vec();
    let answer = CreateTaskResponse { resource_meta: meta.clone().into() };
    upstream.with(|script| script.create = Ok(answer));
    let reply = deck.tasks.create_task(create("team", "s3://out/n0/0", 0)).await.expect("a task");
    assert_eq!(reply.into_inner().resource_meta, meta);
}

#[tokio::test]
async fn a_version_of_a_task_type_is_another_category() {
    let mut both = agent("Team", &["team"], false);
    both.supported_task_categories = vec![TaskCategory { name: "team".into(), version: 2 }];
    let upstream = FakeUpstream::start(vec![both]).await;
    let mut deck = Deck::before(quick(), vec![at("python", &upstream)]).await;
    deck.lists("team").await;
    let refused = deck.tasks.create_task(create("team", "", 0)).await.expect_err("version 0");
    assert_eq!(refused.code(), Code::NotFound);
    let mut request = create("team", "", 0);
    request.template.get_or_insert_default().task_type_version = 2;
    let reply = deck.tasks.create_task(request).await.expect("version 2");
    let mut asked = get("team", &reply.into_inner().resource_meta);
    asked.task_category = Some(TaskCategory { name: "team".into(), version: 2 });
    deck.tasks.get_task(asked).await.expect("a state");
}
