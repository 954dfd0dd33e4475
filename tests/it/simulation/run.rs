//! One run: the real services, propeller, and the weather of a seed.

use std::{cell::RefCell, collections::BTreeSet, rc::Rc, sync::Arc, time::Duration};

use flightdeck::{
    config::Config,
    connector::{Connector, ConnectorRegistry, IdempotencyKey},
    server::Service,
    supervisor::{Randomness, World},
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::{sync::Notify, task::JoinSet, time::sleep};
use turmoil::Sim;

use super::{
    grpc::Grpc,
    lister,
    network::{Outages, PROPELLER, Port, SERVICE, SimulationClock},
    weather::{Change, weather},
};
use crate::{
    common::propeller::{Propeller, Report, Rules, Workflow},
    model::{
        backend::{Backend, Operation},
        connector::{JobConnector, job_number},
    },
};

const MINUTE: Duration = Duration::from_secs(60);

/// How long the weather may be bad.
const BAD_WEATHER: Duration = Duration::from_secs(25 * 60);

/// How long it takes until nothing is left of it: polls and deletes back off
/// up to two minutes, orphans get five.
const AFTERMATH: Duration = Duration::from_secs(12 * 60);

/// After this time an orphan is being deleted, if it can be.
const ORPHANED: Duration = Duration::from_secs(6 * 60);

/// The longest pause between two tries of a delete, and the longest try.
const DELETE_PAUSE: Duration = Duration::from_secs(75 + 30);

/// The longest that a job runs.
const LONGEST: Duration = Duration::from_secs(20 * 60);

/// What is in the names of workflows whose jobs run until they are deleted.
const ENDLESS: &str = "endless";

/// What a run came to.
#[derive(Debug)]
pub struct Outcome {
    pub report: Report,
    /// Jobs that run on, and nobody asks about them.
    pub left: Vec<usize>,
    /// Every answer, in its order.
    pub said: Vec<String>,
}

/// What is shared by the hosts, and by the weather.
struct Scene {
    clock: Arc<SimulationClock>,
    outages: Arc<Outages>,
    backend: Backend,
    propeller: Propeller<Grpc>,
    /// Jobs whose end a kill has taken with it.
    taken: RefCell<BTreeSet<usize>>,
    stop: Notify,
    seed: u64,
}

/// Runs the weather of a seed over a few workflows.
pub fn run(seed: u64) -> Outcome {
    let clock = Arc::new(SimulationClock::default());
    let outages = Arc::new(Outages::default());
    let grpc = Grpc::new(clock.clone(), outages.clone());
    let rules = Rules { deadline: 60 * MINUTE, ..Rules::REAL };
    let scene = Rc::new(Scene {
        backend: Backend::new(clock.clone()).with_lifespan(lifespan),
        propeller: Propeller::new(grpc.clone(), rules),
        clock,
        outages,
        taken: RefCell::default(),
        stop: Notify::new(),
        seed,
    });
    let report = Rc::new(RefCell::new(None));
    let mut simulation = turmoil::Builder::new()
        .rng_seed(seed)
        // Calls take some of these; shorter ones would only take time.
        .tick_duration(Duration::from_millis(200))
        .simulation_duration(Duration::from_secs(24 * 3600))
        .tcp_capacity(1024)
        .build();
    let services = scene.clone();
    simulation.host(SERVICE, move || serve(services.clone()));
    let (asked, told) = (scene.clone(), report.clone());
    simulation.client(PROPELLER, async move {
        *told.borrow_mut() = Some(ask(&asked).await);
        Ok(())
    });
    drive(&mut simulation, &scene);
    let report = report.take().expect("propeller has ended");
    let taken = scene.taken.borrow();
    let jobs = scene.backend.jobs();
    let left =
        jobs.iter().enumerate().filter(|(number, job)| job.is_live() && !taken.contains(number));
    Outcome { report, left: left.map(|(number, _)| number).collect(), said: grpc.said() }
}

fn lifespan(owner: &str, key: IdempotencyKey) -> Option<Duration> {
    (!owner.contains(ENDLESS)).then(|| LONGEST.mul_f64(f64::from(key.0[0]) / 255.0))
}

/// The services, one life after another: a stop is followed by a start.
async fn serve(scene: Rc<Scene>) -> turmoil::Result {
    loop {
        let connectors = ConnectorRegistry::new();
        connectors.register(Connector::from_async(JobConnector(scene.backend.clone())))?;
        let life = u64::try_from(scene.clock.moment().as_millis())?;
        let world = World {
            clock: scene.clock.clone(),
            randomness: Arc::new(Randomness::seeded(scene.seed ^ life)),
        };
        let stop = async {
            scene.stop.notified().await;
            scene.outages.begin(scene.clock.moment());
        };
        let port = Port::bind().await?;
        scene.outages.end(scene.clock.moment());
        Service::run_on(port, Config::default(), Arc::new(connectors), world, stop).await?;
        scene.take();
    }
}

/// Some workflows; then time passes.
async fn ask(scene: &Scene) -> Report {
    let mut rng = StdRng::seed_from_u64(!scene.seed);
    let mut workflows = JoinSet::new();
    let listing = lister::start(&scene.clock, &scene.outages);
    for number in 0..4 {
        workflows.spawn(scene.propeller.clone().run(workflow(&mut rng, number)));
        sleep(MINUTE * rng.random_range(0..4)).await;
    }
    let mut all = Report::default();
    while let Some(report) = workflows.join_next().await {
        all.add(report.expect("a workflow does not panic"));
    }
    sleep(BAD_WEATHER.saturating_sub(scene.clock.moment()) + AFTERMATH).await;
    assert!(scene.propeller.held().is_empty(), "every workflow has ended");
    listing.stop().await;
    all
}

/// A workflow whose jobs end, or one that its user aborts; some have timeouts.
fn workflow(rng: &mut StdRng, number: usize) -> Workflow {
    let endless = rng.random_bool(0.5);
    Workflow {
        name: format!("{}{number}", if endless { ENDLESS } else { "w" }),
        nodes: rng.random_range(1..5),
        task_type: "job",
        abort_after: endless.then(|| MINUTE * rng.random_range(1..20)),
        timeout: rng.random_bool(0.3).then(|| MINUTE * rng.random_range(5..15)),
    }
}

/// Lets the weather happen until propeller has ended.
fn drive(simulation: &mut Sim<'_>, scene: &Scene) {
    let mut changes = weather(scene.seed, BAD_WEATHER);
    loop {
        let now = simulation.elapsed();
        scene.clock.set(now);
        while changes.front().is_some_and(|(at, _)| *at <= now)
            && let Some((_, change)) = changes.pop_front()
        {
            scene.change(simulation, change);
        }
        if simulation.step().expect("no host fails") {
            return;
        }
    }
}

impl Scene {
    fn change(&self, simulation: &mut Sim<'_>, change: Change) {
        let now = self.clock.moment();
        match change {
            Change::Fails(operations, fault) => {
                for operation in operations {
                    self.backend.set_fault(operation, Some(fault));
                }
            }
            Change::Recovers => self.backend.recover(),
            Change::Holds => {
                self.outages.begin(now);
                simulation.hold(PROPELLER, SERVICE);
            }
            Change::Parts => {
                self.outages.begin(now);
                simulation.partition(PROPELLER, SERVICE);
            }
            Change::Mends => {
                simulation.release(PROPELLER, SERVICE);
                simulation.repair(PROPELLER, SERVICE);
                self.outages.end(now);
            }
            Change::Dies => {
                self.outages.begin(now);
                simulation.crash(SERVICE);
                self.take();
            }
            // The outage ends when the port is bound.
            Change::Starts => simulation.bounce(SERVICE),
            Change::Restarts => self.stop.notify_one(),
        }
    }

    /// The process has ended. Deletes under way, creates under way and orphans
    /// live in its memory: of the jobs that run without anybody who holds their
    /// handle, the young ones and those that are being deleted are what its end
    /// takes with it, until there is a journal.
    fn take(&self) {
        let now = self.clock.moment();
        let held: BTreeSet<_> =
            self.propeller.held().iter().filter_map(|handle| job_number(handle)).collect();
        let undeletable = self.backend.fault(Operation::Delete).is_some();
        for (number, job) in self.backend.jobs().iter().enumerate() {
            let young = now < job.started + ORPHANED;
            let tried = job.deletes.last().is_some_and(|call| now < call.at + DELETE_PAUSE);
            if job.is_live() && !held.contains(&number) && (young || undeletable || tried) {
                self.taken.borrow_mut().insert(number);
            }
        }
    }
}
