//! Pictures of latent dimensions beside factors: their mutual information, and each against each.

use super::canvas::{Drawn, FRAME, INK, LABEL, SCALE, SOFT, TITLE, chart, fitting, text_style, text_width};
use super::latent::class_colour;
use image::RgbImage;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

/// Points of a plot, at most.
const POINTS: usize = 1500;

/// Codes by column, with factor classes: what [`scatter_grid`] draws.
#[derive(Clone, Debug)]
pub struct FactorColumns<'a> {
    /// Names of the codes.
    pub codes: &'a [String],
    /// Names of the factors.
    pub factors: &'a [String],
    /// Of each code its values, item by item.
    pub values: &'a [Vec<f64>],
    /// Of each factor its classes, item by item.
    pub classes: &'a [Vec<u32>],
    /// Of each factor how many classes it has.
    pub sizes: &'a [usize],
}

/// Cells with a name for each row and column.
struct Cells {
    left: u32,
    top: u32,
    cell: (u32, u32),
    gap: u32,
}

impl Cells {
    fn new(rows: &[String], cell: (u32, u32), gap: u32) -> Self {
        let widest = rows.iter().map(|name| text_width(name, LABEL, false)).max().unwrap_or(0);
        Self { left: widest + 36, top: 92, cell, gap }
    }

    fn corner(&self, row: usize, column: usize) -> (u32, u32) {
        let at = |first: u32, index: usize, size: u32| first + index as u32 * (size + self.gap);
        (at(self.left, column, self.cell.0), at(self.top, row, self.cell.1))
    }

