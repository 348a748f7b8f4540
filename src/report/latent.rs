//! The latent space as a scatter plot of the encoder's means.

use image::RgbImage;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::axes::{Axes, quantiles, widened};
use super::canvas::{Area, Drawn, INK, LABEL, SCALE, SOFT, TITLE, chart, fitting, text_style, text_width};
use crate::text::thousands;

/// The chart and its labels; the frame within is a square, since [`Axes`] leaves 36 pixels more for labels on the
/// left than below.
const SQUARE: u32 = 900;
const HEIGHT: u32 = SQUARE - 36;
/// The height of the title line.
const HEADER: u32 = 56;
/// The height of a line of the legend.
const LINE: u32 = 24;

/// Ten colours, chosen so that the nearest two stay apart for normal sight (OKLab distance 0.17) and under
/// deuteranopia and protanopia (0.07 or more, Machado et al. 2009): lightness differs as well as hue.
const TEN: [[u8; 3]; 10] = [
    [0x1f, 0x6f, 0xd0],
    [0xef, 0xa5, 0x01],
    [0x0f, 0x85, 0x54],
    [0xe0, 0x30, 0x3a],
    [0x6a, 0x2f, 0xa0],
    [0x5a, 0x32, 0x16],
    [0xfe, 0x86, 0xc3],
    [0x93, 0x81, 0x9a],
    [0x96, 0xeb, 0x35],
    [0x5c, 0xc6, 0xef],
];

/// The colour of class `index` among `classes`: one of ten chosen ones, or, among more classes, hues a golden
/// angle apart in six lightnesses.
pub fn class_colour(index: usize, classes: usize) -> [u8; 3] {
    if classes <= TEN.len() {
        return TEN[index % TEN.len()];
    }
    let hue = (index as f64 * 0.618_033_988_749_895).fract();
    // Hues come close after 8, 13, 21, 34, 55 and 89 classes; none of these is a multiple of six.
    let lightness = [0.45, 0.68, 0.30, 0.57, 0.22, 0.38][index % 6];
    let colour = HSLColor(hue, 0.75, lightness).to_backend_color().rgb;
    [colour.0, colour.1, colour.2]
}

/// The encoder's means of held-out images, one translucent point each, coloured by class.
///
/// `means` is `[count, 2]`; `labels` are indices into `classes`; `axes` name the two coordinates (`z1`, `z2`). Both
/// axes have one scale. The frame holds the 0.5 to 99.5 per cent quantiles of both coordinates with a margin. The number
/// of points outside is written under the legend. Each class is also named at its median, for readers who cannot
/// distinguish its colour.
pub fn latent(
    means: &[[f32; 2]],
    labels: Option<&[u32]>,
    classes: &[String],
    axes: [&str; 2],
    title: &str,
) -> RgbImage {
    let legend = legend(labels, classes);
    let widest = legend.iter().map(|(_, name)| text_width(name, LABEL, false)).max().unwrap_or(0);
    let side = (widest + 60).clamp(150, 280);
    chart(SQUARE + side, HEIGHT + HEADER, |area| {
        area.fill(&WHITE)?;
        let title = fitting(title, TITLE, true, SQUARE + side - 60);
        let style = text_style(TITLE * SCALE, true, INK, (HPos::Left, VPos::Center));
        area.draw_text(&title, &style, at(24, HEADER / 2 + 4))?;

        let (_, below) = area.split_vertically(HEADER * SCALE);
        let (square, beside) = below.split_horizontally(SQUARE * SCALE);
        let outside = scatter(&square, means, labels, &legend, axes)?;
        write_legend(&beside, &legend, means.len(), outside, side)
    })
}

fn at(x: u32, y: u32) -> (i32, i32) {
    ((x * SCALE) as i32, (y * SCALE) as i32)
}

/// Every class that has a name or a point, with its name, or its number if it has no name.
fn legend(labels: Option<&[u32]>, classes: &[String]) -> Vec<(u32, String)> {
    let Some(labels) = labels else { return Vec::new() };
    let mut present: Vec<u32> = (0..classes.len() as u32).chain(labels.iter().copied()).collect();
    present.sort_unstable();
    present.dedup();
    present
        .into_iter()
        .map(|label| (label, classes.get(label as usize).cloned().unwrap_or_else(|| label.to_string())))
        .collect()
}

