//! `flightdeck connectors`

use std::{path::PathBuf, process::ExitCode};

use clap::Args as ClapArgs;

use super::table;
use crate::{
    config::{Config, Flags},
    connectors::builtin,
};

/// The flags of `flightdeck connectors`.
#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    /// The configuration file (TOML)
    #[arg(long, value_name = "FILE", env = "FLIGHTDECK_CONFIG")]
    config: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let config = Config::load(args.config.as_deref(), std::env::vars(), &Flags::default())?;
    println!("{}", table::connectors(&builtin(&config)?.agents()));
    Ok(ExitCode::SUCCESS)
}
