//! Load on a service, from a process that is not the service.

mod calls;
mod closed;
mod open;
mod timed;
mod wire;

pub use calls::{Call, Calls, Creates, Deletes, Executes, Gets, Lists, request};
pub use closed::{Closed, Until, closed};
pub use open::{Open, Seen, Stage, histogram, micros, millis, open};
pub use timed::Timed;
pub use wire::Wire;
