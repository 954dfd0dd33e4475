//! The list of metrics in the README is the whole list.

use std::{collections::BTreeSet, path::Path, time::Duration};

use flightdeck::connector::{ConnectorError, Phase};
use tokio::time::{Instant, sleep};

use super::{Traced, quick};
use crate::common::{
    backend::{Backend, Does},
    collector::Collector,
    requests::{anonymous, create, delete, get},
    service::LIMIT,
};

/// The first column of the table of metrics.
fn documented() -> BTreeSet<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let text = std::fs::read_to_string(path).expect("the README");
    let table = text.lines().skip_while(|line| !line.starts_with("| metric |"));
    let rows = table.skip(2).take_while(|line| line.starts_with('|'));
    let name = |row: &str| row.split('`').nth(1).expect("a name").to_owned();
    rows.map(name).collect()
}

/// The families of a scrape that are not the process's.
fn scraped(text: &str) -> BTreeSet<String> {
    let families = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let names = families.filter_map(|family| family.split(' ').next());
    names.filter(|name| !name.starts_with("process_")).map(str::to_owned).collect()
}

#[tokio::test]
async fn every_metric_is_in_the_readme() {
    let (collector, backend) = (Collector::start().await, Backend::new());
    let mut config = quick();
    config.tasks.max_tasks = 2;
    config.tasks.max_waiting_creates = 0;
    config.tasks.orphan_after = Duration::from_secs(1);
    let mut service = Traced::start(config, &backend, &collector).await;
    let handle = service.create(create("job", "s3://b/0", 0)).await;
    service.until("job", &handle, Phase::Running).await;
    // A restart, a failed poll, an end, a refusal, a failed request.
    backend.on_get(Does::Panics);
    service.until_scraped("flightdeck_task_restarts_total").await;
    backend.job_is(Phase::Succeeded);
    service.until("job", &handle, Phase::Succeeded).await;
    service.tasks.create_task(anonymous("nobody's")).await.expect_err("unknown");
    backend.job_is(Phase::Running);
    let meta = bytes::Bytes::from_static(br#"{"job": 7}"#);
    assert_eq!(service.phase(get("job", &meta)).await, Phase::Running, "taken over");
    service.create_refused().await;
    service.tasks.delete_task(delete("job", &meta)).await.expect("OK");

    let scraped = scraped(&service.service.scrape("/metrics").await);
    let documented = documented();
    let missing: Vec<_> = scraped.difference(&documented).collect();
    assert!(missing.is_empty(), "the README does not have {missing:?}");
    // These need what no small service has: hours, upstreams, an idle peer.
    let rare = |name: &&String| {
        ["upstream", "orphans", "given_up", "connections_closed"]
            .iter()
            .any(|part| name.contains(part))
    };
    let gone: Vec<_> = documented.difference(&scraped).filter(|name| !rare(name)).collect();
    assert!(gone.is_empty(), "there is no {gone:?} any more");
    service.stop().await;
}

impl Traced {
    async fn until_scraped(&self, name: &str) {
        let begun = Instant::now();
        while !self.service.scrape("/metrics").await.contains(&format!("{name}{{")) {
            assert!(begun.elapsed() < LIMIT, "there is no {name}");
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// A Create for which there is no room.
    async fn create_refused(&mut self) {
        let begun = Instant::now();
        while self.tasks.create_task(anonymous("job")).await.is_ok() {
            assert!(begun.elapsed() < LIMIT, "there is always room");
        }
    }
}

#[test]
fn a_connectors_errors_have_a_bounded_number_of_classes() {
    let errors = [
        ConnectorError::transient(""),
        ConnectorError::permanent(""),
        ConnectorError::denied(""),
        ConnectorError::gone(""),
        ConnectorError::internal(""),
    ];
    let classes: BTreeSet<_> = errors.iter().map(|error| error.class().as_str()).collect();
    assert_eq!(classes.len(), errors.len());
}
