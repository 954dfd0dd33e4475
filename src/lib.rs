#![forbid(unsafe_code)]
//! Flightdeck is a connector service for [Flyte](https://flyte.org): it creates
//! external jobs and sensors for FlytePropeller, tells their state and deletes
//! them, over the protocol of flytekit's `pyflyte serve connector`. Every task
//! has an actor of its own, which polls the backend on a schedule and publishes
//! what it finds: a caller's Get is answered at once, and a fault of the backend
//! stays away from it.
//!
//! # Writing a connector
//!
//! A connector implements [`connector::AsyncConnector`] (its job outlives the
//! call) or [`connector::SyncConnector`] (the reply carries the result) and is
//! registered beside the built-in ones:
//!
//! ```no_run
//! use flightdeck::connector::*;
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize, Deserialize)]
//! struct Job { id: String }
//!
//! impl JsonMeta for Job {}
//!
//! struct Warehouse;
//!
//! impl AsyncConnector for Warehouse {
//!     type Meta = Job;
//!
//!     fn name(&self) -> &str { "Warehouse" }
//!
//!     fn task_categories(&self) -> Vec<TaskCategory> {
//!         vec![TaskCategory::from("warehouse_query")]
//!     }
//!
//!     async fn create(&self, task: &TaskRequest) -> Result<Job, ConnectorError> {
//!         // Start it, under the key: a repeat must not start a second one.
//!         Ok(Job { id: task.idempotency_key.to_string() })
//!     }
//!
//!     async fn get(&self, job: &Job) -> Result<Resource, ConnectorError> {
//!         // Ask for the state of `job.id`.
//!         Ok(Resource::new(Phase::Running))
//!     }
//!
//!     async fn delete(&self, job: &Job) -> Result<(), ConnectorError> {
//!         // Cancel `job.id`.
//!         Ok(())
//!     }
//! }
//!
//! fn main() -> std::process::ExitCode {
//!     flightdeck::cli::run_with(|connectors| {
//!         connectors.register(Connector::from_async(Warehouse))
//!     })
//! }
//! ```
//!
//! What a connector must know of errors is with [`connector::ConnectorError`];
//! a whole one is in `examples/countdown.rs`. Literals are read and made with
//! [`wire::literal`].
//!
//! # Layout
//!
//! A request goes one way, from the left to the right; each room uses those to
//! its right, and [`wire`], [`telemetry`] and [`config`].
//!
//! `cli` -> [`server`] -> [`supervisor`] -> [`connector`] and [`connectors`] ->
//! a backend
//!
//! - [`cli`]: the command line, one file a subcommand.
//! - [`server`]: thin gRPC handlers, connections and their limits, health, the
//!   metrics endpoint, the admin service, the drain.
//! - [`supervisor`]: the actors of tasks, and the index that finds them.
//! - [`connector`]: the contract for connectors.
//! - [`connectors`]: the built-in ones.
//! - [`wire`]: the generated protocol, the handle, literals.
//! - [`telemetry`]: logs, metrics and traces.
//! - [`config`]: the settings.

pub mod cli;
pub mod config;
pub mod connector;
pub mod connectors;
pub mod server;
pub mod supervisor;
pub mod telemetry;
pub mod wire;
