//! A task that exists: its handle and its type.

use std::{
    io::{self, Read},
    str::FromStr,
};

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose},
};
use bytes::Bytes;
use clap::Args as ClapArgs;

use crate::{cli::UsageError, wire::flyteidl::admin::TaskCategory};

/// Reads base64 with or without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Which task a command is about.
#[derive(Debug, ClapArgs)]
pub(super) struct TaskArgs {
    /// The task's handle as `task create` printed it, or - to read it from stdin
    handle: HandleArg,

    /// The task type that the task was created with
    #[arg(long = "type", value_name = "TYPE")]
    task_type: String,

    /// The version of the task type
    #[arg(long, value_name = "VERSION", default_value_t = 0)]
    type_version: i32,
}

/// A task that exists, as a service is asked about it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Task {
    /// The task type and its version.
    pub(super) category: TaskCategory,
    /// What CreateTask returned.
    pub(super) resource_meta: Bytes,
}

impl TaskArgs {
    /// The task that is meant.
    pub(super) fn read(self) -> anyhow::Result<Task> {
        let resource_meta = match self.handle {
            HandleArg::Given(bytes) => bytes,
            HandleArg::Stdin => from_stdin()?,
        };
        Ok(Task {
            category: TaskCategory { name: self.task_type, version: self.type_version },
            resource_meta,
        })
    }
}

#[derive(Debug, Clone, PartialEq)]
enum HandleArg {
    Given(Bytes),
    Stdin,
}

impl FromStr for HandleArg {
    type Err = HandleError;

    fn from_str(text: &str) -> Result<Self, HandleError> {
        match text {
            "-" => Ok(Self::Stdin),
            text => decode(text).map(Self::Given),
        }
    }
}

/// Text that is no handle.
#[derive(Debug, PartialEq, thiserror::Error)]
enum HandleError {
    #[error("the handle is empty; pass on what `flightdeck task create` printed")]
    Empty,
    #[error(
        "the handle is not base64: it has {0:?} in it; pass on what `flightdeck task create` \
         printed, or the resource_meta from propeller's log in base64"
    )]
    NotBase64(char),
    #[error(
        "the handle is not whole base64: it was cut or changed; pass on all that `flightdeck \
         task create` printed"
    )]
    Damaged,
}

/// The text of a handle, which [`decode`] reads again.
pub(super) fn encode(resource_meta: &[u8]) -> String {
    general_purpose::URL_SAFE_NO_PAD.encode(resource_meta)
}

/// The bytes of base64 in either alphabet, also when it is broken into lines.
fn decode(text: &str) -> Result<Bytes, HandleError> {
    let mut one_alphabet = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '+' => one_alphabet.push('-'),
            '/' => one_alphabet.push('_'),
            'A'..='Z' | 'a'..='z' | '0'..='9' | '-' | '_' | '=' => one_alphabet.push(c),
            c if c.is_ascii_whitespace() => {}
            c => return Err(HandleError::NotBase64(c)),
        }
    }
    if one_alphabet.is_empty() {
        return Err(HandleError::Empty);
    }
    match BASE64.decode(one_alphabet) {
        Ok(bytes) => Ok(bytes.into()),
        Err(_) => Err(HandleError::Damaged),
    }
}

fn from_stdin() -> anyhow::Result<Bytes> {
    let mut text = String::new();
    io::stdin()
        .read_to_string(&mut text)
        .map_err(|error| UsageError(format!("cannot read the handle from stdin: {error}")))?;
    decode(&text).map_err(|error| UsageError(format!("on stdin, {error}")).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_is_read_in_either_alphabet_with_or_without_padding() {
        let bytes = Bytes::from_static(b"\xfd\xff\xbf~?\x00A");
        assert_eq!(encode(&bytes), "_f-_fj8AQQ");
        for text in ["_f-_fj8AQQ", "_f-_fj8AQQ==", "/f+/fj8AQQ", "/f+/fj8A\nQQ==\n"] {
            assert_eq!(decode(text), Ok(bytes.clone()), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_handle_is_refused() {
        assert_eq!(decode(" \n"), Err(HandleError::Empty));
        assert_eq!(decode("{\"job\": 1}"), Err(HandleError::NotBase64('{')));
        for text in ["A", "QQ=A", "_f-_fj8AQR", "="] {
            assert_eq!(decode(text), Err(HandleError::Damaged), "{text}");
        }
    }
}
