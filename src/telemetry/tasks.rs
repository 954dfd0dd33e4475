//! The metrics of tasks, by their type.

use std::time::Duration;

use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, core::Collector,
};

use super::metrics::register;

/// The metrics of all types.
#[derive(Debug)]
pub(super) struct TaskFamilies {
    tasks: IntGaugeVec,
    polls: IntCounterVec,
    poll_failures: IntCounterVec,
    poll_lateness: Histogram,
    poll_duration: HistogramVec,
    task_duration: HistogramVec,
    restarts: IntCounterVec,
    adoptions: IntCounterVec,
    ended: IntCounterVec,
    orphans: IntCounterVec,
    deletes_given_up: IntCounterVec,
}

impl TaskFamilies {
    pub(super) fn new(registry: &Registry) -> prometheus::Result<Self> {
        let counter = |name: &str, help: &str, labels: &[&str]| {
            register(registry, IntCounterVec::new(Opts::new(name, help), labels)?)
        };
        Ok(Self {
            tasks: register(
                registry,
                IntGaugeVec::new(
                    Opts::new("flightdeck_tasks", "Tasks held now, by type and phase"),
                    &["task_type", "phase"],
                )?,
            )?,
            polls: counter(
                "flightdeck_polls_total",
                "Polls that found out the state of a job",
                &["task_type"],
            )?,
            poll_failures: counter(
                "flightdeck_poll_failures_total",
                "Polls that failed, by what the failure means for the task",
                &["task_type", "class"],
            )?,
            poll_lateness: register(
                registry,
                Histogram::with_opts(
                    HistogramOpts::new(
                        "flightdeck_poll_lateness_seconds",
                        "How much later than planned a poll began",
                    )
                    .buckets(vec![
                        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0,
                    ]),
                )?,
            )?,
            poll_duration: register(
                registry,
                histograms(
                    "flightdeck_poll_duration_seconds",
                    "How long a poll took, or the run of a sync task",
                    &["task_type"],
                    &[0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0],
                )?,
            )?,
            task_duration: register(
                registry,
                histograms(
                    "flightdeck_task_duration_seconds",
                    "How long a task took from its creation to its terminal phase",
                    &["task_type", "phase"],
                    &[0.1, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14400.0, 43200.0, 86400.0],
                )?,
            )?,
            restarts: counter(
                "flightdeck_task_restarts_total",
                "Restarts of a task's actor, by what stopped it",
                &["task_type", "cause"],
            )?,
            adoptions: counter(
                "flightdeck_adoptions_total",
                "Tasks of another process that were taken over from their handle",
                &["task_type"],
            )?,
            ended: counter(
                "flightdeck_tasks_ended_total",
                "Tasks that reached a terminal phase",
                &["task_type", "phase"],
            )?,
            orphans: counter(
                "flightdeck_orphans_total",
                "Jobs that were deleted because nobody would ask about them again",
                &["task_type"],
            )?,
            deletes_given_up: counter(
                "flightdeck_deletes_given_up_total",
                "Deletes that the backend did not confirm in all the time given to it",
                &["task_type"],
            )?,
        })
    }

    /// Restarts of actors, of all task types and causes.
    pub(super) fn all_restarts(&self) -> u64 {
        let families = self.restarts.collect();
        let metrics = families.iter().flat_map(|family| family.get_metric());
        // The counter counts in whole numbers; only its wire has floats.
        metrics.map(|metric| metric.get_counter().get_value() as u64).sum()
    }
}

fn histograms(
    name: &str,
    help: &str,
    labels: &[&str],
    buckets: &[f64],
) -> prometheus::Result<HistogramVec> {
    HistogramVec::new(HistogramOpts::new(name, help).buckets(buckets.to_vec()), labels)
}

/// The metrics of tasks of one type.
#[derive(Debug)]
pub struct TaskMetrics {
    label: String,
    tasks: IntGaugeVec,
    polls: IntCounter,
    poll_failures: IntCounterVec,
    poll_lateness: Histogram,
    poll_duration: Histogram,
    task_duration: HistogramVec,
    restarts: IntCounterVec,
    adoptions: IntCounterVec,
    ended: IntCounterVec,
    orphans: IntCounterVec,
    deletes_given_up: IntCounterVec,
}

impl TaskMetrics {
    pub(super) fn new(metrics: &TaskFamilies, label: &str) -> Self {
        Self {
            label: label.to_owned(),
            tasks: metrics.tasks.clone(),
            polls: metrics.polls.with_label_values(&[label]),
            poll_failures: metrics.poll_failures.clone(),
            poll_lateness: metrics.poll_lateness.clone(),
            poll_duration: metrics.poll_duration.with_label_values(&[label]),
            task_duration: metrics.task_duration.clone(),
            restarts: metrics.restarts.clone(),
            adoptions: metrics.adoptions.clone(),
            ended: metrics.ended.clone(),
            orphans: metrics.orphans.clone(),
            deletes_given_up: metrics.deletes_given_up.clone(),
        }
    }

    /// Counts a poll that began so much later than planned.
    pub fn poll_began(&self, late: Duration) {
        self.poll_lateness.observe(late.as_secs_f64());
    }

    /// Observes how long a poll took, whatever it found.
    pub fn poll_took(&self, time: Duration) {
        self.poll_duration.observe(time.as_secs_f64());
    }

    /// Counts a poll that found out the job's state.
    pub fn polled(&self) {
        self.polls.inc();
    }

    /// Counts a poll that failed.
    pub fn poll_failed(&self, class: &str) {
        let labels = [self.label.as_str(), class];
        self.poll_failures.with_label_values(&labels).inc();
    }

    /// Counts a restart of an actor.
    pub fn restarted(&self, cause: &str) {
        let labels = [self.label.as_str(), cause];
        self.restarts.with_label_values(&labels).inc();
    }

    /// Counts a task that was taken over.
    pub fn adopted(&self) {
        let labels = [self.label.as_str()];
        self.adoptions.with_label_values(&labels).inc();
    }

    /// Counts a job that was deleted because nobody would ask about it again.
    pub fn orphaned(&self) {
        self.orphans.with_label_values(&[self.label.as_str()]).inc();
    }

    /// Counts a delete that was never confirmed.
    pub fn delete_given_up(&self) {
        self.deletes_given_up.with_label_values(&[self.label.as_str()]).inc();
    }

    /// Counts a task that reached a terminal phase.
    pub fn ended(&self, phase: &str) {
        let labels = [self.label.as_str(), phase];
        self.ended.with_label_values(&labels).inc();
    }

    /// Observes how long a task took to reach its terminal phase.
    pub fn task_took(&self, phase: &str, time: Duration) {
        let labels = [self.label.as_str(), phase];
        self.task_duration.with_label_values(&labels).observe(time.as_secs_f64());
    }

    /// Counts a task in this phase for as long as the gauge lives.
    pub fn gauge(&self, phase: &str) -> TaskGauge {
        let gauge = self.tasks.with_label_values(&[self.label.as_str(), phase]);
        gauge.inc();
        TaskGauge(gauge)
    }
}

/// One task, counted in `flightdeck_tasks` until this is dropped.
#[derive(Debug)]
pub struct TaskGauge(IntGauge);

impl Drop for TaskGauge {
    fn drop(&mut self) {
        self.0.dec();
    }
}
