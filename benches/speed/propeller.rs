//! One propeller's tasks from their Create to their end, a hundred times as fast.
//!
//! What is compressed is time. A task lasts 3 s instead of five minutes, is asked
//! about every 300 ms instead of every 30 s, is polled every 100 ms instead of
//! every 10 s, and the connectors are listed every 100 ms instead of every 10 s.
//! A propeller makes ten Gets a second at most (its limit of reads), so a
//! hundred of them together are the thousand a second here. What a life takes
//! of the service is therefore real, but for what a service spends by the clock
//! and not by the task; how long calls take is that of a hundred propellers on
//! one connection.
//!
//! Tasks come at their own rate. Inside a life the next Get comes some time
//! after the last was answered, as propeller's does: its latency is from when it
//! was sent.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use flightdeck::wire::flyteidl::{
    core::task_execution::Phase, service::async_agent_service_client::AsyncAgentServiceClient,
};
use hdrhistogram::Histogram;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use tempfile::TempDir;
use tokio::{task::JoinSet, time::sleep};
use tonic::{Request, Status};

use crate::{
    Settings,
    load::{Call, Calls, Executes, Lists, Wire, histogram, micros, millis, request},
    messages,
    report::{Report, Target::AtMost},
    runtime,
    service::Service,
};

/// How long tasks come.
const TIME: Duration = Duration::from_secs(9);
/// How long a task lasts, give or take a half.
const LIFE: Duration = Duration::from_secs(3);
/// The pause between the Gets of a task.
const RESYNC: Duration = Duration::from_millis(300);
/// The pause between two ListAgents.
const RELIST: Duration = Duration::from_millis(100);
/// How long a call may take. This is not compressed.
const DEADLINE: Duration = Duration::from_secs(10);
/// So many tasks a second: 920 Gets with their lives of eleven or twelve.
const RATE: f64 = 80.0;
/// What flytekit's service has time for.
const RATE_OF_FLYTEKIT: f64 = 15.0;
/// One of so many tasks is ended by a Delete, the others by their file.
const DELETED: usize = 4;
/// For one of so many tasks there is a sync one.
const SYNC: usize = 4;

/// The times of the service, compressed as those of propeller.
const CONFIG: &str = "polling.first = [\"10ms\", \"20ms\", \"40ms\"]\n\
                      polling.interval = \"100ms\"\ntasks.retention = \"9s\"\n";

pub fn run(settings: &Settings, report: &mut Report) {
    runtime().block_on(async {
        let service = Service::flightdeck(CONFIG);
        measure("Flightdeck", service, RATE, settings, report).await;
        match Service::flytekit().await {
            Some(theirs) => {
                // Less comes at once at a lower rate, which costs more for each.
                let ours = Service::flightdeck(CONFIG);
                let rate = RATE_OF_FLYTEKIT;
                measure("Flightdeck, flytekit's rate", ours, rate, settings, report).await;
                measure("flytekit", theirs, rate, settings, report).await;
            }
            None => report.absent("the same of flytekit", "no pyflyte on PATH"),
        }
    });
}

async fn measure(who: &str, service: Service, rate: f64, settings: &Settings, report: &mut Report) {
    let hook = Service::role("hook");
    let propeller = Arc::new(Propeller::new(&service, &hook).await);
    // What all share is paid for first, by a task that is none of theirs.
    propeller.live(usize::MAX, Duration::ZERO).await;
    propeller.seen.lock().expect("no panic").forget();

    let before = service.usage();
    let listing = async {
        loop {
            propeller.list(&service).await;
            sleep(RELIST).await;
        }
    };
    let lives = tokio::select! {
        lives = propeller.tasks(rate, settings.time(TIME)) => lives,
        () = listing => unreachable!(),
    };
    let cpu = (service.usage() - before).cpu.as_secs_f64() * 1e6 / lives as f64;
    let seen = propeller.seen.lock().expect("no panic");
    report.figure(format!("{who}: task lives"), "a second", rate);
    seen.tell(who, report);
    report.figure(format!("{who}: CPU for a whole life"), "us", cpu);
}

/// The kinds of calls, in the order of their histograms.
const KINDS: [&str; 5] = ["Create", "Get", "Delete", "ExecuteTaskSync", "ListAgents"];
const CREATE: usize = 0;
const GET: usize = 1;
const DELETE: usize = 2;
const EXECUTE: usize = 3;
const LIST: usize = 4;

/// What a propeller saw of its calls.
struct Seen {
    /// In microseconds, a histogram for each kind.
    latency: [Histogram<u64>; KINDS.len()],
    errors: usize,
    fault: Option<Status>,
}

impl Seen {
    fn new() -> Self {
        let latency = [(); KINDS.len()].map(|()| histogram());
        Self { latency, errors: 0, fault: None }
    }

    fn forget(&mut self) {
        *self = Self::new();
    }

