//! The service as a process of its own, killed under load, between a client and
//! a backend that both live here. Its connector is `examples/http_jobs.rs`,
//! which `cargo test` builds.

// A backend's books: here they are served over HTTP.
#[path = "../it/common/books.rs"]
#[allow(dead_code, reason = "its other half is for tests without a process")]
mod books;
#[path = "../it/common/requests.rs"]
#[allow(dead_code, reason = "its other half is for tests without a process")]
mod requests;

// The backend, the process, a client, and calls about many tasks.
mod api;
mod client;
mod many;
mod process;

// SIGKILL under load, and in the middle of creates.
mod sigkill;

// Faults of the backend as HTTP has them.
mod faults;
