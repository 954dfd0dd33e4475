//! Google Cloud Storage.

use std::{sync::Arc, time::Duration};

use object_store::{
    StaticCredentialProvider,
    gcp::{GcpCredential, GoogleCloudStorage, GoogleCloudStorageBuilder},
};

use super::{environment::Environment, transport::Transport};
use crate::config::Gcs;

/// A client for one bucket: our settings first, then Google's variables, then
/// the key of `gcloud`, then the identity of the pod or the instance.
pub(super) fn connect(
    bucket: &str,
    settings: &Gcs,
    environment: &Environment,
    transport: Transport,
) -> object_store::Result<GoogleCloudStorage> {
    let settings = settings.of(bucket);
    let mut builder = from_environment(environment)
        .with_http_connector(transport)
        .with_bucket_name(bucket)
        .with_retry(super::retry(0, Duration::ZERO));
    let emulator =
        environment.get(&["STORAGE_EMULATOR_HOST"]).filter(|_| settings.endpoint.is_none());
    if let Some(endpoint) = settings.endpoint.as_deref().or(emulator) {
        builder = builder.with_base_url(&url(endpoint));
    }
    if let Some(file) = &settings.credentials {
        builder = builder.with_application_credentials(file);
    }
    // As gcsfs, which sends an emulator no credentials.
    if settings.anonymous.unwrap_or(emulator.is_some()) {
        let nobody = GcpCredential { bearer: String::new() };
        builder = builder
            .with_credentials(Arc::new(StaticCredentialProvider::new(nobody)))
            .with_skip_signature(true);
    }
    builder.build()
}

fn from_environment(environment: &Environment) -> GoogleCloudStorageBuilder {
    let variables = environment.starting("GOOGLE_");
    variables.fold(GoogleCloudStorageBuilder::new(), |builder, (name, value)| {
        match name.to_ascii_lowercase().parse() {
            Ok(key) => builder.with_config(key, value),
            Err(_) => builder,
        }
    })
}

/// An emulator's host may come without a scheme.
fn url(endpoint: &str) -> String {
    let endpoint = endpoint.trim_end_matches('/');
    if endpoint.contains("://") { endpoint.to_owned() } else { format!("http://{endpoint}") }
}
