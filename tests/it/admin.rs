//! The look inside: the admin service over real gRPC, and the command that asks
//! it.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    process::Output,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use flightdeck::{
    config::{Admin, Config},
    connector::{ConnectorError, Phase},
    server::Service,
    wire::{
        flightdeck::v1::{
            ConnectorStatus, DeletionState, GetStatusRequest, GetStatusResponse, ListTasksRequest,
            Task, admin_service_client::AdminServiceClient,
        },
        flyteidl::{
            admin::CreateTaskRequest, service::async_agent_service_client::AsyncAgentServiceClient,
        },
    },
};
use futures::TryStreamExt;
use serde_json::Value;
use tokio::process::Command;
use tonic::{Code, transport::Channel};

use crate::common::{
    backend::{Backend, Does},
    requests::{anonymous, create, delete, get},
    service::{LIMIT, TestService, connectors, world},
};

const TICK: Duration = Duration::from_millis(5);

/// A service, its backend, and clients of both of its ports.
struct Inside {
    backend: Backend,
    address: SocketAddr,
    tasks: AsyncAgentServiceClient<Channel>,
    admin: AdminServiceClient<Channel>,
    _service: TestService,
}

impl Inside {
    async fn of(config: Config) -> Self {
        let backend = Backend::new();
        let service = TestService::start(config, &backend);
        let address = service.admin.expect("an admin service");
        let endpoint = Channel::from_shared(format!("http://{address}")).expect("an address");
        let channel = endpoint.connect().await.expect("a listening service");
        Self {
            backend,
            address,
            tasks: AsyncAgentServiceClient::new(service.channel().await),
            admin: AdminServiceClient::new(channel),
            _service: service,
        }
    }

    /// Creates a task, waits for its first poll and returns its handle.
    async fn create(&mut self, request: CreateTaskRequest) -> Bytes {
        let task_type = request.template.clone().unwrap_or_default().r#type;
        let reply = self.tasks.create_task(request).await.expect("a task");
        let handle = reply.into_inner().resource_meta;
        self.tasks.get_task(get(&task_type, &handle)).await.expect("a state");
        handle
    }

    /// The messages of a listing.
    async fn messages(&mut self, request: ListTasksRequest) -> Vec<Vec<Task>> {
        let reply = self.admin.list_tasks(request).await.expect("a listing");
        let messages: Vec<_> = reply.into_inner().try_collect().await.expect("an end");
        messages.into_iter().map(|message| message.tasks).collect()
    }

    async fn list(&mut self, request: ListTasksRequest) -> Vec<Task> {
        self.messages(request).await.concat()
    }

    async fn status(&mut self) -> GetStatusResponse {
        self.admin.get_status(GetStatusRequest {}).await.expect("a status").into_inner()
    }

    /// The status once it is as it should be.
    async fn status_when(
        &mut self,
        right: impl Fn(&GetStatusResponse) -> bool,
    ) -> GetStatusResponse {
        let looks = async {
            loop {
                let status = self.status().await;
                if right(&status) {
                    return status;
                }
                tokio::time::sleep(TICK).await;
            }
        };
        tokio::time::timeout(LIMIT, looks).await.expect("the status comes about")
    }

    /// Runs `flightdeck task list` against it.
    async fn shell(&self, flags: &[&str]) -> Output {
        shell(&format!("http://{}", self.address), flags).await
    }
}

async fn shell(endpoint: &str, flags: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flightdeck"));
    // The connector service's address must not be taken for the admin's.
    command.env("FLIGHTDECK_ENDPOINT", "http://127.0.0.1:1");
    command.env("FLIGHTDECK_ADMIN_ENDPOINT", endpoint);
    let output = command.args(["task", "list"]).args(flags).kill_on_drop(true).output();
    tokio::time::timeout(LIMIT, output).await.expect("an end").expect("the binary starts")
}

fn stdout(output: &Output) -> &str {
    assert!(output.status.success(), "{output:?}");
    std::str::from_utf8(&output.stdout).expect("text")
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).expect("text")
}

