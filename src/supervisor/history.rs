//! What happened to a task, as its owner reads it: log lines and measurements
//! for tasks whose connector has none.

use std::{
    collections::VecDeque,
    time::{Duration, SystemTime},
};

use crate::{
    connector::{ErrorClass, LogPage, Phase},
    wire::flyteidl::admin::{LogLine, LogLineOriginator},
};

/// The most events and polls that are remembered: older ones go first.
const MAX_EVENTS: usize = 64;
const MAX_POLLS: usize = 32;

/// Lines of a page when the caller names no number.
const DEFAULT_LINES: u64 = 1000;

/// Something that happened to a task.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Event {
    /// A Create started the job.
    Created,
    /// The task was rebuilt from its handle.
    Adopted,
    /// Polls found the job in this phase; repeats count up.
    Polled { phase: Phase, times: u32 },
    /// A poll failed; repeats of the same cause count up.
    PollFailed { class: ErrorClass, cause: Box<str>, times: u32 },
    /// The actor stopped and was started again.
    Restarted { cause: Box<str> },
    /// The task reached a terminal phase.
    Ended { phase: Phase, message: Box<str> },
    /// A delete was asked for.
    DeleteAsked,
    /// The connector could not delete the job yet.
    DeleteFailed { cause: Box<str>, times: u32 },
    /// The backend confirmed the delete.
    Deleted,
}

/// One poll: when it began, how long it took, whether it succeeded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct PollSample {
    pub(super) at: SystemTime,
    pub(super) took: Duration,
    pub(super) succeeded: bool,
}

/// The recent past of one task.
#[derive(Debug, Default)]
pub(super) struct History {
    events: VecDeque<(SystemTime, Event)>,
    /// Events that were forgotten, so that a page's token stays true.
    forgotten: u64,
    polls: VecDeque<PollSample>,
}

/// A token that no page was given out with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("token {0:?} is not one of this task's log; use the token of the page before")]
pub struct BadToken(String);

impl History {
    /// Adds an event; one that repeats the last is counted there instead.
    pub(super) fn record(&mut self, at: SystemTime, event: Event) {
        if let Some((last_at, last)) = self.events.back_mut()
            && last.repeat(&event)
        {
            *last_at = at;
            return;
        }
        if self.events.len() == MAX_EVENTS {
            self.events.pop_front();
            self.forgotten += 1;
        }
        self.events.push_back((at, event));
    }

    /// Adds a poll to the measurements.
    pub(super) fn sample(&mut self, sample: PollSample) {
        if self.polls.len() == MAX_POLLS {
            self.polls.pop_front();
        }
        self.polls.push_back(sample);
    }

    /// The remembered events, oldest first, each with when it last happened.
    pub(super) fn events(&self) -> impl Iterator<Item = &(SystemTime, Event)> {
        self.events.iter()
    }

    /// The remembered polls, oldest first.
    pub(super) fn polls(&self) -> impl Iterator<Item = &PollSample> {
        self.polls.iter()
    }

    /// A page of log lines. The token of a page is the number of the line after
    /// it; the last page has none.
    pub(super) fn page(&self, lines: u64, token: &str) -> Result<LogPage, BadToken> {
        let from: u64 = match token {
            "" => 0,
            token => token.parse().map_err(|_| BadToken(token.to_owned()))?,
        };
        let lines = match lines {
            0 => DEFAULT_LINES,
            lines => lines,
        };
        let skip = usize::try_from(from.saturating_sub(self.forgotten)).unwrap_or(usize::MAX);
        let take = usize::try_from(lines).unwrap_or(usize::MAX);
        let structured_lines: Vec<LogLine> =
            self.events.iter().skip(skip).take(take).map(|(at, event)| event.line(*at)).collect();
        let next = from.max(self.forgotten) + structured_lines.len() as u64;
        let more = next < self.forgotten + self.events.len() as u64;
        Ok(LogPage {
            structured_lines,
            token: if more { next.to_string() } else { String::new() },
            ..LogPage::default()
        })
    }
}

impl Event {
    /// Counts `next` into this event if it says the same.
    fn repeat(&mut self, next: &Self) -> bool {
        let times = match (&mut *self, next) {
            (Self::Polled { phase, times }, Self::Polled { phase: next, .. }) if phase == next => {
                times
            }
            (Self::PollFailed { cause, times, .. }, Self::PollFailed { cause: next, .. })
                if cause == next =>
            {
                times
            }
            (Self::DeleteFailed { cause, times }, Self::DeleteFailed { cause: next, .. })
                if cause == next =>
            {
                times
            }
            _ => return false,
        };
        *times = times.saturating_add(1);
        true
    }

    fn line(&self, at: SystemTime) -> LogLine {
        LogLine {
            timestamp: Some(at.into()),
            message: self.message(),
            originator: LogLineOriginator::System.into(),
        }
    }

    fn message(&self) -> String {
        let times = |n: &u32| match n {
            1 => String::new(),
            n => format!(" ({n} times)"),
        };
        match self {
            Self::Created => "created".to_owned(),
            Self::Adopted => "taken over from its handle".to_owned(),
            Self::Polled { phase, times: n } => {
                format!("polled{}: {}", times(n), phase.as_str_name())
            }
            Self::PollFailed { class, cause, times: n } => {
                format!("poll failed{}, {}: {cause}", times(n), class.as_str())
            }
            Self::Restarted { cause } => format!("restarted: {cause}"),
            Self::Ended { phase, message } if message.is_empty() => {
                format!("ended: {}", phase.as_str_name())
            }
            Self::Ended { phase, message } => {
                format!("ended: {}: {message}", phase.as_str_name())
            }
            Self::DeleteAsked => "delete asked for".to_owned(),
            Self::DeleteFailed { cause, times: n } => format!("delete failed{}: {cause}", times(n)),
            Self::Deleted => "deleted".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    fn messages(page: &LogPage) -> Vec<&str> {
        page.structured_lines.iter().map(|line| line.message.as_str()).collect()
    }

    fn at(second: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(second)
    }

    #[test]
    fn repeats_are_one_line_with_a_count_and_the_last_time() {
        let mut history = History::default();
        history.record(at(1), Event::Created);
        for second in 2..5 {
            history.record(at(second), Event::Polled { phase: Phase::Running, times: 1 });
        }
        let page = history.page(0, "").expect("a page");
        assert_eq!(messages(&page), ["created", "polled (3 times): RUNNING"]);
        assert_eq!(page.structured_lines[1].timestamp, Some(at(4).into()));
        assert_eq!(page.token, "");
    }

    #[test]
    fn pages_follow_by_token_also_after_old_lines_were_forgotten() {
        let mut history = History::default();
        let event = |n: usize| Event::Restarted { cause: n.to_string().into() };
        for n in 0..3 {
            history.record(at(0), event(n));
        }
        let first = history.page(2, "").expect("a page");
        assert_eq!(messages(&first), ["restarted: 0", "restarted: 1"]);
        assert_eq!(first.token, "2");
        for n in 3..MAX_EVENTS + 5 {
            history.record(at(0), event(n));
        }
        let second = history.page(1, &first.token).expect("a page");
        assert_eq!(messages(&second), ["restarted: 5"], "0 to 4 are forgotten");
        assert_eq!(second.token, "6");
    }

    #[test]
    fn a_token_from_elsewhere_is_an_error_that_names_it() {
        let error = History::default().page(0, "next").expect_err("no such token");
        assert!(error.to_string().contains("\"next\""), "{error}");
    }
}