fn colour_of(legend: &[(u32, String)], label: Option<u32>) -> RGBColor {
    let index =
        label.and_then(|label| legend.binary_search_by_key(&label, |entry| entry.0).ok()).unwrap_or(0);
    let [red, green, blue] = class_colour(index, legend.len());
    RGBColor(red, green, blue)
}

/// Draws the points; returns how many lie outside the frame.
fn scatter(
    area: &Area<'_>,
    means: &[[f32; 2]],
    labels: Option<&[u32]>,
    legend: &[(u32, String)],
    names: [&str; 2],
) -> Drawn<usize> {
    let range = |axis: usize| {
        let values = means.iter().map(|mean| f64::from(mean[axis]));
        widened(quantiles(values, 0.005, 0.995).unwrap_or((-2.0, 2.0)), 0.08)
    };
    let (x, y) = (range(0), range(1));
    // The frame is a square: the larger span is the span of both axes.
    let half = ((x.1 - x.0).max(y.1 - y.0) / 2.0).max(1e-3);
    let squared = |range: (f64, f64)| {
        let middle = (range.0 + range.1) / 2.0;
        (middle - half, middle + half)
    };
    let (x, y) = (squared(x), squared(y));
    let axes = Axes { title: "", x, y, x_name: names[0], y_name: names[1], ticks: (9, 9), whole_x: false };
    let mut chart = axes.draw(area)?;

    let (radius, alpha) = match means.len() {
        0..=1500 => (4.0, 0.75),
        1501..=6000 => (3.0, 0.6),
        6001..=20_000 => (2.4, 0.55),
        _ => (1.7, 0.4),
    };
    let radius = (radius * f64::from(SCALE)) as u32;
    let inside = |mean: &[f32; 2]| {
        let (u, v) = (f64::from(mean[0]), f64::from(mean[1]));
        u >= x.0 && u <= x.1 && v >= y.0 && v <= y.1
    };
    let label = |index: usize| labels.and_then(|labels| labels.get(index).copied());
    // Draw in an order unrelated to the classes, so that no class covers all the others.
    let points = shuffled(means.len()).filter(|&index| inside(&means[index])).map(|index| {
        let colour = colour_of(legend, label(index)).mix(alpha);
        let place = (f64::from(means[index][0]), f64::from(means[index][1]));
        Circle::new(place, radius, colour.filled())
    });
    chart.draw_series(points)?;

    let mut names = Vec::new();
    for (class, name) in legend.iter().filter(|_| legend.len() <= 20) {
        let members = || means.iter().enumerate().filter(|(index, _)| label(*index) == Some(*class));
        let median = |axis: usize| quantiles(members().map(|(_, mean)| f64::from(mean[axis])), 0.5, 0.5);
        let (Some((u, _)), Some((v, _))) = (median(0), median(1)) else { continue };
        if name.chars().count() <= 14 && inside(&[u as f32, v as f32]) {
            let ((left, top), (x, y)) = (area.get_base_pixel(), chart.backend_coord(&(u, v)));
            names.push((name, *class, Label::new(name, (x - left, y - top))));
        }
    }
    let mut places: Vec<Label> = names.iter().map(|(_, _, place)| *place).collect();
    let (width, height) = area.dim_in_pixel();
    move_apart(&mut places, (width as i32, height as i32));
    for ((name, class, _), place) in names.iter().zip(places) {
        write_over(area, name, place, colour_of(legend, Some(*class)))?;
    }
    Ok(means.iter().filter(|mean| !inside(mean)).count())
}

/// The place of a class's name.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Label {
    /// The class's median.
    of: (i32, i32),
    /// The middle of the name.
    at: (i32, i32),
    /// Half its width and height, with its halo.
    half: (i32, i32),
}

impl Label {
    fn new(name: &str, of: (i32, i32)) -> Self {
        let width = text_width(name, LABEL + 2, true) * SCALE / 2 + 6 * SCALE;
        Self { of, at: of, half: (width as i32, (11 * SCALE) as i32) }
    }

