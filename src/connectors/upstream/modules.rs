//! Sensors of some Python modules only.

use super::tasks::Claims;
use crate::{
    connector::{ResourceMeta, TaskRequest},
    connectors::sensor::SensorMeta,
};

/// The task type of sensors.
pub(super) const SENSOR: &str = "sensor";

/// Modules whose sensors an upstream has, each with everything below it.
pub(super) struct Modules(pub(super) Vec<String>);

impl Modules {
    fn have(&self, module: &str) -> bool {
        self.0.iter().any(|name| {
            module
                .strip_prefix(name.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    }
}

impl Claims for Modules {
    fn task(&self, task: &TaskRequest) -> bool {
        let module = SensorMeta::module_of(&task.template);
        module.is_ok_and(|module| self.have(&module))
    }

    fn meta(&self, meta: &[u8]) -> bool {
        SensorMeta::decode(meta).is_ok_and(|meta| self.have(&meta.sensor_module))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_has_what_is_below_it_and_not_what_begins_like_it() {
        let modules = Modules(vec!["team".to_owned(), "other.sensors".to_owned()]);
        for (module, has) in [
            ("team", true),
            ("team.sensors.files", true),
            ("teams", false),
            ("other", false),
            ("other.sensors", true),
            ("", false),
        ] {
            assert_eq!(modules.have(module), has, "{module:?}");
        }
    }
}
