//! Where a connector service listens.

use std::{fmt, str::FromStr};

use serde::Deserialize;
use tonic::transport::Endpoint;

/// The address of a connector service, as a URL or as propeller's
/// configuration has it: `host:port`, `dns:///host:port`.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct Address(Endpoint);

/// Text that is no address.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    /// The service is asked to speak TLS.
    #[error("TLS is not supported; reach the service inside its cluster or through a port-forward")]
    Tls,
    /// There is no port, and gRPC has no usual one.
    #[error("there is no valid port; write for example 127.0.0.1:8000")]
    NoPort,
    /// Anything else.
    #[error("it is not an address: {0}; write for example http://127.0.0.1:8000")]
    Invalid(String),
}

impl Address {
    /// What connects to it.
    pub fn endpoint(&self) -> &Endpoint {
        &self.0
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let text = text.strip_prefix("dns:///").unwrap_or(text);
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
        match scheme {
            "http" => {}
            "https" => return Err(AddressError::Tls),
            other => return Err(AddressError::Invalid(format!("unknown scheme {other}://"))),
        }
        let endpoint = Endpoint::from_shared(format!("http://{rest}"))
            .map_err(|error| AddressError::Invalid(error.to_string()))?;
        match endpoint.uri().port() {
            Some(_) => Ok(Self(endpoint)),
            None => Err(AddressError::NoPort),
        }
    }
}

impl TryFrom<String> for Address {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse().map_err(|error| format!("{text:?} is no address: {error}"))
    }
}

impl PartialEq for Address {
    fn eq(&self, other: &Self) -> bool {
        self.0.uri() == other.0.uri()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let authority = self.0.uri().authority();
        write!(f, "http://{}", authority.map_or("", |a| a.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_urls_or_what_propeller_calls_endpoints() {
        for (text, url) in [
            ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
            ("http://localhost:8000/", "http://localhost:8000"),
            ("localhost:8000", "http://localhost:8000"),
            ("[::1]:8000", "http://[::1]:8000"),
            ("dns:///agent.flyte.svc:8000", "http://agent.flyte.svc:8000"),
        ] {
            let address: Address = text.parse().expect(text);
            assert_eq!(address.to_string(), url);
        }
    }

    #[test]
    fn what_is_no_address_is_refused_with_the_reason() {
        for (text, reason) in [
            ("https://localhost:8000", "TLS"),
            ("localhost", "no valid port"),
            ("http://localhost", "no valid port"),
            ("ftp://localhost:8000", "unknown scheme ftp"),
            ("local host:8000", "not an address"),
            ("localhost:80000", "no valid port"),
            ("", "not an address"),
        ] {
            let error = text.parse::<Address>().expect_err(text).to_string();
            assert!(error.contains(reason), "{text:?}: {error}");
        }
    }
}
