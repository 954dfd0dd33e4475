//! Amazon S3, and what speaks its protocol.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use object_store::{
    CredentialProvider, RetryConfig, StaticCredentialProvider,
    aws::{AmazonS3, AmazonS3Builder, AwsCredential},
};

use super::{environment::Environment, transport::Transport};
use crate::config::{AddressingStyle, S3};

/// The longest pause between attempts within a poll: flytekit's.
const BACKOFF: Duration = Duration::from_secs(5);

/// A client for one bucket: our settings first, then flytekit's variables,
/// then those of AWS, then the identity of the pod or the instance.
pub(super) fn connect(
    bucket: &str,
    settings: &S3,
    environment: &Environment,
    transport: Transport,
    learned_region: Option<&str>,
) -> object_store::Result<AmazonS3> {
    let settings = settings.of(bucket);
    let mut builder = from_environment(environment)
        .with_http_connector(transport)
        .with_bucket_name(bucket)
        .with_retry(retry(&settings, environment));
    if let Some(credential) = credential(&settings, environment) {
        builder = builder.with_credentials(Arc::new(StaticCredentialProvider::new(credential)));
    } else if has_nothing_but_metadata(environment) {
        builder = builder.with_credentials(Arc::new(Nobody));
    }
    if let Some(region) = learned_region.or(settings.region.as_deref()) {
        builder = builder.with_region(region);
    }
    if let Some(anonymous) = settings.anonymous {
        builder = builder.with_skip_signature(anonymous);
    }
    addressed(builder, bucket, &settings, environment).build()
}

fn from_environment(environment: &Environment) -> AmazonS3Builder {
    let variables = environment.starting("AWS_");
    variables.fold(AmazonS3Builder::new(), |builder, (name, value)| {
        match name.to_ascii_lowercase().parse() {
            Ok(key) => builder.with_config(key, value),
            Err(_) => builder,
        }
    })
}

/// A static key of our settings, or of flytekit's variables.
fn credential(settings: &S3, environment: &Environment) -> Option<AwsCredential> {
    if let (Some(key_id), Some(secret)) = (&settings.access_key_id, &settings.secret_access_key) {
        let token = settings.session_token.as_ref().map(|token| token.reveal().to_owned());
        return Some(AwsCredential {
            key_id: key_id.clone(),
            secret_key: secret.reveal().to_owned(),
            token,
        });
    }
    Some(AwsCredential {
        key_id: environment.get(&["FLYTE_AWS_ACCESS_KEY_ID"])?.to_owned(),
        secret_key: environment.get(&["FLYTE_AWS_SECRET_ACCESS_KEY"])?.to_owned(),
        token: None,
    })
}

/// True where only the instance could tell who we are, and is not to be asked.
fn has_nothing_but_metadata(environment: &Environment) -> bool {
    let others = [
        "AWS_ACCESS_KEY_ID",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    ];
    environment.flag(&["AWS_EC2_METADATA_DISABLED"]) == Some(true)
        && environment.get(&others).is_none()
}

/// Has no credentials.
#[derive(Debug)]
struct Nobody;

#[async_trait]
impl CredentialProvider for Nobody {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        let source = "AWS_EC2_METADATA_DISABLED is set, and nothing else is".into();
        Err(object_store::Error::Generic { store: "S3", source })
    }
}

fn retry(settings: &S3, environment: &Environment) -> RetryConfig {
    let number = |name| environment.get(&[name]).and_then(|value| value.parse::<u32>().ok());
    let retries = number("FLYTE_AWS_RETRIES").map(|retries| retries as usize);
    let backoff = number("FLYTE_AWS_BACKOFF_SECONDS").map(u64::from).map(Duration::from_secs);
    let longest = settings.backoff.or(backoff).unwrap_or(BACKOFF);
    super::retry(settings.retries.or(retries).unwrap_or(0), longest)
}

/// As botocore addresses buckets: by the path where an endpoint is set, else
/// by the host name, unless that would not fit the certificate.
fn addressed(
    builder: AmazonS3Builder,
    bucket: &str,
    settings: &S3,
    environment: &Environment,
) -> AmazonS3Builder {
    let variables = ["FLYTE_AWS_ENDPOINT", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"];
    let endpoint = settings.endpoint.as_deref().or_else(|| environment.get(&variables));
    let style = settings.addressing_style.unwrap_or_else(|| style(environment));
    let by_host = match style {
        AddressingStyle::Virtual => true,
        AddressingStyle::Path => false,
        AddressingStyle::Auto => endpoint.is_none() && !bucket.contains('.'),
    };
    let builder = builder.with_virtual_hosted_style_request(by_host);
    match endpoint {
        Some(endpoint) if by_host => builder.with_endpoint(with_host(endpoint, bucket)),
        Some(endpoint) => builder.with_endpoint(endpoint),
        None => builder,
    }
}

fn style(environment: &Environment) -> AddressingStyle {
    match environment.get(&["FLYTE_AWS_ADDRESSING_STYLE"]) {
        Some("path") => AddressingStyle::Path,
        Some("virtual") => AddressingStyle::Virtual,
        _ => AddressingStyle::Auto,
    }
}

fn with_host(endpoint: &str, bucket: &str) -> String {
    match endpoint.split_once("://") {
        Some((scheme, host)) => format!("{scheme}://{bucket}.{}", host.trim_end_matches('/')),
        None => endpoint.to_owned(),
    }
}
