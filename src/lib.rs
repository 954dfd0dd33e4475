#![forbid(unsafe_code)]
//! Flightdeck

pub mod config;
pub mod connector;
pub mod server;
pub mod supervisor;
pub mod telemetry;
pub mod wire;
