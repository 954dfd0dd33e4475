//! The variables that flytekit and the vendors' own tools read.

use std::collections::BTreeMap;

/// The environment as it was at the start; an empty variable is none.
#[derive(Clone, Default)]
pub(in crate::connectors::sensor) struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The process's own.
    pub(in crate::connectors::sensor) fn of_process() -> Self {
        let text = |value: std::ffi::OsString| value.into_string().ok();
        std::env::vars_os()
            .filter_map(|(name, value)| Some((text(name)?, text(value)?)))
            .filter(|(name, value)| is_read(name) && !value.is_empty())
            .collect()
    }

    /// The first of these variables that is set.
    pub(super) fn get(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| self.0.get(*name).map(String::as_str))
    }

    /// A variable that says yes or no.
    pub(super) fn flag(&self, names: &[&str]) -> Option<bool> {
        self.get(names).map(|value| !matches!(&*value.to_lowercase(), "false" | "0" | "f" | "no"))
    }

    /// The variables that begin so.
    pub(super) fn starting(&self, prefix: &str) -> impl Iterator<Item = (&str, &str)> {
        let entries = self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        entries.filter(move |(name, _)| name.starts_with(prefix))
    }
}

impl FromIterator<(String, String)> for Environment {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(variables: I) -> Self {
        Self(variables.into_iter().collect())
    }
}

fn is_read(name: &str) -> bool {
    let prefixes = ["FLYTE_", "AWS_", "AZURE_", "GOOGLE_", "IDENTITY_", "MSI_"];
    prefixes.iter().any(|prefix| name.starts_with(prefix))
        || matches!(name, "STORAGE_EMULATOR_HOST" | "SERVICE_ACCOUNT" | "HOME")
}