    fn tell(&self, who: &str, report: &mut Report) {
        for (kind, latency) in KINDS.iter().zip(&self.latency) {
            report.figure(format!("{who}: {kind}"), "calls", latency.len() as f64);
            for (name, quantile) in [("p50", 0.5), ("p99", 0.99), ("at most", 1.0)] {
                report.figure(format!("{who}: {kind}, {name}"), "ms", millis(latency, quantile));
            }
        }
        let errors = vec![self.errors as f64];
        report.targeted(format!("{who}: errors"), "", errors, AtMost(0.0));
        if let Some(fault) = &self.fault {
            println!("  {who}: {fault}");
        }
    }
}

/// A propeller with its connection.
struct Propeller {
    tasks: AsyncAgentServiceClient<Wire>,
    sync: <Executes as Calls>::Call,
    seen: Mutex<Seen>,
    /// The files that are waited for.
    files: TempDir,
}

impl Propeller {
    async fn new(service: &Service, hook: &Service) -> Self {
        let channel = service.connect().await;
        Self {
            tasks: AsyncAgentServiceClient::new(channel.clone()),
            sync: Executes::of(messages::webhook(&hook.url())).on(channel),
            seen: Mutex::new(Seen::new()),
            files: tempfile::tempdir().expect("a folder"),
        }
    }

    /// Has tasks come at this rate for so long, and waits for the end of each:
    /// how many there were.
    async fn tasks(self: &Arc<Self>, rate: f64, time: Duration) -> usize {
        let mut random = StdRng::seed_from_u64(1);
        let mut lives = JoinSet::new();
        let (began, mut due) = (Instant::now(), Duration::ZERO);
        while due < time {
            sleep(due.saturating_sub(began.elapsed())).await;
            let (number, life) = (lives.len(), LIFE.mul_f64(random.random_range(0.5..1.5)));
            let propeller = self.clone();
            lives.spawn(async move { propeller.live(number, life).await });
            due += Duration::from_secs_f64(-(1.0 - random.random::<f64>()).ln() / rate);
        }
        lives.join_all().await.len()
    }

    /// A task's life. After an error propeller would go on; here that counts, and
    /// ends it.
    async fn live(&self, number: usize, life: Duration) {
        let file = self.files.path().join(number.to_string());
        if number.is_multiple_of(SYNC) {
            self.timed(EXECUTE, self.sync.clone().call(0, Some(DEADLINE))).await;
        }
        let mut tasks = self.tasks.clone();
        let create = messages::file_sensor(&file.to_string_lossy());
        let Some(created) = self.timed(CREATE, tasks.create_task(ask(create))).await else {
            return;
        };
        let handle = created.into_inner().resource_meta;
        let mut ends = Some(Instant::now() + life);
        loop {
            let get = messages::get(&handle);
            let Some(reply) = self.timed(GET, tasks.get_task(ask(get))).await else {
                break;
            };
            let phase = reply.into_inner().resource.map(|resource| resource.phase());
            match phase {
                Some(Phase::Succeeded) if ends.is_none() => break,
                Some(Phase::Running) => {}
                other => {
                    self.wrong(Status::unknown(format!("a task is {other:?}")));
                    break;
                }
            }
            let next = Instant::now() + RESYNC;
            if let Some(end) = ends.take_if(|end| *end < next) {
                sleep(end.saturating_duration_since(Instant::now())).await;
                if number % DELETED == 1 {
                    let delete = messages::delete(&handle);
                    self.timed(DELETE, tasks.delete_task(ask(delete))).await;
                    break;
                }
                std::fs::write(&file, "").expect("a file");
            }
            sleep(next.saturating_duration_since(Instant::now())).await;
        }
        // The next one with this number must wait for its own.
        let _ = std::fs::remove_file(file);
    }

    /// Asks for the connectors on a connection of its own.
    async fn list(&self, service: &Service) {
        let list = async {
            let mut lists = Lists.on(service.connect().await);
            lists.call(0, Some(DEADLINE)).await
        };
        self.timed(LIST, list).await;
    }

    async fn timed<T>(
        &self,
        kind: usize,
        call: impl Future<Output = Result<T, Status>>,
    ) -> Option<T> {
        let began = Instant::now();
        let answer = call.await;
        let took = micros(began.elapsed());
        match answer {
            Ok(answer) => {
                let mut seen = self.seen.lock().expect("no panic");
                seen.latency[kind].saturating_record(took);
                Some(answer)
            }
            Err(status) => {
                self.wrong(status);
                None
            }
        }
    }

    fn wrong(&self, status: Status) {
        let mut seen = self.seen.lock().expect("no panic");
        seen.errors += 1;
        seen.fault.get_or_insert(status);
    }
}

fn ask<T>(message: T) -> Request<T> {
    request(message, Some(DEADLINE))
}
