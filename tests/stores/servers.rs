//! Where the stores are, and how to write to them.

use std::{
    io::Write,
    sync::atomic::{AtomicUsize, Ordering},
};

use flightdeck::config::{Azure, Config, Gcs, S3};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// The bucket that is there.
pub const BUCKET: &str = "flightdeck";

/// The account and the key that every azurite has.
pub const ACCOUNT: &str = "devstoreaccount1";
pub const KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

const UNRESERVED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');
const IN_QUERY: &AsciiSet = &UNRESERVED.add(b'/');

/// One vendor's protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Store {
    S3,
    Gcs,
    Azure,
}

pub const STORES: [Store; 3] = [Store::S3, Store::Gcs, Store::Azure];

/// The stores that were started.
#[derive(Debug, Clone)]
pub struct Servers {
    pub s3: String,
    pub gcs: String,
    pub azure: String,
    pub sas: String,
}

impl Servers {
    /// Those of the environment; without them the test is skipped, and says so.
    pub fn find() -> Option<Self> {
        let get = |name: &str| std::env::var(format!("FLIGHTDECK_TEST_{name}")).ok();
        let found = (|| {
            Some(Self {
                s3: get("S3")?,
                gcs: get("GCS")?,
                azure: get("AZURE")?,
                sas: get("AZURE_SAS")?,
            })
        })();
        if found.is_none() {
            let test = std::thread::current().name().unwrap_or("a test").to_owned();
            // Not by a macro, whose output the test's runner keeps to itself.
            let _ = writeln!(
                std::io::stderr(),
                "SKIPPED {test}: it needs object stores; run tests/stores/run"
            );
        }
        found
    }

    /// Settings with which a service reaches them.
    pub fn config(&self) -> Config {
        let mut config = Config::default();
        config.storage.s3 = S3 {
            endpoint: Some(self.s3.clone()),
            access_key_id: Some("test".to_owned()),
            secret_access_key: Some("test".into()),
            ..S3::default()
        };
        config.storage.gcs =
            Gcs { endpoint: Some(self.gcs.clone()), anonymous: Some(true), ..Gcs::default() };
        config.storage.azure = Azure {
            account_name: Some(ACCOUNT.to_owned()),
            account_key: Some(KEY.into()),
            endpoint: Some(self.azure.clone()),
            ..Azure::default()
        };
        config
    }

    /// Writes an object, whatever its key.
    pub async fn put(&self, store: Store, key: &str) {
        let path = utf8_percent_encode(key, UNRESERVED);
        let client = reqwest::Client::new();
        let request = match store {
            // Somebody who may write; who it is is not looked at.
            Store::S3 => client
                .put(format!("{}/{BUCKET}/{path}", self.s3))
                .header("authorization", "AWS4-HMAC-SHA256 Credential=test/1/us-east-1/s3/x"),
            Store::Gcs => client.post(format!(
                "{}/upload/storage/v1/b/{BUCKET}/o?uploadType=media&name={}",
                self.gcs,
                utf8_percent_encode(key, IN_QUERY)
            )),
            Store::Azure => client
                .put(format!("{}/{BUCKET}/{path}?{}", self.azure, self.sas))
                .header("x-ms-blob-type", "BlockBlob"),
        };
        let answer = request.body("x").send().await.expect("the store answers");
        assert!(answer.status().is_success(), "{store:?} {key}: {answer:?}");
    }
}

impl Store {
    /// The URL of a key in the bucket that is there.
    pub fn url(self, key: &str) -> String {
        self.url_in(BUCKET, key)
    }

    /// The URL of a key in any bucket.
    pub fn url_in(self, bucket: &str, key: &str) -> String {
        let scheme = match self {
            Self::S3 => "s3",
            Self::Gcs => "gs",
            Self::Azure => "abfs",
        };
        format!("{scheme}://{bucket}/{key}")
    }
}

/// A folder of a test's own.
pub fn folder() -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}
