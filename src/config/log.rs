//! `[log]`

use serde::Deserialize;

/// `[log]`: the log, to standard error. Its levels are set by `RUST_LOG`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// What a line looks like.
    pub format: LogFormat,
}

/// What a line of the log looks like.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum LogFormat {
    /// For people: in colours on a terminal.
    #[default]
    Human,
    /// For machines: a JSON object.
    Json,
}

impl TryFrom<String> for LogFormat {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        match name.as_str() {
            "human" => Ok(Self::Human),
            "json" => Ok(Self::Json),
            _ => Err(format!("{name:?} is no format of the log; there are \"human\" and \"json\"")),
        }
    }
}
