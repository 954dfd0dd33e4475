//! What becomes of a worker that does not do its work.

use std::{error::Error, fmt, io, path::PathBuf, time::Duration};

use super::name::WorkerName;

/// A worker that could not be started, or is no longer there.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// There are no free ports for it.
    #[error("{worker} cannot be started, there is no free port")]
    Ports {
        /// Which one.
        worker: WorkerName,
        /// Why.
        source: io::Error,
    },
    /// Its working folder is not there.
    #[error("{worker} cannot be started: its directory {} is none", directory.display())]
    Directory {
        /// Which one.
        worker: WorkerName,
        /// The setting `directory`.
        directory: PathBuf,
    },
    /// The process that guards it cannot be started.
    #[error("{worker} cannot be started, its guard fails: {reason}")]
    Guard {
        /// Which one.
        worker: WorkerName,
        /// Why.
        reason: String,
    },
    /// Its program cannot be started.
    #[error("{worker} cannot be started: {program}: {reason}{}", Hint(program))]
    Program {
        /// Which one.
        worker: WorkerName,
        /// The first word of the setting `command`.
        program: String,
        /// Why.
        reason: String,
    },
    /// It ended before it was SERVING.
    #[error("{worker} ended before it was SERVING ({status})")]
    Early {
        /// Which one.
        worker: WorkerName,
        /// Its exit status in words.
        status: String,
        /// What it wrote last.
        #[source]
        output: LastLines,
    },
    /// It was not SERVING in time.
    #[error(
        "{worker} was not SERVING within {} (start_timeout)",
        humantime::format_duration(*limit)
    )]
    Late {
        /// Which one.
        worker: WorkerName,
        /// The setting `start_timeout`.
        limit: Duration,
        /// What it wrote last.
        #[source]
        output: LastLines,
    },
    /// It was SERVING, and ended.
    #[error("{worker} ended ({status})")]
    Ended {
        /// Which one.
        worker: WorkerName,
        /// Its exit status in words.
        status: String,
        /// What it wrote last.
        #[source]
        output: LastLines,
    },
    /// It was SERVING, and did not answer any more.
    #[error(
        "{worker} left every health check without an answer for {} (hang_timeout)",
        humantime::format_duration(*limit)
    )]
    Hung {
        /// Which one.
        worker: WorkerName,
        /// The setting `hang_timeout`.
        limit: Duration,
    },
}

impl WorkerError {
    /// The value of the metrics' label `cause`: `start` for one that never was
    /// SERVING, else `exit` or `hang`.
    pub(super) fn cause(&self) -> &'static str {
        match self {
            Self::Ended { .. } => "exit",
            Self::Hung { .. } => "hang",
            _ => "start",
        }
    }

    /// The error with the last lines of the worker, if it wrote any.
    pub(super) fn with_output(&self) -> String {
        match self.source() {
            Some(output) => format!("{self}: {output}"),
            None => self.to_string(),
        }
    }
}

/// The last lines of a worker's output: what it says of its end itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, thiserror::Error)]
pub struct LastLines(pub(super) Vec<String>);

impl fmt::Display for LastLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("it wrote nothing");
        }
        f.write_str("its last words:")?;
        self.0.iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}

/// Where the program comes from that most have in their `command`.
struct Hint<'a>(&'a str);

impl fmt::Display for Hint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match std::path::Path::new(self.0).file_name().is_some_and(|name| name == "pyflyte") {
            true => f.write_str(
                "; pyflyte comes with `pip install flytekit`, and its folder has to be on PATH",
            ),
            false => Ok(()),
        }
    }
}
