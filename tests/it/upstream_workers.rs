//! The worker processes of an upstream: a Flightdeck that starts others, which
//! are as good as flytekit's service and need no Python.

mod deck;
mod worker;

use tonic_health::pb::health_check_response::ServingStatus::{NotServing, Serving};

use self::{
    deck::{Deck, refused},
    worker::Command,
};

#[tokio::test]
async fn it_is_not_serving_until_every_worker_is() {
    let gate = tempfile::tempdir().expect("a folder");
    let open = gate.path().join("open");
    let wait = format!("while [ ! -e {} ]; do sleep 0.02; done", open.display());
    let deck = Deck::start(&Command::after(&wait).settings("workers = 2")).await;
    assert_eq!(deck.health().await, NotServing);
    std::fs::write(&open, "").expect("written");
    deck.until_health(Serving).await;
    deck.until_metric(r#"flightdeck_upstream_workers_up{upstream="w"} 2"#).await;
}

#[tokio::test]
async fn a_worker_that_dies_is_started_again() {
    let mut deck = Deck::start(&Command::direct()).await;
    let first = deck.next_worker().await;
    deck.until_health(Serving).await;
    first.signal("KILL");
    deck.log_says("a worker is started again").await;
    let second = deck.next_worker().await;
    assert_ne!(first, second);
    deck.until_metric(r#"flightdeck_upstream_workers_up{upstream="w"} 1"#).await;
    let restarts = r#"flightdeck_upstream_worker_restarts_total{cause="exit",upstream="w"} 1"#;
    deck.until_metric(restarts).await;
    first.until_gone().await;
}

#[tokio::test]
async fn a_worker_that_hangs_is_killed_and_started_again() {
    let mut deck = Deck::start(&Command::direct().settings(r#"hang_timeout = "1s""#)).await;
    let hung = deck.next_worker().await;
    deck.until_health(Serving).await;
    hung.signal("STOP");
    deck.log_says("a worker does not answer").await;
    deck.log_says("a worker is started again").await;
    hung.until_gone().await;
    let restarts = r#"flightdeck_upstream_worker_restarts_total{cause="hang",upstream="w"}"#;
    deck.until_metric(restarts).await;
    deck.until_metric(r#"flightdeck_upstream_workers_up{upstream="w"} 1"#).await;
}

#[tokio::test]
async fn a_worker_whose_guard_is_killed_is_not_left() {
    let mut deck = Deck::start(&Command::direct()).await;
    let worker = deck.next_worker().await;
    deck.until_health(Serving).await;
    worker.guard().signal("KILL");
    worker.until_gone().await;
    deck.log_says("its guard was killed").await;
    deck.next_worker().await;
}

#[tokio::test]
async fn workers_stop_with_the_service() {
    for command in [Command::direct(), Command::wrapped()] {
        let settings = "workers = 2\nstop_timeout = \"1h\"";
        let mut deck = Deck::start(&command.settings(settings)).await;
        let workers = [deck.next_worker().await, deck.next_worker().await];
        deck.until_health(Serving).await;
        deck.signal("TERM").await;
        // Each of them drains.
        deck.log_says(r#"stopped upstream="w""#).await;
        deck.log_says(r#"stopped upstream="w""#).await;
        deck.ended_with(0).await;
        workers.iter().for_each(|worker| assert!(worker.is_gone(), "{worker:?}"));
    }
}

#[tokio::test]
async fn workers_stop_with_a_service_that_has_not_got_ready() {
    let mut deck = Deck::start(&Command::shell("echo pid $$; exec sleep 1000")).await;
    let worker = deck.next_worker().await;
    deck.signal("TERM").await;
    deck.ended_with(0).await;
    worker.until_gone().await;
}

#[tokio::test]
async fn a_killed_service_leaves_no_process() {
    // Workers that end at SIGTERM, alone and under a wrapper, and one that does
    // not end at it and has started another.
    let stubborn = "trap '' TERM; sh -c 'echo pid $$; exec sleep 1000' & echo pid $$; \
                    while :; do sleep 1000; done";
    for (command, processes) in
        [(Command::direct(), 1), (Command::wrapped(), 1), (Command::shell(stubborn), 2)]
    {
        let mut deck = Deck::start(&command.settings(r#"stop_timeout = "200ms""#)).await;
        let mut workers = Vec::new();
        for _ in 0..processes {
            workers.push(deck.next_worker().await);
        }
        let guard = workers[0].guard();
        deck.signal("KILL").await;
        for worker in workers {
            worker.until_gone().await;
        }
        guard.until_gone().await;
    }
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn a_worker_does_not_outlive_its_guard_and_the_service_killed_at_once() {
    let mut deck = Deck::start(&Command::direct()).await;
    let worker = deck.next_worker().await;
    let guard = worker.guard();
    // It cannot do anything about what follows.
    guard.signal("STOP");
    deck.signal("KILL").await;
    guard.signal("KILL");
    worker.until_gone().await;
}

#[tokio::test]
async fn what_an_ended_worker_has_started_ends_too() {
    let mut deck = Deck::start(
        &Command::shell("sh -c 'echo pid $$; exec sleep 1000' & sleep 0.2; exit 3")
            .settings("wait = false"),
    )
    .await;
    let left = deck.next_worker().await;
    deck.log_says("exit status: 3").await;
    left.until_gone().await;
}

#[test]
fn a_program_that_there_is_not_ends_the_start() {
    let command = Command::of(&["no-such-program", "{port}"]);
    refused(&command, &["worker 0 of the upstream \"w\"", "no-such-program", "No such file"]);
    let command = Command::of(&["/nowhere/pyflyte", "{port}"]);
    refused(&command, &["/nowhere/pyflyte", "pip install flytekit"]);
    let command = Command::direct().settings(r#"directory = "/nowhere""#);
    refused(&command, &["directory /nowhere"]);
}

#[test]
fn a_worker_that_ends_at_once_ends_the_start_with_its_own_words() {
    let words = "echo ModuleNotFoundError; echo and the rest >&2; exit 3";
    let reasons = ["exit status: 3", "before it was SERVING", "ModuleNotFoundError", "the rest"];
    refused(&Command::shell(words), &reasons);
}

#[test]
fn a_worker_that_is_not_serving_in_time_ends_the_start() {
    let slow = Command::shell("echo still busy; exec sleep 1000");
    let reasons = ["was not SERVING within 300ms", "start_timeout", "still busy"];
    refused(&slow.settings(r#"start_timeout = "300ms""#), &reasons);
}

#[tokio::test]
async fn a_worker_that_is_not_waited_for_may_fail() {
    let late = tempfile::tempdir().expect("a folder");
    let program = late.path().join("worker");
    let command = Command::of(&[program.to_str().expect("a path"), "{port}"]);
    let mut deck = Deck::start(&command.settings("wait = false")).await;
    deck.until_health(Serving).await;
    deck.log_says("No such file").await;
    deck.until_metric(r#"worker_restarts_total{cause="start",upstream="w"}"#).await;
    deck.until_metric(r#"flightdeck_upstream_workers_up{upstream="w"} 0"#).await;
    worker::script(&program, "exec \"$FLIGHTDECK\" serve --port \"$1\" --prometheus-port 0");
    deck.until_metric(r#"flightdeck_upstream_workers_up{upstream="w"} 1"#).await;
}

#[tokio::test]
async fn what_a_worker_writes_is_in_the_log_under_its_name() {
    let command = Command::after("echo one; echo two >&2; echo $WHERE; pwd");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().canonicalize().expect("a path");
    let settings = format!(
        "directory = {path:?}\nenvironment = {{ PORTS = \"--port {{port}} --prometheus-port 0\", \
         WHERE = \"at {{port}}.\" }}"
    );
    let mut deck = Deck::start(&command.only(&settings)).await;
    // Two pipes, so in any order.
    let mut awaited = vec!["INFO one ", "INFO two ", ". ", path.to_str().expect("text")];
    while !awaited.is_empty() {
        let line = deck.log_says("upstream=\"w\" worker=0").await;
        assert!(!line.contains("{port}"), "{line}");
        awaited.retain(|words| !line.contains(words));
    }
}

#[tokio::test]
async fn the_metrics_of_workers_are_told_with_ours() {
    let deck = Deck::start(&Command::direct().settings("workers = 2")).await;
    deck.until_health(Serving).await;
    for worker in [0, 1] {
        let labels = format!("{{upstream=\"w\",worker=\"{worker}\"");
        deck.until_metric(&format!("flightdeck_connections{labels}")).await;
    }
    let text = deck.scrape().await;
    let types: Vec<&str> = text.lines().filter(|line| line.starts_with("# TYPE")).collect();
    let mut distinct = types.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(types.len(), distinct.len(), "one TYPE a family:\n{text}");
    let samples = |prefix: &str| text.lines().filter(|line| line.starts_with(prefix)).count();
    assert_eq!(samples("flightdeck_requests_in_flight"), 3, "ours, and each worker's");
    let own = text.find("\nflightdeck_connections ").expect("ours");
    let others = text.find("\nflightdeck_connections{").expect("a worker's");
    let between = &text[own.min(others)..own.max(others)];
    assert!(!between.contains('#'), "a family in one piece:\n{between}");
}

#[tokio::test]
async fn a_worker_that_does_not_tell_its_metrics_is_left_out() {
    let mut deck = Deck::start(&Command::direct()).await;
    let worker = deck.next_worker().await;
    deck.until_health(Serving).await;
    worker.signal("STOP");
    let text = deck.scrape().await;
    assert!(text.contains("\nflightdeck_connections "), "ours:\n{text}");
    assert!(!text.contains("worker=\"0\""), "{text}");
    worker.signal("CONT");
    deck.until_metric("worker=\"0\"").await;
}

#[tokio::test]
async fn modules_are_served_as_pyflyte_serves_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let serve =
        "echo \"asked: $*\"; exec \"$FLIGHTDECK\" serve --port \"$4\" --prometheus-port \"$6\"";
    worker::script(&folder.path().join("pyflyte"), serve);
    let modules = ["--modules", "team_a", "--modules", "team_b.connectors"];
    let mut deck = Deck::start_with(&modules, folder.path()).await;
    let line = deck.log_says("asked: serve connector --port ").await;
    assert!(line.contains("--modules team_a --modules team_b.connectors upstream=\"python\""));
    deck.until_health(Serving).await;
    deck.until_metric("{upstream=\"python\",worker=\"0\"").await;
}

#[test]
fn modules_without_pyflyte_are_refused_with_the_way_to_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let reasons = ["pyflyte: No such file", "pip install flytekit"];
    deck::refused_with(&["--modules", "team_a"], folder.path(), &reasons);
    worker::script(&folder.path().join("pyflyte"), "echo \"No module named '$8'\"; exit 1");
    let reasons = ["exit status: 1", "No module named 'team_a'"];
    deck::refused_with(&["--modules", "team_a"], folder.path(), &reasons);
}
