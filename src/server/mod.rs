//! The service: thin gRPC handlers, health, reflection, the metrics endpoint
//! and the admin service, from binding the ports to the end of the drain.

mod activity;
mod admin;
mod admission;
mod arrival;
mod asynchronous;
mod caller;
mod connection;
mod connections;
mod deadline;
mod health;
mod incoming;
mod listener;
mod metadata;
mod meter;
mod metrics;
mod panic;
mod requests;
mod rpc;
mod service;
mod synchronous;

pub use health::SERVICE_NAMES;
pub use incoming::Incoming;
pub use listener::BindError;
pub use service::{ServeError, Service};
