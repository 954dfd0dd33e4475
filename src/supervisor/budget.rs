//! How often an actor may be restarted.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

/// Restarts that a task may have inside the window.
const RESTARTS: usize = 5;
const WINDOW: Duration = Duration::from_secs(60);
const WINDOW_POLLS: usize = 5;

const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The restarts of one task: five in a minute, or in five polls, are all it
/// gets, so that neither a quick nor a slow poll can panic for ever.
#[derive(Debug, Default)]
pub(super) struct RestartBudget {
    /// The last restarts: when, and how many polls there had been.
    spent: VecDeque<(Instant, usize)>,
    /// All restarts, the last one of a spent budget included.
    taken: u32,
}

impl RestartBudget {
    /// Takes one restart: the pause before it, or `None` if the budget is
    /// spent.
    pub(super) fn take(&mut self, now: Instant, polls: usize) -> Option<Duration> {
        self.taken = self.taken.saturating_add(1);
        self.spent.retain(|(at, before)| now - *at < WINDOW || polls - before <= WINDOW_POLLS);
        if self.spent.len() >= RESTARTS {
            return None;
        }
        let pause = FIRST_PAUSE * (1 << self.spent.len());
        self.spent.push_back((now, polls));
        Some(pause)
    }

    /// How often it was taken from.
    pub(super) fn taken(&self) -> u32 {
        self.taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn five_restarts_in_a_minute_are_all() {
        let now = Instant::now();
        let mut budget = RestartBudget::default();
        for n in 0..5 {
            let pause = budget.take(now, 100 * n);
            assert_eq!(pause, Some(FIRST_PAUSE * (1 << n)));
        }
        assert_eq!(budget.take(now, 600), None);
        assert!(budget.take(now + WINDOW, 1000).is_some(), "a minute later");
    }

    #[tokio::test(start_paused = true)]
    async fn five_restarts_in_five_polls_are_all_however_slow() {
        let start = Instant::now();
        let mut budget = RestartBudget::default();
        for n in 0..5 {
            let at = start + WINDOW * n * 10;
            assert!(budget.take(at, n as usize + 1).is_some());
        }
        assert_eq!(budget.take(start + WINDOW * 60, 6), None);
    }
}
