//! The contract between Flightdeck and the code that talks to a backend.
//!
//! A connector implements [`AsyncConnector`] (the job outlives the call that
//! started it) or [`SyncConnector`] (the reply carries the result), and is put
//! into a [`ConnectorRegistry`]. A condition that is only waited for is a
//! [`Sensor`], which the built-in sensor connector runs.
//!
//! A connector knows its backend and nothing else: polling, retries, deletion
//! and the life of a task are the supervisor's. What it owes in return is an
//! honest [`ConnectorError`]: its [`ErrorClass`] decides whether a task goes on
//! or ends.

mod asynchronous;
mod category;
mod error;
mod forwarder;
mod job;
mod meta;
mod policy;
mod query;
mod registry;
mod request;
mod resource;
mod routing;
mod sensor;
mod synchronous;

pub use asynchronous::AsyncConnector;
pub use category::TaskCategory;
pub use error::{ConnectorError, ErrorClass};
pub use forwarder::Forwarder;
pub use job::{Connector, DynAsyncConnector, DynSyncConnector, Job};
pub use meta::{JsonMeta, MetaError, ResourceMeta};
pub use policy::PollPolicy;
pub use query::{LogPage, LogQuery, LogStream, MetricsQuery};
pub use registry::{ConnectorRegistry, RegistryError};
pub use request::{IdempotencyKey, TaskRequest};
pub use resource::Resource;
pub use routing::Route;
pub use sensor::Sensor;
pub use synchronous::SyncConnector;

pub use crate::wire::flyteidl::core::task_execution::Phase;
