//! Who gets in, and what is said to who does not.

use std::time::Duration;

use flightdeck::{
    config::{AddressingStyle, S3},
    connector::Phase,
};

use super::{
    proxy::{Proxy, Weather},
    sensors::{Service, quick},
    servers::{ACCOUNT, KEY, Servers, Store, folder},
};

/// Those that know a missing bucket from a fault of their own: the server that
/// stands for Google's answers 500.
const TELL_OF_BUCKETS: [Store; 2] = [Store::S3, Store::Azure];

#[tokio::test]
async fn a_missing_bucket_is_told_and_counts_only_when_it_persists() {
    let Some(servers) = Servers::find() else { return };
    let mut config = quick(servers.config(), Duration::from_millis(200));
    config.tasks.persist_for = Duration::from_secs(3);
    let service = Service::start(&config).await;
    for store in TELL_OF_BUCKETS {
        let url = store.url_in("no-such-bucket", "key");
        let sensor = service.create(&url).await.expect("a handle");
        let resource = service.get(&sensor).await;
        assert!(resource.message.contains("there is no "), "{url}: {}", resource.message);
        let took = service.wait(&sensor, Phase::RetryableFailed).await;
        assert!(took >= Duration::from_secs(2), "{took:?}");
    }
}

#[tokio::test]
async fn a_bucket_itself_may_be_waited_for() {
    let Some(servers) = Servers::find() else { return };
    let service = Service::start(&servers.config()).await;
    for store in TELL_OF_BUCKETS {
        let (phase, message) = service.phase(&store.url_in("no-bucket-yet", "")).await;
        assert_eq!((phase, message.as_str()), (Phase::Running, ""), "{store:?}");
    }
}

#[tokio::test]
async fn denied_access_is_told_and_counts_only_when_it_persists() {
    let Some(servers) = Servers::find() else { return };
    let proxy = Proxy::before(&servers.s3).await;
    proxy.set(Weather::Status(403, None));
    let mut config = quick(servers.config(), Duration::from_millis(200));
    config.storage.s3.endpoint = Some(proxy.endpoint(""));
    config.tasks.persist_for = Duration::from_secs(3);
    let service = Service::start(&config).await;
    let sensor = service.create(&Store::S3.url("denied/key")).await.expect("a handle");
    let resource = service.get(&sensor).await;
    assert!(resource.message.contains("s3:ListBucket"), "{}", resource.message);
    service.wait(&sensor, Phase::Failed).await;
}

#[tokio::test]
async fn a_wrong_key_is_denied_without_being_told() {
    let Some(servers) = Servers::find() else { return };
    let mut config = servers.config();
    config.storage.azure.account_key = Some("c2VjcmV0LW9mLXRoZS10ZXN0".into());
    let service = Service::start(&config).await;
    let (phase, message) = service.phase(&Store::Azure.url("key")).await;
    assert_eq!(phase, Phase::Initializing);
    assert!(message.contains("HTTP 403"), "{message}");
    assert!(!message.contains("c2VjcmV0"), "{message}");
}

#[tokio::test]
async fn who_may_read_but_not_list_sees_the_object() {
    let Some(servers) = Servers::find() else { return };
    let key = format!("{}/ready", folder());
    servers.put(Store::S3, &key).await;
    // A web server has objects and no listings.
    let proxy = Proxy::before(&servers.s3).await;
    let mut config = servers.config();
    config.storage.s3.endpoint = Some(proxy.endpoint(""));
    let service = Service::start(&config).await;
    proxy.set(Weather::DeniesListing);
    assert_eq!(service.phase(&Store::S3.url(&key)).await.0, Phase::Succeeded);
    let (phase, message) = service.phase(&Store::S3.url("not/there")).await;
    assert_eq!(phase, Phase::Initializing);
    assert!(message.contains("s3:ListBucket"), "{message}");
}

