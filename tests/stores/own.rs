//! The sensors of our own, and local files as they appear.

use std::time::{Duration, SystemTime};

use flightdeck::{config::Config, connector::Phase, wire::literal};
use jiff::Timestamp;
use prost_types::{Struct, Value, value::Kind};
use tokio::time::sleep;

use super::{
    sensors::{Handle, Service, quick},
    servers::{STORES, Servers, folder},
};

const MODULE: &str = "flightdeck_sensors";

/// Polls come once an hour: whatever succeeds earlier was noticed.
async fn patient() -> Service {
    Service::start(&quick(Config::default(), Duration::from_secs(3600))).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_local_file_is_noticed_as_it_appears() {
    let service = patient().await;
    let home = tempfile::tempdir().expect("a folder");
    let ready = home.path().join("in/a/folder/ready");
    let sensor = service.create(ready.to_str().expect("UTF-8")).await.expect("a handle");
    assert_eq!(service.get(&sensor).await.phase(), Phase::Running);
    // Step by step, so that each folder is first one that is not there yet.
    for step in ["in", "in/a", "in/a/folder"] {
        std::fs::create_dir(home.path().join(step)).expect("a folder");
        sleep(Duration::from_millis(50)).await;
    }
    std::fs::write(&ready, "").expect("a file");
    let took = service.wait(&sensor, Phase::Succeeded).await;
    println!("a local file is noticed after {took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_files_of_one_folder_are_each_noticed() {
    let service = patient().await;
    let home = tempfile::tempdir().expect("a folder");
    let path = |n: usize| home.path().join(format!("ready-{n}"));
    let mut sensors = Vec::new();
    for n in 0..1000 {
        sensors.push(service.create(path(n).to_str().expect("UTF-8")).await.expect("a handle"));
    }
    for sensor in &sensors {
        assert_eq!(service.get(sensor).await.phase(), Phase::Running);
    }
    for n in 0..1000 {
        std::fs::write(path(n), "").expect("a file");
    }
    for sensor in &sensors {
        service.wait(sensor, Phase::Succeeded).await;
    }
}

fn text(instant: SystemTime) -> String {
    Timestamp::try_from(instant).expect("in range").to_string()
}

async fn until(service: &Service, until: &str) -> Result<Handle, String> {
    service.create_sensor((MODULE, "TimeSensor"), None, [("until", literal::string(until))]).await
}

#[tokio::test]
async fn an_instant_is_waited_for() {
    let service = patient().await;
    let soon = SystemTime::now() + Duration::from_secs(2);
    let sensor = until(&service, &text(soon)).await.expect("a handle");
    assert_eq!(service.get(&sensor).await.phase(), Phase::Running);
    service.wait(&sensor, Phase::Succeeded).await;
    assert!(SystemTime::now() >= soon);
    let error = until(&service, "2026-11-21T06:00:00").await.expect_err("no offset");
    assert!(error.contains("offset from UTC"), "{error}");
}

#[tokio::test]
async fn objects_are_counted_and_their_age_is_looked_at() {
    let Some(servers) = Servers::find() else { return };
    let service = Service::start(&quick(servers.config(), Duration::from_millis(500))).await;
    for store in STORES {
        let folder = folder();
        let url = literal::string(store.url(&folder));
        let inputs = [("path", url), ("count", literal::integer(3))];
        let names = (MODULE, "FileCountSensor");
        let count = service.create_sensor(names, None, inputs).await.expect("a handle");
        for key in ["a", "b/c"] {
            servers.put(store, &format!("{folder}/{key}")).await;
        }
        // Times of stores are whole seconds.
        sleep(Duration::from_secs(2)).await;
        let since = literal::string(text(SystemTime::now() - Duration::from_secs(1)));
        let inputs =
            [("path", literal::string(store.url(&format!("{folder}/a")))), ("since", since)];
        let names = (MODULE, "FileNewerSensor");
        let newer = service.create_sensor(names, None, inputs).await.expect("a handle");
        for sensor in [&count, &newer] {
            let resource = service.get(sensor).await;
            assert_eq!(resource.phase(), Phase::Running, "{store:?}: {resource:?}");
        }
        sleep(Duration::from_secs(1)).await;
        servers.put(store, &format!("{folder}/a")).await;
        servers.put(store, &format!("{folder}/d/e/f")).await;
        for sensor in [&count, &newer] {
            service.wait(sensor, Phase::Succeeded).await;
        }
    }
}

#[tokio::test]
async fn a_web_server_is_asked_for_a_status() {
    use super::proxy::{Proxy, Weather};

    let proxy = Proxy::before("http://127.0.0.1:9").await;
    let service = Service::start(&quick(Config::default(), Duration::from_millis(200))).await;
    let number = |value| Value { kind: Some(Kind::NumberValue(value)) };
    let config = |status: f64| {
        let fields = [("status".to_owned(), number(status))].into();
        Some(Value { kind: Some(Kind::StructValue(Struct { fields })) })
    };
    proxy.set(Weather::Status(200, None));
    let inputs = || [("url", literal::string(proxy.endpoint("/job")))];
    let names = (MODULE, "HttpSensor");
    let gone = service.create_sensor(names, config(410.0), inputs()).await.expect("a handle");
    assert_eq!(service.get(&gone).await.phase(), Phase::Running);
    proxy.set(Weather::Status(410, None));
    service.wait(&gone, Phase::Succeeded).await;
    let error = service.create_sensor(names, config(503.0), inputs()).await.expect_err("an error");
    assert!(error.contains("status is a number"), "{error}");
}
