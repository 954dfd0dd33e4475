//! Where an object is, as fsspec reads its URL.

use std::{fmt, sync::Arc};

/// Whose protocol a store speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::connectors::sensor) enum Vendor {
    S3,
    Gcs,
    Azure,
}

/// A bucket, or a container of a storage account.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::connectors::sensor) struct BucketName {
    pub(super) vendor: Vendor,
    /// The storage account, where the URL names it.
    pub(super) account: Option<String>,
    pub(super) bucket: String,
}

/// An object or a folder of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::connectors::sensor) struct ObjectPlace {
    pub(super) bucket: BucketName,
    /// Without a slash at its end; empty for the bucket itself.
    pub(super) key: Arc<str>,
    /// Only a folder will do: on Azure a slash at the end says so.
    pub(super) folder: bool,
}

/// Why a URL names no object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(in crate::connectors::sensor) enum PlaceError {
    #[error("it names no {0}")]
    NoBucket(&'static str),
    #[error("no {0} can be named {1:?}")]
    BucketName(&'static str, String),
    #[error("buckets named by an ARN are not supported; use the access point's alias")]
    Arn,
    #[error("no object has a key of {0} bytes: 1024 is the most")]
    KeyLength(usize),
    #[error(
        "its name has an empty, a \".\" or a \"..\" segment, which Azure's names cannot be asked \
         for"
    )]
    Segment,
}

/// What follows the scheme, and the vendor that the scheme stands for.
pub(in crate::connectors::sensor) fn split_scheme(url: &str) -> Option<(Vendor, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    let vendor = match scheme {
        "s3" | "s3a" => Vendor::S3,
        "gs" | "gcs" => Vendor::Gcs,
        "abfs" | "abfss" | "az" => Vendor::Azure,
        _ => return None,
    };
    Some((vendor, rest))
}

impl ObjectPlace {
    /// Reads what follows the scheme. As in fsspec nothing is decoded, slashes
    /// at the start and the end do not count, and a version is ignored.
    pub(in crate::connectors::sensor) fn parse(
        vendor: Vendor,
        rest: &str,
    ) -> Result<Self, PlaceError> {
        let rest = rest.trim_start_matches('/');
        if vendor == Vendor::S3 && rest.starts_with("arn:") {
            return Err(PlaceError::Arn);
        }
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (bucket, account) = match vendor {
            Vendor::Azure => split_account(host),
            _ => (host, None),
        };
        check_name(vendor, bucket)?;
        let version = match vendor {
            Vendor::S3 => "?versionId=",
            Vendor::Azure => "?versionid=",
            Vendor::Gcs => "\0",
        };
        let path = path.split_once(version).map_or(path, |(key, _)| key);
        let key = path.trim_end_matches('/');
        if key.len() > 1024 {
            return Err(PlaceError::KeyLength(key.len()));
        }
        if vendor == Vendor::Azure && !key.is_empty() && !is_plain(key) {
            return Err(PlaceError::Segment);
        }
        Ok(Self {
            bucket: BucketName {
                vendor,
                account: account.map(str::to_owned),
                bucket: bucket.to_owned(),
            },
            key: key.into(),
            folder: vendor == Vendor::Azure && path.ends_with('/') && !key.is_empty(),
        })
    }
}

/// True for a key that `object_store` sends as it is.
pub(super) fn is_plain(key: &str) -> bool {
    object_store::path::Path::parse(key).is_ok_and(|path| path.as_ref() == key)
}

/// `container@account.dfs.core.windows.net`, or a container alone.
fn split_account(host: &str) -> (&str, Option<&str>) {
    match host.split_once('@') {
        Some((container, account)) => {
            (container, account.split('.').next().filter(|name| !name.is_empty()))
        }
        None => (host, None),
    }
}

fn check_name(vendor: Vendor, name: &str) -> Result<(), PlaceError> {
    let what = vendor.bucket();
    if name.is_empty() {
        return Err(PlaceError::NoBucket(what));
    }
    let fits = |c: char| {
        c.is_ascii_alphanumeric() || "-._".contains(c) || c == '$' && vendor == Vendor::Azure
    };
    if !name.chars().all(fits) || name.len() > 255 || name.chars().all(|c| c == '.') {
        return Err(PlaceError::BucketName(what, name.to_owned()));
    }
    Ok(())
}

impl Vendor {
    /// What it calls a bucket.
    pub(super) fn bucket(self) -> &'static str {
        match self {
            Self::Azure => "container",
            _ => "bucket",
        }
    }

    fn scheme(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::Gcs => "gs",
            Self::Azure => "abfs",
        }
    }
}

impl fmt::Display for BucketName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.vendor.scheme(), self.bucket)?;
        match &self.account {
            Some(account) => write!(f, "@{account}.dfs.core.windows.net"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for ObjectPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.bucket, self.key)?;
        f.write_str(if self.folder { "/" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<ObjectPlace, PlaceError> {
        let (vendor, rest) = split_scheme(url).expect(url);
        ObjectPlace::parse(vendor, rest)
    }

    #[test]
    fn urls_are_read_as_fsspec_reads_them() {
        for (url, bucket, key) in [
            ("s3://b/a/key", "b", "a/key"),
            ("s3a://b/key/", "b", "key"),
            ("s3:///b/key", "b", "key"),
            ("s3://b", "b", ""),
            ("s3://b/", "b", ""),
            ("s3://b/a b+c%20d#e?f é", "b", "a b+c%20d#e?f é"),
            ("s3://b/key?versionId=7", "b", "key"),
            ("s3://b//key", "b", "/key"),
            ("gs://b/a//key", "b", "a//key"),
            ("gcs://b/key#1", "b", "key#1"),
            ("az://c/key", "c", "key"),
            ("abfs://c/a b+c%20d#e?f é", "c", "a b+c%20d#e?f é"),
        ] {
            let place = parse(url).expect(url);
            assert_eq!((place.bucket.bucket.as_str(), &*place.key), (bucket, key), "{url}");
        }
    }

    #[test]
    fn an_account_may_be_in_the_url() {
        let place = parse("abfss://c@acc.dfs.core.windows.net/a/").expect("a place");
        assert_eq!(place.bucket.account.as_deref(), Some("acc"));
        assert_eq!(place.to_string(), "abfs://c@acc.dfs.core.windows.net/a/");
        assert!(place.folder);
    }

    #[test]
    fn what_can_never_be_there_has_a_reason() {
        let long = format!("s3://b/{}", "x".repeat(1025));
        for (url, reason) in [
            ("s3://", "no bucket"),
            ("abfs:///", "no container"),
            ("s3://a b/c", "named \"a b\""),
            ("gs://../c", "named"),
            ("s3://arn:aws:s3:eu:1:accesspoint/a/b", "ARN"),
            (&long, "1025 bytes"),
            ("az://c/a//b", "segment"),
        ] {
            let error = parse(url).expect_err(url).to_string();
            assert!(error.contains(reason), "{url}: {error}");
        }
    }
}
