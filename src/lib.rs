#![forbid(unsafe_code)]
//! Flightdeck

pub mod wire;
