//! Draws cost against the number of tasks.

mod axis;

use std::path::Path;

use plotters::{
    coord::Shift,
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};

use self::axis::{Axis, Scale, label};
use super::{Row, thousands};
use crate::{
    report::digits,
    sensors::{MOST_LATENESS, MOST_MEMORY},
};

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Told = (Rectangle<(i32, i32)>, Text<'static, (i32, i32), String>);
type Drawn = Result<(), Box<dyn std::error::Error>>;

const SIZE: (u32, u32) = (1200, 760);
const FONT: &str = "sans-serif";
const INK: RGBColor = RGBColor(0x22, 0x26, 0x2b);
const FAINT: RGBColor = RGBColor(0x6a, 0x73, 0x7d);
const GRID: RGBColor = RGBColor(0xe4, 0xe7, 0xeb);
/// Two colours that everybody can tell apart.
const COLORS: [RGBColor; 2] = [RGBColor(0x00, 0x72, 0xb2), RGBColor(0xd5, 0x5e, 0x00)];

/// One kind of cost.
struct Panel {
    title: &'static str,
    unit: &'static str,
    scale: Scale,
    lines: &'static [Line],
    target: Option<f64>,
}

/// What is measured.
struct Line {
    name: &'static str,
    value: fn(&Row) -> f64,
}

const PANELS: [Panel; 6] = [
    Panel {
        title: "Memory of a live task",
        unit: "KiB",
        scale: Scale::Linear,
        lines: &[
            Line { name: "adopted and polled", value: |row| row.polled.memory },
            Line { name: "created", value: |row| row.created.memory() },
        ],
        target: Some(MOST_MEMORY),
    },
    Panel {
        title: "CPU for a Create",
        unit: "µs",
        scale: Scale::Linear,
        lines: &[
            Line { name: "memory used before", value: |row| row.created_again.cpu() },
            Line { name: "new memory", value: |row| row.created.cpu() },
        ],
        target: None,
    },
    Panel {
        title: "CPU while nobody asks",
        unit: "cores",
        scale: Scale::Logarithmic,
        lines: &[Line {
            name: "a poll every 10 s each, of a million every 60 s",
            value: |row| row.polled.cores,
        }],
        target: None,
    },
    Panel {
        title: "Lateness of a poll",
        unit: "ms",
        scale: Scale::Logarithmic,
        lines: &[
            Line { name: "p99", value: |row| row.polled.late(0.99) },
            Line { name: "p50", value: |row| row.polled.late(0.5) },
        ],
        target: Some(MOST_LATENESS),
    },
    Panel {
        title: "All live again after a restart",
        unit: "s",
        scale: Scale::Logarithmic,
        lines: &[Line {
            name: "a Get of each, 32 at once",
            value: |row| row.adopted.took.as_secs_f64(),
        }],
        target: None,
    },
    Panel {
        title: "Stop",
        unit: "s",
        scale: Scale::Logarithmic,
        lines: &[Line {
            name: "SIGTERM until the process has ended",
            value: |row| row.drained.as_secs_f64(),
        }],
        target: None,
    },
];

/// Draws the rows as an SVG.
pub(super) fn draw(rows: &[Row], path: &Path) -> Drawn {
    let root = SVGBackend::new(path, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    for (panel, area) in PANELS.iter().zip(root.split_evenly((2, 3))) {
        panel.draw(rows, &area)?;
    }
    root.present()?;
    Ok(())
}

impl Panel {
    fn draw(&self, rows: &[Row], area: &Area<'_>) -> Drawn {
        area.draw(&Text::new(format!("{}, {}", self.title, self.unit), (20, 18), text(20, INK)))?;
        self.draw_names(area)?;

        let values = self.lines.iter().flat_map(|line| rows.iter().map(line.value));
        let y = Axis::of(self.scale, values.chain(self.target));
        let x = Axis::of_each(rows.iter().map(|row| row.count as f64).collect());
        let ends = x.ends();
        let mut chart = ChartBuilder::on(area)
            .margin_top(70)
            .margin_right(24)
            .set_label_area_size(LabelAreaPosition::Left, 62)
            .set_label_area_size(LabelAreaPosition::Bottom, 48)
            .build_cartesian_2d(x, y)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID)
            .axis_style(GRID)
            .label_style(text(15, FAINT))
            .x_label_formatter(&|x| thousands(x.round() as usize))
            .y_label_formatter(&|y| label(*y))
            .x_desc("live tasks")
            .axis_desc_style(text(15, FAINT))
            .draw()?;
        if let Some(target) = self.target {
            let line = ends.map(|x| (x, target));
            chart.draw_series(DashedLineSeries::new(line, 5, 4, FAINT.stroke_width(1)))?;
        }
        let points = |line: &Line| -> Vec<_> {
            rows.iter().map(|row| (row.count as f64, (line.value)(row))).collect()
        };
        for (line, color) in self.lines.iter().zip(COLORS) {
            chart.draw_series(LineSeries::new(points(line), color.stroke_width(2)))?;
        }
        for (line, color) in self.lines.iter().zip(COLORS) {
            let marks = rows.iter().zip(points(line)).map(|(row, at)| {
                let is_highest = self.lines.iter().all(|other| at.1 >= (other.value)(row));
                let (paper, value) = told(at.1, color, is_highest);
                EmptyElement::at(at) + paper + value + Circle::new((0, 0), 4, color.filled())
            });
            chart.draw_series(marks)?;
        }
        Ok(())
    }

    /// The names of the lines, each in its colour.
    fn draw_names(&self, area: &Area<'_>) -> Drawn {
        let mut left = 20;
        let mut draw_name = |name: &str, color: RGBColor, is_dashed: bool| -> Drawn {
            let dash = |from| PathElement::new([(from, 54), (from + 4, 54)], color.stroke_width(1));
            match is_dashed {
                true => [0, 7].map(|at| area.draw(&dash(left + at))).into_iter().collect(),
                false => area.draw(&Circle::new((left + 5, 54), 4, color.filled())),
            }?;
            area.draw(&Text::new(name.to_owned(), (left + 16, 47), text(15, color)))?;
            left += 34 + 7 * i32::try_from(name.len())?;
            Ok(())
        };
        for (line, color) in self.lines.iter().zip(COLORS) {
            draw_name(line.name, color, false)?;
        }
        match self.target {
            Some(target) => draw_name(&format!("at most {}", digits(target)), FAINT, true),
            None => Ok(()),
        }
    }
}

/// A value beside its point: above it, or below where another is above. With
/// it what is behind, so that no line runs through the digits.
fn told(value: f64, color: RGBColor, is_above: bool) -> Told {
    let value = digits(value);
    let (x, y) = if is_above { (-9, -16) } else { (0, 17) };
    let half = 4 * i32::try_from(value.len()).unwrap_or_default();
    let paper = Rectangle::new([(x - half, y - 7), (x + half, y + 7)], WHITE.mix(0.8).filled());
    let style = text(15, color).pos(Pos::new(HPos::Center, VPos::Center));
    (paper, Text::new(value, (x, y), style))
}

fn text(size: u32, color: RGBColor) -> TextStyle<'static> {
    (FONT, size).into_font().color(&color)
}
