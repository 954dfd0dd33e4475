//! The configuration.

use std::{cell::RefCell, fs, io::Write};

use bolero::check;
use flightdeck::config::{Config, Flags};
use tempfile::NamedTempFile;

use crate::corpus::mutated;

#[test]
fn toml_corpus() {
    check!().for_each(|bytes: &[u8]| toml(bytes));
}

#[test]
fn toml_mutated() {
    check!().with_generator(mutated("settings::toml_corpus")).for_each(|bytes| toml(bytes));
}

#[test]
fn environment_corpus() {
    check!().for_each(|bytes: &[u8]| environment(bytes));
}

#[test]
fn environment_mutated() {
    let generator = mutated("settings::environment_corpus");
    check!().with_generator(generator).for_each(|bytes| environment(bytes));
}

thread_local! {
    static FILE: RefCell<NamedTempFile> =
        RefCell::new(NamedTempFile::new().expect("a file"));
}

fn toml(bytes: &[u8]) {
    FILE.with_borrow_mut(|file| {
        fs::write(file.path(), bytes).expect("written");
        file.flush().expect("written");
        check(Config::load(Some(file.path()), [], &Flags::default()));
    });
}

/// `NAME=value` lines.
fn environment(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let variables = text.lines().filter_map(|line| line.split_once('='));
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    check(Config::load(None, variables, &Flags::default()));
}

/// An error says something; what is taken is possible.
fn check(loaded: Result<Config, flightdeck::config::ConfigError>) {
    match loaded {
        Err(error) => assert!(!error.to_string().is_empty()),
        Ok(config) => {
            assert!(config.tasks.max_tasks > 0);
            assert!((0.0..=0.5).contains(&config.polling.jitter));
            assert!(config.polling.interval <= config.polling.max_backoff);
        }
    }
}
