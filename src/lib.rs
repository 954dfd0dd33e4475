#![forbid(unsafe_code)]
//! Flightdeck

pub mod connector;
pub mod connectors;
pub mod wire;
