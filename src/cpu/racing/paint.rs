//! The picture of a window from the quadrilaterals in view: span by span, in the samples of `shaders/racing.wgsl`.

use crate::scene::{QUAD_WORDS, ROWS, WINDOW};

/// Most samples along a side of a pixel.
const SIDE: usize = 4;
/// A point is within an edge if it is less than this beyond; no other point is nearer to one.
const TIE: f64 = 1e-6;

/// Memory for one picture.
#[derive(Clone, Debug, Default)]
pub(crate) struct Canvas {
    /// The number of a colour for each sample.
    samples: Vec<u8>,
    /// The colours, and what they are once the picture is reduced.
    colours: Vec<u32>,
    reduced: Vec<u32>,
    /// What the tables are of: width and height of the window, samples along a side of a pixel.
    window: [usize; 3],
    /// For each point along the width the first sample that is not before it; the same along the height, from below, counted
    /// from above.
    columns: Vec<u16>,
    rows: Vec<u16>,
    /// For each row of samples its points above the lowest row.
    heights: Vec<i32>,
}

/// An edge of a quadrilateral, as the bound that it puts on x in each row: `at + slope * y`.
#[derive(Clone, Copy, Default)]
struct Edge {
    at: f64,
    slope: f64,
}

/// The sample that is `number`-th along a side of `points` points; `count` samples are on that side.
pub(crate) fn place(number: usize, points: usize, count: usize) -> usize {
    (2 * number + 1) * points / (2 * count)
}

impl Canvas {
    fn tables(&mut self, window: [usize; 3]) {
        let [width, height, side] = window;
        self.window = window;
        let count = WINDOW * side;
        let table = |points: usize| -> Vec<u16> {
            let mut first = 0;
            let mut next = |point: usize| {
                while first < count && place(first, points, count) < point {
                    first += 1;
                }
                first as u16
            };
            (0..=points).map(&mut next).collect()
        };
        self.columns = table(width);
        self.rows = table(height);
        self.heights = (0..ROWS * side).map(|row| (height - 1 - place(row, height, count)) as i32).collect();
        self.samples = vec![0; ROWS * side * count];
    }

    /// The number of `colour`. Of more than 256 the last share one.
    fn number(&mut self, colour: u32) -> u8 {
        let found = self.colours.iter().rposition(|&own| own == colour);
        let number = found.unwrap_or_else(|| {
            if self.colours.len() < 256 {
                self.colours.push(colour);
                self.reduced.push(if self.window[2] == SIDE { dimmed(colour) } else { colour });
            }
            self.colours.len() - 1
        });
        number as u8
    }

    /// Paint a list ([`crate::scene`]) for a window of `width` by `height` points with `side` samples along each side of a
    /// pixel. `pixel` is given each pixel of the picture, row by row from above, as a colour.
    pub(crate) fn paint(
        &mut self,
        window: [usize; 3],
        quads: impl Iterator<Item = ([i32; 8], u32)>,
        mut pixel: impl FnMut(usize, u32),
    ) {
        if self.window != window {
            self.tables(window);
        }
        self.colours.clear();
        self.reduced.clear();
        let black = self.number(0);
        self.samples.fill(black);
        for (corners, colour) in quads {
            let number = self.number(colour);
            self.quad(&corners, number);
        }
        let side = window[2];
        if side != SIDE {
            for (index, &sample) in self.samples.iter().enumerate() {
                pixel(index, self.reduced[usize::from(sample)]);
            }
            return;
        }
        let (rows, _) = self.samples.as_chunks::<{ SIDE * SIDE * WINDOW }>();
        for (row, lines) in rows.iter().enumerate() {
            let (words, _) = lines.as_chunks::<SIDE>();
            for x in 0..WINDOW {
                let block: [[u8; SIDE]; SIDE] = std::array::from_fn(|k| words[k * WINDOW + x]);
                let [first, rest @ ..] = block.map(u32::from_le_bytes);
                let one = first == first.rotate_left(8) && rest == [first; 3];
                let colour = if one {
                    self.reduced[usize::from(block[0][0])]
                } else {
                    reduce(block.map(|line| line.map(|number| self.colours[usize::from(number)])))
                };
                pixel(row * WINDOW + x, colour);
            }
        }
    }

