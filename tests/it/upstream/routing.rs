//! Who has a task.

use std::path::Path;

use bytes::Bytes;
use flightdeck::{
    connector::Phase,
    wire::flyteidl::admin::{CreateTaskRequest, TaskCategory},
};
use prost_types::{Value, value::Kind};
use tonic::Code;

use super::{
    Deck, at, meta, quick,
    server::{FakeUpstream, agent},
};
use crate::{
    common::requests::{create, get},
    service::file_sensor,
};

/// The Create of a sensor of this class.
fn sensor(module: &str, class: &str) -> CreateTaskRequest {
    let mut request = file_sensor(Path::new("/nowhere"));
    let custom = request.template.as_mut().and_then(|template| template.custom.as_mut());
    let fields = &mut custom.expect("a sensor's custom").fields;
    let mut set = |key: &str, text: &str| {
        let text = Value { kind: Some(Kind::StringValue(text.to_owned())) };
        fields.insert(key.to_owned(), text);
    };
    set("sensor_module", module);
    set("sensor_name", class);
    request
}

async fn created(deck: &mut Deck, request: CreateTaskRequest) -> Bytes {
    deck.tasks.create_task(request).await.expect("a task").into_inner().resource_meta
}

/// What flytekit's service lists, with a type of the team's own.
async fn python() -> FakeUpstream {
    let agents = vec![
        agent("Sensor", &["sensor"], false),
        agent("Team", &["team", "job"], false),
        agent("Webhook Connector", &["webhook"], true),
    ];
    FakeUpstream::start(agents).await
}

#[tokio::test]
async fn native_and_forwarded_connectors_are_listed_together_each_category_once() {
    let upstream = python().await;
    let deck = Deck::in_front_of(quick(), &upstream, "team").await;
    let agents = deck.agents().await;
    let names: Vec<&str> = agents.iter().map(|agent| agent.name.as_str()).collect();
    assert_eq!(names, ["Sensor", "Webhook Connector", "Backend", "Sync Backend", "Team"]);
    assert_eq!(agents[4], agent("Team", &["team"], false), "job is native");
    let mut categories = deck.categories().await;
    let listed = categories.len();
    categories.dedup_by(|one, other| one.name == other.name);
    assert_eq!(categories.len(), listed);
}

#[tokio::test]
async fn a_native_connector_goes_before_an_upstream_unless_that_is_preferred() {
    let upstream = python().await;
    let mut deck = Deck::in_front_of(quick(), &upstream, "team").await;
    let native = created(&mut deck, create("job", "a", 0)).await;
    assert_ne!(meta(&native), "the upstream's");
    assert!(upstream.with(|script| script.creates.is_empty()));

    let mut settings = at("python", &upstream);
    settings.prefer = vec!["job".to_owned()];
    let mut deck = Deck::before(quick(), vec![settings]).await;
    let forwarded = created(&mut deck, create("job", "a", 0)).await;
    assert_eq!(meta(&forwarded), "the upstream's");
    let agents = deck.agents().await;
    assert!(!agents.iter().any(|agent| agent.name == "Backend"), "{agents:?}");
    assert!(agents.contains(&agent("Team", &["team", "job"], false)), "{agents:?}");
}

#[tokio::test]
async fn a_sensor_that_is_not_native_goes_upstream_and_a_file_does_not() {
    let upstream = python().await;
    let mut deck = Deck::in_front_of(quick(), &upstream, "team").await;
    created(&mut deck, file_sensor(Path::new("/nowhere"))).await;
    assert!(upstream.with(|script| script.creates.is_empty()));
    let own = created(&mut deck, sensor("team.sensors", "TableSensor")).await;
    assert_eq!(meta(&own), "the upstream's");
    deck.until("sensor", &own, |resource| resource.phase() == Phase::Running).await;
    // A class of the same name in another module is another sensor.
    let other = created(&mut deck, sensor("team.sensors", "FileSensor")).await;
    assert_eq!(meta(&other), "the upstream's");
    // Nothing here has this storage.
    let far = created(&mut deck, file_sensor(Path::new("ftp://host/file"))).await;
    assert_eq!(meta(&far), "the upstream's");
}

#[tokio::test]
async fn a_plain_sensor_task_is_taken_over_by_whoever_has_its_class() {
    let upstream = python().await;
    let mut deck = Deck::in_front_of(quick(), &upstream, "team").await;
    let of_class = |module: &str, name: &str, path: &Path| {
        let path = path.display();
        Bytes::from(format!(
            r#"{{"sensor_module": "{module}", "sensor_name": "{name}", "sensor_config": null, "inputs": {{"path": "{path}"}}}}"#
        ))
    };
    let here = of_class("flytekit.sensor.file_sensor", "FileSensor", Path::new("/"));
    deck.until("sensor", &here, |resource| resource.phase() == Phase::Succeeded).await;
    assert!(upstream.with(|script| script.gets.is_empty()));
    let own = of_class("team.sensors", "TableSensor", Path::new("/"));
    deck.until("sensor", &own, |resource| resource.phase() == Phase::Running).await;
    assert_eq!(upstream.with(|script| script.gets[0].resource_meta.clone()), own);
}

