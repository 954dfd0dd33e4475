//! Connector services that tasks are forwarded to.

mod member;
mod supervised;
mod worker;

pub use supervised::Supervised;
pub use worker::{LastLines, Scraper, WorkerError, WorkerName, guard};
