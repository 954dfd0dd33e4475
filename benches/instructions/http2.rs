//! The service over HTTP/2 on a pipe inside of one thread: from the bytes of a
//! request to the bytes of its reply, and the client's part, which is always the
//! same.

use std::{future::pending, hint::black_box, io, ops::Range};

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
    floor,
    subjects::{self, QUERY, Warehouse, of_execution},
    tasks::runtime,
};

/// Tasks that are asked about.
const TASKS: usize = 100;

/// What gRPC has before a message: a flag and a length.
const PREFIX: usize = 5;

const CREATE: &str = "flyteidl.service.AsyncAgentService/CreateTask";
const GET: &str = "flyteidl.service.AsyncAgentService/GetTask";
const LIST: &str = "flyteidl.service.AgentMetadataService/ListAgents";

library_benchmark_group!(name = grpc;
    benchmarks = get, get_16_streams, create, list_agents, floor_get, floor_get_16_streams, floor_create
);

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

// With the actor, its first poll and the timer for the next.
#[library_benchmark]
#[bench::x200(Served::with_requests())]
fn create((served, requests): (Served, Vec<Bytes>)) -> Served {
    served.create(&requests);
    served
}

#[library_benchmark]
#[bench::x1000(Served::new())]
fn list_agents(served: Served) -> Served {
    served.list_agents(1000);
    served
}

// The same of tonic alone.
#[library_benchmark]
#[bench::x1000(Served::floor())]
fn floor_get(served: Served) -> Served {
    served.get(1000);
    served
}

#[library_benchmark]
#[bench::x1600(Served::floor())]
fn floor_get_16_streams(served: Served) -> Served {
    served.get_at_once(16, 100);
    served
}

#[library_benchmark]
#[bench::x200(Served::floor_with_requests())]
fn floor_create((served, requests): (Served, Vec<Bytes>)) -> Served {
    served.create(&requests);
    served
}

/// A service with one caller and some tasks.
struct Served {
    connection: Connection,
    gets: Vec<Bytes>,
    /// None of the floor.
    warehouse: Option<Warehouse>,
    runtime: Runtime,
}

impl Served {
    fn new() -> Self {
        let warehouse = Warehouse::default();
        let polls = warehouse.clone();
        let start = |server| {
            let connectors = subjects::connectors(&warehouse);
            let (pipe, config) = (Pipe(Some(server)), Config::default());
            tokio::spawn(Service::run_on(pipe, config, connectors, subjects::world(), pending()));
        };
        let mut served = Self::start(start);
        served.warehouse = Some(polls);
        served.warm_up();
        served
    }

    fn floor() -> Self {
        let mut served = Self::start(|server| drop(tokio::spawn(floor::serve(server))));
        served.warm_up();
        served
    }

    fn with_requests() -> (Self, Vec<Bytes>) {
        (Self::new(), creates(TASKS..TASKS + 200))
    }

    fn floor_with_requests() -> (Self, Vec<Bytes>) {
        (Self::floor(), creates(TASKS..TASKS + 200))
    }

    fn start(serve: impl FnOnce(DuplexStream)) -> Self {
        let runtime = runtime();
        let connection = runtime.block_on(async {
            let (client, server) = duplex(1 << 16);
            serve(server);
            Connection::open(client).await
        });
        Self { connection, gets: Vec::new(), warehouse: None, runtime }
    }

    /// Creates tasks and asks about each.
    fn warm_up(&mut self) {
        let replies = self.create(&creates(0..TASKS));
        let handle = |reply: Bytes| {
            CreateTaskResponse::decode(&reply[PREFIX..]).expect("a handle").resource_meta
        };
        self.gets = replies.into_iter().map(|reply| message(&get_of(handle(reply)))).collect();
        self.get(TASKS);
    }

    fn create(&self, requests: &[Bytes]) -> Vec<Bytes> {
        self.runtime.block_on(async {
            let polls = self.warehouse.as_ref().map_or(0, Warehouse::polls) + requests.len();
            let mut replies = Vec::with_capacity(requests.len());
            for request in requests {
                replies.push(self.connection.ask(CREATE, request).await);
            }
            if let Some(warehouse) = &self.warehouse {
                warehouse.polled(polls).await;
            }
            replies
        })
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

/// The bodies of Creates.
fn creates(numbers: Range<usize>) -> Vec<Bytes> {
    let request = subjects::query();
    numbers.map(|number| message(&of_execution(&request, number))).collect()
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
