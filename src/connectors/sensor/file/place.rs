//! What a path or a URL of a sensor names.

use std::path::PathBuf;

use reqwest::Url;

use super::local;
use crate::{
    connector::ConnectorError,
    connectors::sensor::store::{ObjectPlace, PlaceError, shown, split_scheme},
};

/// Where a sensor looks.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::connectors::sensor) enum Place {
    /// A path of this machine.
    Local(PathBuf),
    /// An object, a folder or a bucket of an object store.
    Object(ObjectPlace),
    /// What a web server has.
    Web(Url),
}

/// The schemes that are served, in words.
const SERVED: &str = "local paths, file://, s3://, gs://, abfs://, abfss://, az://, http:// and \
                      https://";

impl Place {
    /// Reads a path or a URL as fsspec does. What can never be there is
    /// refused with the reason; `sensor` is whose input it is.
    pub(in crate::connectors::sensor) fn parse(
        sensor: &str,
        path: &str,
    ) -> Result<Self, ConnectorError> {
        let refused = |reason: &str| {
            ConnectorError::invalid(format!("{sensor} cannot look at {path:?}: {reason}"))
        };
        if path.is_empty() {
            return Err(ConnectorError::invalid(format!(
                "{sensor}'s input path is empty: it names the file to wait for"
            )));
        }
        if path.contains('\0') {
            return Err(ConnectorError::invalid(format!(
                "{sensor}'s input path {path:?} has a NUL byte in it, which no file name has"
            )));
        }
        if let Some((vendor, rest)) = split_scheme(path) {
            let place = ObjectPlace::parse(vendor, rest);
            return place.map(Self::Object).map_err(|error| refused(&error.to_string()));
        }
        if path.starts_with("http://") || path.starts_with("https://") {
            return web(path).map_err(|reason| {
                // A URL may hold a secret: it is not told as it is.
                ConnectorError::invalid(format!("{sensor} cannot look at the URL: {reason}"))
            });
        }
        if let Some((scheme, _)) = path.split_once("://").filter(|_| !path.starts_with("file:")) {
            return Err(refused(&format!(
                "this service has no {scheme}:// storage, only {SERVED}"
            )));
        }
        if path.contains("::") {
            return Err(refused("chained URLs are not supported"));
        }
        Ok(Self::Local(local::parse(path)))
    }

    /// True for a path on a storage that is served here. One that is wrong in
    /// itself is, so that it is refused with the reason.
    pub(in crate::connectors::sensor) fn is_served(path: &str) -> bool {
        let Some((scheme, _)) = path.split_once("://") else { return true };
        match split_scheme(path) {
            Some((vendor, rest)) => !matches!(
                ObjectPlace::parse(vendor, rest),
                Err(PlaceError::Arn | PlaceError::Segment)
            ),
            None => matches!(scheme, "http" | "https") || scheme == "file" && !path.contains("::"),
        }
    }

    /// The place in words, without secrets.
    pub(in crate::connectors::sensor) fn shown(&self) -> String {
        match self {
            Self::Local(path) => path.display().to_string(),
            Self::Object(place) => place.to_string(),
            Self::Web(url) => shown(url),
        }
    }
}

fn web(url: &str) -> Result<Place, String> {
    let url = Url::parse(url).map_err(|error| error.to_string())?;
    match url.has_host() {
        true => Ok(Place::Web(url)),
        false => Err("it names no host".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheme_says_where_to_look() {
        for (path, shown) in [
            ("/tmp/ready", "/tmp/ready"),
            ("s3://b/k/", "s3://b/k"),
            ("gs://b/a b", "gs://b/a b"),
            ("az://c/k/", "abfs://c/k/"),
            ("https://u:p@h/x y?token=1", "https://h/x%20y?..."),
        ] {
            assert_eq!(Place::parse("FileSensor", path).expect(path).shown(), shown);
        }
    }

    #[test]
    fn what_only_python_reaches_is_left_to_it() {
        for path in ["ftp://h/f", "hdfs://h/f", "zip://a::/b", "s3://arn:aws:s3:eu:1:x/k"] {
            assert!(!Place::is_served(path), "{path}");
        }
        for path in ["/f", "", "a::b", "file:///f", "s3://", "s3://b/k", "az://c/k", "http://"] {
            assert!(Place::is_served(path), "{path}");
        }
    }

    #[test]
    fn a_place_where_nothing_can_ever_be_is_refused_with_the_reason() {
        for (path, reason) in [
            ("", "is empty"),
            ("s3://", "no bucket"),
            ("https://", "URL"),
            ("https://user:hunter2@h:99999/", "port"),
            ("ftp://host/file", "no ftp:// storage"),
            ("FILE:///x", "no FILE:// storage"),
            ("zip://a::/b", "no zip:// storage"),
            ("a::b", "chained"),
            ("/a\0b", "NUL"),
        ] {
            let error = Place::parse("FileSensor", path).expect_err(path);
            assert!(error.message().contains(reason), "{path}: {error}");
            assert!(!error.message().contains("hunter2"), "{error}");
            assert_eq!(error.code(), tonic::Code::InvalidArgument);
        }
    }
}
