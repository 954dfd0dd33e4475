//! The limits of the server: what it refuses, what it never refuses, and whom
//! it shows out.

use std::time::Duration;

use bytes::Bytes;
use bytesize::ByteSize;
use flightdeck::{
    config::Config,
    connector::Phase,
    wire::flyteidl::{
        admin::{GetTaskRequest, ListAgentsRequest},
        service::{
            agent_metadata_service_client::AgentMetadataServiceClient,
            async_agent_service_client::AsyncAgentServiceClient,
        },
    },
};
use h2::{Reason, client::SendRequest};
use tokio::{
    io::AsyncWriteExt,
    net::TcpStream,
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};
use tonic::{Code, Request, Status, metadata::MetadataValue, transport::Channel};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

use crate::common::{
    backend::Backend,
    peer::{BEGINNING, UnderWay, closed, has_goaway},
    process::Process,
    requests::{get, header},
    service::{LIMIT, TestService},
};

/// An HTTP/2 client without gRPC, and the task that ends with its connection.
async fn http2(service: &TestService) -> (SendRequest<Bytes>, JoinHandle<Result<(), h2::Error>>) {
    let stream = TcpStream::connect(service.grpc).await.expect("a connection");
    let (client, connection) = h2::client::handshake(stream).await.expect("HTTP/2");
    (client, tokio::spawn(connection))
}

/// Waits until the metrics have this line.
async fn counted(service: &TestService, line: &str) {
    let begun = Instant::now();
    loop {
        let text = service.scrape("/metrics").await;
        if text.lines().any(|found| found == line) {
            return;
        }
        assert!(begun.elapsed() < LIMIT, "no {line:?} in:\n{text}");
        sleep(Duration::from_millis(20)).await;
    }
}

/// A request on this connection, the only one that is under way.
async fn hold(service: &TestService, channel: Channel) -> UnderWay {
    let held = UnderWay::begin(channel, header("call"));
    counted(service, "flightdeck_requests_in_flight 1").await;
    held
}

async fn list_agents(channel: Channel) {
    let mut client = AgentMetadataServiceClient::new(channel);
    let listed = timeout(LIMIT, client.list_agents(ListAgentsRequest {})).await;
    let listed = listed.expect("an answer").expect("a list").into_inner();
    assert!(!listed.agents.is_empty());
}

