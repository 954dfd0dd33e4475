//! Web servers: a page is there once it answers.

use std::time::Duration;

use flightdeck::{config::Config, connector::Phase};

use super::{
    proxy::{Proxy, Weather},
    sensors::{Service, quick},
};

/// A server whose pages are behind the proxy's weather.
async fn server() -> (Proxy, Service) {
    let proxy = Proxy::before("http://127.0.0.1:9").await;
    let mut config = quick(Config::default(), Duration::from_millis(200));
    config.tasks.persist_for = Duration::from_secs(2);
    (proxy, Service::start(&config).await)
}

#[tokio::test]
async fn a_page_is_there_once_it_answers() {
    let (proxy, service) = server().await;
    for absent in [404, 403, 410, 400] {
        let url = proxy.endpoint(&format!("/a%20b?token={absent}"));
        proxy.set(Weather::Status(absent, None));
        let sensor = service.create(&url).await.expect("a handle");
        service.wait(&sensor, Phase::Running).await;
        proxy.set(Weather::Status(200, None));
        service.wait(&sensor, Phase::Succeeded).await;
    }
    assert_eq!(proxy.log()[0], "GET /a%20b?token=404");
}

#[tokio::test]
async fn a_server_in_trouble_is_waited_for_and_told_of_without_secrets() {
    let (proxy, service) = server().await;
    for (weather, word) in [
        (Weather::Status(503, None), "503"),
        (Weather::Status(429, Some(1)), "429"),
        (Weather::Refused, "no connection"),
        (Weather::Status(401, None), "401"),
    ] {
        proxy.set(weather);
        let url = proxy.endpoint(&format!("/page?token=secret-{word}"));
        let url = url.replace("http://", "http://me:pass@").replace(' ', "-");
        let sensor = service.create(&url).await.expect("a handle");
        service.wait_until(&sensor, |resource| resource.message.contains(word)).await;
        let message = service.get(&sensor).await.message;
        assert!(message.contains("/page?..."), "{message}");
        assert!(!message.contains("secret") && !message.contains("pass"), "{message}");
        proxy.set(Weather::Status(200, None));
        service.wait(&sensor, Phase::Succeeded).await;
    }
}

#[tokio::test]
async fn a_page_that_wants_a_login_fails_the_task_when_that_persists() {
    let (proxy, service) = server().await;
    proxy.set(Weather::Status(401, None));
    let sensor = service.create(&proxy.endpoint("/")).await.expect("a handle");
    service.wait(&sensor, Phase::Failed).await;
}
