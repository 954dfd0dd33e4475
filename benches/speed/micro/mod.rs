//! How long single steps take: the codec, the look-ups, an actor's life. All of
//! it in one thread, so no step waits for another core.

mod handle;
mod literal;
mod lookup;
mod task;

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use criterion::Criterion;
use serde_json::Value;

/// Criterion with short measurements, which keeps what it finds where
/// [`estimates`] looks for it.
pub fn criterion() -> Criterion {
    Criterion::default()
        .without_plots()
        .output_directory(&output())
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .sample_size(50)
}

/// Measures every step.
pub fn run(criterion: &mut Criterion) {
    // What a step that is gone has left would be told with the others.
    let _ = fs::remove_dir_all(output());
    handle::run(criterion);
    literal::run(criterion);
    lookup::run(criterion);
    task::run(criterion);
}

/// The median of each step that was measured, in nanoseconds, in the order of
/// their names.
///
/// # Errors
/// If criterion's files cannot be read.
pub fn estimates() -> io::Result<Vec<(String, f64)>> {
    let mut found = Vec::new();
    for group in folders(&output())? {
        for bench in folders(&group)? {
            let new = bench.join("new");
            let name = read(&new.join("benchmark.json"))?["full_id"].as_str().map(str::to_owned);
            let median = read(&new.join("estimates.json"))?["median"]["point_estimate"].as_f64();
            found.extend(name.zip(median));
        }
    }
    found.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(found)
}

fn output() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("criterion")
}

fn folders(of: &Path) -> io::Result<Vec<PathBuf>> {
    let entries: io::Result<Vec<_>> = fs::read_dir(of)?.map(|entry| Ok(entry?.path())).collect();
    Ok(entries?.into_iter().filter(|path| path.is_dir()).collect())
}

fn read(path: &Path) -> io::Result<Value> {
    Ok(serde_json::from_slice(&fs::read(path)?)?)
}
