//! Summaries as Python's Prometheus client has them: a sum and a count,
//! without quantiles.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use dashmap::DashMap;
use prometheus::{
    core::{Collector, Desc},
    proto::{LabelPair, Metric, MetricFamily, MetricType},
};

/// A family of summaries, one for each set of label values.
#[derive(Debug, Clone)]
pub(super) struct SummaryVec {
    desc: Arc<Desc>,
    children: Arc<DashMap<Vec<String>, Arc<Summary>>>,
}

/// The sum and the number of what was observed.
#[derive(Debug, Default)]
pub(super) struct Summary {
    count: AtomicU64,
    /// The bits of an `f64`.
    sum: AtomicU64,
}

impl SummaryVec {
    pub(super) fn new(name: &str, help: &str, labels: &[&str]) -> prometheus::Result<Self> {
        let labels = labels.iter().map(ToString::to_string).collect();
        let desc = Desc::new(name.to_owned(), help.to_owned(), labels, HashMap::new())?;
        Ok(Self { desc: Arc::new(desc), children: Arc::default() })
    }

    /// The summary for these label values, made on its first use.
    pub(super) fn with_label_values(&self, values: &[&str]) -> Arc<Summary> {
        debug_assert_eq!(values.len(), self.desc.variable_labels.len());
        let values = values.iter().map(ToString::to_string).collect();
        self.children.entry(values).or_default().clone()
    }
}

impl Summary {
    /// Adds one observation.
    pub(super) fn observe(&self, value: f64) {
        let add = |bits| Some((f64::from_bits(bits) + value).to_bits());
        // The closure never returns `None`, so there is no failure to look at.
        let _ = self.sum.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
        self.count.fetch_add(1, Ordering::Relaxed);
    }
}

impl Collector for SummaryVec {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.desc]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let metrics: Vec<Metric> =
            self.children.iter().map(|child| self.metric(child.key(), child.value())).collect();
        if metrics.is_empty() {
            return Vec::new();
        }
        let mut family = MetricFamily::default();
        family.set_name(self.desc.fq_name.clone());
        family.set_help(self.desc.help.clone());
        family.set_field_type(MetricType::SUMMARY);
        family.set_metric(metrics);
        vec![family]
    }
}

impl SummaryVec {
    fn metric(&self, values: &[String], summary: &Summary) -> Metric {
        let mut data = prometheus::proto::Summary::default();
        data.set_sample_count(summary.count.load(Ordering::Relaxed));
        data.set_sample_sum(f64::from_bits(summary.sum.load(Ordering::Relaxed)));
        let labels = self.desc.variable_labels.iter().zip(values);
        let mut labels: Vec<LabelPair> = labels
            .map(|(name, value)| {
                let mut pair = LabelPair::default();
                pair.set_name(name.clone());
                pair.set_value(value.clone());
                pair
            })
            .collect();
        // In the order of the other metrics' labels.
        labels.sort_by(|one, other| one.name().cmp(other.name()));
        let mut metric = Metric::from_label(labels);
        metric.set_summary(data);
        metric
    }
}
