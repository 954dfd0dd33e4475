//! What happened to a task, as its owner reads it: log lines and measurements
//! for tasks whose connector has none.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

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

/// The recent past of one task. A million tasks have one each, so it is small.
#[derive(Debug, Default)]
pub(super) struct History {
    events: Vec<(Micros, Event)>,
    polls: Vec<Sample>,
    /// The start of the milliseconds of the polls, in seconds since 1970.
    began: u32,
    /// Events that were forgotten, so that a page's token stays true.
    forgotten: u32,
}

/// Microseconds since 1970.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Micros(u64);

impl Micros {
    fn of(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
    }

    fn of_second(second: u32) -> Self {
        Self(u64::from(second) * 1_000_000)
    }

    fn time(self) -> SystemTime {
        UNIX_EPOCH + Duration::from_micros(self.0)
    }
}

/// A poll as it is kept.
#[derive(Debug, Clone, Copy)]
struct Sample {
    /// Milliseconds since the history's start of them.
    at: u32,
    /// Microseconds, the highest bit apart, which says that it succeeded.
    took: u32,
}

const SUCCEEDED: u32 = 1 << 31;

/// A token that no page was given out with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("token {0:?} is not one of this task's log; use the token of the page before")]
pub struct BadToken(String);

impl History {
    /// Adds an event; one that repeats the last is counted there instead.
    pub(super) fn record(&mut self, at: SystemTime, event: Event) {
        let at = Micros::of(at);
        if let Some((last_at, last)) = self.events.last_mut()
            && last.repeat(&event)
        {
            *last_at = at;
            return;
        }
        if self.events.len() == MAX_EVENTS {
            self.events.remove(0);
            self.forgotten = self.forgotten.saturating_add(1);
        }
        // Most tasks have two: they were created, and polled in one phase.
        if self.events.is_empty() {
            self.events.reserve_exact(2);
        }
        self.events.push((at, event));
    }

    /// Adds a poll to the measurements.
    pub(super) fn sample(&mut self, sample: PollSample) {
        let at = Micros::of(sample.at);
        let since =
            |began: u32| u32::try_from(at.0.saturating_sub(Micros::of_second(began).0) / 1000);
        let millis = since(self.began).unwrap_or_else(|_| {
            // Every 49 days, and with the first poll.
            self.polls.clear();
            self.began = u32::try_from(at.0 / 1_000_000).unwrap_or(u32::MAX);
            since(self.began).unwrap_or_default()
        });
        if self.polls.len() == MAX_POLLS {
            self.polls.remove(0);
        }
        let took = u32::try_from(sample.took.as_micros()).unwrap_or(u32::MAX);
        let took = took.min(SUCCEEDED - 1) | if sample.succeeded { SUCCEEDED } else { 0 };
        self.polls.push(Sample { at: millis, took });
    }

    /// The remembered events, oldest first, each with when it last happened.
    pub(super) fn events(&self) -> impl Iterator<Item = (SystemTime, &Event)> {
        self.events.iter().map(|(at, event)| (at.time(), event))
    }

    /// The remembered polls, oldest first.
    pub(super) fn polls(&self) -> impl Iterator<Item = PollSample> {
        self.polls.iter().map(|sample| PollSample {
            at: Micros(Micros::of_second(self.began).0 + u64::from(sample.at) * 1000).time(),
            took: Duration::from_micros(u64::from(sample.took & !SUCCEEDED)),
            succeeded: sample.took & SUCCEEDED != 0,
        })
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
        let forgotten = u64::from(self.forgotten);
        let skip = usize::try_from(from.saturating_sub(forgotten)).unwrap_or(usize::MAX);
        let take = usize::try_from(lines).unwrap_or(usize::MAX);
        let structured_lines: Vec<LogLine> =
            self.events().skip(skip).take(take).map(|(at, event)| event.line(at)).collect();
        let next = from.max(forgotten) + structured_lines.len() as u64;
        let more = next < forgotten + self.events.len() as u64;
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
    fn polls_are_remembered_to_the_millisecond_for_ever() {
        let mut history = History::default();
        let sample =
            |at| PollSample { at, took: Duration::from_micros(1234), succeeded: at == self::at(2) };
        let times = [at(2), at(2) + Duration::from_millis(7), at(1 << 31)];
        history.sample(sample(times[0]));
        history.sample(sample(times[1]));
        assert!(history.polls().eq(times[..2].iter().map(|at| sample(*at))));
        history.sample(sample(times[2]));
        assert!(history.polls().eq([sample(times[2])]), "half a life later");
    }

    #[test]
    fn a_token_from_elsewhere_is_an_error_that_names_it() {
        let error = History::default().page(0, "next").expect_err("no such token");
        assert!(error.to_string().contains("\"next\""), "{error}");
    }
}
