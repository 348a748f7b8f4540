//! Charts on a [`Scene`]: a frame with axes, and what is drawn in it.

use image::RgbaImage;

use super::axes::{number, ticks};
use super::canvas::text_width;
use super::scene::{Anchor, Colour, Point, Scene, Type};
use crate::text::thousands;

/// The size of labels, in pixels to the em.
pub(crate) const LABEL: u32 = 14;
/// The size of titles of charts.
const TITLE: u32 = 16;

/// Text in the middle of its point.
pub(crate) fn label(colour: Colour, anchor: Anchor) -> Type {
    Type { size: LABEL, bold: false, colour, anchor, turned: false }
}

/// The same, in bold.
pub(crate) fn heading(anchor: Anchor) -> Type {
    Type { size: TITLE, bold: true, colour: Colour::Ink, anchor, turned: false }
}

/// A rectangle of a scene, with the range of numbers that it shows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    pub(crate) corner: Point,
    pub(crate) size: Point,
    pub(crate) x: (f64, f64),
    pub(crate) y: (f64, f64),
    /// Distances along x are ratios.
    pub(crate) log_x: bool,
    /// Distances along y are ratios.
    pub(crate) log_y: bool,
}

impl Frame {
    /// A frame with linear axes.
    pub(crate) fn new(corner: Point, size: Point, x: (f64, f64), y: (f64, f64)) -> Self {
        Self { corner, size, x, y, log_x: false, log_y: false }
    }

    fn fraction(value: f64, range: (f64, f64), log: bool) -> f64 {
        if log {
            (value / range.0).ln() / (range.1 / range.0).ln()
        } else {
            (value - range.0) / (range.1 - range.0)
        }
    }

    /// Where a pair of numbers lies.
    pub(crate) fn at(&self, (x, y): Point) -> Point {
        (
            self.corner.0 + self.size.0 * Self::fraction(x, self.x, self.log_x),
            self.corner.1 + self.size.1 * (1.0 - Self::fraction(y, self.y, self.log_y)),
        )
    }

    /// Frame, grid lines, ticks, the axes' names, and a title above; an empty name or title takes no room.
    pub(crate) fn axes(&self, scene: &mut Scene, title: &str, names: [&str; 2], most: [usize; 2]) {
        let (left, top) = self.corner;
        let (right, bottom) = (left + self.size.0, top + self.size.1);
        for (value, text) in marks(self.x, most[0], self.log_x) {
            let (x, _) = self.at((value, self.y.0));
            scene.line(&[(x, top), (x, bottom)], Colour::Faint, 1.0);
            scene.line(&[(x, bottom), (x, bottom + 4.0)], Colour::Frame, 1.0);
            scene.text((x, bottom + 15.0), text, label(Colour::Soft, Anchor::Middle));
        }
        let mut widest = 0;
        for (value, text) in marks(self.y, most[1], self.log_y) {
            let (_, y) = self.at((self.x.0, value));
            scene.line(&[(left, y), (right, y)], Colour::Faint, 1.0);
            scene.line(&[(left - 4.0, y), (left, y)], Colour::Frame, 1.0);
            widest = widest.max(text_width(&text, LABEL, false));
            scene.text((left - 8.0, y), text, label(Colour::Soft, Anchor::End));
        }
        scene.outline(&[(left, top), (right, top), (right, bottom), (left, bottom)], Colour::Frame, 1.0);
        let middle = (left + right) / 2.0;
        if !names[0].is_empty() {
            scene.text((middle, bottom + 37.0), names[0], label(Colour::Ink, Anchor::Middle));
        }
        if !names[1].is_empty() {
            let look = Type { turned: true, ..label(Colour::Ink, Anchor::Middle) };
            scene.text((left - 24.0 - f64::from(widest), (top + bottom) / 2.0), names[1], look);
        }
        if !title.is_empty() {
            scene.text((middle, top - 16.0), title, heading(Anchor::Middle));
        }
    }

    /// A line, cut at the frame; a value that is not finite interrupts it.
    pub(crate) fn line(&self, scene: &mut Scene, points: &[Point], colour: Colour, width: f64) {
        for piece in self.inside(points) {
            scene.line(&piece, colour, width);
        }
    }

    /// The same in dashes.
    pub(crate) fn dashes(&self, scene: &mut Scene, points: &[Point], colour: Colour, width: f64) {
        for piece in self.inside(points) {
            scene.dashes(&piece, colour, width);
        }
    }

    /// The pairs of numbers that lie in the frame, as dots.
    pub(crate) fn dots(
        &self,
        scene: &mut Scene,
        points: &[Point],
        radius: f64,
        colour: Colour,
        opacity: f64,
    ) {
        let within = |value: f64, range: (f64, f64)| value >= range.0 && value <= range.1;
        let shown = points.iter().filter(|(x, y)| within(*x, self.x) && within(*y, self.y));
        scene.dots(shown.map(|&point| self.at(point)).collect(), radius, colour, opacity);
    }

