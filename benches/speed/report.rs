//! What was measured, as a table and as JSON.

use std::{fs, io, path::Path};

use comfy_table::{CellAlignment, Table, presets::NOTHING};
use serde::Serialize;

use crate::machine::Machine;

/// Where a figure should be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    AtMost(f64),
    AtLeast(f64),
}

/// One figure.
#[derive(Debug, Serialize)]
pub struct Figure {
    bench: &'static str,
    name: String,
    unit: &'static str,
    /// The median of the rounds; absent if it could not be measured.
    value: Option<f64>,
    /// Each measurement, in its order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    rounds: Vec<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<Target>,
    #[serde(skip_serializing_if = "Option::is_none")]
    met: Option<bool>,
    /// Why it could not be measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    absent: Option<String>,
}

/// All figures of a run.
#[derive(Debug, Serialize)]
pub struct Report {
    machine: Machine,
    #[serde(skip)]
    bench: &'static str,
    figures: Vec<Figure>,
}

impl Report {
    pub fn new(machine: Machine) -> Self {
        println!("{machine}\n");
        Self { machine, bench: "", figures: Vec::new() }
    }

    /// What comes now belongs to this bench.
    pub fn begin(&mut self, bench: &'static str, about: &str) {
        self.bench = bench;
        println!("{bench}: {about}");
    }

    /// A figure that was measured once.
    pub fn figure(&mut self, name: impl Into<String>, unit: &'static str, value: f64) {
        self.add(name.into(), unit, vec![value], None);
    }

    /// A figure that was measured once, and where it should be, if anywhere.
    pub fn aimed(
        &mut self,
        name: impl Into<String>,
        unit: &'static str,
        value: f64,
        target: Option<Target>,
    ) {
        self.add(name.into(), unit, vec![value], target);
    }

    /// A figure that should be somewhere, as the median of rounds.
    pub fn targeted(
        &mut self,
        name: impl Into<String>,
        unit: &'static str,
        rounds: Vec<f64>,
        target: Target,
    ) {
        self.add(name.into(), unit, rounds, Some(target));
    }

    /// The median of rounds.
    pub fn median(&mut self, name: impl Into<String>, unit: &'static str, rounds: Vec<f64>) {
        self.add(name.into(), unit, rounds, None);
    }

    /// A figure that could not be measured here.
    pub fn absent(&mut self, name: impl Into<String>, why: &str) {
        let name = name.into();
        println!("  {name}: absent, {why}");
        self.figures.push(Figure {
            bench: self.bench,
            name,
            unit: "",
            value: None,
            rounds: Vec::new(),
            target: None,
            met: None,
            absent: Some(why.to_owned()),
        });
    }

    fn add(
        &mut self,
        name: String,
        unit: &'static str,
        mut rounds: Vec<f64>,
        target: Option<Target>,
    ) {
        let value = median(&rounds);
        let met = target.map(|target| match target {
            Target::AtMost(most) => value <= most,
            Target::AtLeast(least) => value >= least,
        });
        if rounds.len() == 1 {
            rounds.clear();
        }
        let bench = self.bench;
        let value = Some(value);
        let figure = Figure { bench, name, unit, value, rounds, target, met, absent: None };
        println!("  {}: {} {unit} {}", figure.name, figure.measured(), figure.spread());
        self.figures.push(figure);
    }

    /// Prints the table of all figures.
    pub fn print(&self) {
        let mut table = Table::new();
        table.load_style(NOTHING);
        table.set_header(["bench", "figure", "measured", "unit", "rounds", "target", "met"]);
        for figure in &self.figures {
            table.add_row([
                figure.bench,
                &figure.name,
                &figure.measured(),
                figure.unit,
                &figure.spread(),
                &figure.aim(),
                figure.met.map_or("", |met| if met { "yes" } else { "NO" }),
            ]);
        }
        for column in [2, 5] {
            if let Some(column) = table.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        println!("\n{table}\n");
    }

    /// Writes all figures as JSON.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        fs::write(path, serde_json::to_vec_pretty(self)?)
    }
}

impl Figure {
    fn measured(&self) -> String {
        match (self.value, &self.absent) {
            (Some(value), _) => digits(value),
            (None, Some(why)) => format!("absent: {why}"),
            (None, None) => String::new(),
        }
    }

    /// The least and the most of the rounds.
    fn spread(&self) -> String {
        let least = self.rounds.iter().copied().reduce(f64::min);
        let most = self.rounds.iter().copied().reduce(f64::max);
        match least.zip(most) {
            Some((least, most)) => format!("{}..{}", digits(least), digits(most)),
            None => String::new(),
        }
    }

    fn aim(&self) -> String {
        match self.target {
            Some(Target::AtMost(most)) => format!("<= {}", digits(most)),
            Some(Target::AtLeast(least)) => format!(">= {}", digits(least)),
            None => String::new(),
        }
    }
}

/// Three digits that say something.
pub fn digits(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 0.1 || size == 0.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

/// The middle of them.
pub fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
