//! What several tests use.

pub mod backend;
#[allow(dead_code, reason = "its other half is for tests of a process")]
pub mod books;
#[allow(dead_code, reason = "as above")]
pub mod collector;
pub mod job_connector;
pub mod peer;
pub mod process;
pub mod propeller;
pub mod requests;
pub mod service;
