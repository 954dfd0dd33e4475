//! What a value's place in a panel is.

use std::ops::Range;

use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Scale {
    /// From nothing.
    Linear,
    Logarithmic,
}

impl Scale {
    fn at(self, value: f64) -> f64 {
        match self {
            Self::Linear => value,
            // What is measured in ticks may be nothing.
            Self::Logarithmic => value.max(1e-3).log10(),
        }
    }
}

/// A value that is marked, in as many digits as it has.
pub(super) fn label(value: f64) -> String {
    let digits = (-value.log10().floor()).max(0.0) as usize;
    if value > 0.0 { format!("{value:.digits$}") } else { "0".to_owned() }
}

/// The values that have a place, and those that are marked.
pub(super) struct Axis {
    scale: Scale,
    range: Range<f64>,
    marks: Vec<f64>,
}

impl Axis {
    /// With room for these, and marks at round numbers.
    pub(super) fn of(scale: Scale, values: impl Iterator<Item = f64>) -> Self {
        let (least, most) = ends(values);
        match scale {
            Scale::Linear => {
                let step = round(most / 4.0);
                let marks = (0..=4).map(|mark| f64::from(mark) * step);
                Self { scale, range: 0.0..most * 1.2, marks: marks.collect() }
            }
            Scale::Logarithmic => {
                let (least, most) = (scale.at(least), scale.at(most));
                let room = 0.2 * (most - least).max(1.0);
                let range = least - room..most + room;
                let marks = range.start.ceil() as i32..=range.end.floor() as i32;
                let marks = marks.map(|power| 10_f64.powi(power)).collect();
                Self { scale, range: 10_f64.powf(range.start)..10_f64.powf(range.end), marks }
            }
        }
    }

    /// Logarithmic, with a mark at each.
    pub(super) fn of_each(values: Vec<f64>) -> Self {
        let (least, most) = ends(values.iter().copied());
        Self { scale: Scale::Logarithmic, range: least / 2.5..most * 2.5, marks: values }
    }

    pub(super) fn ends(&self) -> [f64; 2] {
        [self.range.start, self.range.end]
    }
}

impl Ranged for Axis {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (from, to): (i32, i32)) -> i32 {
        let [start, end] = self.ends().map(|end| self.scale.at(end));
        let part = (self.scale.at(*value) - start) / (end - start);
        from + (f64::from(to - from) * part).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _hint: Hint) -> Vec<f64> {
        self.marks.iter().copied().filter(|mark| self.range.contains(mark)).collect()
    }

    fn range(&self) -> Range<f64> {
        self.range.clone()
    }
}

/// The least and the most.
fn ends(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), value| {
        (least.min(value), most.max(value))
    })
}

/// A round number, at least so much.
fn round(least: f64) -> f64 {
    let power = 10_f64.powf(least.log10().floor());
    let round = [1.0, 2.0, 5.0].into_iter().find(|round| round * power >= least);
    round.unwrap_or(10.0) * power
}