/// A configuration whose tasks are polled all the time.
fn busy() -> Config {
    let mut config = Config::default();
    config.polling.first = Vec::new();
    config.polling.interval = TICK;
    config.polling.max_backoff = TICK;
    config
}

fn backend_of(status: &GetStatusResponse) -> &ConnectorStatus {
    let mut connectors = status.connectors.iter();
    connectors.find(|one| one.connector == "Backend").expect("every connector is told")
}

// Listing.

#[tokio::test]
async fn a_task_is_told_with_its_execution_and_its_state() {
    let mut inside = Inside::of(Config::default()).await;
    inside.create(create("job", "s3://b/n0/0", 2)).await;
    let tasks = inside.list(ListTasksRequest::default()).await;
    let [task] = tasks.as_slice() else { panic!("one task, not {tasks:?}") };
    let execution = task.execution.as_ref().expect("the Create named it");
    assert_eq!(
        (execution.project.as_str(), execution.domain.as_str()),
        ("flytesnacks", "development")
    );
    assert_eq!((execution.name.as_str(), execution.node.as_str()), ("f1", "n0"));
    assert_eq!(execution.attempt, 2);
    assert_eq!((task.task_type.as_str(), task.task_type_version), ("job", 0));
    assert_eq!(task.connector, "Backend");
    assert_eq!(task.phase(), Phase::Running);
    assert_eq!((task.restarts, task.deletion()), (0, DeletionState::None));
    assert!(task.created.is_some() && task.since_asked.is_some());
    assert!(task.since_polled.is_some() && task.unpolled_for.is_some());
    assert_eq!(task.last_error, None);
}

#[tokio::test]
async fn a_listing_is_filtered() {
    let mut inside = Inside::of(Config::default()).await;
    inside.create(create("job", "s3://b/n0/0", 0)).await;
    inside.create(anonymous("job")).await;
    inside.backend.job_is(Phase::Succeeded);
    inside.create(anonymous("call")).await;
    let all = ListTasksRequest::default;
    let name = |name: &str| name.to_owned();
    for (filter, expected) in [
        (all(), 3),
        (ListTasksRequest { project: name("flytesnacks"), ..all() }, 1),
        (ListTasksRequest { project: name("other"), ..all() }, 0),
        (ListTasksRequest { domain: name("development"), ..all() }, 1),
        (ListTasksRequest { domain: name("production"), ..all() }, 0),
        (ListTasksRequest { execution: name("f1"), ..all() }, 1),
        (ListTasksRequest { execution: name("f2"), ..all() }, 0),
        (ListTasksRequest { task_type: name("job"), ..all() }, 2),
        (ListTasksRequest { phase: Phase::Running.into(), ..all() }, 2),
        (ListTasksRequest { phase: Phase::Succeeded.into(), ..all() }, 1),
        (ListTasksRequest { min_age: Some(seconds(0)), ..all() }, 3),
        (ListTasksRequest { min_age: Some(seconds(3600)), ..all() }, 0),
        (ListTasksRequest { execution: name("f1"), task_type: name("call"), ..all() }, 0),
    ] {
        assert_eq!(inside.list(filter.clone()).await.len(), expected, "{filter:?}");
    }
}

#[tokio::test]
async fn a_filter_that_makes_no_sense_is_refused_with_the_reason() {
    let mut inside = Inside::of(Config::default()).await;
    let all = ListTasksRequest::default;
    for (request, reason) in [
        (ListTasksRequest { phase: 99, ..all() }, "phase 99"),
        (ListTasksRequest { min_age: Some(seconds(-1)), ..all() }, "min_age"),
        (ListTasksRequest { after: "last".to_owned(), ..all() }, "after is not the id"),
    ] {
        let status = inside.admin.list_tasks(request).await.expect_err(reason);
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(status.message().contains(reason), "{status:?}");
    }
}

