//! What a user of Flightdeck can rely on.

mod common;

// The promises of a task's actor, over the supervisor's own interface and in
// simulated time.
mod tasks_churn;
mod tasks_create;
mod tasks_delete;
mod tasks_end;
mod tasks_get;
mod tasks_handle;
mod tasks_limits;
mod tasks_observe;
mod tasks_orphans;
mod tasks_rounds;
mod tasks_sync;

// The same promises against a model of them, whatever happens in which order.
mod model;

// Propeller's rules over faults of the backend and kills of the service.
mod propeller;

// The services on a simulated network, under propeller and in bad weather.
mod simulation;

// The services over real gRPC on loopback.
mod server_drain;
mod server_limits;
mod service;

// The workers of an upstream, as processes.
mod upstream_workers;

// The admin service, and the command that asks it.
mod admin;

// The wire, held against the table of flyteidl and the requests of flytekit.
mod wire;

// The webhook connector against a real HTTP server.
mod webhook;

// Tasks of other connector services.
mod upstream;

// The connector of examples/, against the public API.
mod example;

// The sources of the configuration and their errors.
mod config;

// The client of the command line, as a shell runs it.
mod cli_serve;
mod cli_task;
