//! The connectors that are built in.

pub mod webhook;
