//! Reads the configuration from its sources.

use std::{
    borrow::Cow,
    path::{Path, PathBuf},
};

use config::{Environment, File, FileFormat};

use super::Config;

const PREFIX: &str = "FLIGHTDECK";

/// The variables behind the prefix that stand for flags of the command line
/// (`--config`, `--endpoint`) and not for settings.
const FLAGS: [&str; 3] = ["CONFIG", "ENDPOINT", "ADMIN_ENDPOINT"];

/// Settings that were given as flags: they override the file and the
/// environment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flags {
    /// `server.port`
    pub port: Option<u16>,
    /// `metrics.port`
    pub metrics_port: Option<u16>,
    /// `server.workers`
    pub workers: Option<usize>,
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is missing or cannot be read.
    #[error("cannot read the configuration file {path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A variable that looks like a setting names no section.
    #[error(
        "environment variable {0} is no setting: write {PREFIX}_<SECTION>__<KEY>, \
         for example {PREFIX}_TASKS__RETENTION"
    )]
    Variable(String),
    /// A source cannot be parsed, or a key or a type in it is wrong.
    #[error(transparent)]
    Invalid(#[from] config::ConfigError),
    /// A value is of the right type and still not possible.
    #[error("{key} = {value} is not possible: {allowed}")]
    Value {
        /// The path of the setting, for example `tasks.get_wait`.
        key: Cow<'static, str>,
        /// What was given.
        value: String,
        /// What is allowed.
        allowed: String,
    },
}

impl Config {
    /// Reads the file, if one is given, then the environment, then the flags,
    /// and validates the whole.
    pub fn load(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
        flags: &Flags,
    ) -> Result<Self, ConfigError> {
        let mut builder = config::Config::builder();
        if let Some(path) = file {
            builder = builder.add_source(read(path)?);
        }
        let variables = settings_in(environment)?;
        builder = builder.add_source(
            Environment::with_prefix(PREFIX)
                .prefix_separator("_")
                .separator("__")
                .try_parsing(true)
                .source(Some(variables)),
        );
        let config: Self = builder
            .set_override_option("server.port", flags.port)?
            .set_override_option("metrics.port", flags.metrics_port)?
            .set_override_option("server.workers", flags.workers.map(|n| n as u64))?
            .build()?
            .try_deserialize()?;
        config.validate()?;
        Ok(config)
    }
}

fn read(path: &Path) -> Result<File<config::FileSourceString, FileFormat>, ConfigError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
    Ok(File::from_str(&text, FileFormat::Toml))
}

/// The variables that are settings, without those of [`FLAGS`]. Kubernetes sets
/// `FLIGHTDECK_PORT...` and `FLIGHTDECK_SERVICE_...` in every pod beside a
/// Service named flightdeck: those are passed over, anything else without a
/// section is a slip.
fn settings_in(
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<config::Map<String, String>, ConfigError> {
    let mut settings = config::Map::new();
    for (name, value) in environment {
        let Some(path) = name.strip_prefix(PREFIX).and_then(|n| n.strip_prefix('_')) else {
            continue;
        };
        if path.contains("__") {
            settings.insert(name, value);
        } else if !FLAGS.contains(&path)
            && !path.starts_with("PORT")
            && !path.starts_with("SERVICE_")
        {
            return Err(ConfigError::Variable(name));
        }
    }
    Ok(settings)
}
