//! Draws cost against the number of tasks.

mod axis;

use std::path::Path;

use plotters::{
    coord::Shift,
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};

use self::axis::{Axis, Scale};
use super::{Row, thousands};
use crate::{
    report::digits,
    sensors::{MOST_LATENESS, MOST_MEMORY},
};

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
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

/// What is measured, with a name where there are several.
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
            Line { name: "polled every 10 s", value: |row| row.polled.memory },
            Line { name: "polled once", value: |row| row.created.memory() },
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
        title: "CPU while nobody asks, a poll every 10 s",
        unit: "cores",
        scale: Scale::Logarithmic,
        lines: &[Line { name: "", value: |row| row.polled.cores }],
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
        lines: &[Line { name: "", value: |row| row.adopted.took.as_secs_f64() }],
        target: None,
    },
    Panel {
        title: "Stop",
        unit: "s",
        scale: Scale::Logarithmic,
        lines: &[Line { name: "", value: |row| row.drained.as_secs_f64() }],
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
        area.draw(&Text::new(format!("{}, {}", self.title, self.unit), (20, 20), text(19, INK)))?;
        self.draw_names(area)?;

        let counts: Vec<_> = rows.iter().map(|row| row.count as f64).collect();
        let values = self.lines.iter().flat_map(|line| rows.iter().map(line.value));
        let y = Axis::of(self.scale, values.chain(self.target));
        let x = Axis::of_each(counts);
        let ends = x.ends();
        let mut chart = ChartBuilder::on(area)
            .margin_top(68)
            .margin_right(24)
            .set_label_area_size(LabelAreaPosition::Left, 58)
            .set_label_area_size(LabelAreaPosition::Bottom, 36)
            .build_cartesian_2d(x, y)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID)
            .axis_style(GRID)
            .label_style(text(15, FAINT))
            .x_label_formatter(&|x| thousands(x.round() as usize))
            .y_label_formatter(&|y| self.scale.label(*y))
            .draw()?;
        if let Some(target) = self.target {
            let line = ends.map(|x| (x, target));
            chart.draw_series(DashedLineSeries::new(line, 5, 4, FAINT.stroke_width(1)))?;
            let told = format!("target: {} {}", digits(target), self.unit);
            let style = text(14, FAINT).pos(Pos::new(HPos::Left, VPos::Bottom));
            chart.draw_series([Text::new(told, line[0], style)])?;
        }
        for (line, color) in self.lines.iter().zip(COLORS) {
            let points: Vec<_> =
                rows.iter().map(|row| (row.count as f64, (line.value)(row))).collect();
            chart.draw_series(LineSeries::new(points.clone(), color.stroke_width(2)))?;
            chart.draw_series(points.iter().map(|at| Circle::new(*at, 4, color.filled())))?;
            let labels = rows.iter().zip(points).map(|(row, at)| {
                let higher = self.lines.iter().all(|other| at.1 >= (other.value)(row));
                let (up, from) = if higher { (-8, VPos::Bottom) } else { (9, VPos::Top) };
                let style = text(15, color).pos(Pos::new(HPos::Center, from));
                EmptyElement::at(at) + Text::new(digits(at.1), (0, up), style)
            });
            chart.draw_series(labels)?;
        }
        Ok(())
    }

    /// The names of the lines, in their colours.
    fn draw_names(&self, area: &Area<'_>) -> Drawn {
        let mut left = 20;
        for (line, color) in self.lines.iter().zip(COLORS).filter(|(line, _)| !line.name.is_empty())
        {
            area.draw(&Circle::new((left + 5, 52), 4, color.filled()))?;
            area.draw(&Text::new(line.name, (left + 15, 45), text(15, color)))?;
            left += 40 + 7 * i32::try_from(line.name.len())?;
        }
        Ok(())
    }
}

fn text(size: u32, color: RGBColor) -> TextStyle<'static> {
    (FONT, size).into_font().color(&color)
}