#[tokio::test]
async fn sensors_go_to_the_upstream_of_their_module() {
    let sensors = |own: &str| vec![agent("Sensor", &["sensor"], false), agent(own, &[own], false)];
    let team = FakeUpstream::start(sensors("team")).await;
    let rest = FakeUpstream::start(sensors("rest")).await;
    let mut first = at("team", &team);
    first.sensor_modules = vec!["team".to_owned()];
    let mut deck = Deck::before(quick(), vec![first, at("rest", &rest)]).await;
    deck.lists("team").await;
    deck.lists("rest").await;
    created(&mut deck, sensor("team.sensors", "TableSensor")).await;
    created(&mut deck, sensor("teams.sensors", "TableSensor")).await;
    created(&mut deck, sensor("other", "TableSensor")).await;
    assert_eq!(team.with(|script| script.creates.len()), 1);
    assert_eq!(rest.with(|script| script.creates.len()), 2);
}

#[tokio::test]
async fn what_an_upstream_no_longer_lists_is_unknown_to_creates_but_its_tasks_go_on() {
    let upstream = python().await;
    let mut deck = Deck::in_front_of(quick(), &upstream, "team").await;
    let handle = created(&mut deck, create("team", "a", 0)).await;
    deck.service.stop().await.expect("stopped");
    upstream.with(|script| script.agents.retain(|agent| agent.name != "Team"));

    let mut deck = Deck::in_front_of(quick(), &upstream, "sensor").await;
    // The list of sensors is native too: wait for the upstream's.
    let begun = tokio::time::Instant::now();
    loop {
        let refused = deck.tasks.create_task(create("team", "b", 0)).await.expect_err("unknown");
        if refused.code() == Code::NotFound {
            break;
        }
        assert!(begun.elapsed() < crate::common::service::LIMIT, "{refused}");
    }
    deck.until("team", &handle, |resource| resource.phase() == Phase::Running).await;
    assert!(upstream.with(|script| script.gets.len()) > 0);
}

#[tokio::test]
async fn until_the_first_list_a_get_answers_and_a_create_waits() {
    let upstream = FakeUpstream::absent(vec![agent("Team", &["team"], false)]).await;
    let mut deck = Deck::before(quick(), vec![at("python", &upstream)]).await;
    let plain = Bytes::from_static(b"a task of the upstream's");
    let resource = deck.get("team", &plain).await;
    assert_eq!(resource.phase(), Phase::Running);
    assert!(resource.message.contains("upstream python"), "{}", resource.message);

    let mut tasks = deck.tasks.clone();
    let create = tokio::spawn(async move { tasks.create_task(create("team", "a", 0)).await });
    // Native task types wait for nobody.
    created(&mut deck, file_sensor(Path::new("/nowhere"))).await;
    upstream.come().await;
    create.await.expect("no panic").expect("it waited");
    deck.until("team", &plain, |resource| resource.message.is_empty()).await;
}

#[tokio::test]
async fn a_create_whose_deadline_passes_before_the_first_list_says_why() {
    let upstream = FakeUpstream::absent(Vec::new()).await;
    let mut deck = Deck::before(quick(), vec![at("python", &upstream)]).await;
    let mut request = tonic::Request::new(create("team", "a", 0));
    request.set_timeout(std::time::Duration::from_secs(1));
    let late = deck.tasks.create_task(request).await.expect_err("nobody has it yet");
    assert_eq!(late.code(), Code::Unavailable);
    assert!(late.message().contains("upstream python has not answered yet"), "{late}");
}

#[tokio::test]
async fn a_task_type_that_nobody_has_is_not_found() {
    let upstream = python().await;
    let mut deck = Deck::in_front_of(quick(), &upstream, "team").await;
    let refused = deck.tasks.create_task(create("nope", "a", 0)).await.expect_err("unknown");
    assert_eq!(refused.code(), Code::NotFound);
    assert_eq!(refused.message(), "Cannot find connector for task type: nope.");
    let meta = Bytes::from_static(b"x");
    let refused = deck.tasks.get_task(get("nope", &meta)).await.expect_err("unknown");
    assert_eq!(refused.code(), Code::NotFound);
}

#[tokio::test]
async fn a_service_older_than_categories_is_understood() {
    let mut old = agent("Old", &["old"], false);
    old.supported_task_categories = Vec::new();
    let upstream = FakeUpstream::start(vec![old]).await;
    let deck = Deck::in_front_of(quick(), &upstream, "old").await;
    let old = TaskCategory { name: "old".to_owned(), version: 0 };
    assert!(deck.categories().await.contains(&old));
}
