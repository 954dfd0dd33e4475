//! Azure Blob Storage.

use std::time::Duration;

use object_store::azure::{MicrosoftAzure, MicrosoftAzureBuilder};

use super::{environment::Environment, place::BucketName, transport::Transport};
use crate::config::{Azure, Secret};

/// The storage of developers' own machines.
const EMULATOR: &str = "http://127.0.0.1:10000/devstoreaccount1";
/// Its account, and the key that everybody knows.
const EMULATOR_ACCOUNT: &str = "devstoreaccount1";
const EMULATOR_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// Why there is no client for a container.
#[derive(Debug, thiserror::Error)]
pub(super) enum AzureError {
    #[error(
        "no storage account is known for it: set storage.azure.account_name, \
         FLYTE_AZURE_STORAGE_ACCOUNT_NAME or AZURE_STORAGE_ACCOUNT_NAME, or write \
         abfs://container@account.dfs.core.windows.net/"
    )]
    NoAccount,
    #[error("the connection string has no {0}")]
    ConnectionString(&'static str),
    #[error(transparent)]
    Store(#[from] object_store::Error),
}

/// A client for one container: our settings first, then flytekit's variables,
/// then Azure's, then the identity of the pod or the instance. As in adlfs a
/// connection string goes before the rest, unless the URL names an account.
pub(super) fn connect(
    name: &BucketName,
    settings: &Azure,
    environment: &Environment,
    transport: Transport,
) -> Result<MicrosoftAzure, AzureError> {
    let access = Access::new(name, &settings.of(&name.bucket), environment)?;
    let mut builder = from_environment(environment)
        .with_http_connector(transport)
        .with_retry(super::retry(0, Duration::ZERO))
        .with_container_name(&name.bucket)
        .with_account(access.account.ok_or(AzureError::NoAccount)?);
    if let Some(endpoint) = access.endpoint {
        builder = builder.with_endpoint(endpoint);
    }
    for (key, value) in access.keys {
        if let Ok(key) = key.parse() {
            builder = builder.with_config(key, value);
        }
    }
    if access.anonymous {
        builder = builder.with_skip_signature(true);
    }
    Ok(builder.build()?)
}

/// Which account, and how to get in.
#[derive(Default)]
struct Access {
    account: Option<String>,
    endpoint: Option<String>,
    /// `object_store`'s keys with their values.
    keys: Vec<(&'static str, String)>,
    anonymous: bool,
}

impl Access {
    fn new(
        name: &BucketName,
        settings: &Azure,
        environment: &Environment,
    ) -> Result<Self, AzureError> {
        let own = settings.connection_string.as_ref().map(Secret::reveal);
        let string = own.or_else(|| match settings.account_name {
            Some(_) => None,
            None => environment.get(&["AZURE_STORAGE_CONNECTION_STRING"]),
        });
        if let (Some(string), None) = (string, &name.account) {
            return Self::from_connection_string(string);
        }
        let flytekit = environment
            .get(&["FLYTE_AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT_NAME"])
            .map(str::to_owned);
        let usual = settings.account_name.clone().or(flytekit);
        // A key or a signature is an account's own; an identity is not.
        let of_usual = name.account.is_none() || name.account == usual;
        let set = |key, value: Option<&str>, variable: &[&str]| {
            value.or_else(|| environment.get(variable)).map(|value| (key, value.to_owned()))
        };
        let secret = |secret: &'_ Option<Secret>| secret.as_ref().map(|s| s.reveal().to_owned());
        let (key, sas) = (secret(&settings.account_key), secret(&settings.sas_token));
        let client_secret = secret(&settings.client_secret);
        let of_account = [
            set(
                "account_key",
                key.as_deref(),
                &["FLYTE_AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_ACCOUNT_KEY"],
            ),
            set("sas_token", sas.as_deref(), &["AZURE_STORAGE_SAS_TOKEN"]),
        ];
        let of_identity = [
            set("tenant_id", settings.tenant_id.as_deref(), &["FLYTE_AZURE_TENANT_ID"]),
            set("client_id", settings.client_id.as_deref(), &["FLYTE_AZURE_CLIENT_ID"]),
            set("client_secret", client_secret.as_deref(), &["FLYTE_AZURE_CLIENT_SECRET"]),
        ];
        let of_account = of_account.into_iter().flatten().filter(|_| of_usual);
        Ok(Self {
            account: name.account.clone().or(usual),
            endpoint: settings.endpoint.clone().filter(|_| of_usual),
            keys: of_account.chain(of_identity.into_iter().flatten()).collect(),
            anonymous: settings
                .anonymous
                .or_else(|| environment.flag(&["AZURE_STORAGE_ANON"]))
                .unwrap_or(false),
        })
    }

    fn from_connection_string(string: &str) -> Result<Self, AzureError> {
        let parts = || string.split(';').filter_map(|part| part.trim().split_once('='));
        let get = |name: &str| {
            let part = parts().find(|(key, _)| key.eq_ignore_ascii_case(name));
            part.map(|(_, value)| value.to_owned()).filter(|value| !value.is_empty())
        };
        if get("UseDevelopmentStorage").is_some() {
            return Ok(Self {
                account: Some(EMULATOR_ACCOUNT.to_owned()),
                endpoint: Some(EMULATOR.to_owned()),
                keys: vec![("account_key", EMULATOR_KEY.to_owned())],
                anonymous: false,
            });
        }
        let account = get("AccountName").ok_or(AzureError::ConnectionString("AccountName"))?;
        let scheme = get("DefaultEndpointsProtocol").unwrap_or_else(|| "https".to_owned());
        let endpoint = get("BlobEndpoint").or_else(|| {
            get("EndpointSuffix").map(|suffix| format!("{scheme}://{account}.blob.{suffix}"))
        });
        let key = get("AccountKey").map(|key| ("account_key", key));
        let sas = get("SharedAccessSignature").map(|sas| ("sas_token", sas));
        let anonymous = key.is_none() && sas.is_none();
        let keys = key.into_iter().chain(sas).collect();
        Ok(Self { account: Some(account), endpoint, keys, anonymous })
    }
}

/// Azure's own variables, but those that name an account or a secret of one.
fn from_environment(environment: &Environment) -> MicrosoftAzureBuilder {
    let msi = environment.get(&["IDENTITY_ENDPOINT"]);
    let variables = environment.starting("AZURE_").filter(|(name, _)| {
        let name = name.strip_prefix("AZURE_STORAGE_").unwrap_or_default();
        !["ACCOUNT", "SAS", "KEY", "TOKEN"].iter().any(|own| name.starts_with(own))
    });
    let builder = variables.fold(MicrosoftAzureBuilder::new(), |builder, (name, value)| match name
        .to_ascii_lowercase()
        .parse()
    {
        Ok(key) => builder.with_config(key, value),
        Err(_) => builder,
    });
    match msi {
        Some(endpoint) => builder.with_msi_endpoint(endpoint),
        None => builder,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connectors::sensor::store::place::Vendor;

    fn name(account: Option<&str>) -> BucketName {
        BucketName {
            vendor: Vendor::Azure,
            account: account.map(str::to_owned),
            bucket: "c".to_owned(),
        }
    }

    fn environment(variables: &[(&str, &str)]) -> Environment {
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn flytekits_variables_name_the_account() {
        let environment = environment(&[
            ("FLYTE_AZURE_STORAGE_ACCOUNT_NAME", "acc"),
            ("FLYTE_AZURE_STORAGE_ACCOUNT_KEY", "key"),
        ]);
        let access = Access::new(&name(None), &Azure::default(), &environment).expect("access");
        assert_eq!(access.account.as_deref(), Some("acc"));
        assert_eq!(access.keys, [("account_key", "key".to_owned())]);
    }

    #[test]
    fn the_key_of_one_account_is_not_sent_to_another() {
        let environment = environment(&[
            ("FLYTE_AZURE_STORAGE_ACCOUNT_NAME", "acc"),
            ("FLYTE_AZURE_STORAGE_ACCOUNT_KEY", "key"),
            ("FLYTE_AZURE_CLIENT_ID", "me"),
        ]);
        let access =
            Access::new(&name(Some("other")), &Azure::default(), &environment).expect("access");
        assert_eq!(access.account.as_deref(), Some("other"));
        assert_eq!(access.keys, [("client_id", "me".to_owned())]);
    }

    #[test]
    fn a_connection_string_has_it_all() {
        let string = "DefaultEndpointsProtocol=http;AccountName=acc;AccountKey=a2V5==;\
                      BlobEndpoint=http://h:1/acc;";
        let access = Access::from_connection_string(string).expect("access");
        assert_eq!(access.account.as_deref(), Some("acc"));
        assert_eq!(access.endpoint.as_deref(), Some("http://h:1/acc"));
        assert_eq!(access.keys, [("account_key", "a2V5==".to_owned())]);
    }

    #[test]
    fn without_an_account_the_error_says_where_to_set_one() {
        let transport = Transport::new(super::super::Clients::new(&Default::default()));
        let error = connect(&name(None), &Azure::default(), &Environment::default(), transport)
            .expect_err("no account");
        assert!(error.to_string().contains("FLYTE_AZURE_STORAGE_ACCOUNT_NAME"), "{error}");
    }
}
