//! The connector of `examples/`, as its author would start it.

// Its `main` is not called here.
#[allow(dead_code)]
#[path = "../../examples/countdown.rs"]
mod countdown;

use std::sync::Arc;

use countdown::Countdown;
use flightdeck::{
    config::Config,
    connector::{Connector, ConnectorRegistry, Phase},
    supervisor::Tasks,
    telemetry::Metrics,
    wire::{flyteidl::core::LiteralMap, literal},
};
use tonic::Code;

use crate::common::{
    requests::{anonymous, query},
    service::world,
};

async fn tasks() -> Tasks {
    let registry = ConnectorRegistry::new();
    registry.register(Connector::from_async(Countdown)).expect("a task type of its own");
    let metrics = Arc::new(Metrics::new().expect("metrics"));
    let config = Config::default();
    Tasks::start(&config, Arc::new(registry), metrics, world()).await.expect("a supervisor")
}

#[tokio::test]
async fn the_countdown_ends_with_its_output() {
    let tasks = tasks().await;
    let mut request = anonymous("countdown");
    request.inputs =
        Some(LiteralMap { literals: [("seconds".to_owned(), literal::integer(0))].into() });
    let handle = tasks.create(request).await.expect("a handle");
    let resource = tasks.get(query("countdown", &handle)).await.expect("a state");
    assert_eq!(resource.phase(), Phase::Succeeded);
    assert!(resource.outputs.expect("outputs").literals.contains_key("launched"));
}

#[tokio::test]
async fn a_countdown_without_its_input_is_refused() {
    let error = tasks().await.create(anonymous("countdown")).await.expect_err("refused");
    assert_eq!(error.code(), Code::InvalidArgument);
    assert!(error.to_string().contains("input seconds must be an integer"), "{error}");
}
