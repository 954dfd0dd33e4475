//! What a service tells of itself to Prometheus.

/// The sum of the series that begin so.
pub fn total(scrape: &str, beginning: &str) -> f64 {
    let series = scrape.lines().filter(|line| line.starts_with(beginning));
    let values = series.filter_map(|line| line.rsplit_once(' '));
    values.map(|(_, value)| value.parse::<f64>().expect("a number")).sum()
}

/// How many tasks run.
pub fn running(scrape: &str) -> f64 {
    total(scrape, "flightdeck_tasks{phase=\"RUNNING\"")
}

/// How many tasks there are, in all phases.
pub fn live(scrape: &str) -> f64 {
    total(scrape, "flightdeck_tasks{")
}
