//! Faults of the backend, over HTTP.

use std::time::Duration;

use flightdeck::connector::Phase;
use tokio::sync::Semaphore;
use tonic::Code;

use crate::{
    api::Api,
    books::{Books, Fault, State},
    client::{Client, job},
    many::{create_all, expect_all, until_all_succeed},
    process::Process,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_over_http_reach_no_get_and_a_delete_outlives_them() {
    let api = Api::start(Books::default()).await;
    // A task is polled several times a second, whether it fails or not.
    let quick =
        [("FLIGHTDECK_POLLING__INTERVAL", "200ms"), ("FLIGHTDECK_POLLING__MAX_BACKOFF", "200ms")];
    let service = Process::start_with(&api.url(), 0, &quick).await;
    let client = Client::new(service.channel());
    let handles = create_all(&client, 0..20, &Semaphore::new(0)).await;
    expect_all(&client, &handles, &[Phase::Running]).await;
    let slow = Fault::Slow(Duration::from_millis(300));
    for fault in [Fault::Unavailable, Fault::Cut, Fault::Denied, Fault::Lags, slow] {
        api.books().set_fault(Some(fault));
        api.is_asked(2 * handles.len()).await;
        expect_all(&client, &handles, &[Phase::Running]).await;
    }
    api.books().set_fault(Some(Fault::Unavailable));
    let error = client.delete(&handles[0]).await.expect_err("not confirmed yet");
    assert_eq!(error.code(), Code::Unavailable, "{error}");
    api.books().set_fault(None);
    while client.delete(&handles[0]).await.is_err() {}
    assert_eq!(api.books().jobs()[job(&handles[0])].state(), State::Deleted);
    api.books().finish();
    until_all_succeed(&client, &handles[1..]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_create_waits_for_a_backend_that_is_not_up_yet() {
    let api = Api::start(Books::default()).await;
    let address = api.address();
    drop(api);
    let service = Process::start(&format!("http://{address}"), 0).await;
    let client = Client::new(service.channel());
    let creating = tokio::spawn(async move { client.create(0).await });
    // Time for the first tries, which are refused; it passes without them too.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let api = Api::start_at(address, Books::default()).await;
    creating.await.expect("no panic").expect("one Create is enough");
    assert_eq!(api.books().jobs().len(), 1);
}
