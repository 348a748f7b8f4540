//! The course of a training run, epoch by epoch.

use image::RgbImage;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::EpochRecord;
use super::axes::{Axes, widened};
use super::canvas::{Area, Drawn, INK, LABEL, SCALE, SOFT, TITLE, chart, fitting, text_style, text_width};

const WIDTH: u32 = 1180;
const HEIGHT: u32 = 600;
const HEADER: u32 = 60;
const TRAIN: RGBColor = RGBColor(0x1f, 0x6f, 0xd0);
const HELD_OUT: RGBColor = RGBColor(0xe0, 0x7b, 0x00);

/// A value of one epoch.
type Value = fn(&EpochRecord) -> f64;

/// The ELBO per epoch on the left, its reconstruction and KL terms on the right, each for the training images
/// and for those held out. Of a deterministic autoencoder the loss, its reconstruction, and its penalty where it has one.
///
/// With more than ten epochs, the first tenth of them is ignored when the ranges of the y axes are chosen. The lines
/// then enter from outside the frame.
pub fn curves(history: &[EpochRecord], title: &str) -> RgbImage {
    let deterministic = history.iter().all(|r| r.train_kl == 0.0 && r.test_kl == 0.0);
    let has_penalty = history.iter().any(|record| record.others.contains_key("test_penalty"));
    chart(WIDTH, HEIGHT, |area| {
        area.fill(&WHITE)?;
        write_header(area, title)?;
        if history.is_empty() {
            let style = text_style(LABEL * SCALE, false, SOFT, (HPos::Left, VPos::Top));
            return area.draw_text("no epochs yet", &style, (scaled(24), scaled(HEADER)));
        }
        let (_, below) = area.split_vertically(HEADER * SCALE);
        let (left, right) = below.split_horizontally((WIDTH * 56 / 100) * SCALE);
        let (above, under) = right.split_vertically(((HEIGHT - HEADER) / 2) * SCALE);
        if deterministic {
            panel(&left, "Loss", 8, history, [|r| -r.train_elbo, |r| -r.test_elbo])?;
            let of_rest: [Value; 2] = [|r| r.train_reconstruction, |r| r.test_reconstruction];
            panel(&above, "Reconstruction", 5, history, of_rest)?;
            return match has_penalty {
                true => panel(&under, "Penalty", 6, history, [|r| r.penalty("train"), |r| r.penalty("test")]),
                false => Ok(()),
            };
        }
        panel(&left, "ELBO", 8, history, [|r| r.train_elbo, |r| r.test_elbo])?;
        panel(
            &above,
            "Reconstruction term",
            5,
            history,
            [|r| r.train_reconstruction, |r| r.test_reconstruction],
        )?;
        panel(&under, "KL divergence", 6, history, [|r| r.train_kl, |r| r.test_kl])
    })
}

fn scaled(pixels: u32) -> i32 {
    (pixels * SCALE) as i32
}

/// The title on the left and the legend of all panels on the right.
fn write_header(area: &Area<'_>, title: &str) -> Drawn {
    let middle = HEADER / 2 + 2;
    let style = text_style(LABEL * SCALE, false, INK, (HPos::Right, VPos::Center));
    let mut right = WIDTH - 24;
    for (name, colour) in [("held out", HELD_OUT), ("train", TRAIN)] {
        area.draw_text(name, &style, (scaled(right), scaled(middle)))?;
        right -= text_width(name, LABEL, false) + 8;
        let line = [(scaled(right - 28), scaled(middle) - 4), (scaled(right), scaled(middle) + 4)];
        area.draw(&Rectangle::new(line, colour.filled()))?;
        right -= 28 + 26;
    }
    let style = text_style(TITLE * SCALE, true, INK, (HPos::Left, VPos::Center));
    let title = fitting(title, TITLE, true, right.saturating_sub(40));
    area.draw_text(&title, &style, (scaled(24), scaled(middle)))
}

fn panel(area: &Area<'_>, title: &str, ticks: usize, history: &[EpochRecord], values: [Value; 2]) -> Drawn {
    let epochs: Vec<f64> = history.iter().map(|record| record.epoch as f64).collect();
    let first = epochs.iter().copied().fold(f64::INFINITY, f64::min);
    let last = epochs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let x = if first < last { widened((first, last), 0.02) } else { (first - 0.5, first + 0.5) };
    let y = y_range(history, values);
    let axes =
        Axes { title, x, y, x_name: "epoch", y_name: "nats per image", ticks: (8, ticks), whole_x: true };
    let mut chart = axes.draw(area)?;
    for (value, colour) in values.into_iter().zip([TRAIN, HELD_OUT]) {
        let points: Vec<(f64, f64)> = epochs.iter().copied().zip(history.iter().map(value)).collect();
        let style = colour.stroke_width(2 * SCALE);
        for piece in inside(&points, y) {
            chart.draw_series([PathElement::new(piece, style)])?;
        }
        if history.len() <= 30 {
            let visible = points.iter().filter(|point| point.1 >= y.0 && point.1 <= y.1);
            chart.draw_series(visible.map(|&point| Circle::new(point, 4 * SCALE, colour.filled())))?;
        }
    }
    Ok(())
}

