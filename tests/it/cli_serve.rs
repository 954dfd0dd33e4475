//! `flightdeck serve` and `flightdeck connectors`, as processes.

use std::process::{Command, Output};

fn flightdeck(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_flightdeck"))
        .args(arguments)
        .envs(variables.iter().copied())
        .output()
        .expect("the binary starts")
}

#[track_caller]
fn refused(output: &Output, reasons: &[&str]) {
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{text}");
    for reason in reasons {
        assert!(text.contains(reason), "no {reason:?} in {text}");
    }
}

#[test]
fn it_is_typed_as_pyflytes_users_type_it_and_stops_after_its_timeout() {
    for words in [&["serve"][..], &["serve", "connector"], &["serve", "agent"]] {
        let flags = ["--port", "0", "--prometheus_port", "0", "--worker", "2", "--timeout", "0"];
        let output = flightdeck(&[words, &flags].concat(), &[]);
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{text}");
        let table = String::from_utf8_lossy(&output.stdout);
        for cell in ["Connector Name", "Sensor", "sensor (0)", "Webhook Connector", "True"] {
            assert!(table.contains(cell), "no {cell:?} in {table}");
        }
    }
}

#[test]
fn a_flag_that_there_is_not_is_refused() {
    refused(&flightdeck(&["serve", "--prot", "8000"], &[]), &["--prot"]);
    refused(&flightdeck(&["serve", "--worker", "0"], &[]), &["--worker"]);
}

#[test]
fn the_configuration_can_be_checked_alone() {
    let good = flightdeck(&["serve", "--check-config"], &[]);
    assert_eq!(good.status.code(), Some(0));
    let bad = [("FLIGHTDECK_TASKS__RETENTION", "soon")];
    refused(&flightdeck(&["serve", "--check-config"], &bad), &["tasks.retention", "soon"]);
    let missing = ["serve", "--check-config", "--config", "/nowhere/flightdeck.toml"];
    refused(&flightdeck(&missing, &[]), &["/nowhere/flightdeck.toml"]);
    let bad_agent = [("FLIGHTDECK_WEBHOOK__USER_AGENT", "a\nb")];
    let output = flightdeck(&["serve", "--check-config"], &bad_agent);
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("webhook.user_agent"));
}

#[test]
fn the_connectors_are_listed() {
    let output = flightdeck(&["connectors"], &[]);
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&output.stdout).contains("Webhook Connector"));
}
