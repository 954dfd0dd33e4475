//! The life of a worker: it is started, watched, and started again.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use arc_swap::ArcSwapOption;
use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use tracing::{info, warn};

use super::{
    error::WorkerError,
    health::{self, Answer},
    name::WorkerName,
    ports::Port,
    process::{Ports, Process},
};
use crate::{
    config::Upstream,
    connectors::upstream::{
        channel,
        member::{Member, State},
    },
    telemetry::{Metrics, WorkerGauge},
};

/// The pauses before a worker is started again, from the first to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// After so long without a fault, the pauses begin anew.
const SOUND: Duration = Duration::from_secs(60);

/// How far a worker has come with its first start.
#[derive(Debug, Clone)]
pub(super) enum FirstStart {
    /// It is not SERVING yet.
    UnderWay,
    /// It was SERVING.
    Done,
    /// It cannot be started, and is not tried again.
    Failed(Arc<WorkerError>),
}

/// What supervises one worker.
pub(super) struct Supervisor {
    pub(super) settings: Arc<Upstream>,
    pub(super) worker: WorkerName,
    pub(super) member: Arc<Member>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) metrics_address: Arc<ArcSwapOption<SocketAddr>>,
    pub(super) first_start: watch::Sender<FirstStart>,
    pub(super) stop: CancellationToken,
}

/// How a process came to its end: `None` because it was to stop.
type End = Option<WorkerError>;

impl Supervisor {
    /// Keeps the worker running until it is to stop; also ends if the first
    /// start fails and the settings say `wait`.
    pub(super) async fn run(self) {
        let mut pauses = pauses();
        loop {
            let started = Instant::now();
            let end = self.live().await;
            self.metrics_address.store(None);
            let Some(error) = end else {
                self.member.set(State::Down("it is being stopped".to_owned()));
                return;
            };
            // Who calls it meanwhile hears of its words only if they are a start's,
            // which are about its modules.
            self.member.set(State::Down(match error.cause() {
                "start" => error.with_output(),
                _ => error.to_string(),
            }));
            let first = matches!(*self.first_start.borrow(), FirstStart::UnderWay);
            if first && self.settings.wait {
                self.first_start.send_replace(FirstStart::Failed(Arc::new(error)));
                return;
            }
            if started.elapsed() > SOUND && error.cause() != "start" {
                pauses = self::pauses();
            }
            let pause = pauses.next().unwrap_or(LONGEST_PAUSE);
            warn!(
                upstream = self.worker.upstream(), worker = self.worker.worker(),
                cause = error.cause(), ?pause, %error, "a worker is started again"
            );
            self.metrics.upstreams().worker_restarted(self.worker.upstream(), error.cause());
            tokio::select! {
                () = sleep(pause) => {}
                () = self.stop.cancelled() => return,
            }
        }
    }

    /// One process, from its start to its end.
    async fn live(&self) -> End {
        let ports = match free_ports() {
            Ok(ports) => ports,
            Err(source) => {
                return Some(WorkerError::Ports { worker: self.worker.clone(), source });
            }
        };
        let process = tokio::select! {
            started = Process::start(&self.settings, &self.worker, &ports) => started,
            () = self.stop.cancelled() => return None,
        };
        let process = match process {
            Ok(process) => process,
            Err(error) => return Some(error),
        };
        let port = ports.grpc.number();
        let channel = match channel::to_worker(port) {
            Ok(channel) => channel,
            Err(error) => {
                process.stop().await;
                let reason = error.to_string();
                return Some(WorkerError::Guard { worker: self.worker.clone(), reason });
            }
        };
        let process = match self.starts(process, &channel).await {
            Ok(process) => process,
            Err(end) => return end,
        };
        info!(
            upstream = self.worker.upstream(),
            worker = self.worker.worker(),
            port,
            "a worker is SERVING"
        );
        self.metrics_address.store(self.metrics_port(&ports.metrics).map(Arc::new));
        self.works(process, channel).await
    }

