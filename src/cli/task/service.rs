//! The services that commands call, and where each listens.

use std::{env, fmt};

use crate::{
    cli::UsageError,
    config::{Address, Admin},
};

/// A service that a command calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Service {
    /// Flightdeck's or flytekit's: it creates and deletes tasks.
    Connector,
    /// Flightdeck's look inside, on a port of its own.
    Admin,
}

impl Service {
    /// Where it listens: as the flag says, else the environment, else where it
    /// does unless it is told otherwise.
    pub(super) fn address(self, flag: Option<Address>) -> Result<Address, UsageError> {
        if let Some(address) = flag {
            return Ok(address);
        }
        let variable = self.variable();
        let (source, text) = match env::var_os(variable) {
            Some(text) => (variable, text.to_string_lossy().into_owned()),
            None => ("the usual address", format!("http://127.0.0.1:{}", self.usual_port())),
        };
        text.parse().map_err(|error| UsageError(format!("{source} is {text:?}: {error}")))
    }

    /// What to do when nobody answers.
    pub(super) fn hint(self) -> &'static str {
        match self {
            Self::Connector => {
                "start one with `flightdeck serve`, or name its address with --endpoint"
            }
            Self::Admin => {
                "`flightdeck serve` has one on its own machine unless admin.enabled is false; \
                 its log tells the address, name it with --endpoint"
            }
        }
    }

    fn variable(self) -> &'static str {
        match self {
            Self::Connector => "FLIGHTDECK_ENDPOINT",
            Self::Admin => "FLIGHTDECK_ADMIN_ENDPOINT",
        }
    }

    fn usual_port(self) -> u16 {
        match self {
            Self::Connector => 8000,
            Self::Admin => Admin::USUAL_PORT,
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connector => "a connector service",
            Self::Admin => "the admin service",
        })
    }
}