    /// A box from `x.0` to `x.1` and `y.0` to `y.1`, filled.
    pub(crate) fn bar(&self, scene: &mut Scene, x: (f64, f64), y: (f64, f64), fill: (Colour, f64)) {
        scene.rectangle(self.at((x.0, y.1)), self.at((x.1, y.0)), fill);
    }

    /// An image over the whole frame.
    pub(crate) fn picture(&self, scene: &mut Scene, image: RgbaImage, smooth: bool) {
        scene.picture(self.corner, self.size, image, smooth);
    }

    /// The pieces of a line within the frame, as places of the scene.
    fn inside(&self, points: &[Point]) -> Vec<Vec<Point>> {
        let (low, high) = (self.corner, (self.corner.0 + self.size.0, self.corner.1 + self.size.1));
        let mut pieces: Vec<Vec<Point>> = Vec::new();
        for pair in points.windows(2) {
            let (from, to) = (self.at(pair[0]), self.at(pair[1]));
            let Some((from, to)) = cut(from, to, low, high) else { continue };
            match pieces.last_mut() {
                Some(piece) if piece.last() == Some(&from) => piece.push(to),
                _ => pieces.push(vec![from, to]),
            }
        }
        pieces
    }
}

/// The part of a segment within a rectangle (Liang and Barsky 1984).
fn cut(from: Point, to: Point, low: Point, high: Point) -> Option<(Point, Point)> {
    let direction = (to.0 - from.0, to.1 - from.1);
    if !(direction.0.is_finite() && direction.1.is_finite()) {
        return None;
    }
    let (mut start, mut end) = (0.0f64, 1.0f64);
    for (step, room) in [
        (-direction.0, from.0 - low.0),
        (direction.0, high.0 - from.0),
        (-direction.1, from.1 - low.1),
        (direction.1, high.1 - from.1),
    ] {
        if step == 0.0 {
            if room < 0.0 {
                return None;
            }
        } else if step < 0.0 {
            start = start.max(room / step);
        } else {
            end = end.min(room / step);
        }
    }
    let at = |t: f64| (from.0 + t * direction.0, from.1 + t * direction.1);
    let whole = |t: f64, exact: Point| if t == 0.0 || t == 1.0 { exact } else { at(t) };
    (start < end).then(|| (whole(start, from), whole(end, to)))
}

/// Ticks with their labels: round numbers, or powers of ten.
fn marks(range: (f64, f64), most: usize, log: bool) -> Vec<(f64, String)> {
    if log {
        let (first, last) = (range.0.log10().ceil() as i32, range.1.log10().floor() as i32);
        if first >= last {
            // Less than a power of ten: 1, 2 and 5 times the powers around.
            let all = (first - 1..=last + 1).flat_map(|power| [1.0, 2.0, 5.0].map(|m| m * 10f64.powi(power)));
            let within = all.filter(|value| *value >= range.0 && *value <= range.1);
            return within.map(|value| (value, plain(value))).collect();
        }
        let every = ((last - first + 1) as usize).div_ceil(most.max(1)).max(1);
        return (first..=last)
            .step_by(every)
            .map(|power| (10f64.powi(power), decimal_power(power)))
            .collect();
    }
    let values = ticks(range, most);
    let step = values.windows(2).map(|pair| pair[1] - pair[0]).fold(f64::INFINITY, f64::min);
    let digits = if step.is_finite() { (-step.log10() - 1e-9).ceil().clamp(0.0, 9.0) as usize } else { 2 };
    values.into_iter().map(|value| (value, number(value, digits))).collect()
}

/// A number of one digit and zeros: `20,000`, `0.05`.
fn plain(value: f64) -> String {
    if value >= 1.0 {
        thousands(value.round() as usize)
    } else {
        number(value, (-value.log10()).ceil().clamp(0.0, 9.0) as usize)
    }
}

/// 0.0001 to 1000 in digits, more as a power, `10⁵`, and less as `1e−6`: the pictures' font has no raised minus sign.
fn decimal_power(power: i32) -> String {
    if (-4..=3).contains(&power) {
        return number(10f64.powi(power), usize::try_from(-power).unwrap_or(0));
    }
    if power < 0 {
        return format!("1e−{}", power.unsigned_abs());
    }
    format!("10{}", raised(power))
}

/// `value` to two digits: `2.3·10⁻⁶`.
pub(crate) fn scientific(value: f64) -> String {
    let text = format!("{value:.1e}");
    match text.split_once('e') {
        Some((digits, power)) => {
            format!("{digits}·10{}", raised(power.parse().unwrap_or(0))).replace('-', "−")
        }
        None => text,
    }
}

