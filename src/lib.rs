#![forbid(unsafe_code)]
//! Flightdeck

pub mod cli;
pub mod config;
pub mod connector;
pub mod connectors;
pub mod server;
pub mod supervisor;
pub mod telemetry;
pub mod wire;
