//! What Flightdeck costs and how fast it is, measured side by side with a bare
//! tonic server and with flytekit's own service.
//!
//! `cargo bench` runs all of it, `cargo bench -- NAMES` some; `benches/README.md`
//! says what each figure means and does not show.

#[path = "../common/bare.rs"]
mod bare;
mod calls;
mod churn;
mod cost;
mod create;
mod forwarding;
mod get;
mod latency;
mod lateness;
mod load;
mod machine;
mod messages;
mod micro;
mod overload;
mod peer;
mod process;
mod propeller;
mod report;
mod scale;
mod scrape;
mod sensors;
mod service;
mod startup;
mod stores;
#[path = "../common/subjects.rs"]
mod subjects;
mod upstream;
#[path = "../common/written.rs"]
mod written;

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use clap::{Parser, ValueEnum};
use tokio::runtime::{Builder, Runtime};

use self::{machine::Machine, report::Report};

/// The allocator of the service, so that the floor has the same.
#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A bench by its name.
struct Bench {
    name: &'static str,
    about: &'static str,
    run: fn(&Settings, &mut Report),
}

/// In the order in which they run.
const BENCHES: [Bench; 14] = [
    Bench { name: "startup", about: "start to SERVING, memory when idle", run: startup::run },
    Bench { name: "micro", about: "single steps, in process", run: steps },
    // In this process, so before the others leave their memory behind.
    Bench { name: "churn", about: "no growth while short tasks come and go", run: churn::run },
    Bench { name: "get", about: "CPU of a Get over a bare tonic server's, traces", run: get::run },
    Bench { name: "create", about: "the same of a Create and a Delete", run: create::run },
    Bench { name: "calls", about: "the same of the other calls", run: calls::run },
    Bench { name: "upstream", about: "the same of a task that is forwarded", run: upstream::run },
    Bench { name: "latency", about: "latency at parts of the highest rate", run: latency::run },
    Bench { name: "overload", about: "2x and 10x of what it can do", run: overload::run },
    Bench { name: "propeller", about: "one propeller's tasks, 100x faster", run: propeller::run },
    Bench { name: "peer", about: "calls a second beside flytekit's service", run: peer::run },
    Bench { name: "scale", about: "cost against the number of tasks, and a plot", run: scale::run },
    Bench { name: "stores", about: "100,000 sensors on 1,000 objects", run: stores::run },
    Bench { name: "forwarding", about: "Python sensors behind it", run: forwarding::run },
];

/// What the benches are run with.
#[derive(Debug, Parser)]
#[command(about = "How fast Flightdeck is, and what it costs")]
pub struct Settings {
    /// The benches to run, by name [default: all]
    #[arg(value_name = "NAME")]
    names: Vec<String>,

    /// List the benches
    #[arg(long)]
    list: bool,

    /// As short as it goes: whether they run, not how fast
    #[arg(long)]
    quick: bool,

    /// A million live tasks as well: 10 GiB of memory, and eight minutes more
    #[arg(long)]
    million: bool,

    /// A line of Flightdeck's configuration, such as 'server.workers = 1'
    #[arg(long, value_name = "LINE")]
    set: Vec<String>,

    /// Where the figures are written as JSON
    #[arg(long, value_name = "FILE", default_value = concat!(env!("CARGO_TARGET_TMPDIR"), "/speed.json"))]
    json: PathBuf,

    /// What this process is, if it is not the benches
    #[arg(long, hide = true)]
    role: Option<Role>,

    /// Given by `cargo bench`
    #[arg(long, hide = true)]
    bench: bool,
}

/// A server that the benches run as a process of its own.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Role {
    /// The bare tonic server.
    Floor,
    /// An object store that has nothing.
    Store,
    /// What webhooks are sent to.
    Hook,
    /// A receiver of spans.
    Collector,
}

impl Settings {
    /// So many, or few if it only has to run.
    fn count(&self, full: usize, quick: usize) -> usize {
        if self.quick { quick } else { full }
    }

    /// So long, or shortly if it only has to run.
    fn time(&self, full: Duration) -> Duration {
        if self.quick { full.min(Duration::from_millis(200)) } else { full }
    }

    /// How often things are measured in turn.
    fn rounds(&self) -> usize {
        self.count(5, 1)
    }
}

fn main() {
    let settings = Settings::parse();
    if let Some(role) = settings.role {
        return runtime().block_on(service::serve(role));
    }
    service::set(&settings.set);
    if settings.list {
        return BENCHES.iter().for_each(|bench| println!("{:<12} {}", bench.name, bench.about));
    }
    let unknown = settings.names.iter().find(|name| BENCHES.iter().all(|b| b.name != **name));
    if let Some(name) = unknown {
        eprintln!("there is no bench {name:?}; --list tells which there are");
        std::process::exit(2);
    }
    let mut report = Report::new(Machine::read());
    for bench in &BENCHES {
        if settings.names.is_empty() || settings.names.iter().any(|name| name == bench.name) {
            report.begin(bench.name, bench.about);
            let began = Instant::now();
            (bench.run)(&settings, &mut report);
            println!("  took {:.0} s", began.elapsed().as_secs_f64());
        }
    }
    report.print();
    match report.write(&settings.json) {
        Ok(()) => println!("written to {}", settings.json.display()),
        Err(error) => {
            eprintln!("cannot write {}: {error}", settings.json.display());
            std::process::exit(1);
        }
    }
}

/// Single steps, by criterion.
fn steps(settings: &Settings, report: &mut Report) {
    let time = settings.time(Duration::from_millis(700));
    micro::run(&mut micro::criterion().measurement_time(time));
    for (step, nanos) in micro::estimates().expect("what criterion wrote") {
        report.figure(step, "ns", nanos);
    }
}

/// As many threads as the service has.
fn runtime() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(cores().max(2)).enable_all().build().expect("a runtime")
}

/// How many threads can run at once.
fn cores() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from)
}
