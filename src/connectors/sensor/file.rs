//! `FileSensor`: waits until a file or a directory is there.

use std::{io::ErrorKind, path::PathBuf};

use serde_json::{Map, Value};

use crate::connector::{ConnectorError, Sensor};

/// The input that names the path.
const PATH: &str = "path";

/// flytekit's `FileSensor` on paths of this machine, read as fsspec reads them:
/// with or without `file://`, `~` is the home directory, nothing is decoded and
/// `*` is a character like others.
pub struct FileSensor {
    module: &'static str,
}

impl FileSensor {
    /// The sensor under the module that declares its class.
    pub fn new() -> Self {
        Self { module: "flytekit.sensor.file_sensor" }
    }

    /// The sensor under the package that flytekit exports it from as well.
    pub fn reexported() -> Self {
        Self { module: "flytekit.sensor" }
    }
}

impl Default for FileSensor {
    fn default() -> Self {
        Self::new()
    }
}

impl Sensor for FileSensor {
    type Inputs = PathBuf;

    fn module(&self) -> &str {
        self.module
    }

    fn name(&self) -> &str {
        "FileSensor"
    }

    fn inputs(
        &self,
        inputs: &Map<String, Value>,
        _config: Option<&Value>,
    ) -> Result<PathBuf, ConnectorError> {
        if let Some(other) = inputs.keys().find(|key| *key != PATH) {
            return Err(ConnectorError::invalid(format!(
                "FileSensor has no input {other:?}; it has one, path"
            )));
        }
        match inputs.get(PATH) {
            Some(Value::String(path)) => local(path),
            Some(other) => Err(ConnectorError::invalid(format!(
                "FileSensor's input path must be a string, and is {other}"
            ))),
            None => Err(ConnectorError::invalid(
                "FileSensor's input path is missing: it names the file to wait for",
            )),
        }
    }

    /// Leaves paths of storages that only Python reaches.
    fn claims(&self, inputs: &Map<String, Value>) -> bool {
        let path = inputs.get(PATH).and_then(Value::as_str).unwrap_or_default();
        local(path).is_ok() || !path.contains("://")
    }

    async fn poke(&self, path: &PathBuf) -> Result<bool, ConnectorError> {
        match tokio::fs::metadata(path).await {
            Ok(_) => Ok(true),
            Err(error) => match error.kind() {
                ErrorKind::NotFound | ErrorKind::NotADirectory => Ok(false),
                ErrorKind::PermissionDenied => Err(ConnectorError::denied(format!(
                    "no permission to look at {}",
                    path.display()
                ))),
                ErrorKind::InvalidInput | ErrorKind::InvalidFilename => {
                    Err(ConnectorError::permanent(format!(
                        "cannot look at {}: {error}",
                        path.display()
                    )))
                }
                _ => Err(ConnectorError::transient(format!(
                    "cannot look at {}: {error}",
                    path.display()
                ))),
            },
        }
    }
}

/// The path of this machine that a `FileSensor` names.
fn local(path: &str) -> Result<PathBuf, ConnectorError> {
    if path.is_empty() {
        return Err(ConnectorError::invalid(
            "FileSensor's input path is empty: it names the file to wait for",
        ));
    }
    if path.contains('\0') {
        return Err(ConnectorError::invalid(format!(
            "FileSensor's input path {path:?} has a NUL byte in it, which no file name has"
        )));
    }
    let stripped = path.strip_prefix("file://").or_else(|| path.strip_prefix("file:"));
    if let (None, Some((scheme, _))) = (stripped, path.split_once("://")) {
        return Err(ConnectorError::invalid(format!(
            "FileSensor cannot look at {path:?}: this service has no {scheme}:// storage, only \
             local paths and file://"
        )));
    }
    if path.contains("::") {
        return Err(ConnectorError::invalid(format!(
            "FileSensor cannot look at {path:?}: chained URLs are not supported"
        )));
    }
    let path = stripped.unwrap_or(path);
    Ok(match (path, path.strip_prefix("~/")) {
        // As fsspec: file:// alone is the working directory.
        ("", _) => PathBuf::from("."),
        ("~", _) => std::env::home_dir().unwrap_or_else(|| PathBuf::from(path)),
        (_, Some(rest)) => {
            std::env::home_dir().map_or_else(|| PathBuf::from(path), |home| home.join(rest))
        }
        // As fsspec: a slash at the end does not ask for a directory.
        _ => PathBuf::from(match path.trim_end_matches('/') {
            "" => "/",
            trimmed => trimmed,
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_as_fsspec_reads_them() {
        for (path, expected) in [
            ("/tmp/ready", "/tmp/ready"),
            ("/tmp/ready/", "/tmp/ready"),
            ("file:///tmp/ready", "/tmp/ready"),
            ("file:/tmp/ready", "/tmp/ready"),
            ("file:///a%20b", "/a%20b"),
            ("file://", "."),
            ("/", "/"),
            ("//", "/"),
            ("data/*.csv", "data/*.csv"),
            ("C:\\x", "C:\\x"),
        ] {
            assert_eq!(local(path), Ok(PathBuf::from(expected)), "{path}");
        }
    }

    #[test]
    fn a_path_that_can_never_be_there_is_refused_with_the_reason() {
        for (path, reason) in [
            ("", "is empty"),
            ("s3://bucket/key", "no s3:// storage"),
            ("https://host/file", "no https:// storage"),
            ("FILE:///x", "no FILE:// storage"),
            ("zip://a::/b", "no zip:// storage"),
            ("a::b", "chained"),
            ("/a\0b", "NUL"),
        ] {
            let error = local(path).expect_err(path);
            assert!(error.message().contains(reason), "{path}: {error}");
            assert_eq!(error.code(), tonic::Code::InvalidArgument);
        }
    }
}
