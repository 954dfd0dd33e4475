//! Where it was measured.

use std::{fmt, process::Command};

use procfs::{CpuInfo, Current, LoadAverage, Meminfo, sys::kernel::Version};
use serde::Serialize;

/// The machine, and what ran on it.
#[derive(Debug, Serialize)]
pub struct Machine {
    time: String,
    cpu: String,
    cores: usize,
    memory_gib: f64,
    kernel: String,
    /// Processes that wanted a core in the minute before, on average.
    load: f32,
    rustc: String,
    flightdeck: &'static str,
    commit: String,
    allocator: &'static str,
}

impl Machine {
    pub fn read() -> Self {
        let cpu = CpuInfo::current().ok();
        let cpu = cpu.and_then(|cpu| cpu.model_name(0).map(str::to_owned));
        let memory = Meminfo::current().map_or(0, |memory| memory.mem_total);
        let kernel = Version::current().map(|v| format!("{}.{}.{}", v.major, v.minor, v.patch));
        Self {
            time: jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M UTC").to_string(),
            cpu: cpu.unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            memory_gib: (memory as f64 / f64::from(1 << 30) * 10.0).round() / 10.0,
            kernel: kernel.unwrap_or_default(),
            load: LoadAverage::current().map_or(0.0, |load| load.one),
            rustc: said("rustc", &["--version"]),
            flightdeck: env!("CARGO_PKG_VERSION"),
            commit: said("git", &["describe", "--always", "--dirty"]),
            allocator: if cfg!(feature = "mimalloc") { "mimalloc" } else { "the system's" },
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "flightdeck {} ({}), {}", self.flightdeck, self.commit, self.rustc)?;
        writeln!(f, "{}, {} cores, {} GiB", self.cpu, self.cores, self.memory_gib)?;
        write!(f, "Linux {}, load {}, {}", self.kernel, self.load, self.time)
    }
}

/// What a program says, or nothing where there is none.
fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map_or_else(
        |_| String::new(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}
