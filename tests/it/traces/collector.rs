//! A collector that is down, slow, refuses or hangs costs counted spans and a line of
//! the log, and nothing else.

use flightdeck::wire::flyteidl::{
    admin::ListAgentsRequest, service::agent_metadata_service_client::AgentMetadataServiceClient,
};
use tokio::time::{Duration, Instant, sleep};

use crate::common::{
    collector::{Collector, Mood},
    process::Process,
    service::LIMIT,
};

/// The beginning of a line that tells of a change.
const LINE: &str = "the collector of traces";

/// A process that sends its spans to this URL soon.
async fn process(url: &str, more: &[(&str, &str)]) -> Process {
    let settings = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", url),
        ("OTEL_BSP_SCHEDULE_DELAY", "20"),
        ("FLIGHTDECK_TRACES__TIMEOUT", "200ms"),
        ("FLIGHTDECK_TRACES__STOP_TIMEOUT", "1s"),
        ("FLIGHTDECK_SERVER__DRAIN_GRACE", "0s"),
    ];
    Process::start(&[&settings[..], more].concat()).await
}

/// Asks for something, which is a span.
async fn ask(process: &Process) {
    let mut client = AgentMetadataServiceClient::new(process.channel().await);
    client.list_agents(ListAgentsRequest {}).await.expect("a list");
}

/// Asks until the counter has reached this.
async fn until_counted(process: &Process, counter: &str, least: f64) {
    let begun = Instant::now();
    while count(process, counter).await < least {
        ask(process).await;
        assert!(begun.elapsed() < LIMIT, "{counter} does not come to {least}");
        sleep(Duration::from_millis(10)).await;
    }
}

async fn count(process: &Process, counter: &str) -> f64 {
    let scrape = process.scrape().await;
    let line = scrape.lines().find(|line| line.starts_with(&format!("{counter} ")));
    line.and_then(|line| line.rsplit_once(' ')).map_or(0.0, |(_, n)| n.parse().expect("a count"))
}

#[tokio::test]
async fn spans_that_are_taken_are_counted_and_the_rest_is_sent_before_the_exit() {
    let collector = Collector::start().await;
    let process = process(&collector.url(), &[("OTEL_BSP_SCHEDULE_DELAY", "3600000")]).await;
    for _ in 0..3 {
        ask(&process).await;
    }
    assert!(collector.spans().is_empty(), "they wait for a batch");
    process.signal("TERM").await;
    assert_eq!(process.ended().await.code(), Some(0));
    assert_eq!(collector.spans().len(), 3);
}

#[tokio::test]
async fn the_variables_of_opentelemetry_are_obeyed() {
    let collector = Collector::start().await;
    let variables = [
        ("OTEL_SERVICE_NAME", "deck-7"),
        ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test,service.version=9"),
    ];
    let process = process(&collector.url(), &variables).await;
    ask(&process).await;
    let spans = collector.until(|spans| !spans.is_empty()).await;
    assert_eq!(spans[0].resource["service.name"], "deck-7");
    assert_eq!(spans[0].resource["service.version"], "9");
    assert_eq!(spans[0].resource["deployment.environment.name"], "test");
    until_counted(&process, "flightdeck_spans_sent_total", 1.0).await;
}

#[tokio::test]
async fn sampling_can_be_turned_off_by_the_variables() {
    let collector = Collector::start().await;
    for variable in [("OTEL_TRACES_SAMPLER", "always_off"), ("OTEL_SDK_DISABLED", "true")] {
        let process = process(&collector.url(), &[variable]).await;
        ask(&process).await;
        process.signal("TERM").await;
        assert_eq!(process.ended().await.code(), Some(0));
    }
    assert!(collector.spans().is_empty());
}

#[tokio::test]
async fn each_change_of_the_collector_is_one_line() {
    let collector = Collector::start().await;
    let mut process = process(&collector.url(), &[]).await;
    until_counted(&process, "flightdeck_spans_sent_total", 1.0).await;
    collector.set_mood(Mood::Refuses);
    until_counted(&process, "flightdeck_spans_failed_total", 5.0).await;
    collector.set_mood(Mood::Takes);
    let sent = count(&process, "flightdeck_spans_sent_total").await;
    until_counted(&process, "flightdeck_spans_sent_total", sent + 5.0).await;
    process.signal("TERM").await;
    let lines = process.rest_of_log().await;
    let told: Vec<_> = lines.iter().filter(|line| line.contains(LINE)).collect();
    assert_eq!(told.len(), 2, "{lines:#?}");
    assert!(told[0].contains("takes no spans"), "{told:?}");
    assert!(told[1].contains("takes all spans again"), "{told:?}");
    let others = ["opentelemetry", "BatchSpanProcessor", "tonic"];
    assert!(!lines.iter().any(|line| others.iter().any(|other| line.contains(other))));
}

#[tokio::test]
async fn a_collector_that_is_not_there_holds_nothing_up() {
    let mut process = process("http://127.0.0.1:9", &[]).await;
    until_counted(&process, "flightdeck_spans_failed_total", 3.0).await;
    process.signal("TERM").await;
    let lines = process.rest_of_log().await;
    assert_eq!(lines.iter().filter(|line| line.contains(LINE)).count(), 1, "{lines:#?}");
    assert_eq!(process.ended().await.code(), Some(0));
}

#[tokio::test]
async fn a_collector_that_is_too_slow_is_told_of() {
    let collector = Collector::start().await;
    collector.set_mood(Mood::Slow(Duration::from_millis(100)));
    let more = [("OTEL_BSP_MAX_QUEUE_SIZE", "2"), ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1")];
    let mut process = process(&collector.url(), &more).await;
    until_counted(&process, "flightdeck_spans_dropped_total", 3.0).await;
    process.logs("the collector of traces is too slow").await;
    collector.set_mood(Mood::Takes);
    process.logs("takes all spans again").await;
    assert!(count(&process, "flightdeck_spans_sent_total").await > 0.0);
}

#[tokio::test]
async fn what_waits_for_a_collector_that_hangs_is_bounded_and_so_is_the_stop() {
    let collector = Collector::start().await;
    collector.set_mood(Mood::Hangs);
    let more = [
        ("OTEL_BSP_MAX_QUEUE_SIZE", "4"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "2"),
        ("FLIGHTDECK_TRACES__TIMEOUT", "1h"),
    ];
    let mut process = process(&collector.url(), &more).await;
    until_counted(&process, "flightdeck_spans_dropped_total", 3.0).await;
    process.signal("TERM").await;
    process.logs("the service stops before all spans are sent").await;
    assert_eq!(process.ended().await.code(), Some(0));
}
