//! The end of the process: what it waits for, and what does not hold it.

use std::os::unix::process::ExitStatusExt;

use flightdeck::wire::flyteidl::{
    admin::{
        CreateRequestHeader, ExecuteTaskSyncResponse, ListAgentsRequest,
        execute_task_sync_response::Res,
    },
    core::task_execution::Phase,
    service::agent_metadata_service_client::AgentMetadataServiceClient,
};
use prost_types::{Struct, Value, value::Kind};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tonic::Code;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use crate::common::{
    peer::{BEGINNING, UnderWay, closed, has_goaway},
    process::Process,
    requests::header,
    service::LIMIT,
};

/// Limits that a test does not live to see: whatever ends the drain, it is not
/// one of these.
const PATIENT: [(&str, &str); 2] =
    [("FLIGHTDECK_SERVER__FIRST_BYTE_TIMEOUT", "1h"), ("FLIGHTDECK_SERVER__DRAIN_TIMEOUT", "1h")];
const NO_GRACE: (&str, &str) = ("FLIGHTDECK_SERVER__DRAIN_GRACE", "0s");

async fn patient() -> Process {
    Process::start(&[PATIENT[0], PATIENT[1], NO_GRACE]).await
}

/// A webhook that waits for an answer, under way once its server has its
/// request.
async fn webhook(process: &Process) -> (UnderWay, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    let text = |text: &str| Value { kind: Some(Kind::StringValue(text.to_owned())) };
    let mut header: CreateRequestHeader = header("webhook");
    header.template.get_or_insert_default().custom = Some(Struct {
        fields: [("url", text(&url)), ("method", text("GET"))]
            .map(|(key, value)| (key.to_owned(), value))
            .into(),
    });
    let mut request = UnderWay::begin(process.channel().await, header);
    request.send_inputs();
    let accepted = timeout(LIMIT, listener.accept()).await;
    let (mut backend, _) = accepted.expect("the webhook is called").expect("a connection");
    backend.read_u8().await.expect("its request");
    (request, backend)
}

fn phase(response: ExecuteTaskSyncResponse) -> Phase {
    match response.res {
        Some(Res::Header(header)) => header.resource.expect("a resource").phase(),
        other => panic!("a header, not {other:?}"),
    }
}

#[tokio::test]
async fn a_silent_client_does_not_hold_the_exit() {
    let process = patient().await;
    let mut silent = TcpStream::connect(process.grpc).await.expect("a connection");
    // Accepted after the silent one, so that one is accepted too.
    list_agents(&process).await;
    process.signal("TERM").await;
    closed(&mut silent).await;
    assert_eq!(process.ended().await.code(), Some(0));
}

#[tokio::test]
async fn a_client_that_does_not_answer_to_goaway_does_not_hold_the_exit() {
    let process = patient().await;
    let mut deaf = TcpStream::connect(process.grpc).await.expect("a connection");
    deaf.write_all(BEGINNING).await.expect("written");
    let mut settings = [0; 9];
    deaf.read_exact(&mut settings).await.expect("the head of its SETTINGS");
    let length = usize::from(settings[2]);
    deaf.read_exact(&mut vec![0; length]).await.expect("its SETTINGS");
    process.signal("INT").await;
    assert!(has_goaway(&closed(&mut deaf).await), "it is cut without a word");
    assert_eq!(process.ended().await.code(), Some(0));
}

#[tokio::test]
async fn a_watch_of_health_is_told_and_ended_and_does_not_hold_the_exit() {
    let process = patient().await;
    let mut health = HealthClient::new(process.channel().await);
    let watch = health.watch(HealthCheckRequest::default()).await.expect("a stream");
    let mut watch = watch.into_inner();
    let first = watch.message().await.expect("no error").expect("a status");
    assert_eq!(first.status(), ServingStatus::Serving);
    process.signal("TERM").await;
    let last = watch.message().await.expect("no error").expect("a status");
    assert_eq!(last.status(), ServingStatus::NotServing);
    let end = watch.message().await.expect_err("the end");
    assert_eq!((end.code(), end.message()), (Code::Unavailable, "the service is stopping"));
    assert_eq!(process.ended().await.code(), Some(0));
}

#[tokio::test]
async fn a_request_under_way_is_finished_before_the_exit() {
    let mut process = patient().await;
    let (request, mut backend) = webhook(&process).await;
    process.signal("TERM").await;
    process.logs("draining").await;
    backend.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await.expect("written");
    assert_eq!(phase(request.reply().await.expect("a reply")), Phase::Succeeded);
    assert_eq!(process.ended().await.code(), Some(0));
}

#[tokio::test]
async fn a_request_that_does_not_end_holds_the_exit_no_longer_than_the_drain() {
    let process = Process::start(&[("FLIGHTDECK_SERVER__DRAIN_TIMEOUT", "1s"), NO_GRACE]).await;
    let (_request, _backend) = webhook(&process).await;
    process.signal("TERM").await;
    assert_eq!(process.ended().await.code(), Some(0));
}

#[tokio::test]
async fn in_the_grace_new_connections_are_served_and_a_second_signal_ends_at_once() {
    for (first, second, status) in [("TERM", "TERM", 143), ("INT", "INT", 130)] {
        let mut process = Process::start(&[("FLIGHTDECK_SERVER__DRAIN_GRACE", "1h")]).await;
        let mut health = HealthClient::new(process.channel().await);
        let watch = health.watch(HealthCheckRequest::default()).await.expect("a stream");
        let mut watch = watch.into_inner();
        process.signal(first).await;
        process.logs("draining").await;
        while watch.message().await.expect("no error").expect("a status").status()
            != ServingStatus::NotServing
        {}
        list_agents(&process).await;
        process.signal(second).await;
        let ended = process.ended().await;
        assert_eq!((ended.code(), ended.signal()), (Some(status), None));
    }
}

async fn list_agents(process: &Process) {
    let mut client = AgentMetadataServiceClient::new(process.channel().await);
    client.list_agents(ListAgentsRequest {}).await.expect("a list");
}
