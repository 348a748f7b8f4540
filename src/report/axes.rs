//! Chart axes: ranges that ignore outliers, round tick values, and the frame that carries them.

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, ValueFormatter};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::canvas::{Area, Canvas, Drawn, FAINT, FRAME, INK, LABEL, SCALE, SOFT, text_style};

/// Titles, names and ticks of one pair of axes.
pub(super) struct Axes<'a> {
    /// Bold, above the frame; may be empty.
    pub(super) title: &'a str,
    pub(super) x: (f64, f64),
    pub(super) y: (f64, f64),
    pub(super) x_name: &'a str,
    pub(super) y_name: &'a str,
    /// Most ticks on each axis.
    pub(super) ticks: (usize, usize),
    /// Whether x counts something, and has no ticks between whole numbers.
    pub(super) whole_x: bool,
}

/// A chart with linear axes and chosen ticks.
pub(super) type Chart<'area, 'image> = ChartContext<'area, Canvas<'image>, Cartesian2d<Axis, Axis>>;

/// A linear axis with its ticks.
#[derive(Clone)]
pub(super) struct Axis {
    range: (f64, f64),
    ticks: Vec<f64>,
    digits: usize,
}

impl Axis {
    fn new(range: (f64, f64), most: usize, whole: bool) -> Self {
        let mut ticks = ticks(range, most);
        if whole {
            ticks.retain(|tick| tick.fract() == 0.0);
        }
        Self { range, digits: digits(&ticks, whole), ticks }
    }
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let fraction = (value - self.range.0) / (self.range.1 - self.range.0);
        limit.0 + (fraction * f64::from(limit.1 - limit.0)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.ticks.clone()
    }

    fn range(&self) -> std::ops::Range<f64> {
        self.range.0..self.range.1
    }
}

impl ValueFormatter<f64> for Axis {
    fn format_ext(&self, value: &f64) -> String {
        number(*value, self.digits)
    }
}

impl Axes<'_> {
    /// Draws grid lines, frame, ticks and names on `area`, which is [`SCALE`] times larger than the picture.
    pub(super) fn draw<'area, 'image>(&self, area: &'area Area<'image>) -> Drawn<Chart<'area, 'image>> {
        let label = text_style(LABEL * SCALE, false, SOFT, (HPos::Left, VPos::Top));
        let name = text_style((LABEL + 1) * SCALE, false, INK, (HPos::Left, VPos::Top));
        let title = text_style((LABEL + 2) * SCALE, true, INK, (HPos::Left, VPos::Top));

        let mut builder = ChartBuilder::on(area);
        builder.margin(8 * SCALE).x_label_area_size(48 * SCALE).y_label_area_size(84 * SCALE);
        if !self.title.is_empty() {
            builder.caption(self.title, title);
        }
        let mut chart = builder.build_cartesian_2d(
            Axis::new(self.x, self.ticks.0, self.whole_x),
            Axis::new(self.y, self.ticks.1, false),
        )?;
        chart
            .configure_mesh()
            .bold_line_style(FAINT.stroke_width(SCALE))
            .light_line_style(TRANSPARENT)
            .axis_style(FRAME.stroke_width(SCALE))
            .set_all_tick_mark_size(5 * SCALE)
            .label_style(label)
            .axis_desc_style(name)
            .x_desc(self.x_name)
            .y_desc(self.y_name)
            .draw()?;
        Ok(chart)
    }
}

/// At most `most` round numbers (1, 2 or 5 times a power of ten apart) within `range`.
pub(super) fn ticks(range: (f64, f64), most: usize) -> Vec<f64> {
    let span = range.1 - range.0;
    if !(span.is_finite() && span > 0.0) {
        return Vec::new();
    }
    let power = 10f64.powf((span / most.max(1) as f64).log10().floor());
    for step in [1.0, 2.0, 5.0, 10.0, 20.0].map(|factor| factor * power) {
        let (first, last) = ((range.0 / step).ceil(), (range.1 / step).floor());
        if step > 0.0 && last - first < most as f64 {
            // An integer times a step of 0.1 ends in ...0000004; dividing by ten does not.
            let times = |i: f64| if step < 1.0 { i / (1.0 / step).round() } else { i * step };
            return (0..=(last - first).max(-1.0) as usize)
                .map(|i| times(first + i as f64))
                .filter(|tick| *tick >= range.0 && *tick <= range.1)
                .collect();
        }
    }
    Vec::new()
}

