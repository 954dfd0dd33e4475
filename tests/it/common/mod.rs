//! What several tests use.

pub mod backend;
pub mod peer;
pub mod process;
pub mod requests;
pub mod service;