#[tokio::test]
async fn the_region_is_learned_from_the_store() {
    let Some(servers) = Servers::find() else { return };
    let key = format!("{}/ready", folder());
    servers.put(Store::S3, &key).await;
    let proxy = Proxy::before(&servers.s3).await;
    proxy.set(Weather::Region("eu-central-1"));
    let mut config = servers.config();
    config.storage.s3.endpoint = Some(proxy.endpoint(""));
    config.storage.s3.region = Some("us-west-2".to_owned());
    let service = Service::start(&config).await;
    assert_eq!(service.phase(&Store::S3.url(&key)).await.0, Phase::Succeeded);
    let (phase, message) = service.phase(&Store::S3.url("other")).await;
    assert_eq!((phase, message.as_str()), (Phase::Running, ""));
    assert_eq!(proxy.requests(), 3, "it is learned once: {:?}", proxy.log());
}

#[tokio::test]
async fn a_bucket_may_have_settings_of_its_own() {
    let Some(servers) = Servers::find() else { return };
    let (all, own) = (Proxy::before(&servers.s3).await, Proxy::before(&servers.s3).await);
    let mut config = servers.config();
    config.storage.s3.endpoint = Some(all.endpoint(""));
    config.storage.s3.bucket = vec![S3 {
        name: Some("flightdeck".to_owned()),
        endpoint: Some(own.endpoint("")),
        access_key_id: Some("its-own".to_owned()),
        secret_access_key: Some("secret".into()),
        addressing_style: Some(AddressingStyle::Path),
        ..S3::default()
    }];
    let service = Service::start(&config).await;
    service.phase(&Store::S3.url("key")).await;
    assert!(own.authorization().is_some_and(|given| given.contains("its-own")));
    assert_eq!(all.requests(), 0);
}

#[tokio::test]
async fn without_credentials_requests_are_not_signed() {
    let Some(servers) = Servers::find() else { return };
    let proxy = Proxy::before(&servers.s3).await;
    let mut config = servers.config();
    config.storage.s3 =
        S3 { endpoint: Some(proxy.endpoint("")), anonymous: Some(true), ..S3::default() };
    let service = Service::start(&config).await;
    let (phase, message) = service.phase(&Store::S3.url("key")).await;
    assert_eq!((phase, message.as_str()), (Phase::Running, ""));
    assert_eq!(proxy.authorization(), None);
}

#[tokio::test]
async fn azure_is_reached_with_a_key_a_signature_or_a_connection_string() {
    let Some(servers) = Servers::find() else { return };
    let key = format!("{}/ready", folder());
    servers.put(Store::Azure, &key).await;
    let mut signature = servers.config();
    signature.storage.azure.account_key = None;
    signature.storage.azure.sas_token = Some(servers.sas.as_str().into());
    let mut string = servers.config();
    let text = format!("AccountName={ACCOUNT};AccountKey={KEY};BlobEndpoint={}", servers.azure);
    string.storage.azure = flightdeck::config::Azure {
        connection_string: Some(text.as_str().into()),
        ..Default::default()
    };
    for config in [servers.config(), signature, string] {
        let service = Service::start(&config).await;
        for url in [
            format!("abfs://flightdeck/{key}"),
            format!("abfss://flightdeck/{key}"),
            format!("az://flightdeck/{key}"),
        ] {
            assert_eq!(service.phase(&url).await.0, Phase::Succeeded, "{url}");
        }
    }
}

#[tokio::test]
async fn a_wrong_endpoint_is_told() {
    let Some(servers) = Servers::find() else { return };
    // What is no store at all answers 200 with something else.
    let proxy = Proxy::before(&servers.s3).await;
    proxy.set(Weather::Status(200, None));
    let mut config = servers.config();
    config.storage.s3.endpoint = Some(proxy.endpoint(""));
    let service = Service::start(&config).await;
    let (phase, message) = service.phase(&Store::S3.url("key")).await;
    assert_eq!(phase, Phase::Initializing);
    assert!(message.contains("is the endpoint right?"), "{message}");
}
