//! What counts as there, as for fsspec.

use std::time::Duration;

use flightdeck::connector::Phase;

use super::{
    sensors::{Service, quick},
    servers::{STORES, Servers, Store, folder},
};

/// Keys that some part on the way might read as something else.
const KEYS: [&str; 9] =
    ["plain", "a b", "50%25", "a+b", "a#b", "a?b", "a&b=c;d", "é世🚀", "deep/er/key.csv"];

#[tokio::test]
async fn an_object_is_there_whatever_its_key() {
    let Some(servers) = Servers::find() else { return };
    let service = Service::start(&servers.config()).await;
    for store in STORES {
        let folder = folder();
        for key in KEYS {
            let key = format!("{folder}/{key}");
            let url = store.url(&key);
            let before = service.phase(&url).await;
            assert_eq!(before, (Phase::Running, String::new()), "{url}");
        }
        for key in KEYS {
            servers.put(store, &format!("{folder}/{key}")).await;
        }
        tokio::time::sleep(servers.config().storage.share_for).await;
        for key in KEYS {
            let url = store.url(&format!("{folder}/{key}"));
            assert_eq!(service.phase(&url).await.0, Phase::Succeeded, "{url}");
        }
    }
}

#[tokio::test]
async fn nothing_is_decoded_and_a_part_of_a_name_is_no_name() {
    let Some(servers) = Servers::find() else { return };
    let service = Service::start(&servers.config()).await;
    for store in STORES {
        let folder = folder();
        for key in ["a b", "data.csv.tmp", "data-2/x", "x%20y"] {
            servers.put(store, &format!("{folder}/{key}")).await;
        }
        for key in ["a%20b", "a+b", "data", "data.csv", "x y", "data-"] {
            let url = store.url(&format!("{folder}/{key}"));
            assert_eq!(service.phase(&url).await, (Phase::Running, String::new()), "{url}");
        }
    }
}

#[tokio::test]
async fn a_folder_is_there_with_the_first_object_below_it() {
    let Some(servers) = Servers::find() else { return };
    let service = Service::start(&servers.config()).await;
    for store in STORES {
        let folder = folder();
        for path in ["out", "out/"] {
            let url = store.url(&format!("{folder}/{path}"));
            assert_eq!(service.phase(&url).await, (Phase::Running, String::new()), "{url}");
        }
        // Between the key and what is below it, in the order of bytes.
        servers.put(store, &format!("{folder}/out-of-date")).await;
        servers.put(store, &format!("{folder}/out/day=1/part-0")).await;
        tokio::time::sleep(servers.config().storage.share_for).await;
        for path in ["out", "out/", "out/day=1", "out/day=1/part-0", ""] {
            let url = store.url(&format!("{folder}/{path}"));
            assert_eq!(service.phase(&url).await.0, Phase::Succeeded, "{url}");
        }
        assert_eq!(service.phase(&store.url("")).await.0, Phase::Succeeded, "the bucket");
    }
}

#[tokio::test]
async fn keys_with_empty_segments_are_keys() {
    let Some(servers) = Servers::find() else { return };
    let service = Service::start(&servers.config()).await;
    let folder = folder();
    let url = Store::S3.url(&format!("{folder}//key"));
    assert_eq!(service.phase(&url).await, (Phase::Running, String::new()));
    servers.put(Store::S3, &format!("{folder}//key")).await;
    tokio::time::sleep(servers.config().storage.share_for).await;
    assert_eq!(service.phase(&url).await.0, Phase::Succeeded);
}

#[tokio::test]
async fn a_sensor_succeeds_when_its_object_comes() {
    let Some(servers) = Servers::find() else { return };
    let service = Service::start(&quick(servers.config(), Duration::from_millis(200))).await;
    for store in STORES {
        let key = format!("{}/ready", folder());
        let sensor = service.create(&store.url(&key)).await.expect("a handle");
        assert_eq!(service.get(&sensor).await.phase(), Phase::Running);
        servers.put(store, &key).await;
        service.wait(&sensor, Phase::Succeeded).await;
    }
}

#[tokio::test]
async fn what_can_never_be_there_is_refused_at_create() {
    let Some(servers) = Servers::find() else { return };
    let service = Service::start(&servers.config()).await;
    for (url, reason) in [
        ("s3://", "no bucket"),
        ("s3://not a bucket/key", "can be named"),
        ("gs:///", "no bucket"),
        ("abfs://", "no container"),
        ("ftp://host/file", "no ftp:// storage"),
        ("http://", "host"),
    ] {
        let error = service.create(url).await.expect_err(url);
        assert!(error.contains(reason), "{url}: {error}");
    }
}