#[tokio::test]
async fn many_tasks_come_in_several_messages_oldest_first_and_each_once() {
    const TASKS: usize = 1000;
    let mut inside = Inside::of(Config::default()).await;
    for _ in 0..TASKS {
        inside.tasks.create_task(anonymous("job")).await.expect("a task");
    }
    let messages = inside.messages(ListTasksRequest::default()).await;
    assert!(messages.len() > 1, "{} messages", messages.len());
    let ids: Vec<_> = messages.concat().into_iter().map(|task| task.task_id).collect();
    assert_eq!(ids.len(), TASKS);
    assert!(ids.is_sorted_by(|one, next| one < next), "in order, and none twice");

    let page = |after: &str| ListTasksRequest {
        limit: 300,
        after: after.to_owned(),
        ..ListTasksRequest::default()
    };
    let mut pages: Vec<String> = Vec::new();
    for length in [300, 300, 300, 100, 0] {
        let next = inside.list(page(pages.last().map_or("", String::as_str))).await;
        assert_eq!(next.len(), length);
        pages.extend(next.into_iter().map(|task| task.task_id));
    }
    assert_eq!(pages, ids);
}

#[tokio::test]
async fn a_task_whose_create_is_under_way_is_listed_too() {
    let mut inside = Inside::of(Config::default()).await;
    inside.backend.on_create(Does::Hangs);
    let mut caller = inside.tasks.clone();
    let create = tokio::spawn(async move { caller.create_task(anonymous("job")).await });
    let status = inside.status_when(|status| !status.tasks.is_empty()).await;
    assert_eq!(status.oldest_unpolled, None, "it is not to be polled yet");
    let tasks = inside.list(ListTasksRequest::default()).await;
    assert_eq!(tasks.len(), 1);
    assert_eq!(tasks[0].phase(), Phase::Initializing);
    assert_eq!(tasks[0].unpolled_for, None);
    create.abort();
}

#[tokio::test]
async fn a_deleted_task_is_told_as_such_and_waits_for_no_poll() {
    let mut inside = Inside::of(Config::default()).await;
    let handle = inside.create(anonymous("job")).await;
    inside.backend.on_delete(Does::Fails(ConnectorError::permanent("not yours")));
    inside.tasks.delete_task(delete("job", &handle)).await.expect_err("refused");
    let tasks = inside.list(ListTasksRequest::default()).await;
    assert_eq!(tasks[0].deletion(), DeletionState::Refused);
    assert!(tasks[0].unpolled_for.is_some(), "the task goes on");
    inside.backend.on_delete(Does::Answers(()));
    inside.tasks.delete_task(delete("job", &handle)).await.expect("OK");
    let tasks = inside.list(ListTasksRequest::default()).await;
    assert_eq!(tasks[0].deletion(), DeletionState::Confirmed);
    assert_eq!(tasks[0].unpolled_for, None);
}

// The service as a whole.

#[tokio::test]
async fn tasks_are_counted_and_capacity_is_what_is_left_of_max_tasks() {
    let mut config = Config::default();
    config.tasks.max_tasks = 10;
    let mut inside = Inside::of(config).await;
    inside.create(anonymous("job")).await;
    inside.create(anonymous("job")).await;
    inside.backend.job_is(Phase::Succeeded);
    inside.create(anonymous("call")).await;
    let status = inside.status().await;
    let counts: Vec<_> =
        status.tasks.iter().map(|one| (one.task_type.as_str(), one.phase(), one.count)).collect();
    assert_eq!(counts, [("call", Phase::Succeeded, 1), ("job", Phase::Running, 2)]);
    assert_eq!((status.max_tasks, status.capacity_left, status.waiting_creates), (10, 7, 0));
    assert_eq!(status.version, env!("CARGO_PKG_VERSION"));
    assert!(status.uptime.is_some());
    let names: Vec<_> = status.connectors.iter().map(|one| one.connector.as_str()).collect();
    assert!(names.is_sorted() && names.contains(&"Sensor"), "{names:?}");
}

