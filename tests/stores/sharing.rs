//! One look for many sensors.

use std::time::Duration;

use flightdeck::connector::Phase;
use futures::{StreamExt, stream};
use tokio::time::sleep;

use super::{
    proxy::Proxy,
    sensors::{Handle, Service, quick},
    servers::{Servers, Store, folder},
};

/// Sensors on all keys, made as fast as it goes.
async fn wait_for_all(service: &Service, keys: impl Iterator<Item = String>) -> Vec<Handle> {
    let sensors = stream::iter(keys)
        .map(|key| async move { service.create(&Store::S3.url(&key)).await.expect("a handle") });
    sensors.buffered(64).collect().await
}

/// Requests in one round of polls.
async fn requests_in(proxy: &Proxy, round: Duration) -> usize {
    let before = proxy.requests();
    sleep(round).await;
    proxy.requests() - before
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_sensors_on_a_hundred_prefixes_cost_hundreds_of_requests_a_round() {
    let Some(servers) = Servers::find() else { return };
    let proxy = Proxy::before(&servers.s3).await;
    let round = Duration::from_secs(10);
    let mut config = quick(servers.config(), round);
    config.storage.s3.endpoint = Some(proxy.endpoint(""));
    let service = Service::start(&config).await;
    let folder = folder();
    let keys = (0..10_000).map(|n| format!("{folder}/prefix-{}/key-{}", n % 100, n / 100));
    let sensors = wait_for_all(&service, keys).await;
    sleep(round).await;
    let requests = requests_in(&proxy, round).await;
    println!("10,000 sensors on 100 prefixes: {requests} requests in a round of {round:?}");
    assert!((100..1000).contains(&requests), "{requests} requests");
    // And each of them is told of its own object only.
    for n in [0, 4711, 9999] {
        servers.put(Store::S3, &format!("{folder}/prefix-{}/key-{}", n % 100, n / 100)).await;
    }
    for n in [0, 4711, 9999] {
        let took = service.wait(&sensors[n], Phase::Succeeded).await;
        assert!(took < 3 * round, "{took:?}");
    }
    for n in [1, 4710, 9998] {
        assert_eq!(service.get(&sensors[n]).await.phase(), Phase::Running);
    }
}

#[tokio::test]
async fn sensors_on_one_object_share_a_look() {
    let Some(servers) = Servers::find() else { return };
    let proxy = Proxy::before(&servers.s3).await;
    let round = Duration::from_secs(4);
    let mut config = quick(servers.config(), round);
    config.storage.s3.endpoint = Some(proxy.endpoint(""));
    let service = Service::start(&config).await;
    let key = format!("{}/ready", folder());
    let sensors = wait_for_all(&service, (0..500).map(|_| key.clone())).await;
    for sensor in &sensors {
        assert_eq!(service.get(sensor).await.phase(), Phase::Running);
    }
    let requests = requests_in(&proxy, round).await;
    assert!((1..=4).contains(&requests), "{requests} requests: {:?}", proxy.log());
    servers.put(Store::S3, &key).await;
    for sensor in &sensors {
        service.wait(sensor, Phase::Succeeded).await;
    }
}

#[tokio::test]
async fn a_folder_with_too_many_names_is_asked_for_each() {
    let Some(servers) = Servers::find() else { return };
    let folder = folder();
    for n in 0..20 {
        servers.put(Store::S3, &format!("{folder}/other-{n}")).await;
    }
    let proxy = Proxy::before(&servers.s3).await;
    let mut config = quick(servers.config(), Duration::from_secs(2));
    config.storage.s3.endpoint = Some(proxy.endpoint(""));
    config.storage.max_listing = 10;
    let service = Service::start(&config).await;
    let keys = (0..12).map(|n| format!("{folder}/key-{n}"));
    let sensors = wait_for_all(&service, keys).await;
    for sensor in &sensors {
        assert_eq!(service.get(sensor).await.phase(), Phase::Running);
    }
    servers.put(Store::S3, &format!("{folder}/key-7")).await;
    service.wait(&sensors[7], Phase::Succeeded).await;
    assert_eq!(service.get(&sensors[8]).await.phase(), Phase::Running);
    let listings = proxy.log().iter().filter(|line| line.contains("delimiter")).count();
    assert_eq!(listings, 1, "it is not tried again: {:?}", proxy.log());
}

#[tokio::test]
async fn a_name_that_no_listing_can_tell_is_in_nobodys_way() {
    let Some(servers) = Servers::find() else { return };
    let folder = folder();
    servers.put(Store::S3, &format!("{folder}//odd")).await;
    let service = Service::start(&quick(servers.config(), Duration::from_secs(1))).await;
    let keys = (0..12).map(|n| format!("{folder}/key-{n}"));
    let sensors = wait_for_all(&service, keys).await;
    servers.put(Store::S3, &format!("{folder}/key-7")).await;
    service.wait(&sensors[7], Phase::Succeeded).await;
    let other = service.get(&sensors[8]).await;
    assert_eq!((other.phase(), other.message.as_str()), (Phase::Running, ""));
}

#[tokio::test]
async fn folders_and_objects_are_told_by_one_listing() {
    let Some(servers) = Servers::find() else { return };
    for store in [Store::S3, Store::Gcs, Store::Azure] {
        let service = Service::start(&quick(servers.config(), Duration::from_secs(1))).await;
        let folder = folder();
        let mut sensors = Vec::new();
        for n in 0..12 {
            let url = store.url(&format!("{folder}/key {n}"));
            sensors.push(service.create(&url).await.expect("a handle"));
        }
        servers.put(store, &format!("{folder}/key 3")).await;
        servers.put(store, &format!("{folder}/key 4/below")).await;
        for n in [3, 4] {
            service.wait(&sensors[n], Phase::Succeeded).await;
        }
        let other = service.get(&sensors[5]).await;
        assert_eq!((other.phase(), other.message.as_str()), (Phase::Running, ""), "{store:?}");
    }
}
