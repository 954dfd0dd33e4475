//! `flightdeck task`: a client for any connector service, Flightdeck's or
//! flytekit's. It sends what propeller sends, under propeller's deadline. `list`
//! alone asks Flightdeck's admin service.

mod client;
mod create;
mod delete;
mod duration;
mod execution;
mod get;
mod handle;
mod human;
mod input;
mod inside;
mod json;
mod list;
mod logs;
mod metrics;
mod new_task;
mod output;
mod phase;
mod progress;
mod request_file;
mod run;
mod sensor;
mod service;
mod tables;
mod watch;

use std::process::ExitCode;

use anyhow::Context;
use clap::{Args as ClapArgs, Subcommand};
use tokio::runtime::{Builder, Runtime};

use client::{Client, ClientArgs};
use output::{Format, Output};
use service::Service;

/// Call a connector service: create, watch and delete tasks.
#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    #[command(flatten)]
    client: ClientArgs,

    /// How replies are printed
    #[arg(long, value_enum, global = true, default_value = "human")]
    output: Format,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Create(create::Args),
    Run(run::Args),
    Get(get::Args),
    List(list::Args),
    Watch(watch::Args),
    Logs(logs::Args),
    Metrics(metrics::Args),
    Delete(delete::Args),
}

pub(super) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let mut output = Output::new(args.output);
    runtime()?.block_on(async {
        let service = match args.command {
            Command::List(_) => Service::Admin,
            _ => Service::Connector,
        };
        let client = Client::new(args.client, service)?;
        match args.command {
            Command::Create(args) => create::run(args, &client, &mut output).await,
            Command::Run(args) => run::run(args, &client, &mut output).await,
            Command::Get(args) => get::run(args, &client, &mut output).await,
            Command::List(args) => list::run(args, &client, &mut output).await,
            Command::Watch(args) => watch::run(args, &client, &mut output).await,
            Command::Logs(args) => logs::run(args, &client, &mut output).await,
            Command::Metrics(args) => metrics::run(args, &client, &mut output).await,
            Command::Delete(args) => delete::run(args, &client, &mut output).await,
        }
    })
}

/// One thread is plenty: the client makes one call at a time.
fn runtime() -> anyhow::Result<Runtime> {
    Builder::new_current_thread().enable_all().build().context("cannot start the runtime")
}
