//! The service over HTTP/2 on a pipe inside of one thread: from the bytes of a
//! request to the bytes of its reply, and the client's part, which is always the
//! same.

use std::{future::pending, hint::black_box, io, ops::Range, time::Duration};

use bytes::Bytes;
use flightdeck::{
    config::Config,
    server::{Incoming, Service},
    wire::flyteidl::admin::{CreateTaskResponse, GetTaskRequest, ListAgentsRequest, TaskCategory},
};
use futures::future::join_all;
use gungraun::{library_benchmark, library_benchmark_group};
use h2::client::SendRequest;
use prost::Message;
use tokio::{
    io::{DuplexStream, ReadHalf, WriteHalf, duplex, split},
    runtime::Runtime,
};

use crate::{
    floor,
    subjects::{self, QUERY, Warehouse, of_execution},
    tasks::runtime,
    written::Written,
};

/// Tasks that are asked about.
const TASKS: usize = 100;

const CREATE: &str = "/flyteidl.service.AsyncAgentService/CreateTask";
const GET: &str = "/flyteidl.service.AsyncAgentService/GetTask";
const LIST: &str = "/flyteidl.service.AgentMetadataService/ListAgents";

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
fn create((served, requests): (Served, Vec<Written>)) -> Served {
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
fn floor_create((served, requests): (Served, Vec<Written>)) -> Served {
    served.create(&requests);
    served
}

/// A service with one caller and some tasks.
struct Served {
    connection: Connection,
    gets: Vec<Written>,
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

    fn with_requests() -> (Self, Vec<Written>) {
        (Self::new(), creates(TASKS..TASKS + 200))
    }

    fn floor_with_requests() -> (Self, Vec<Written>) {
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
        let handle =
            |reply: Bytes| CreateTaskResponse::decode(reply).expect("a handle").resource_meta;
        self.gets = replies.into_iter().map(|reply| written(GET, &get_of(handle(reply)))).collect();
        self.get(TASKS);
    }

    fn create(&self, requests: &[Written]) -> Vec<Bytes> {
        self.runtime.block_on(async {
            let polls = self.warehouse.as_ref().map_or(0, Warehouse::polls) + requests.len();
            let mut replies = Vec::with_capacity(requests.len());
            for request in requests {
                replies.push(self.connection.ask(request).await);
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
                black_box(self.connection.ask(request).await);
            }
        });
    }

    fn get_at_once(&self, streams: usize, times: usize) {
        self.runtime.block_on(async {
            for _ in 0..times {
                let gets = self.gets.iter().take(streams);
                let replies = join_all(gets.map(|request| self.connection.ask(request)));
                black_box(replies.await);
            }
        });
    }

    fn list_agents(&self, times: usize) {
        let request = written(LIST, &ListAgentsRequest {});
        self.runtime.block_on(async {
            for _ in 0..times {
                black_box(self.connection.ask(&request).await);
            }
        });
    }
}

/// The bodies of Creates.
fn creates(numbers: Range<usize>) -> Vec<Written> {
    let request = subjects::query();
    numbers.map(|number| written(CREATE, &of_execution(&request, number))).collect()
}

/// A request of a caller who waits for about ten seconds.
fn written(path: &str, message: &impl Message) -> Written {
    Written::new(path, message).within(Duration::from_micros(9_999_998))
}

fn get_of(resource_meta: Bytes) -> GetTaskRequest {
    GetTaskRequest {
        task_category: Some(TaskCategory { name: QUERY.to_owned(), version: 0 }),
        resource_meta,
        ..GetTaskRequest::default()
    }
}

/// The caller's end.
struct Connection(SendRequest<Bytes>);

impl Connection {
    async fn open(io: DuplexStream) -> Self {
        let (client, connection) = h2::client::handshake(io).await.expect("HTTP/2");
        tokio::spawn(connection);
        Self(client)
    }

    /// The message of the reply to a request, which must be OK.
    async fn ask(&self, request: &Written) -> Bytes {
        request.send(&self.0).await.expect("a reply")
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
