#![forbid(unsafe_code)]
//! Flightdeck

pub mod config;
pub mod connector;
pub mod supervisor;
pub mod telemetry;
pub mod wire;
