//! The life of tasks: one supervised actor each.
//!
//! # Layout
//!
//! - [`Tasks`] is what the server's handlers hold: they ask, it answers from
//!   what actors publish, or sends an actor a message.
//! - `registry`: the actor `TaskRegistry` supervises every `TaskActor` and
//!   restarts it after a panic.
//! - `task`: the actor `TaskActor` creates, polls and deletes one job.
//! - `entry`, `desk`, `index`, `keys`: what is known of a task outside of its
//!   actor, and how it is found.
//! - `kind`: what many tasks share. `gate`: the polls of a connector take turns; `room`: new tasks wait for
//!   some; `results`: those of sync tasks are kept for a repeat.
//! - `schedule`, `budget`, `history`: pure parts of a task's state.
//! - `trace`, `line`: what is told of a task in its trace and in the log.
//! - `timers`: when actors are to be told something.
//! - `call`: calls of a connector as child tasks, bounded in time.
//! - `inspect`, `report`, `faults`: what is told to who looks inside.
//! - `world`: wall clock and randomness, handed in.

mod adopt;
mod budget;
mod call;
mod create;
mod delete;
mod desk;
mod drain;
mod entry;
mod error;
mod execute;
mod faults;
mod gate;
mod get;
mod history;
mod index;
mod inspect;
mod keys;
mod kind;
mod line;
mod observe;
mod oldest;
mod registry;
mod report;
mod results;
mod room;
mod rounds;
mod route;
mod schedule;
mod snapshot;
mod sync_job;
mod task;
mod tasks;
mod timers;
mod trace;
mod world;

pub use error::TaskError;
pub use faults::Fault;
pub use get::TaskQuery;
pub use inspect::{ConnectorOverview, Overview, TaskFilter};
pub use report::{DeletionState, TaskReport};
pub use tasks::Tasks;
pub(crate) use world::whole_millis;
pub use world::{Clock, Randomness, SystemClock, TraceIds, World};