    /// How far it reaches over `other` across and down: both are positive where the two overlap.
    fn overlap(&self, other: &Self) -> (i32, i32) {
        let across = self.half.0 + other.half.0 - (self.at.0 - other.at.0).abs();
        let down = self.half.1 + other.half.1 - (self.at.1 - other.at.1).abs();
        (across, down)
    }
}

/// Move labels, as little as is needed, until none overlaps another; all stay within a picture of this size.
fn move_apart(labels: &mut [Label], size: (i32, i32)) {
    // Each round parts neighbours a little; far fewer suffice for twenty names.
    for _ in 0..500 {
        let mut moved = false;
        for second in 1..labels.len() {
            for first in 0..second {
                let (across, down) = labels[first].overlap(&labels[second]);
                if across <= 0 || down <= 0 {
                    continue;
                }
                moved = true;
                let (one, two) = (labels[first].at, labels[second].at);
                let step = |one: i32, two: i32, overlap: i32| {
                    let step = overlap / 2 + 1;
                    // Of two at one place, the first goes up.
                    if one <= two { (one - step, two + step) } else { (one + step, two - step) }
                };
                if down <= across {
                    (labels[first].at.1, labels[second].at.1) = step(one.1, two.1, down);
                } else {
                    (labels[first].at.0, labels[second].at.0) = step(one.0, two.0, across);
                }
            }
        }
        for label in labels.iter_mut() {
            let kept = |at: i32, half: i32, size: i32| at.min(size - half).max(half);
            label.at = (kept(label.at.0, label.half.0, size.0), kept(label.at.1, label.half.1, size.1));
        }
        if !moved {
            return;
        }
    }
}

/// Writes `name` in black on a halo that sets it off from the points, with a line to its median where it stands elsewhere.
fn write_over(area: &Area<'_>, name: &str, label: Label, colour: RGBColor) -> Drawn {
    let ((x, y), (half, height)) = (label.at, label.half);
    let over = (label.of.0 - x).abs() <= half && (label.of.1 - y).abs() <= height;
    if !over {
        area.draw(&PathElement::new(vec![label.of, label.at], INK.stroke_width(SCALE)))?;
        area.draw(&Circle::new(label.of, 3 * SCALE, INK.filled()))?;
    }
    let corners = [(x - half, y - height), (x + half, y + height)];
    area.draw(&Rectangle::new(corners, WHITE.mix(0.86).filled()))?;
    area.draw(&Rectangle::new(
        [(x - half, y + height - 2 * SCALE as i32), (x + half, y + height)],
        colour.filled(),
    ))?;
    let style = text_style((LABEL + 2) * SCALE, true, INK, (HPos::Center, VPos::Center));
    area.draw_text(name, &style, (x, y - SCALE as i32))
}

fn write_legend(
    area: &Area<'_>,
    legend: &[(u32, String)],
    count: usize,
    outside: usize,
    width: u32,
) -> Drawn {
    let style = |colour| text_style(LABEL * SCALE, false, colour, (HPos::Left, VPos::Center));
    let most = ((HEIGHT - 120) / LINE) as usize;
    let shown = if legend.len() > most { most - 1 } else { legend.len() };
    for (line, (class, name)) in legend.iter().take(shown).enumerate() {
        let y = 22 + line as u32 * LINE;
        area.draw(&Circle::new(at(16, y), 6 * SCALE, colour_of(legend, Some(*class)).filled()))?;
        area.draw_text(&fitting(name, LABEL, false, width - 46), &style(INK), at(30, y))?;
    }
    let mut y = 22 + shown as u32 * LINE + if shown > 0 { 8 } else { 0 };
    let mut line = |text: String| {
        let drawn = area.draw_text(&text, &style(SOFT), at(10, y));
        y += LINE;
        drawn
    };
    if shown < legend.len() {
        line(format!("and {} more", legend.len() - shown))?;
    }
    line(format!("{} {}", thousands(count), if count == 1 { "image" } else { "images" }))?;
    if outside > 0 {
        line(format!("{} outside", thousands(outside)))?;
    }
    Ok(())
}

/// The numbers below `count`, each once, neighbours far apart: multiples of a step near the golden section.
fn shuffled(count: usize) -> impl Iterator<Item = usize> {
    fn divisor(a: usize, b: usize) -> usize {
        if b == 0 { a } else { divisor(b, a % b) }
    }
    let golden = (count as f64 * 0.618_033_988_749_895) as usize;
    let step = (golden.max(1)..).find(|&step| divisor(step, count) == 1 || count == 0).unwrap_or(1);
    (0..count).map(move |index| (index as u128 * step as u128 % count as u128) as usize)
}