    fn draw(
        &self,
        (rows, columns): (&[String], &[String]),
        title: &str,
        mut cell: impl FnMut(&super::canvas::Area<'_>, (u32, u32), usize, usize) -> Drawn,
    ) -> RgbImage {
        let (right, bottom) = self.corner(rows.len(), columns.len());
        let wide = (text_width(title, TITLE, true) + 48).min(900);
        let size = ((right + 24).max(wide), bottom + 24);
        chart(size.0, size.1, |area| {
            area.fill(&WHITE)?;
            let title = fitting(title, TITLE, true, size.0 - 48);
            area.draw_text(
                &title,
                &text_style(TITLE * SCALE, true, INK, (HPos::Left, VPos::Center)),
                at(24, 34),
            )?;
            for (index, name) in columns.iter().enumerate() {
                let (x, y) = self.corner(0, index);
                let name = fitting(name, LABEL, false, self.cell.0 + self.gap);
                let style = text_style(LABEL * SCALE, false, SOFT, (HPos::Center, VPos::Bottom));
                area.draw_text(&name, &style, at(x + self.cell.0 / 2, y - 8))?;
            }
            for (index, name) in rows.iter().enumerate() {
                let (x, y) = self.corner(index, 0);
                let style = text_style(LABEL * SCALE, false, SOFT, (HPos::Right, VPos::Center));
                area.draw_text(name, &style, at(x - 10, y + self.cell.1 / 2))?;
            }
            for row in 0..rows.len() {
                for column in 0..columns.len() {
                    cell(area, self.corner(row, column), row, column)?;
                }
            }
            Ok(())
        })
    }
}

fn at(x: u32, y: u32) -> (i32, i32) {
    ((x * SCALE) as i32, (y * SCALE) as i32)
}

/// The matrix of mutual information: a row for each code, a column for each factor.
///
/// `information` is `[codes][factors]` in nats. A cell is as dark as its share of `entropies`, the most that can be known of
/// each factor.
pub fn information(
    information: &[Vec<f64>],
    entropies: &[f64],
    (codes, factors): (&[String], &[String]),
    title: &str,
) -> RgbImage {
    let cells = Cells::new(codes, (104, 34), 3);
    cells.draw((codes, factors), title, |area, (x, y), row, column| {
        let value = information[row][column];
        let share = (value / entropies[column].max(f64::MIN_POSITIVE)).clamp(0.0, 1.0);
        let [red, green, blue] = class_colour(0, 10);
        let shade = |to: u8| (255.0 + share * (f64::from(to) - 255.0)).round() as u8;
        let fill = RGBColor(shade(red), shade(green), shade(blue));
        let (width, height) = cells.cell;
        area.draw(&Rectangle::new([at(x, y), at(x + width, y + height)], fill.filled()))?;
        area.draw(&Rectangle::new([at(x, y), at(x + width, y + height)], FRAME.stroke_width(1)))?;
        let ink = if share > 0.6 { WHITE } else { INK };
        let style = text_style(LABEL * SCALE, false, ink, (HPos::Center, VPos::Center));
        let text = format!("{value:.2}  ({:.0} %)", 100.0 * share);
        area.draw_text(&text, &style, at(x + width / 2, y + height / 2))
    })
}

/// Each code against each factor: a row for each code, a column for each factor. In each plot the factor's values go from
/// left to right and the code upwards, within its own range.
pub fn scatter_grid(columns: &FactorColumns<'_>, title: &str) -> RgbImage {
    let cells = Cells::new(columns.codes, (150, 96), 8);
    let count = columns.values.first().map_or(0, Vec::len);
    let every = count.div_ceil(POINTS).max(1);
    cells.draw((columns.codes, columns.factors), title, |area, (x, y), row, column| {
        let (width, height) = cells.cell;
        area.draw(&Rectangle::new([at(x, y), at(x + width, y + height)], FRAME.stroke_width(1)))?;
        let (values, classes) = (&columns.values[row], &columns.classes[column]);
        let (low, high) = values
            .iter()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &v| (low.min(v), high.max(v)));
        // A code that hardly moves is drawn as one.
        let middle = (low + high) / 2.0;
        let half = ((high - low) / 2.0).max(0.25);
        let size = columns.sizes[column].max(1) as f64;
        let [red, green, blue] = class_colour(0, 10);
        let colour = RGBColor(red, green, blue).mix(0.3);
        for item in (0..count).step_by(every) {
            // Items of one class stand beside each other, so that their number shows.
            let beside = 0.5 + 0.6 * ((item as f64 * 0.618_033_988_749_895).fract() - 0.5);
            let across = (f64::from(classes[item]) + beside) / size;
            let up = 0.5 + 0.46 * (values[item] - middle) / half;
            let scale = f64::from(SCALE);
            let point = (
                ((f64::from(x) + across * f64::from(width)) * scale).round() as i32,
                ((f64::from(y) + (1.0 - up) * f64::from(height)) * scale).round() as i32,
            );
            area.draw(&Circle::new(point, SCALE, colour.filled()))?;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(letter: &str, count: usize) -> Vec<String> {
        (1..=count).map(|number| format!("{letter}{number}")).collect()
    }

    #[test]
    fn cells_are_darker_where_more_is_known() {
        let picture = information(
            &[vec![1.0, 0.0], vec![0.1, 2.0]],
            &[1.0, 2.0],
            (&names("z", 2), &names("factor ", 2)),
            "toy",
        );
        let cells = Cells::new(&names("z", 2), (104, 34), 3);
        let blue = |row, column| {
            let (x, y) = cells.corner(row, column);
            picture.get_pixel(x + 5, y + 5).0[0]
        };
        assert!(blue(0, 0) < 60 && blue(1, 1) < 60 && blue(0, 1) > 240 && blue(1, 0) > 200);
    }

    #[test]
    fn points_rise_with_the_factor_they_follow() {
        let classes: Vec<u32> = (0..400).map(|i| i % 4).collect();
        let columns = FactorColumns {
            codes: &names("z", 1),
            factors: &names("factor ", 1),
            values: &[classes.iter().map(|&class| f64::from(class)).collect()],
            classes: &[classes],
            sizes: &[4],
        };
        let picture = scatter_grid(&columns, "toy");
        let (x, y) = Cells::new(columns.codes, (150, 96), 8).corner(0, 0);
        assert!(picture.get_pixel(x + 18, y + 92).0[0] < 200, "{:?}", picture.get_pixel(x + 18, y + 92));
        assert!(picture.get_pixel(x + 18, y + 4).0[0] > 200);
    }
}
