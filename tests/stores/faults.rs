//! A hundred sensors while a store is out of order: no Get fails, no task
//! ends, and each succeeds soon after its object is there.

use std::time::Duration;

use flightdeck::{config::Config, connector::Phase, wire::flyteidl::admin::Resource};
use tokio::time::{Instant, sleep};

use super::{
    proxy::{Proxy, Weather},
    sensors::{Handle, Service},
    servers::{Servers, Store, folder},
};

const SENSORS: usize = 100;
/// Polls come so often; all else is as it comes.
const INTERVAL: Duration = Duration::from_secs(2);

fn through(servers: &Servers, store: Store, proxy: &Proxy) -> Config {
    let mut config = servers.config();
    config.polling.interval = INTERVAL;
    // Shorter than the faults, as the defaults are than those of an hour.
    config.storage.request_timeout = Duration::from_secs(3);
    config.sensor.max_backoff = 2 * INTERVAL;
    let endpoint = match store {
        Store::S3 => &mut config.storage.s3.endpoint,
        Store::Gcs => &mut config.storage.gcs.endpoint,
        Store::Azure => &mut config.storage.azure.endpoint,
    };
    let path = if store == Store::Azure { "/devstoreaccount1" } else { "" };
    *endpoint = Some(proxy.endpoint(path));
    config
}

fn endpoint(servers: &Servers, store: Store) -> &str {
    match store {
        Store::S3 => &servers.s3,
        Store::Gcs => &servers.gcs,
        Store::Azure => &servers.azure,
    }
}

/// Half of the objects are written during the fault, the others after it.
async fn survives(store: Store, weather: Weather, lasts: Duration) {
    let Some(servers) = Servers::find() else { return };
    let proxy = Proxy::before(endpoint(&servers, store)).await;
    let service = Service::start(&through(&servers, store, &proxy)).await;
    let folder = folder();
    let key = |n: usize| format!("{folder}/{}/ready-{n}", n % 10);
    let mut sensors = Vec::new();
    for n in 0..SENSORS {
        sensors.push(service.create(&store.url(&key(n))).await.expect("a handle"));
    }
    for sensor in &sensors {
        service.wait(sensor, Phase::Running).await;
    }

    proxy.set(weather);
    let over = Instant::now() + lasts;
    for n in 0..SENSORS / 2 {
        servers.put(store, &key(n)).await;
    }
    while Instant::now() < over {
        for sensor in &sensors {
            let phase = service.get(sensor).await.phase();
            let may_succeed = weather == Weather::HalfOpen && phase == Phase::Succeeded;
            assert!(phase == Phase::Running || may_succeed, "{weather:?}: {phase:?}");
        }
        sleep(Duration::from_millis(100)).await;
    }
    if weather != Weather::HalfOpen {
        let is_told = |resource: &Resource| resource.message.contains("cannot look at");
        service.wait_until(&sensors[0], is_told).await;
    }
    proxy.set(Weather::Fair);
    for n in SENSORS / 2..SENSORS {
        servers.put(store, &key(n)).await;
    }
    all_succeed(&service, &sensors).await;
}

/// Two polls at the longest pause between them, with the jitter, and what a
/// busy machine takes.
async fn all_succeed(service: &Service, sensors: &[Handle]) {
    let limit = 2 * (2 * INTERVAL).mul_f64(1.1) + Duration::from_secs(5);
    let fair = Instant::now();
    for sensor in sensors {
        service.wait(sensor, Phase::Succeeded).await;
    }
    assert!(fair.elapsed() < limit, "{:?} after the fault", fair.elapsed());
}

#[tokio::test]
async fn refused_connections() {
    survives(Store::S3, Weather::Refused, Duration::from_secs(10)).await;
}

#[tokio::test]
async fn answers_of_503() {
    survives(Store::S3, Weather::Status(503, None), Duration::from_secs(8)).await;
}

#[tokio::test]
async fn answers_of_429_with_a_pause() {
    survives(Store::S3, Weather::Status(429, Some(1)), Duration::from_secs(8)).await;
}

#[tokio::test]
async fn no_answers() {
    survives(Store::S3, Weather::Silent, Duration::from_secs(8)).await;
}

#[tokio::test]
async fn half_open_connections() {
    survives(Store::S3, Weather::HalfOpen, Duration::from_secs(8)).await;
}

#[tokio::test]
async fn denied_for_a_while() {
    survives(Store::S3, Weather::Status(403, None), Duration::from_secs(8)).await;
}

#[tokio::test]
async fn the_wrong_region() {
    let Some(servers) = Servers::find() else { return };
    let proxy = Proxy::before(&servers.s3).await;
    let service = Service::start(&through(&servers, Store::S3, &proxy)).await;
    proxy.set(Weather::Region("eu-central-1"));
    let folder = folder();
    let mut sensors = Vec::new();
    for n in 0..SENSORS {
        let url = Store::S3.url(&format!("{folder}/ready-{n}"));
        sensors.push(service.create(&url).await.expect("a handle"));
    }
    for sensor in &sensors {
        service.wait(sensor, Phase::Running).await;
    }
    for n in 0..SENSORS {
        servers.put(Store::S3, &format!("{folder}/ready-{n}")).await;
    }
    all_succeed(&service, &sensors).await;
}

async fn survives_all(store: Store) {
    survives(store, Weather::Refused, Duration::from_secs(4)).await;
    survives(store, Weather::Status(503, None), Duration::from_secs(4)).await;
    survives(store, Weather::Silent, Duration::from_secs(5)).await;
}

#[tokio::test]
async fn google_out_of_order() {
    survives_all(Store::Gcs).await;
}

#[tokio::test]
async fn azure_out_of_order() {
    survives_all(Store::Azure).await;
}

/// One request tries a store that is out of order, however many wait for it.
#[tokio::test]
async fn a_store_that_is_out_of_order_is_spared() {
    let Some(servers) = Servers::find() else { return };
    let proxy = Proxy::before(&servers.s3).await;
    let mut config = through(&servers, Store::S3, &proxy);
    config.storage.max_listing = 0;
    let service = Service::start(&config).await;
    proxy.set(Weather::Status(503, None));
    let folder = folder();
    let mut sensors = Vec::new();
    for n in 0..SENSORS {
        let url = Store::S3.url(&format!("{folder}/{n}"));
        sensors.push(service.create(&url).await.expect("a handle"));
    }
    sleep(Duration::from_secs(2)).await;
    let before = proxy.requests();
    sleep(4 * INTERVAL).await;
    let requests = proxy.requests() - before;
    assert!(requests <= 16, "{requests} requests");
    for sensor in &sensors {
        assert!(!service.get(sensor).await.message.is_empty());
    }
}