#[cfg(test)]
mod tests {
    use super::super::canvas::tests::dark;
    use super::*;

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|i| format!("class {i}")).collect()
    }

    #[test]
    fn colours_are_distinct() {
        for classes in [10, 11, 26, 62] {
            let colours: Vec<_> = (0..classes).map(|i| class_colour(i, classes)).collect();
            for (i, a) in colours.iter().enumerate() {
                assert!(a.iter().any(|&v| v < 200), "{a:?} vanishes on white");
                for b in &colours[..i] {
                    let distance: i32 = a.iter().zip(b).map(|(&a, &b)| i32::from(a.abs_diff(b))).sum();
                    assert!(distance > if classes == 10 { 80 } else { 12 }, "{classes}: {a:?} {b:?}");
                }
            }
        }
    }

    #[test]
    fn the_legend_has_every_class() {
        assert_eq!(legend(Some(&[2, 2, 0]), &names(4)).len(), 4);
        assert_eq!(legend(Some(&[7]), &names(1))[1], (7, "7".to_string()));
        assert!(legend(None, &names(4)).is_empty());
        let picture = latent(&[[0.0, 0.0]; 3], Some(&[0, 1, 2]), &names(10), ["z1", "z2"], "latent space");
        for (line, colour) in TEN.iter().enumerate() {
            let y = HEADER + 22 + line as u32 * LINE;
            assert_eq!(picture.get_pixel(SQUARE + 16, y).0, *colour, "line {line}");
            assert!(dark(&picture, (SQUARE + 28, picture.width()), (y - 9, y + 9)) > 30, "line {line}");
        }
        assert!(dark(&picture, (0, SQUARE), (0, HEADER)) > 150);
    }

    #[test]
    fn names_do_not_overlap() {
        // All at one place; in a row; in a corner.
        for place in [|_| (450, 450), |i: i32| (100 + 9 * i, 450), |i: i32| (2 * i, 899 - i)] {
            let mut labels: Vec<Label> =
                (0..20).map(|i| Label::new(["cat", "a long name", "7"][i as usize % 3], place(i))).collect();
            let before = labels.clone();
            move_apart(&mut labels, (1800, 1800));
            for (index, label) in labels.iter().enumerate() {
                let ((x, y), (half, height)) = (label.at, label.half);
                assert!(x >= half && y >= height && x + half <= 1800 && y + height <= 1800, "{label:?}");
                for other in &labels[..index] {
                    let (across, down) = label.overlap(other);
                    assert!(across <= 0 || down <= 0, "{label:?} over {other:?}");
                }
                assert_eq!(label.of, before[index].of);
            }
        }
        // Names that have room stay where they are.
        let mut labels = [Label::new("cat", (100, 100)), Label::new("dog", (900, 300))];
        let before = labels;
        move_apart(&mut labels, (1800, 1800));
        assert_eq!(labels, before);
    }

    #[test]
    fn every_point_is_drawn_once() {
        for count in [0, 1, 2, 3, 10, 1000, 9999, 10_000] {
            let mut order: Vec<usize> = shuffled(count).collect();
            order.sort_unstable();
            assert!(order.into_iter().eq(0..count), "{count}");
        }
    }

    #[test]
    fn strange_input_makes_a_picture() {
        let far = [[f32::NAN, 0.0], [f32::INFINITY, 1.0], [1e30, -1e30], [0.0, 0.0]];
        for means in [&[][..], &[[0.5, 0.5]], &far, &[[3.0, 3.0]; 50]] {
            for labels in [None, Some(&[][..]), Some(&[4, 4_000_000_000][..])] {
                let picture = latent(means, labels, &names(2), ["z1", "z2"], "");
                assert!(picture.height() == HEIGHT + HEADER && picture.width() >= SQUARE + 150);
            }
        }
        latent(
            &[[0.0; 2]; 100],
            Some(&(0..100).collect::<Vec<_>>()),
            &[],
            ["z1", "z2"],
            &"long title ".repeat(40),
        );
    }
}