fn raised(power: i32) -> String {
    let plain = power.to_string();
    let raised = plain.chars().map(|digit| match digit {
        '-' => '⁻',
        '0' => '⁰',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        digit => char::from_u32('⁰' as u32 + digit as u32 - '0' as u32).unwrap_or(digit),
    });
    raised.collect()
}

/// Names beside swatches of their colours, in a row from `at` on; returns where it ends.
pub(crate) fn legend(scene: &mut Scene, at: Point, entries: &[(&str, Colour)]) -> f64 {
    let mut x = at.0;
    for (name, colour) in entries {
        scene.rectangle((x, at.1 - 5.0), (x + 16.0, at.1 + 5.0), (*colour, 1.0));
        scene.text((x + 22.0, at.1), *name, label(Colour::Ink, Anchor::Start));
        x += 22.0 + f64::from(text_width(name, LABEL, false)) + 22.0;
    }
    x
}

/// An ellipse: the points at `radius` from a mean, in the metric whose factor is `[[a, 0], [b, c]]`.
pub(crate) fn ellipse(mean: [f64; 2], [a, b, c]: [f64; 3], radius: f64) -> Vec<Point> {
    (0..=96)
        .map(|i| {
            let (sin, cos) = (std::f64::consts::TAU * f64::from(i) / 96.0).sin_cos();
            (mean[0] + radius * a * cos, mean[1] + radius * (b * cos + c * sin))
        })
        .collect()
}

/// `values` (`rows` of as many columns, the first row on top) as an image of one colour, its opacity the share of the
/// largest value.
pub(crate) fn shade(values: &[f64], columns: usize, colour: Colour) -> RgbaImage {
    let largest = values.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    let [red, green, blue] = colour.bytes();
    let rows = values.len() / columns.max(1);
    RgbaImage::from_fn(columns as u32, rows as u32, |x, y| {
        let share = values[y as usize * columns + x as usize] / largest;
        image::Rgba([red, green, blue, (255.0 * share.clamp(0.0, 1.0)).round() as u8])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_find_their_places() {
        let frame = Frame::new((10.0, 20.0), (100.0, 50.0), (-1.0, 1.0), (0.0, 5.0));
        assert_eq!(frame.at((-1.0, 0.0)), (10.0, 70.0));
        assert_eq!(frame.at((0.0, 5.0)), (60.0, 20.0));
        let log = Frame { log_x: true, x: (1.0, 100.0), ..frame };
        assert!((log.at((10.0, 0.0)).0 - 60.0).abs() < 1e-9);
    }

    #[test]
    fn lines_are_cut_at_all_four_sides() {
        let frame = Frame::new((0.0, 0.0), (10.0, 10.0), (0.0, 10.0), (0.0, 10.0));
        let pieces = frame.inside(&[(-5.0, 5.0), (15.0, 5.0), (5.0, 15.0), (5.0, -5.0)]);
        assert_eq!(pieces.len(), 2, "{pieces:?}");
        assert_eq!(pieces[0], [(0.0, 5.0), (10.0, 5.0)]);
        assert_eq!(pieces[1], [(5.0, 0.0), (5.0, 10.0)]);
        assert!(frame.inside(&[(1.0, f64::NAN), (2.0, 3.0)]).is_empty());
        assert_eq!(frame.inside(&[(1.0, 1.0), (2.0, 2.0), (3.0, 1.0)]).len(), 1);
    }

    #[test]
    fn powers_of_ten_are_written_short() {
        assert_eq!([-5, -2, 0, 3, 6].map(decimal_power), ["1e−5", "0.01", "1", "1000", "10⁶"]);
        assert_eq!([2.34e-6, 0.5, 0.0].map(scientific), ["2.3·10⁻⁶", "5.0·10⁻¹", "0.0·10⁰"]);
        let few: Vec<String> = marks((5e4, 6e5), 8, true).into_iter().map(|mark| mark.1).collect();
        assert_eq!(few, ["50,000", "100,000", "200,000", "500,000"]);
        let few: Vec<String> = marks((0.018, 0.07), 8, true).into_iter().map(|mark| mark.1).collect();
        assert_eq!(few, ["0.02", "0.05"]);
        let values: Vec<f64> = marks((1e-9, 1e9), 4, true).iter().map(|mark| mark.0).collect();
        assert!(values.len() <= 4 && values.len() >= 3, "{values:?}");
    }

    #[test]
    fn the_ellipse_of_a_factor_has_its_variances() {
        let points = ellipse([1.0, 2.0], [1.0, -0.8, 0.6], 1.0);
        // Every point is at distance 1: solve L d = x - mean.
        for (x, y) in points {
            let first = x - 1.0;
            let second = (y - 2.0 + 0.8 * first) / 0.6;
            assert!((first * first + second * second - 1.0).abs() < 1e-12);
        }
    }
}