async fn get_anything(channel: Channel) -> Result<(), Status> {
    let meta = Bytes::from_static(br#"{"job": 1}"#);
    let mut client = AsyncAgentServiceClient::new(channel);
    client.get_task(get("job", &meta)).await.map(drop)
}

/// A backend whose sync tasks succeed.
fn backend() -> Backend {
    let backend = Backend::new();
    backend.job_is(Phase::Succeeded);
    backend
}

#[tokio::test]
async fn a_client_that_does_not_say_in_time_that_it_speaks_http2_is_closed() {
    let mut config = Config::default();
    config.server.first_byte_timeout = Duration::from_millis(100);
    let service = TestService::start(config, &Backend::new());
    let mut silent = TcpStream::connect(service.grpc).await.expect("a connection");
    let mut slow = TcpStream::connect(service.grpc).await.expect("a connection");
    slow.write_all(&BEGINNING[..3]).await.expect("written");
    closed(&mut silent).await;
    closed(&mut slow).await;
    counted(&service, "flightdeck_connections_closed_total{reason=\"first_byte\"} 2").await;
    counted(&service, "flightdeck_connections 0").await;
}

#[tokio::test]
async fn a_peer_that_no_longer_answers_is_closed() {
    let mut config = Config::default();
    config.server.keepalive_interval = Duration::from_secs(1);
    config.server.keepalive_timeout = Duration::from_secs(1);
    let service = TestService::start(config, &Backend::new());
    let mut dead = TcpStream::connect(service.grpc).await.expect("a connection");
    dead.write_all(BEGINNING).await.expect("written");
    closed(&mut dead).await;
}

#[tokio::test]
async fn at_the_limit_of_connections_the_idlest_leaves_and_the_new_one_is_served() {
    let mut config = Config::default();
    config.server.max_connections = 3;
    let service = TestService::start(config, &backend());
    let busy = hold(&service, service.channel().await).await;
    let mut idle = TcpStream::connect(service.grpc).await.expect("a connection");
    idle.write_all(BEGINNING).await.expect("written");
    let used = service.channel().await;
    list_agents(used.clone()).await;
    counted(&service, "flightdeck_connections 3").await;

    list_agents(service.channel().await).await;
    assert!(has_goaway(&closed(&mut idle).await), "it is cut without a word");
    counted(&service, "flightdeck_connections_closed_total{reason=\"idlest\"} 1").await;
    busy.finish().await.expect("the busy one goes on");
}

#[tokio::test]
async fn list_agents_answers_on_every_new_connection_among_abandoned_and_silent_ones() {
    let mut config = Config::default();
    config.server.max_connections = 2;
    let service = TestService::start(config, &Backend::new());
    let mut abandoned = Vec::new();
    let mut silent = Vec::new();
    for _ in 0..100 {
        silent.push(TcpStream::connect(service.grpc).await.expect("a connection"));
        let channel = service.channel().await;
        list_agents(channel.clone()).await;
        abandoned.push(channel);
    }
}

#[tokio::test]
async fn list_agents_answers_when_the_system_has_no_more_descriptors() {
    let process = Process::start_with_files(40, &[]).await;
    let mut silent = Vec::new();
    for _ in 0..60 {
        silent.push(TcpStream::connect(process.grpc).await.expect("a connection"));
    }
    list_agents(process.channel().await).await;
}

#[tokio::test]
async fn a_request_beyond_max_in_flight_is_refused_but_never_health_and_list_agents() {
    let mut config = Config::default();
    config.server.max_in_flight = 1;
    let service = TestService::start(config, &backend());
    let channel = service.channel().await;
    let held = hold(&service, channel.clone()).await;
    let refused = get_anything(channel.clone()).await.expect_err("one is under way");
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert!(refused.message().contains("server.max_in_flight"), "{refused}");
    let pushback = refused.metadata().get("grpc-retry-pushback-ms").expect("pushback");
    pushback.to_str().expect("text").parse::<u32>().expect("milliseconds");
    counted(&service, "flightdeck_admission_refusals_total{reason=\"max_in_flight\"} 1").await;

    list_agents(channel.clone()).await;
    list_agents(service.channel().await).await;
    let mut health = HealthClient::new(channel.clone());
    health.check(HealthCheckRequest::default()).await.expect("health answers");

    held.finish().await.expect("a reply");
    let begun = Instant::now();
    while let Err(status) = get_anything(channel.clone()).await {
        assert!(begun.elapsed() < LIMIT, "its place is not given back: {status}");
    }
}

#[tokio::test]
async fn a_caller_that_leaves_gives_its_place_back() {
    let mut config = Config::default();
    config.server.max_in_flight = 1;
    let service = TestService::start(config, &backend());
    let held = hold(&service, service.channel().await).await;
    held.abandon();
    let channel = service.channel().await;
    let begun = Instant::now();
    while let Err(status) = get_anything(channel.clone()).await {
        assert!(begun.elapsed() < LIMIT, "its place is not given back: {status}");
    }
}

#[tokio::test]
async fn a_request_whose_body_does_not_come_is_over_and_reflection_may_wait() {
    let mut config = Config::default();
    config.server.max_in_flight = 1;
    config.server.body_timeout = Duration::from_millis(50);
    let service = TestService::start(config, &backend());
    let (client, connection) = http2(&service).await;
    let open = |path: &str| {
        let request = http::Request::post(format!("http://{}/{path}", service.grpc));
        let request = request.header("content-type", "application/grpc").body(());
        request.expect("a request")
    };
    let mut client = client.ready().await.expect("a connection");
    let mut waiting = |path| client.send_request(open(path), false).expect("a stream");
    let (asked, _reflection) = waiting("grpc.reflection.v1.ServerReflection/ServerReflectionInfo");
    let (answer, _get) = waiting("flyteidl.service.AsyncAgentService/GetTask");
    let answer = timeout(LIMIT, answer).await.expect("it is over").expect("a reply");
    let text = answer.headers().get("grpc-message").map(|text| format!("{text:?}"));
    assert_eq!(answer.headers()["grpc-status"], "4", "{text:?}");
    get_anything(service.channel().await).await.expect("its place is given back");
    let mut reflection =
        timeout(LIMIT, asked).await.expect("in time").expect("a stream of replies");
    let said = timeout(Duration::from_millis(200), reflection.body_mut().data()).await;
    assert!(said.is_err(), "nothing was asked, nothing is over: {said:?}");
    connection.abort();
}

#[tokio::test]
async fn a_refused_request_is_read_first_so_that_its_connection_lives() {
    let mut config = Config::default();
    config.server.max_in_flight = 1;
    let service = TestService::start(config, &backend());
    let _held = hold(&service, service.channel().await).await;
    let (client, connection) = http2(&service).await;
    let mut client = client.ready().await.expect("a connection");
    let url = format!("http://{}/flyteidl.service.AsyncAgentService/GetTask", service.grpc);
    let request = http::Request::post(url).header("content-type", "application/grpc").body(());
    let request = request.expect("a request");
    let (mut answer, mut body) = client.send_request(request, false).expect("a stream");
    counted(&service, "flightdeck_admission_refusals_total{reason=\"max_in_flight\"} 1").await;
    let early = timeout(Duration::from_millis(200), &mut answer).await;
    assert!(early.is_err(), "the rest would be an error of the connection: {early:?}");
    body.send_data(Bytes::from_static(&[0; 5]), true).expect("an open stream");
    let answer = timeout(LIMIT, answer).await.expect("in time").expect("a reply");
    assert_eq!(answer.headers()["grpc-status"], "8", "{answer:?}");
    connection.abort();
}

#[tokio::test]
async fn a_head_over_the_limit_is_refused_and_the_service_goes_on() {
    let mut config = Config::default();
    config.server.max_header_size = ByteSize::kib(8);
    let service = TestService::start(config, &Backend::new());
    let channel = service.channel().await;
    let with = |size: usize| {
        let mut request = Request::new(ListAgentsRequest {});
        let value = MetadataValue::try_from("x".repeat(size)).expect("text");
        request.metadata_mut().insert("long", value);
        request
    };
    let mut client = AgentMetadataServiceClient::new(channel);
    client.list_agents(with(9 << 10)).await.expect_err("too large a head");
    client.list_agents(with(7 << 10)).await.expect("small enough");
}

#[tokio::test]
async fn a_message_over_the_limit_is_refused_by_the_setting() {
    let mut config = Config::default();
    config.server.max_message_size = ByteSize::kib(64);
    let service = TestService::start(config, &Backend::new());
    let mut client = AsyncAgentServiceClient::new(service.channel().await);
    let request = |size: usize| GetTaskRequest {
        resource_meta: Bytes::from(vec![b'x'; size]),
        ..get("job", &Bytes::new())
    };
    let status = client.get_task(request(65 << 10)).await.expect_err("too large");
    assert_eq!(status.code(), Code::OutOfRange);
    let status = client.get_task(request(63 << 10)).await.expect_err("read, and no handle");
    assert_eq!(status.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn streams_of_a_connection_are_limited() {
    let mut config = Config::default();
    config.server.max_concurrent_streams = 7;
    let service = TestService::start(config, &Backend::new());
    let (client, connection) = http2(&service).await;
    let begun = Instant::now();
    while client.current_max_send_streams() != 7 {
        assert!(begun.elapsed() < LIMIT, "{} streams", client.current_max_send_streams());
        sleep(Duration::from_millis(5)).await;
    }
    connection.abort();
}

#[tokio::test]
async fn rapid_resets_end_their_connection_and_take_no_place() {
    let mut config = Config::default();
    config.server.max_in_flight = 1;
    // So few that the client reads why it is cut off before its pipe breaks.
    config.server.max_pending_resets = 20;
    let service = TestService::start(config, &Backend::new());
    let (client, connection) = http2(&service).await;
    let uri = format!("http://{}/flyteidl.service.AsyncAgentService/GetTask", service.grpc);
    let cut = timeout(LIMIT, reset_for_ever(client, &uri)).await.expect("it is cut off");
    assert_eq!(cut.reason(), Some(Reason::ENHANCE_YOUR_CALM), "{cut}");
    connection.abort();
    let channel = service.channel().await;
    let begun = Instant::now();
    while let Err(status) = get_anything(channel.clone()).await {
        assert!(begun.elapsed() < LIMIT, "a place is not given back: {status}");
    }
}

/// Opens requests and resets them in the same breath, until that fails.
async fn reset_for_ever(mut client: SendRequest<Bytes>, uri: &str) -> h2::Error {
    loop {
        client = match client.ready().await {
            Ok(client) => client,
            Err(error) => return error,
        };
        for _ in 0..50 {
            let request = http::Request::post(uri).body(()).expect("a request");
            match client.send_request(request, false) {
                Ok((_, mut body)) => body.send_reset(Reason::CANCEL),
                Err(error) => return error,
            }
        }
        // So that the connection's task can write them.
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn an_old_connection_is_asked_to_leave_and_its_caller_notices_nothing() {
    let mut config = Config::default();
    config.server.max_connection_age = Duration::from_secs(1);
    let service = TestService::start(config, &backend());
    let channel = service.channel().await;
    let held = hold(&service, channel.clone()).await;
    let (_client, connection) = http2(&service).await;
    let left = timeout(LIMIT, connection).await.expect("it is asked to leave").expect("no panic");
    left.expect("by GOAWAY");
    counted(&service, "flightdeck_connections_closed_total{reason=\"age\"} 1").await;
    held.finish().await.expect("a request under way is finished");
    list_agents(channel).await;
}
