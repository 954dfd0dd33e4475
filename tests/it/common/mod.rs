//! What several tests use.

pub mod backend;
pub mod requests;
pub mod service;
