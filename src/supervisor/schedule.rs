//! When a task is polled next, and when it is given up. Pure: time and
//! randomness are arguments.

use std::time::Duration;

use tokio::time::Instant;

use crate::connector::{ConnectorError, ErrorClass, Phase, PollPolicy};

/// What a failed poll leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The state stays; poll again after this pause.
    Again(Duration),
    /// The task ends in this phase, with the failure as its cause.
    End(Phase),
}

/// How long failures may go on before they end a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Patience {
    /// For 'denied' and 'gone'.
    pub(super) persist_for: Duration,
    /// For anything, without a successful poll.
    pub(super) give_up_after: Duration,
}

/// The pause before the first early poll.
const SHORTEST_REST: Duration = Duration::from_millis(20);
/// Up to 2.56 s.
const MOST_DOUBLINGS: u32 = 7;

/// The polls of one task.
#[derive(Debug, Clone)]
pub(super) struct Schedule {
    /// Polls that are over, successful or not.
    polls: usize,
    failures_in_a_row: u32,
    last_success: Instant,
    /// Early polls since the last that came in its time.
    early: u32,
    /// Since when the backend has said nothing but 'denied' or 'gone'.
    refused: Option<(ErrorClass, Instant)>,
}

impl Schedule {
    /// A schedule whose patience begins now.
    pub(super) fn new(now: Instant) -> Self {
        Self { polls: 0, failures_in_a_row: 0, early: 0, last_success: now, refused: None }
    }

    /// The shortest pause before an early poll: it doubles with each, so that a
    /// job that changes all the time is not polled all the time.
    pub(super) fn rest(&self) -> Duration {
        SHORTEST_REST * 2_u32.pow(self.early.min(MOST_DOUBLINGS))
    }

    /// A poll comes before its time.
    pub(super) fn woken(&mut self) {
        self.early += 1;
    }

    /// A poll comes in its time.
    pub(super) fn rested(&mut self) {
        self.early = 0;
    }

    /// Polls that are over, successful or not.
    pub(super) fn polls(&self) -> usize {
        self.polls
    }

    /// The job's state was found out: the pause until the next poll. `roll` is
    /// a random number from 0 to 1.
    pub(super) fn succeeded(&mut self, policy: &PollPolicy, now: Instant, roll: f64) -> Duration {
        self.failures_in_a_row = 0;
        self.last_success = now;
        self.refused = None;
        let pause = self.regular(policy);
        self.polls += 1;
        jittered(policy, pause, roll)
    }

    /// The poll failed: what follows.
    pub(super) fn failed(
        &mut self,
        policy: &PollPolicy,
        error: &ConnectorError,
        patience: Patience,
        now: Instant,
        roll: f64,
    ) -> Verdict {
        let pause = self.regular(policy);
        self.polls += 1;
        self.failures_in_a_row += 1;
        if let Some(phase) = self.end(error.class(), patience, now) {
            return Verdict::End(phase);
        }
        let doublings = (self.failures_in_a_row - 1).min(16);
        let backoff = pause.saturating_mul(1 << doublings).min(policy.max_backoff);
        let pause = jittered(policy, backoff, roll);
        let asked = error.retry_after().unwrap_or_default();
        // A backend that asks for a longer pause than we would ever go on for
        // must not keep a task for ever.
        Verdict::Again(pause.max(asked.min(patience.give_up_after)))
    }

    fn end(&mut self, class: ErrorClass, patience: Patience, now: Instant) -> Option<Phase> {
        match class {
            ErrorClass::Permanent => return Some(Phase::Failed),
            // It says nothing about what was refused before.
            ErrorClass::Transient => {}
            ErrorClass::Denied | ErrorClass::Gone | ErrorClass::Internal => {
                let since = match self.refused {
                    Some((before, since)) if before == class => since,
                    _ => now,
                };
                self.refused = Some((class, since));
                if now - since >= patience.persist_for {
                    return Some(match class {
                        ErrorClass::Denied => Phase::Failed,
                        _ => Phase::RetryableFailed,
                    });
                }
            }
        }
        (now - self.last_success >= patience.give_up_after).then_some(Phase::RetryableFailed)
    }

    fn regular(&self, policy: &PollPolicy) -> Duration {
        policy.first.get(self.polls).copied().unwrap_or(policy.interval)
    }
}

