//! Level lines of a function on a grid, and the levels that enclose given shares of a density's mass.

/// A function on a grid of `side` x `side` points, rows upward, over a rectangle.
#[derive(Clone, Debug)]
pub struct Field {
    /// First and last column's coordinate.
    pub x: (f64, f64),
    /// First and last row's coordinate.
    pub y: (f64, f64),
    /// Points along a side.
    pub side: usize,
    /// `[side, side]`
    pub values: Vec<f64>,
}

impl Field {
    /// The coordinates of all points, `[side * side, 2]`, at which to compute `values`.
    pub fn points(x: (f64, f64), y: (f64, f64), side: usize) -> Vec<[f64; 2]> {
        let at = |(low, high): (f64, f64), i: usize| low + (high - low) * i as f64 / (side.max(2) - 1) as f64;
        (0..side).flat_map(|row| (0..side).map(move |column| [at(x, column), at(y, row)])).collect()
    }

    /// The segments along which the function has the value `level`, by marching squares.
    pub fn contour(&self, level: f64) -> Vec<[(f64, f64); 2]> {
        let mut segments = Vec::new();
        let points = Self::points(self.x, self.y, self.side);
        for row in 0..self.side.saturating_sub(1) {
            for column in 0..self.side - 1 {
                let first = row * self.side + column;
                let corners = [first, first + 1, first + self.side + 1, first + self.side];
                // Where the level crosses an edge, in order around the cell.
                let crossings: Vec<(f64, f64)> = (0..4)
                    .filter_map(|i| {
                        let (a, b) = (corners[i], corners[(i + 1) % 4]);
                        let (from, to) = (self.values[a] - level, self.values[b] - level);
                        ((from < 0.0) != (to < 0.0)).then(|| {
                            let share = from / (from - to);
                            let ([ax, ay], [bx, by]) = (points[a], points[b]);
                            (ax + share * (bx - ax), ay + share * (by - ay))
                        })
                    })
                    .collect();
                segments.extend(crossings.chunks_exact(2).map(|pair| [pair[0], pair[1]]));
            }
        }
        segments
    }

    /// Levels of this log-density: the points above each level hold the given share of the mass.
    pub fn levels(&self, shares: &[f64]) -> Vec<f64> {
        let mut values: Vec<f64> = self.values.iter().copied().filter(|value| value.is_finite()).collect();
        values.sort_by(|a, b| b.total_cmp(a));
        let Some(&top) = values.first() else { return Vec::new() };
        let total: f64 = values.iter().map(|value| (value - top).exp()).sum();
        let level = |share: f64| {
            let mut sum = 0.0;
            let inside = values.iter().take_while(|value| {
                sum += (**value - top).exp();
                sum < share * total
            });
            values[inside.count().min(values.len() - 1)]
        };
        shares.iter().map(|&share| level(share)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_level_lines_of_a_gaussian_are_circles_of_known_radius() {
        let (x, y) = ((-5.0, 5.0), (-6.0, 6.0));
        let values = Field::points(x, y, 161).iter().map(|[x, y]| -0.5 * (x * x + y * y)).collect();
        let field = Field { x, y, side: 161, values };
        for share in [0.5_f64, 0.9, 0.99] {
            let level = field.levels(&[share])[0];
            let radius = (-2.0 * (1.0 - share).ln()).sqrt();
            let segments = field.contour(level);
            assert!(segments.len() > 50);
            for (x, y) in segments.into_iter().flatten() {
                assert!((x.hypot(y) - radius).abs() < 0.03, "{share}: {x} {y} {radius}");
            }
        }
    }

    #[test]
    fn a_flat_field_has_no_lines() {
        let field = Field { x: (0.0, 1.0), y: (0.0, 1.0), side: 5, values: vec![0.0; 25] };
        assert!(field.contour(0.5).is_empty());
        let empty = Field { values: Vec::new(), side: 0, ..field };
        assert!(empty.levels(&[0.5]).is_empty() && empty.contour(0.0).is_empty());
    }
}
