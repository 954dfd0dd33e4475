//! What goes to stdout.

use std::io::{self, ErrorKind, Write};

use anyhow::Context;
use clap::ValueEnum;
use prost::Message;
use serde_json::json;

use super::{
    handle, human,
    json::{self, names},
    tables,
};
use crate::wire::{
    flightdeck::v1::{GetStatusResponse, Task},
    flyteidl::{
        admin::{LogLine, Resource},
        core::ExecutionMetricResult,
    },
};

/// How replies are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// Text for people
    Human,
    /// Protobuf's JSON, one object a line
    Json,
}

/// Prints replies. When nobody reads them any more (`| head -1`) it goes on
/// silently, so that a command still ends with its own exit status.
pub(super) struct Output {
    format: Format,
    closed: bool,
}

impl Output {
    pub(super) fn new(format: Format) -> Self {
        Self { format, closed: false }
    }

    /// True if JSON is asked for.
    pub(super) fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// True when nobody reads any more.
    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    /// A new task's handle, alone, for a variable of a shell.
    pub(super) fn handle(&mut self, resource_meta: &[u8]) -> anyhow::Result<()> {
        let handle = handle::encode(resource_meta);
        match self.format {
            Format::Human => self.line(&handle),
            Format::Json => self.line(&json!({ "resourceMeta": handle }).to_string()),
        }
    }

    pub(super) fn resource(&mut self, resource: &Resource) -> anyhow::Result<()> {
        self.message(names::RESOURCE, resource, human::resource)
    }

    pub(super) fn log_line(&mut self, line: &LogLine) -> anyhow::Result<()> {
        self.message(names::LOG_LINE, line, human::log_line)
    }

    pub(super) fn metric(&mut self, metric: &ExecutionMetricResult) -> anyhow::Result<()> {
        self.message(names::METRIC, metric, human::metric)
    }

    /// A task as the admin service tells it.
    pub(super) fn task(&mut self, task: &Task) -> anyhow::Result<()> {
        self.message(names::TASK, task, |task| tables::tasks(std::slice::from_ref(task)))
    }

    /// Tasks as the admin service tells them.
    pub(super) fn tasks(&mut self, tasks: &[Task]) -> anyhow::Result<()> {
        self.line(&tables::tasks(tasks))
    }

    /// How the service does.
    pub(super) fn status(&mut self, status: &GetStatusResponse) -> anyhow::Result<()> {
        self.message(names::STATUS, status, tables::status)
    }

    /// That there is nothing to tell but that it is done.
    pub(super) fn done(&mut self, what: &str) -> anyhow::Result<()> {
        self.line(match self.format {
            Format::Human => what,
            Format::Json => "{}",
        })
    }

    fn message<M: Message>(
        &mut self,
        name: &str,
        message: &M,
        human: impl Fn(&M) -> String,
    ) -> anyhow::Result<()> {
        match self.format {
            Format::Human => self.line(&human(message)),
            Format::Json => self.line(&json::text(name, message)?),
        }
    }

    fn line(&mut self, text: &str) -> anyhow::Result<()> {
        if self.closed {
            return Ok(());
        }
        match writeln!(io::stdout(), "{text}") {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(())
            }
            written => written.context("cannot write to stdout"),
        }
    }
}

/// A line beside the replies, on stderr. There is nobody to tell if that fails.
pub(super) fn notice(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}
