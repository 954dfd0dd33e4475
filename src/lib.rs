#![forbid(unsafe_code)]
//! Flightdeck