    /// Waits until it is SERVING.
    async fn starts(&self, mut process: Process, channel: &Channel) -> Result<Process, End> {
        let worker = self.worker.clone();
        let limit = self.settings.start_timeout;
        tokio::select! {
            () = self.stop.cancelled() => {
                process.stop().await;
                Err(None)
            }
            status = process.ended() => {
                let output = process.bury().await;
                Err(Some(WorkerError::Early { worker, status, output }))
            }
            serving = timeout(limit, health::serving(channel)) => match serving {
                Ok(()) => Ok(process),
                Err(_) => {
                    let output = process.last_lines();
                    process.stop().await;
                    Err(Some(WorkerError::Late { worker, limit, output }))
                }
            }
        }
    }

    /// Watches it while it works.
    async fn works(&self, mut process: Process, channel: Channel) -> End {
        let mut up = Standing::up(self, &channel);
        self.first_start.send_if_modified(|first| {
            let under_way = matches!(first, FirstStart::UnderWay);
            *first = FirstStart::Done;
            under_way
        });
        let limit = self.settings.hang_timeout;
        tokio::select! {
            () = self.stop.cancelled() => {
                drop(up);
                self.member.set(State::Down("it is being stopped".to_owned()));
                process.stop().await;
                None
            }
            status = process.ended() => {
                drop(up);
                // Nobody is to be sent there while its last lines are read.
                self.member.set(State::Down(format!("{} ended ({status})", self.worker)));
                let output = process.bury().await;
                Some(WorkerError::Ended { worker: self.worker.clone(), status, output })
            }
            () = health::watch(&channel, limit, |answer| up.answered(answer)) => {
                drop(up);
                let error = WorkerError::Hung { worker: self.worker.clone(), limit };
                self.member.set(State::Down(error.to_string()));
                process.kill().await;
                Some(error)
            }
        }
    }

    /// Where it tells its metrics, if its command says so.
    fn metrics_port(&self, port: &Port) -> Option<SocketAddr> {
        let settings = &self.settings;
        let mut texts = settings.command.iter().chain(settings.environment.values());
        texts.any(|text| text.contains("{metrics_port}")).then(|| port.address())
    }
}

/// How a worker that works stands, by its last answer.
struct Standing<'a> {
    supervisor: &'a Supervisor,
    channel: &'a Channel,
    last: Answer,
    /// Counts it as up.
    gauge: Option<WorkerGauge>,
}

impl<'a> Standing<'a> {
    fn up(supervisor: &'a Supervisor, channel: &'a Channel) -> Self {
        let mut standing = Self { supervisor, channel, last: Answer::None, gauge: None };
        standing.change(Answer::Serving);
        standing
    }

    fn answered(&mut self, answer: Answer) {
        if answer == self.last {
            return;
        }
        let worker = &self.supervisor.worker;
        let (upstream, number) = (worker.upstream(), worker.worker());
        match answer {
            Answer::Serving => info!(upstream, worker = number, "a worker is SERVING again"),
            Answer::NotServing => warn!(upstream, worker = number, "a worker is NOT_SERVING"),
            Answer::None => warn!(upstream, worker = number, "a worker does not answer"),
        }
        self.change(answer);
    }

    fn change(&mut self, answer: Answer) {
        let Supervisor { member, metrics, worker, .. } = self.supervisor;
        let serving = answer == Answer::Serving;
        let channel = self.channel.clone();
        member.set(if serving { State::Up(channel) } else { State::Silent(channel) });
        self.gauge = serving.then(|| metrics.upstreams().worker_up(worker.upstream()));
        self.last = answer;
    }
}

fn free_ports() -> std::io::Result<Ports> {
    Ok(Ports { grpc: Port::free()?, metrics: Port::free()? })
}

fn pauses() -> ExponentialBackoff {
    ExponentialBuilder::new()
        .with_min_delay(FIRST_PAUSE)
        .with_max_delay(LONGEST_PAUSE)
        .without_max_times()
        .build()
}
