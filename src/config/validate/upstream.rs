//! What no type can say of `[[upstream]]`.

use std::{collections::HashSet, time::Duration};

use super::{between, duration};
use crate::config::{ConfigError, Upstream};

/// It is in every handle of a task of the upstream, and handles are to be small.
const LONGEST_NAME: usize = 64;
/// Each is a process of its own.
const MOST_WORKERS: usize = 64;

/// Checks every upstream, and names the first setting that is not possible.
pub(super) fn validate(upstreams: &[Upstream]) -> Result<(), ConfigError> {
    let mut names = HashSet::new();
    for (n, upstream) in upstreams.iter().enumerate() {
        let section = Section { n, upstream };
        section.name()?;
        if !names.insert(&upstream.name) {
            return Err(section.impossible(
                "name",
                &upstream.name,
                "another upstream has it too; give each a name of its own",
            ));
        }
        section.sensor_modules()?;
        match (&upstream.endpoint, upstream.command.first()) {
            (Some(_), None) => section.endpoint()?,
            (None, Some(program)) => section.command(program)?,
            (Some(_), Some(_)) => {
                return Err(section.impossible(
                    "command",
                    &upstream.command,
                    "there is an endpoint too; a service either runs elsewhere (endpoint) or is \
                     started here (command)",
                ));
            }
            (None, None) => {
                return Err(section.impossible(
                    "endpoint",
                    &"",
                    "name the service's address, such as \"127.0.0.1:8000\", or the command that \
                     starts it",
                ));
            }
        }
    }
    Ok(())
}

/// One `[[upstream]]`, and its place among them.
struct Section<'a> {
    n: usize,
    upstream: &'a Upstream,
}

impl Section<'_> {
    fn key(&self, key: &str) -> String {
        format!("upstream[{}].{key}", self.n)
    }

    fn impossible(&self, key: &str, value: &impl std::fmt::Debug, allowed: &str) -> ConfigError {
        ConfigError::Value {
            key: self.key(key).into(),
            value: format!("{value:?}"),
            allowed: allowed.into(),
        }
    }

    fn name(&self) -> Result<(), ConfigError> {
        let name = &self.upstream.name;
        let usual = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if (1..=LONGEST_NAME).contains(&name.len()) && name.chars().all(usual) {
            return Ok(());
        }
        Err(self.impossible(
            "name",
            name,
            "handles, logs and metrics know it by its name; write 1 to 64 letters, digits, and \
             '-', '_' or '.'",
        ))
    }

    fn sensor_modules(&self) -> Result<(), ConfigError> {
        match self.upstream.sensor_modules.iter().any(String::is_empty) {
            true => Err(self.impossible(
                "sensor_modules",
                &self.upstream.sensor_modules,
                "a Python module has a name; leave the whole setting out for any module",
            )),
            false => Ok(()),
        }
    }

    /// What only processes have is a slip beside an endpoint.
    fn endpoint(&self) -> Result<(), ConfigError> {
        let only = "it is for a service that is started here, with a command";
        if self.upstream.workers != 1 {
            return Err(self.impossible("workers", &self.upstream.workers, only));
        }
        if !self.upstream.environment.is_empty() {
            return Err(self.impossible("environment", &self.upstream.environment, only));
        }
        match &self.upstream.directory {
            Some(directory) => Err(self.impossible("directory", directory, only)),
            None => Ok(()),
        }
    }

    fn command(&self, program: &str) -> Result<(), ConfigError> {
        let upstream = self.upstream;
        let nul = |text: &String| text.contains('\0');
        if program.is_empty() || upstream.command.iter().any(nul) {
            return Err(self.impossible(
                "command",
                &upstream.command,
                "it is a program and its arguments, without NUL",
            ));
        }
        for (name, value) in &upstream.environment {
            if name.is_empty() || name.contains('=') || nul(name) || nul(value) {
                return Err(self.impossible(
                    "environment",
                    &format_args!("{name}={value}"),
                    "a variable has a name without '=', and no NUL",
                ));
            }
        }
        let mut texts = upstream.command.iter().chain(upstream.environment.values());
        if !texts.any(|text| text.contains("{port}")) {
            return Err(self.impossible(
                "command",
                &upstream.command,
                "write {port} where the program takes its gRPC port: each worker is started on a \
                 free one",
            ));
        }
        between(self.key("workers"), upstream.workers, 1, MOST_WORKERS)?;
        duration(self.key("start_timeout"), upstream.start_timeout, Duration::from_millis(1))?;
        duration(self.key("hang_timeout"), upstream.hang_timeout, Duration::from_secs(1))?;
        duration(self.key("stop_timeout"), upstream.stop_timeout, Duration::ZERO)
    }
}