    /// Fill a convex quadrilateral.
    fn quad(&mut self, corners: &[i32; 8], number: u8) {
        let [width, height, side] = self.window;
        let corner = |i: usize| (corners[i % 4 * 2], corners[i % 4 * 2 + 1]);
        let area: i64 = (0..4)
            .map(|i| {
                let ((x1, y1), (x2, y2)) = (corner(i), corner(i + 1));
                i64::from(x1) * i64::from(y2) - i64::from(x2) * i64::from(y1)
            })
            .sum();
        if area == 0 {
            return;
        }
        let turn = if area > 0 { 1 } else { -1 };
        let extent = |axis: usize| {
            let values = || (0..4).map(move |i| corners[2 * i + axis]);
            let least = values().fold(i32::MAX, i32::min).saturating_sub(1);
            (least, values().fold(i32::MIN, i32::max).saturating_add(1))
        };
        let ((first, last), (least, most)) = (extent(0), extent(1));
        let mut left = [Edge { at: f64::from(first.max(0)), slope: 0.0 }; 5];
        let mut right = [Edge { at: f64::from(last.min(width as i32 - 1)), slope: 0.0 }; 5];
        let (mut lefts, mut rights) = (1, 1);
        let (mut low, mut high) = (f64::NEG_INFINITY, f64::INFINITY);
        for i in 0..4 {
            let ((x1, y1), (x2, y2)) = (corner(i), corner(i + 1));
            // Within is where 2 (a (x - x1) + b (y - y1)) + grow >= 0.
            let (a, b) = (turn * (y1 - y2), turn * (x2 - x1));
            let grow = if side == SIDE { a.abs().max(b.abs()) } else { 0 };
            let (x1, y1, a, b, half) =
                (f64::from(x1), f64::from(y1), f64::from(a), f64::from(b), 0.5 * f64::from(grow));
            if a == 0.0 {
                if b > 0.0 {
                    low = low.max(y1 - half / b);
                } else if b < 0.0 {
                    high = high.min(y1 - half / b);
                }
                continue;
            }
            let slope = -b / a;
            let edge = Edge { at: x1 - half / a - slope * y1, slope };
            if a > 0.0 {
                left[lefts] = edge;
                lefts += 1;
            } else {
                right[rights] = edge;
                rights += 1;
            }
        }
        let most = most.min((high + TIE).floor() as i32).min(height as i32 - 1);
        let least = least.max((low - TIE).ceil() as i32).max(0);
        if most < least {
            return;
        }
        let stride = WINDOW * side;
        let first = usize::from(self.rows[height - 1 - most as usize]);
        for row in first..ROWS * side {
            let y = self.heights[row];
            if y < least {
                break;
            }
            let y = f64::from(y);
            let from = left[..lefts].iter().fold(f64::MIN, |most, edge| most.max(edge.at + edge.slope * y));
            let to = right[..rights].iter().fold(f64::MAX, |least, edge| least.min(edge.at + edge.slope * y));
            // Rounded up and down: both are between -1 and the width, or cross each other.
            let from = width as i32 - (width as f64 - (from - TIE).min(width as f64)) as i32;
            let end = (to + TIE + 1.0).max(0.0) as i32;
            if from >= end {
                continue;
            }
            let (from, end) = (self.columns[from as usize], self.columns[end as usize]);
            if from < end {
                self.samples[row * stride + usize::from(from)..row * stride + usize::from(end)].fill(number);
            }
        }
    }
}

/// The red, green and blue of a colour.
fn channels(colour: u32) -> [u32; 3] {
    [colour >> 16, (colour >> 8) & 255, colour & 255]
}

/// pygame's smoothscale averages along rows, then along columns, and loses up to 1 of 255 each time.
fn dimmed(colour: u32) -> u32 {
    reduce([[colour; SIDE]; SIDE])
}

/// The colour of a pixel from its samples, row by row.
fn reduce(samples: [[u32; SIDE]; SIDE]) -> u32 {
    let mut means = [0; 3];
    for line in samples {
        let mut sums = [0u32; 3];
        for sample in line {
            sums.iter_mut().zip(channels(sample)).for_each(|(sum, own)| *sum += own);
        }
        means.iter_mut().zip(sums).for_each(|(mean, sum)| *mean += sum.saturating_sub(1) / SIDE as u32);
    }
    means.iter().fold(0, |colour, mean| (colour << 8) | (mean.saturating_sub(1) / SIDE as u32))
}

/// The quadrilaterals of a list.
pub(crate) fn quads<T: num_traits::Float>(list: &[T]) -> impl Iterator<Item = ([i32; 8], u32)> {
    let count = list[0].to_usize().unwrap_or(0);
    list[1..].chunks_exact(QUAD_WORDS).take(count).map(|quad| {
        let corners = std::array::from_fn(|i| quad[i].to_i32().unwrap_or(0));
        (corners, quad[8].to_u32().unwrap_or(0))
    })
}
