//! A connector service with a task type of its own beside the built-in ones:
//! `countdown` runs for as many seconds as its input says.

use std::{process::ExitCode, time::SystemTime};

use flightdeck::connector::*;
use flightdeck::wire::{flyteidl::core::LiteralMap, literal, python::Value};
use serde::{Deserialize, Serialize};

/// What finds the job again: all that a later `get` is given.
#[derive(Serialize, Deserialize)]
pub struct Launch {
    at: u64,
}

impl JsonMeta for Launch {}

/// The connector. It holds whatever its calls share, for one an HTTP client.
pub struct Countdown;

impl AsyncConnector for Countdown {
    type Meta = Launch;

    fn name(&self) -> &str {
        "Countdown"
    }

    fn task_categories(&self) -> Vec<TaskCategory> {
        vec![TaskCategory::from("countdown")]
    }

    async fn create(&self, task: &TaskRequest) -> Result<Launch, ConnectorError> {
        let seconds = task.inputs.as_ref().and_then(|map| map.literals.get("seconds"));
        match seconds.map(literal::to_value) {
            Some(Ok(Value::Int(n @ 0..=3600))) => Ok(Launch { at: now() + n as u64 }),
            _ => Err(ConnectorError::invalid("input seconds must be an integer from 0 to 3600")),
        }
    }

    async fn get(&self, launch: &Launch) -> Result<Resource, ConnectorError> {
        if launch.at > now() {
            return Ok(Resource::new(Phase::Running));
        }
        let literals = [("launched".to_owned(), literal::integer(launch.at as i64))].into();
        Ok(Resource::new(Phase::Succeeded).with_outputs(LiteralMap { literals }))
    }

    async fn delete(&self, _launch: &Launch) -> Result<(), ConnectorError> {
        Ok(()) // nothing runs anywhere
    }
}

fn now() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_secs()
}

fn main() -> ExitCode {
    flightdeck::cli::run_with(|connectors| connectors.register(Connector::from_async(Countdown)))
}
