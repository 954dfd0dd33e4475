//! Bounds the values of the label `task_type`.

use dashmap::DashMap;

/// The value that all further task types share.
const OTHER: &str = "other";

/// How many task types that nobody serves keep a value of their own.
const MAX_UNKNOWN: usize = 64;

/// Callers may ask for any task type; each value of a label costs memory here
/// and in Prometheus.
#[derive(Debug, Default)]
pub(super) struct TaskTypes {
    unknown: DashMap<String, ()>,
}

impl TaskTypes {
    /// The label value for a task type, which `served` tells to be known.
    pub(super) fn label<'a>(&self, task_type: &'a str, served: bool) -> &'a str {
        if served || self.unknown.contains_key(task_type) {
            return task_type;
        }
        if self.unknown.len() < MAX_UNKNOWN {
            self.unknown.insert(task_type.to_owned(), ());
            return task_type;
        }
        OTHER
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unserved_task_types_share_a_label_after_the_64th() {
        let types = TaskTypes::default();
        for n in 0..MAX_UNKNOWN {
            let name = format!("type-{n}");
            assert_eq!(types.label(&name, false), name);
        }
        assert_eq!(types.label("one-more", false), OTHER);
        assert_eq!(types.label("type-0", false), "type-0", "has its value already");
        assert_eq!(types.label("sensor", true), "sensor");
    }
}
