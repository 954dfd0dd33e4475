//! `flightdeck connectors`

use std::{path::PathBuf, process::ExitCode};

use clap::Args as ClapArgs;

use super::{all_connectors, print_line, table};
use crate::{
    config::{Config, Flags},
    connector::{ConnectorRegistry, RegistryError},
};

/// The flags of `flightdeck connectors`.
#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    /// The configuration file (TOML)
    #[arg(long, value_name = "FILE", env = "FLIGHTDECK_CONFIG")]
    config: Option<PathBuf>,
}

pub(super) fn run(
    args: &Args,
    register: impl FnOnce(&ConnectorRegistry) -> Result<(), RegistryError>,
) -> anyhow::Result<ExitCode> {
    let config = Config::load(args.config.as_deref(), std::env::vars(), &Flags::default())?;
    let connectors = all_connectors(&config, register)?;
    print_line(&table::connectors(&connectors.agents()));
    Ok(ExitCode::SUCCESS)
}
