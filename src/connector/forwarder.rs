//! Where tasks go that no connector of this process has.

use super::{Connector, TaskCategory};

/// Another connector service that tasks can be forwarded to. What it has is
/// told to the [`ConnectorRegistry`](super::ConnectorRegistry) once it is known.
pub trait Forwarder: Send + Sync + 'static {
    /// Its name, which is the name of its connectors and which the handles of
    /// their tasks carry.
    fn name(&self) -> &str;

    /// The connector that forwards the tasks of a category to it.
    fn connector(&self, category: &TaskCategory, is_sync: bool) -> Connector;

    /// True for a category in which it goes before a connector of this process.
    fn is_preferred(&self, category: &TaskCategory) -> bool;
}