#[tokio::test]
async fn while_a_backend_fails_the_oldest_unpolled_task_and_the_last_error_are_told() {
    let mut inside = Inside::of(busy()).await;
    inside.create(create("job", "s3://b/n0/0", 0)).await;
    inside.backend.on_get(Does::Fails(ConnectorError::transient("503 from the warehouse")));
    let status = inside
        .status_when(|status| {
            let oldest = status.oldest_unpolled.as_ref();
            oldest.and_then(|task| task.unpolled_for).is_some_and(|time| time.nanos > 300_000_000)
        })
        .await;
    let oldest = status.oldest_unpolled.clone().expect("a task");
    let error = oldest.last_error.expect("its last poll failed");
    assert_eq!(
        (error.class.as_str(), error.message.as_str()),
        ("transient", "503 from the warehouse")
    );
    let fault = backend_of(&status).last_error.clone().expect("a fault");
    assert_eq!((fault.operation.as_str(), fault.task_id), ("get", oldest.task_id));
    assert_eq!(fault.error, Some(error));
    assert!(fault.time.is_some());

    inside.backend.job_is(Phase::Running);
    let status = inside
        .status_when(|status| {
            status.oldest_unpolled.as_ref().is_some_and(|task| task.last_error.is_none())
        })
        .await;
    assert!(backend_of(&status).last_error.is_some(), "the connector's stays");
}

#[tokio::test]
async fn failed_creates_and_deletes_are_errors_of_their_connector_too() {
    let mut inside = Inside::of(Config::default()).await;
    let handle = inside.create(anonymous("job")).await;
    inside.backend.on_create(Does::Panics);
    inside.tasks.create_task(anonymous("job")).await.expect_err("INTERNAL");
    let status = inside.status().await;
    let fault = backend_of(&status).last_error.clone().expect("a fault");
    let class = fault.error.expect("a cause").class;
    assert_eq!((fault.operation.as_str(), class.as_str()), ("create", "panic"));
    inside.backend.on_delete(Does::Fails(ConnectorError::permanent("x".repeat(5000))));
    inside.tasks.delete_task(delete("job", &handle)).await.expect_err("refused");
    let status = inside.status().await;
    let fault = backend_of(&status).last_error.clone().expect("a fault");
    assert_eq!(fault.operation, "delete");
    let message = fault.error.expect("a cause").message;
    assert!(message.ends_with("x…") && message.len() < 1000, "a page is cut: {message}");
}

#[tokio::test]
async fn restarts_are_counted_of_the_task_and_of_all() {
    let mut inside = Inside::of(busy()).await;
    inside.create(anonymous("job")).await;
    inside.backend.on_get(Does::Panics);
    inside.status_when(|status| status.restarts == 2).await;
    inside.backend.job_is(Phase::Running);
    let status = inside
        .status_when(|status| {
            status.oldest_unpolled.as_ref().is_some_and(|task| task.last_error.is_none())
        })
        .await;
    let tasks = inside.list(ListTasksRequest::default()).await;
    assert_eq!(u64::from(tasks[0].restarts), status.restarts);
    assert!(tasks[0].restarts >= 2);
}

// Its port.

#[tokio::test]
async fn there_is_no_admin_service_when_it_is_off() {
    let mut config = Config::default();
    config.admin.enabled = false;
    let service = TestService::start(config, &Backend::new());
    assert_eq!(service.admin, None);
    let mut on_the_main_port = AdminServiceClient::new(service.channel().await);
    let status = on_the_main_port.get_status(GetStatusRequest {}).await.expect_err("not there");
    assert_eq!(status.code(), Code::Unimplemented);
}

#[tokio::test]
async fn a_taken_port_is_an_error_if_it_was_set_and_no_hindrance_if_not() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let mut config = Config::default();
    config.server.port = 0;
    config.metrics.port = 0;
    config.admin.port = Some(taken.local_addr().expect("an address").port());
    let connectors = Arc::new(connectors(&config, &Backend::new()));
    let refused = Service::bind(config.clone(), connectors.clone(), world());
    let error = refused.err().expect("the port is taken").to_string();
    assert!(error.contains("admin.port"), "{error}");

    // Taken here, or by whoever has it already.
    let _usual = TcpListener::bind((Ipv4Addr::LOCALHOST, Admin::USUAL_PORT));
    config.admin.port = None;
    let service = Service::bind(config, connectors, world()).expect("a service without it");
    assert_eq!(service.admin_address().expect("no error"), None);
}

// The command.

