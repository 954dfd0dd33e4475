//! What several tests use.

pub mod backend;
pub mod books;
pub mod job_connector;
pub mod propeller;
pub mod requests;
pub mod service;
