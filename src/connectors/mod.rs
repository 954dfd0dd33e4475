//! The connectors that are built in.

pub mod sensor;
pub mod upstream;
pub mod webhook;

use crate::{
    config::Config,
    connector::{Connector, ConnectorRegistry, RegistryError},
};

/// A built-in connector that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum BuiltinError {
    /// Two connectors claim one task type.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The webhook connector's settings make no HTTP client.
    #[error(transparent)]
    Webhook(#[from] webhook::UserAgentError),
}

/// Every built-in connector, in the order in which pyflyte lists them.
///
/// # Errors
/// If one of them cannot be made from its settings.
pub fn builtin(config: &Config) -> Result<ConnectorRegistry, BuiltinError> {
    let registry = ConnectorRegistry::new();
    registry.register(Connector::from_async(sensor::SensorEngine::new(config)))?;
    registry.register(Connector::from_sync(webhook::WebhookConnector::new(&config.webhook)?))?;
    Ok(registry)
}
