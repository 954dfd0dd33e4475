//! `[storage]`

use std::time::Duration;

use serde::Deserialize;

use super::{ConfigError, Secret};

/// `[storage]`: how sensors reach object stores and web servers.
///
/// What is not set here comes from the environment: the variables of flytekit
/// (`FLYTE_AWS_ENDPOINT`, `FLYTE_AZURE_STORAGE_ACCOUNT_NAME` and so on), then
/// those of the vendors.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Storage {
    /// How long the result of a look is good for every sensor that asks for
    /// the same; at most half of the sensors' interval is used.
    #[serde(with = "humantime_serde")]
    pub share_for: Duration,
    /// The limit of one request, from connecting to the last byte.
    #[serde(with = "humantime_serde")]
    pub request_timeout: Duration,
    /// The limit of connecting.
    #[serde(with = "humantime_serde")]
    pub connect_timeout: Duration,
    /// Requests under way at once to one bucket or web server.
    pub max_in_flight: usize,
    /// The most names that one listing for several sensors reads. A folder
    /// with more is asked for each object; 0 never lists for several.
    pub max_listing: usize,
    /// Amazon S3, and what speaks its protocol.
    pub s3: S3,
    /// Google Cloud Storage.
    pub gcs: Gcs,
    /// Azure Blob Storage.
    pub azure: Azure,
}

impl Default for Storage {
    fn default() -> Self {
        Self {
            share_for: Duration::from_secs(2),
            request_timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(5),
            max_in_flight: 64,
            max_listing: 10_000,
            s3: S3::default(),
            gcs: Gcs::default(),
            azure: Azure::default(),
        }
    }
}

/// How a bucket is named in a request to S3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AddressingStyle {
    /// In the path where an endpoint is set, else in the host name.
    Auto,
    /// `https://endpoint/bucket/key`
    Path,
    /// `https://bucket.endpoint/key`
    Virtual,
}

/// `[storage.s3]`, and with a name `[[storage.s3.bucket]]`: what is set for a
/// bucket goes before what is set for all.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct S3 {
    /// The bucket, in `[[storage.s3.bucket]]` only.
    pub name: Option<String>,
    /// A server other than Amazon's: `http://minio:9000`.
    pub endpoint: Option<String>,
    /// The region; a wrong one is put right by what the server says.
    pub region: Option<String>,
    /// The name of a static key.
    pub access_key_id: Option<String>,
    /// The static key.
    pub secret_access_key: Option<Secret>,
    /// The token that goes with a temporary key.
    pub session_token: Option<Secret>,
    /// How the bucket is named in requests.
    pub addressing_style: Option<AddressingStyle>,
    /// Without credentials, for public buckets.
    pub anonymous: Option<bool>,
    /// How often a failed request is sent again within one poll.
    pub retries: Option<usize>,
    /// The longest pause before that.
    #[serde(with = "humantime_serde")]
    pub backoff: Option<Duration>,
    /// Buckets with settings of their own.
    pub bucket: Vec<S3>,
}

/// `[storage.gcs]`, and with a name `[[storage.gcs.bucket]]`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Gcs {
    /// The bucket, in `[[storage.gcs.bucket]]` only.
    pub name: Option<String>,
    /// A server other than Google's.
    pub endpoint: Option<String>,
    /// The file with a service account's key, or of workload identity.
    pub credentials: Option<String>,
    /// Without credentials, for public buckets and emulators.
    pub anonymous: Option<bool>,
    /// Buckets with settings of their own.
    pub bucket: Vec<Gcs>,
}

/// `[storage.azure]`, and with a name `[[storage.azure.container]]`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Azure {
    /// The container, in `[[storage.azure.container]]` only.
    pub name: Option<String>,
    /// The storage account of paths that name none.
    pub account_name: Option<String>,
    /// A server other than Azure's, with the account in its path if it wants
    /// that: `http://127.0.0.1:10000/devstoreaccount1`.
    pub endpoint: Option<String>,
    /// The account's key.
    pub account_key: Option<Secret>,
    /// A shared access signature.
    pub sas_token: Option<Secret>,
    /// Account, key and endpoint in one, as Azure's portal shows it.
    pub connection_string: Option<Secret>,
    /// The tenant of a service principal.
    pub tenant_id: Option<String>,
    /// The service principal, or the identity to use of several.
    pub client_id: Option<String>,
    /// The service principal's secret.
    pub client_secret: Option<Secret>,
    /// Without credentials, for public containers.
    pub anonymous: Option<bool>,
    /// Containers with settings of their own.
    pub container: Vec<Azure>,
}

impl S3 {
    /// The settings of one bucket.
    pub fn of(&self, bucket: &str) -> Self {
        let named = self.bucket.iter().find(|own| own.name.as_deref() == Some(bucket));
        let own = named.cloned().unwrap_or_default();
        // A key of its own does not go with a token of all.
        let session_token = match own.access_key_id {
            Some(_) => own.session_token,
            None => own.session_token.or_else(|| self.session_token.clone()),
        };
        Self {
            name: own.name,
            endpoint: own.endpoint.or_else(|| self.endpoint.clone()),
            region: own.region.or_else(|| self.region.clone()),
            access_key_id: own.access_key_id.or_else(|| self.access_key_id.clone()),
            secret_access_key: own.secret_access_key.or_else(|| self.secret_access_key.clone()),
            session_token,
            addressing_style: own.addressing_style.or(self.addressing_style),
            anonymous: own.anonymous.or(self.anonymous),
            retries: own.retries.or(self.retries),
            backoff: own.backoff.or(self.backoff),
            bucket: Vec::new(),
        }
    }
}