/// Range of the y axis.
fn y_range(history: &[EpochRecord], values: [Value; 2]) -> (f64, f64) {
    let skipped = if history.len() > 10 { history.len() / 10 } else { 0 };
    let mut range = (f64::INFINITY, f64::NEG_INFINITY);
    for value in history[skipped..].iter().flat_map(|record| values.map(|value| value(record))) {
        if value.is_finite() {
            range = (range.0.min(value), range.1.max(value));
        }
    }
    if range.0 <= range.1 { widened(range, 0.06) } else { (-1.0, 1.0) }
}

/// The pieces of a line that lie within `range` of y, cut exactly at its borders. A value that is not finite
/// interrupts the line.
fn inside(points: &[(f64, f64)], range: (f64, f64)) -> Vec<Vec<(f64, f64)>> {
    let mut pieces: Vec<Vec<(f64, f64)>> = Vec::new();
    for pair in points.windows(2) {
        let [(x0, y0), (x1, y1)] = [pair[0], pair[1]];
        if !(y0.is_finite() && y1.is_finite()) {
            continue;
        }
        // The part of the segment, as fractions of its length, between the two borders.
        let (mut from, mut to) = (0.0f64, 1.0f64);
        if y0 != y1 {
            let (a, b) = ((range.0 - y0) / (y1 - y0), (range.1 - y0) / (y1 - y0));
            (from, to) = (from.max(a.min(b)), to.min(a.max(b)));
        } else if y0 < range.0 || y0 > range.1 {
            continue;
        }
        if from >= to {
            continue;
        }
        let at = |t: f64| {
            if t == 0.0 {
                (x0, y0)
            } else if t == 1.0 {
                (x1, y1)
            } else {
                (x0 + t * (x1 - x0), y0 + t * (y1 - y0))
            }
        };
        let (start, end) = (at(from), at(to));
        match pieces.last_mut() {
            Some(piece) if piece.last() == Some(&start) => piece.push(end),
            _ => pieces.push(vec![start, end]),
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::super::canvas::tests::dark;
    use super::super::metrics::tests::record;
    use super::*;

    fn history(epochs: u64) -> Vec<EpochRecord> {
        (1..=epochs).map(record).collect()
    }

    fn coloured(picture: &RgbImage, colour: RGBColor, x: (u32, u32), y: (u32, u32)) -> usize {
        let wanted = [colour.0, colour.1, colour.2];
        let hits = picture.enumerate_pixels().filter(|(px, py, pixel)| {
            (x.0..x.1).contains(px) && (y.0..y.1).contains(py) && pixel.0 == wanted
        });
        hits.count()
    }

    #[test]
    fn all_panels_have_both_lines_and_text() {
        for epochs in [1, 2, 12, 300] {
            let picture = curves(&history(epochs), "training");
            assert_eq!(picture.dimensions(), (WIDTH, HEIGHT));
            assert!(dark(&picture, (0, WIDTH / 2), (0, HEADER)) > 100, "title");
            let (split, middle) = (WIDTH * 56 / 100, HEADER + (HEIGHT - HEADER) / 2);
            for (x, y) in [
                ((0, split), (HEADER, HEIGHT)),
                ((split, WIDTH), (HEADER, middle)),
                ((split, WIDTH), (middle, HEIGHT)),
            ] {
                assert!(dark(&picture, x, y) > 300, "{epochs} epochs: labels at {x:?} {y:?}");
                for colour in [TRAIN, HELD_OUT] {
                    assert!(coloured(&picture, colour, x, y) > 20, "{epochs} epochs: line at {x:?} {y:?}");
                }
            }
        }
    }

    #[test]
    fn the_first_epochs_do_not_flatten_the_rest() {
        let mut history = history(40);
        history[0].train_elbo = -1e7;
        history[2].test_elbo = -5e6;
        let range = y_range(&history, [|r| r.train_elbo, |r| r.test_elbo]);
        assert!(range.0 > -1000.0 && range.1 < 0.0, "{range:?}");
        curves(&history, "clipped");
    }

    #[test]
    fn lines_are_cut_at_the_border() {
        let line = [(0.0, -10.0), (1.0, 10.0), (2.0, 10.0), (3.0, 30.0), (4.0, 30.0), (5.0, 10.0)];
        let pieces = inside(&line, (0.0, 20.0));
        assert_eq!(
            pieces,
            [vec![(0.5, 0.0), (1.0, 10.0), (2.0, 10.0), (2.5, 20.0)], vec![(4.5, 20.0), (5.0, 10.0)]]
        );
        assert_eq!(inside(&[(0.0, 1.0), (1.0, f64::NAN), (2.0, 1.0)], (0.0, 2.0)).len(), 0);
    }

    #[test]
    fn any_range_makes_a_picture() {
        curves(&[], "nothing");
        for value in [0.0, -1e-12, 1e300, -1e12, f64::NAN, f64::INFINITY] {
            let mut history = history(3);
            for record in &mut history {
                (record.train_elbo, record.test_elbo, record.test_kl) = (value, value, value);
            }
            assert_eq!(curves(&history, "").dimensions(), (WIDTH, HEIGHT));
        }
    }
}
