//! One upstream as the registry knows it.

use std::sync::Arc;

use super::{
    client::Client,
    modules::{Modules, SENSOR},
    tasks::{All, Claims, ForwardedSync, ForwardedTasks},
};
use crate::{
    config,
    connector::{Connector, Forwarder, TaskCategory},
};

/// Makes connectors that forward to one upstream.
pub(super) struct Upstream {
    client: Arc<Client>,
    preferred: Vec<String>,
    all: Arc<dyn Claims>,
    sensors: Arc<dyn Claims>,
}

impl Upstream {
    pub(super) fn new(settings: &config::Upstream, client: Arc<Client>) -> Self {
        let all: Arc<dyn Claims> = Arc::new(All);
        let sensors: Arc<dyn Claims> = match settings.sensor_modules.is_empty() {
            true => all.clone(),
            false => Arc::new(Modules(settings.sensor_modules.clone())),
        };
        Self { client, preferred: settings.prefer.clone(), all, sensors }
    }
}

impl Forwarder for Upstream {
    fn name(&self) -> &str {
        self.client.name()
    }

    fn connector(&self, category: &TaskCategory, is_sync: bool) -> Connector {
        let (client, category) = (self.client.clone(), category.clone());
        if is_sync {
            return Connector::Sync(Arc::new(ForwardedSync { client, category }));
        }
        let claims = if category.name == SENSOR { &self.sensors } else { &self.all };
        Connector::Async(Arc::new(ForwardedTasks { client, category, claims: claims.clone() }))
    }

    fn is_preferred(&self, category: &TaskCategory) -> bool {
        self.preferred.contains(&category.name)
    }
}