#[tokio::test]
async fn the_command_prints_a_table_and_how_the_service_does() {
    let mut inside = Inside::of(busy()).await;
    inside.create(create("job", "s3://b/n0/0", 1)).await;
    inside.backend.on_get(Does::Fails(ConnectorError::transient("503\nfrom\x1b[2J the warehouse")));
    inside.status_when(|status| backend_of(status).last_error.is_some()).await;
    let output = inside.shell(&[]).await;
    let text = stdout(&output);
    let id = &inside.list(ListTasksRequest::default()).await[0].task_id;
    for part in [
        "Last error",
        id,
        "RUNNING",
        "f1/n0/1",
        "transient: 503 from\\u{1b}[2J the warehouse",
        "tasks: 1, room for 999999 more of 1000000",
        "oldest unpolled task: ",
        "restarts: 0",
        "Backend: ",
        "Sensor: 0 polls in flight, no error",
    ] {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
    let summary = inside.shell(&["--summary"]).await;
    assert!(stdout(&summary).starts_with("flightdeck "), "{summary:?}");
    assert!(!stdout(&summary).contains("f1/n0/1"));
}

#[tokio::test]
async fn the_command_filters_pages_and_prints_json() {
    let mut inside = Inside::of(Config::default()).await;
    inside.create(create("job", "s3://b/n0/0", 0)).await;
    inside.create(anonymous("job")).await;
    inside.create(anonymous("job")).await;
    let json = async |flags: &[&str]| {
        let output = inside.shell(&[&["--output", "json"], flags].concat()).await;
        let lines = stdout(&output).lines();
        let tasks: Vec<Value> = lines.map(|line| line.parse().expect("JSON")).collect();
        (tasks, stderr(&output).to_owned())
    };
    let ids = |tasks: &[Value]| -> Vec<String> {
        tasks.iter().map(|task| task["taskId"].as_str().expect("an id").to_owned()).collect()
    };
    let (all, said) = json(&[]).await;
    assert_eq!((all.len(), said.as_str()), (3, ""));
    let of_f1 = ["--project", "flytesnacks", "--domain", "development", "--execution", "f1"];
    let (one, _) = json(&of_f1).await;
    assert_eq!(one.len(), 1);
    assert_eq!(one[0]["execution"]["name"], "f1");
    assert_eq!(json(&["--type", "job", "--phase", "running"]).await.0.len(), 3);
    assert_eq!(json(&["--min-age", "10m"]).await.0.len(), 0);
    assert_eq!(json(&["--limit", "0"]).await.0.len(), 3);

    let all = ids(&all);
    let (page, said) = json(&["--limit", "2"]).await;
    assert_eq!(ids(&page), all[..2]);
    assert_eq!(said, format!("more tasks follow: --after {}\n", all[1]));
    let (page, said) = json(&["--limit", "2", "--after", &all[1]]).await;
    assert_eq!((ids(&page).as_slice(), said.as_str()), (&all[2..], ""));

    let (status, _) = json(&["--summary"]).await;
    assert_eq!(status[0]["capacityLeft"], "999997");
}

#[tokio::test]
async fn the_command_says_what_to_do_when_nobody_answers_or_somebody_else() {
    let nobody = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = nobody.local_addr().expect("an address");
    drop(nobody);
    let output = shell(&format!("http://{address}"), &[]).await;
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    assert!(
        said.contains(&format!("cannot reach the admin service at http://{address}")),
        "{said}"
    );
    assert!(said.contains("admin.enabled") && said.contains("--endpoint"), "{said}");

    let service = TestService::start(Config::default(), &Backend::new());
    let output = shell("http://127.0.0.1:1", &["--endpoint", &service.grpc.to_string()]).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("not the admin service"), "{output:?}");

    let output = shell("nonsense", &[]).await;
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(stderr(&output).contains("FLIGHTDECK_ADMIN_ENDPOINT is \"nonsense\""), "{output:?}");
    let output = shell(&format!("http://{address}"), &["--phase", "done"]).await;
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}

fn seconds(seconds: i64) -> prost_types::Duration {
    prost_types::Duration { seconds, nanos: 0 }
}