fn jittered(policy: &PollPolicy, pause: Duration, roll: f64) -> Duration {
    pause.mul_f64(1.0 + policy.jitter * (2.0 * roll - 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIDDLE: f64 = 0.5;
    const PATIENCE: Patience = Patience {
        persist_for: Duration::from_secs(300),
        give_up_after: Duration::from_secs(3600),
    };

    fn policy() -> PollPolicy {
        PollPolicy {
            first: [1, 2, 4].map(Duration::from_secs).to_vec(),
            interval: Duration::from_secs(10),
            jitter: 0.1,
            max_backoff: Duration::from_secs(120),
        }
    }

    fn secs(verdict: Verdict) -> u64 {
        match verdict {
            Verdict::Again(pause) => pause.as_secs(),
            Verdict::End(phase) => panic!("ended as {phase:?}"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_polls_follow_quickly_then_every_ten_seconds() {
        let now = Instant::now();
        let mut schedule = Schedule::new(now);
        let pauses: Vec<u64> =
            (0..5).map(|_| schedule.succeeded(&policy(), now, MIDDLE).as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 10, 10]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_is_varied_by_the_jitter_and_no_more() {
        let now = Instant::now();
        let mut schedule = Schedule::new(now);
        assert_eq!(schedule.succeeded(&policy(), now, 0.0), Duration::from_millis(900));
        assert_eq!(schedule.succeeded(&policy(), now, 1.0), Duration::from_millis(2200));
    }

    #[tokio::test(start_paused = true)]
    async fn failures_back_off_up_to_the_limit_and_a_success_ends_that() {
        let now = Instant::now();
        let mut schedule = Schedule::new(now);
        let error = ConnectorError::transient("503");
        let pauses: Vec<u64> = (0..6)
            .map(|_| secs(schedule.failed(&policy(), &error, PATIENCE, now, MIDDLE)))
            .collect();
        assert_eq!(pauses, [1, 4, 16, 80, 120, 120]);
        assert_eq!(schedule.succeeded(&policy(), now, MIDDLE).as_secs(), 10);
        assert_eq!(secs(schedule.failed(&policy(), &error, PATIENCE, now, MIDDLE)), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn early_polls_come_ever_later_until_one_comes_in_its_time() {
        let mut schedule = Schedule::new(Instant::now());
        let mut rests = Vec::new();
        for _ in 0..9 {
            rests.push(schedule.rest().as_millis());
            schedule.woken();
        }
        assert_eq!(rests, [20, 40, 80, 160, 320, 640, 1280, 2560, 2560]);
        schedule.rested();
        assert_eq!(schedule.rest().as_millis(), 20);
    }

    #[tokio::test(start_paused = true)]
    async fn retry_after_is_obeyed() {
        let now = Instant::now();
        let error = ConnectorError::transient("429").with_retry_after(Duration::from_secs(77));
        let verdict = Schedule::new(now).failed(&policy(), &error, PATIENCE, now, MIDDLE);
        assert_eq!(verdict, Verdict::Again(Duration::from_secs(77)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_permanent_error_ends_the_task_at_once() {
        let now = Instant::now();
        let error = ConnectorError::permanent("no such column");
        let verdict = Schedule::new(now).failed(&policy(), &error, PATIENCE, now, MIDDLE);
        assert_eq!(verdict, Verdict::End(Phase::Failed));
    }

    #[tokio::test(start_paused = true)]
    async fn denied_and_gone_must_persist_before_they_count() {
        for (error, phase) in [
            (ConnectorError::denied("403"), Phase::Failed),
            (ConnectorError::gone("404"), Phase::RetryableFailed),
        ] {
            let start = Instant::now();
            let mut schedule = Schedule::new(start);
            let early = schedule.failed(&policy(), &error, PATIENCE, start, MIDDLE);
            assert!(matches!(early, Verdict::Again(_)), "{early:?}");
            let later = start + PATIENCE.persist_for;
            let transient = ConnectorError::transient("503");
            let between = schedule.failed(&policy(), &transient, PATIENCE, later, MIDDLE);
            assert!(matches!(between, Verdict::Again(_)), "{between:?}");
            let late = schedule.failed(&policy(), &error, PATIENCE, later, MIDDLE);
            assert_eq!(late, Verdict::End(phase));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_success_makes_a_refusal_begin_anew() {
        let start = Instant::now();
        let mut schedule = Schedule::new(start);
        let error = ConnectorError::denied("403");
        schedule.failed(&policy(), &error, PATIENCE, start, MIDDLE);
        schedule.succeeded(&policy(), start + Duration::from_secs(200), MIDDLE);
        let later =
            schedule.failed(&policy(), &error, PATIENCE, start + PATIENCE.persist_for, MIDDLE);
        assert!(matches!(later, Verdict::Again(_)), "{later:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_success_for_long_the_task_is_given_up() {
        let start = Instant::now();
        let mut schedule = Schedule::new(start);
        let error = ConnectorError::transient("connection refused");
        let late = start + PATIENCE.give_up_after;
        let verdict = schedule.failed(&policy(), &error, PATIENCE, late, MIDDLE);
        assert_eq!(verdict, Verdict::End(Phase::RetryableFailed));
    }
}