/// Number of decimals that distinguishes neighbouring ticks.
fn digits(ticks: &[f64], whole: bool) -> usize {
    if whole {
        return 0;
    }
    let step = ticks.windows(2).map(|pair| pair[1] - pair[0]).fold(f64::INFINITY, f64::min);
    if step.is_finite() && step > 0.0 { (-step.log10() - 1e-9).ceil().clamp(0.0, 9.0) as usize } else { 2 }
}

/// `value` with a true minus sign and, where it is very large, an exponent.
pub(super) fn number(value: f64, digits: usize) -> String {
    // Adding zero turns -0 into 0.
    let value = value + 0.0;
    let text = if value.abs() >= 1e6 { format!("{value:.2e}") } else { format!("{value:.digits$}") };
    text.replace('-', "−")
}

/// The `low` and `high` quantiles of `values` (each in `[0, 1]`); `None` where no value is finite.
pub(super) fn quantiles(values: impl Iterator<Item = f64>, low: f64, high: f64) -> Option<(f64, f64)> {
    let mut values: Vec<f64> = values.filter(|value| value.is_finite()).collect();
    values.sort_unstable_by(f64::total_cmp);
    let last = values.len().checked_sub(1)?;
    let at = |p: f64| values[((last as f64 * p).round() as usize).min(last)];
    Some((at(low), at(high)))
}

/// `range` with `margin` of its span on both sides; never empty.
pub(super) fn widened((low, high): (f64, f64), margin: f64) -> (f64, f64) {
    let smallest = 1e-6 * low.abs().max(high.abs()).max(1e-3);
    let span = (high - low).max(smallest);
    let middle = (low + high) / 2.0;
    (middle - span * (0.5 + margin), middle + span * (0.5 + margin))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_few_and_inside() {
        assert_eq!(ticks((-1.05, 1.05), 5), [-1.0, -0.5, 0.0, 0.5, 1.0]);
        assert_eq!(ticks((0.0, 0.42), 6), [0.0, 0.1, 0.2, 0.3, 0.4]);
        for range in [(-1e9, 3e9), (1e-7, 2e-7), (-103.2, -99.7), (0.5, 1.5), (1.0, 300.0)] {
            for most in [1, 2, 5, 8, 12] {
                let found = ticks(range, most);
                assert!(found.len() <= most, "{range:?}: {found:?}");
                assert!(found.iter().all(|&tick| tick >= range.0 && tick <= range.1), "{range:?}: {found:?}");
                assert!(most < 5 || found.len() >= 2, "{range:?}, {most}: {found:?}");
            }
        }
        assert!(ticks((1.0, 1.0), 5).is_empty());
        assert!(ticks((0.0, f64::INFINITY), 5).is_empty());
    }

    #[test]
    fn labels_tell_ticks_apart() {
        let label =
            |ticks: &[f64]| ticks.iter().map(|&t| number(t, digits(ticks, false))).collect::<Vec<_>>();
        assert_eq!(label(&[-1.0, -0.5, 0.0]), ["−1.0", "−0.5", "0.0"]);
        assert_eq!(label(&[100.0, 120.0]), ["100", "120"]);
        assert_eq!(label(&[0.10, 0.12]), ["0.10", "0.12"]);
        assert_eq!(label(&[-0.0]), ["0.00"]);
    }

    #[test]
    fn outliers_do_not_set_the_range() {
        let values = (0..1000).map(f64::from).chain([f64::NAN, 1e30, -1e30, f64::INFINITY]);
        assert_eq!(quantiles(values, 0.005, 0.995), Some((4.0, 995.0)));
        assert_eq!(quantiles([].into_iter(), 0.0, 1.0), None);
        let (low, high) = widened((3.0, 3.0), 0.1);
        assert!(low < 3.0 && high > 3.0);
    }
}
