//! The service over HTTP/2 on a pipe inside of one thread: from the bytes of a
//! request to the bytes of its reply, and the client's part, which is always the
//! same.

use std::{future::pending, hint::black_box, io};

use bytes::{BufMut, Bytes, BytesMut};
use flightdeck::{
    config::Config,
    server::{Incoming, Service},
    wire::flyteidl::admin::{CreateTaskResponse, GetTaskRequest, ListAgentsRequest, TaskCategory},
};
use futures::future::join_all;
use gungraun::{library_benchmark, library_benchmark_group};
use h2::client::SendRequest;
use http::Request;
use prost::Message;
use tokio::{
    io::{DuplexStream, ReadHalf, WriteHalf, duplex, split},
    runtime::Runtime,
};

use crate::{
    subjects::{self, QUERY, Warehouse, of_execution},
    tasks::runtime,
};

/// Tasks that are asked about.
const TASKS: usize = 100;

const CREATE: &str = "flyteidl.service.AsyncAgentService/CreateTask";
const GET: &str = "flyteidl.service.AsyncAgentService/GetTask";
const LIST: &str = "flyteidl.service.AgentMetadataService/ListAgents";

library_benchmark_group!(name = grpc; benchmarks = get, get_16_streams, list_agents);

// One request after another.
#[library_benchmark]
#[bench::x1000(Served::new())]
fn get(served: Served) -> Served {
    served.get(1000);
    served
}

// Sixteen requests at a time.
#[library_benchmark]
#[bench::x1600(Served::new())]
fn get_16_streams(served: Served) -> Served {
    served.get_at_once(16, 100);
    served
}

#[library_benchmark]
#[bench::x100(Served::new())]
fn list_agents(served: Served) -> Served {
    served.list_agents(100);
    served
}

/// A service with one caller and some tasks.
struct Served {
    connection: Connection,
    gets: Vec<Bytes>,
    runtime: Runtime,
}

impl Served {
    fn new() -> Self {
        let runtime = runtime();
        let (connection, gets) = runtime.block_on(async {
            let warehouse = Warehouse::default();
            let connectors = subjects::connectors(&warehouse);
            let (client, server) = duplex(1 << 16);
            let service = Service::run_on(
                Pipe(Some(server)),
                Config::default(),
                connectors,
                subjects::world(),
                pending(),
            );
            tokio::spawn(service);
            let connection = Connection::open(client).await;
            let mut gets = Vec::new();
            for number in 0..TASKS {
                let create = message(&of_execution(&subjects::query(), number));
                let reply = connection.ask(CREATE, &create).await;
                let created = CreateTaskResponse::decode(&reply[5..]).expect("a handle");
                gets.push(message(&get_of(created.resource_meta)));
            }
            warehouse.polled(TASKS).await;
            for request in &gets {
                connection.ask(GET, request).await;
            }
            (connection, gets)
        });
        Self { connection, gets, runtime }
    }

    fn get(&self, times: usize) {
        self.runtime.block_on(async {
            for request in self.gets.iter().cycle().take(times) {
                black_box(self.connection.ask(GET, request).await);
            }
        });
    }

    fn get_at_once(&self, streams: usize, times: usize) {
        self.runtime.block_on(async {
            for _ in 0..times {
                let gets = self.gets.iter().take(streams);
                let replies = join_all(gets.map(|request| self.connection.ask(GET, request)));
                black_box(replies.await);
            }
        });
    }

    fn list_agents(&self, times: usize) {
        let request = message(&ListAgentsRequest {});
        self.runtime.block_on(async {
            for _ in 0..times {
                black_box(self.connection.ask(LIST, &request).await);
            }
        });
    }
}

/// A message with the prefix that gRPC has before it.
fn message(message: &impl Message) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_u8(0);
    bytes.put_u32(u32::try_from(message.encoded_len()).expect("a short message"));
    message.encode(&mut bytes).expect("room for it");
    bytes.freeze()
}

fn get_of(resource_meta: Bytes) -> GetTaskRequest {
    GetTaskRequest {
        task_category: Some(TaskCategory { name: QUERY.to_owned(), version: 0 }),
        resource_meta,
        ..GetTaskRequest::default()
    }
}

/// The caller's end: no more than HTTP/2 asks for, with propeller's headers.
struct Connection(SendRequest<Bytes>);

impl Connection {
    async fn open(io: DuplexStream) -> Self {
        let (client, connection) = h2::client::handshake(io).await.expect("HTTP/2");
        tokio::spawn(connection);
        Self(client)
    }

    /// The body of the reply to a request, which must be OK.
    async fn ask(&self, method: &str, message: &Bytes) -> Bytes {
        let request = Request::post(format!("http://flightdeck/{method}"))
            .header("content-type", "application/grpc")
            .header("user-agent", "grpc-go/1.62.1")
            .header("te", "trailers")
            .header("grpc-timeout", "9999998u")
            .body(())
            .expect("a request");
        let mut client = self.0.clone().ready().await.expect("room for a stream");
        let (response, mut body) = client.send_request(request, false).expect("a stream");
        body.send_data(message.clone(), true).expect("room for it");
        let mut body = response.await.expect("a response").into_body();
        let mut reply = BytesMut::new();
        while let Some(data) = body.data().await {
            let data = data.expect("a part of the reply");
            body.flow_control().release_capacity(data.len()).expect("it was taken");
            reply.put(data);
        }
        let trailers = body.trailers().await.expect("an end").expect("trailers");
        assert_eq!(trailers["grpc-status"], "0");
        reply.freeze()
    }
}

/// One connection, and never another.
struct Pipe(Option<DuplexStream>);

impl Incoming for Pipe {
    type Reader = ReadHalf<DuplexStream>;
    type Writer = WriteHalf<DuplexStream>;

    async fn accept(&mut self) -> io::Result<(Self::Reader, Self::Writer)> {
        match self.0.take() {
            Some(stream) => Ok(split(stream)),
            None => pending().await,
        }
    }
}