impl Gcs {
    /// The settings of one bucket.
    pub fn of(&self, bucket: &str) -> Self {
        let named = self.bucket.iter().find(|own| own.name.as_deref() == Some(bucket));
        let own = named.cloned().unwrap_or_default();
        Self {
            name: own.name,
            endpoint: own.endpoint.or_else(|| self.endpoint.clone()),
            credentials: own.credentials.or_else(|| self.credentials.clone()),
            anonymous: own.anonymous.or(self.anonymous),
            bucket: Vec::new(),
        }
    }
}

impl Azure {
    /// The settings of one container: its own alone if it names an account,
    /// because credentials belong to one.
    pub fn of(&self, container: &str) -> Self {
        let named = self.container.iter().find(|own| own.name.as_deref() == Some(container));
        match named {
            Some(own) if own.account_name.is_some() || own.connection_string.is_some() => {
                own.clone()
            }
            Some(own) => self.with(own.clone()),
            None => Self { container: Vec::new(), ..self.clone() },
        }
    }

    fn with(&self, own: Self) -> Self {
        Self {
            name: own.name,
            account_name: self.account_name.clone(),
            endpoint: own.endpoint.or_else(|| self.endpoint.clone()),
            account_key: own.account_key.or_else(|| self.account_key.clone()),
            sas_token: own.sas_token.or_else(|| self.sas_token.clone()),
            connection_string: self.connection_string.clone(),
            tenant_id: own.tenant_id.or_else(|| self.tenant_id.clone()),
            client_id: own.client_id.or_else(|| self.client_id.clone()),
            client_secret: own.client_secret.or_else(|| self.client_secret.clone()),
            anonymous: own.anonymous.or(self.anonymous),
            container: Vec::new(),
        }
    }
}

impl Storage {
    /// Checks what no type can say: names where they belong, and endpoints.
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        let s3 = self.s3.bucket.iter();
        let gcs = self.gcs.bucket.iter();
        let azure = self.azure.container.iter();
        named("storage.s3.bucket", s3.map(|own| (&own.name, own.bucket.is_empty())))?;
        named("storage.gcs.bucket", gcs.map(|own| (&own.name, own.bucket.is_empty())))?;
        named("storage.azure.container", azure.map(|own| (&own.name, own.container.is_empty())))?;
        unnamed("storage.s3.name", &self.s3.name)?;
        unnamed("storage.gcs.name", &self.gcs.name)?;
        unnamed("storage.azure.name", &self.azure.name)?;
        let s3 = self.s3.bucket.iter().chain([&self.s3]).map(|own| &own.endpoint);
        let gcs = self.gcs.bucket.iter().chain([&self.gcs]).map(|own| &own.endpoint);
        let azure = self.azure.container.iter().chain([&self.azure]).map(|own| &own.endpoint);
        endpoints("storage.s3.endpoint", s3)?;
        endpoints("storage.gcs.endpoint", gcs)?;
        endpoints("storage.azure.endpoint", azure)
    }
}

fn named<'a>(
    key: &'static str,
    sections: impl Iterator<Item = (&'a Option<String>, bool)>,
) -> Result<(), ConfigError> {
    for (name, flat) in sections {
        let allowed = match (name, flat) {
            (Some(name), true) if !name.is_empty() => continue,
            (_, false) => "it has none inside of it",
            _ => "each has a name",
        };
        let value = format!("{:?}", name.as_deref().unwrap_or_default());
        return Err(ConfigError::Value { key: key.into(), value, allowed: allowed.to_owned() });
    }
    Ok(())
}

fn unnamed(key: &'static str, name: &Option<String>) -> Result<(), ConfigError> {
    let Some(name) = name else { return Ok(()) };
    let allowed = "only a bucket's or a container's own section has a name".to_owned();
    Err(ConfigError::Value { key: key.into(), value: format!("{name:?}"), allowed })
}

fn endpoints<'a>(
    key: &'static str,
    endpoints: impl Iterator<Item = &'a Option<String>>,
) -> Result<(), ConfigError> {
    for endpoint in endpoints.flatten() {
        let url = url::Url::parse(endpoint).ok();
        if !url.is_some_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host()) {
            let allowed = "it is a URL with http:// or https://".to_owned();
            return Err(ConfigError::Value {
                key: key.into(),
                value: format!("{endpoint:?}"),
                allowed,
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_of_its_own_goes_before_all() {
        let settings = S3 {
            endpoint: Some("http://minio".to_owned()),
            access_key_id: Some("all".to_owned()),
            session_token: Some("token".into()),
            bucket: vec![S3 {
                name: Some("raw".to_owned()),
                access_key_id: Some("own".to_owned()),
                ..S3::default()
            }],
            ..S3::default()
        };
        let own = settings.of("raw");
        assert_eq!(own.endpoint.as_deref(), Some("http://minio"));
        assert_eq!(own.access_key_id.as_deref(), Some("own"));
        assert_eq!(own.session_token, None);
        assert_eq!(settings.of("other").access_key_id.as_deref(), Some("all"));
    }

    #[test]
    fn an_account_of_its_own_shares_no_credential() {
        let settings = Azure {
            account_name: Some("all".to_owned()),
            account_key: Some("key".into()),
            container: vec![Azure {
                name: Some("raw".to_owned()),
                account_name: Some("own".to_owned()),
                ..Azure::default()
            }],
            ..Azure::default()
        };
        assert_eq!(settings.of("raw").account_key, None);
        assert_eq!(settings.of("other").account_key, settings.account_key);
    }
}
