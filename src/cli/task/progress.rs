//! The progress of a task on stderr, while it is watched.

use std::{collections::BTreeSet, time::Duration};

use indicatif::{ProgressBar, ProgressStyle};

use super::{client::CallError, human, output::notice, phase};
use crate::wire::flyteidl::admin::Resource;

/// Shows what changes: on a terminal as one live line with the time that has
/// passed, elsewhere as a line for each change. It is gone when it is dropped.
pub(super) struct Progress {
    bar: ProgressBar,
    /// The phase and the message, as they were last shown.
    shown: Option<String>,
    links: BTreeSet<String>,
    /// Why the last call failed, if it did.
    failure: Option<String>,
}

impl Progress {
    /// Starts the clock.
    pub(super) fn start() -> Self {
        let style = ProgressStyle::with_template("{spinner} {elapsed} {wide_msg}")
            .unwrap_or_else(|_| ProgressStyle::default_spinner());
        let bar = ProgressBar::new_spinner().with_style(style);
        bar.enable_steady_tick(Duration::from_millis(100));
        Self { bar, shown: None, links: BTreeSet::new(), failure: None }
    }

    /// Shows what the service has answered.
    pub(super) fn seen(&mut self, resource: &Resource) {
        if self.failure.take().is_some() {
            self.line("the service answers again");
        }
        let state = state(resource);
        self.bar.set_message(state.clone());
        if self.shown.as_ref() != Some(&state) {
            if self.bar.is_hidden() {
                self.line(&state);
            }
            self.shown = Some(state);
        }
        for link in resource.log_links.iter().map(human::link) {
            if !self.links.contains(&link) {
                self.line(&link);
                self.links.insert(link);
            }
        }
    }

    /// Shows why the service has not answered, once while the cause stays the
    /// same.
    pub(super) fn failed(&mut self, error: &CallError) {
        let cause = error.to_string();
        if self.failure.as_ref() != Some(&cause) {
            self.line(&format!("{cause}; asking again"));
            self.failure = Some(cause);
        }
    }

    /// The phase and the message that were seen last.
    pub(super) fn last(&self) -> &str {
        self.shown.as_deref().unwrap_or("in no phase that is known")
    }

    /// A line that stays, above the live one.
    fn line(&self, text: &str) {
        let passed = Duration::from_secs(self.bar.elapsed().as_secs());
        let passed = humantime::format_duration(passed);
        self.bar.suspend(|| notice(&format!("{passed} {text}")));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// The phase, and the first line of the message.
fn state(resource: &Resource) -> String {
    let phase = phase::of(resource).as_str_name();
    match resource.message.lines().next() {
        Some(line) if !line.is_empty() => format!("{phase}: {}", human::printable(line)),
        _ => phase.to_owned(),
    }
}
