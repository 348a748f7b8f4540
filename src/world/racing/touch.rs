//! Which tiles a wheel touches.

use super::body::{Body, Vector};
use super::track::Track;

/// Half the width and half the length of a wheel.
pub(super) const WHEEL_HALF: Vector = Vector { x: 0.28, y: 0.54 };
/// Two polygons closer than this touch: each has a skin of 0.01, and distances below 1.2e-6 count as 0.
const SKIN: f32 = 0.02 + 1.2e-6;
/// No point of a wheel is further from its centre.
const REACH: f32 = 0.61;
/// Side of a cell of the grid.
const CELL: f32 = 8.0;

/// A convex tile, prepared for comparisons with wheels.
#[derive(Clone, Debug)]
struct Outline {
    /// Corners, counter-clockwise; where the hull of the four corners has three, the last is repeated.
    corners: [Vector; 4],
    /// Outward normal of the edge from each corner to the next, of length 1 or 0.
    normals: [Vector; 4],
}

/// The tiles near each place of the field.
#[derive(Clone, Debug, Default)]
pub(super) struct Grid {
    outlines: Vec<Outline>,
    /// The lower left corner.
    corner: Vector,
    columns: usize,
    rows: usize,
    /// The tiles of cell `i` are `tiles[starts[i]..starts[i + 1]]`.
    starts: Vec<u32>,
    tiles: Vec<u16>,
}

impl Outline {
    fn new(quad: &[[f32; 2]; 4]) -> Self {
        let corners = convex_hull(quad.map(|[x, y]| Vector { x, y }));
        let normals = std::array::from_fn(|i| {
            let (from, to) = (corners[i], corners[(i + 1) % 4]);
            let along = to - from;
            let length = along.squared().sqrt();
            let scale = if length > 0.0 { 1.0 / length } else { 0.0 };
            Vector { x: along.y * scale, y: -along.x * scale }
        });
        Self { corners, normals }
    }

    /// Whether the wheel with these corners, around `centre`, is nearer than the skin.
    fn touches(&self, wheel: &Body, corners: &[Vector; 4]) -> bool {
        // A line that separates the two by more than the skin is along an edge of either, or the nearest points are corners.
        let mut apart = false;
        for (normal, from) in self.normals.into_iter().zip(self.corners) {
            if dot(normal, wheel.centre - from) > REACH + SKIN {
                return false;
            }
        }
        for (normal, from) in self.normals.into_iter().zip(self.corners) {
            let outside =
                corners.iter().map(|corner| dot(normal, *corner - from)).fold(f32::INFINITY, f32::min);
            if outside > SKIN {
                return false;
            }
            apart |= outside > 0.0;
        }
        let (sin, cos) = (wheel.rotation.sin, wheel.rotation.cos);
        let local = self.corners.map(|corner| {
            let from = corner - wheel.centre;
            Vector { x: cos * from.x + sin * from.y, y: cos * from.y - sin * from.x }
        });
        let outside = [
            local.iter().map(|p| p.x).fold(f32::INFINITY, f32::min) - WHEEL_HALF.x,
            -local.iter().map(|p| p.x).fold(f32::NEG_INFINITY, f32::max) - WHEEL_HALF.x,
            local.iter().map(|p| p.y).fold(f32::INFINITY, f32::min) - WHEEL_HALF.y,
            -local.iter().map(|p| p.y).fold(f32::NEG_INFINITY, f32::max) - WHEEL_HALF.y,
        ];
        let furthest = outside.into_iter().fold(f32::NEG_INFINITY, f32::max);
        if furthest > SKIN {
            return false;
        }
        apart |= furthest > 0.0;
        !apart || self.distance_squared(&local, corners) <= SKIN * SKIN
    }

    /// The squared distance of two polygons that do not overlap: from a corner of one to an edge of the other. `local` are
    /// the corners of this one in the wheel's axes.
    fn distance_squared(&self, local: &[Vector; 4], wheel: &[Vector; 4]) -> f32 {
        let to_wheel = local.iter().map(|corner| {
            let x = (corner.x.abs() - WHEEL_HALF.x).max(0.0);
            let y = (corner.y.abs() - WHEEL_HALF.y).max(0.0);
            x * x + y * y
        });
        let to_tile = wheel.iter().flat_map(|corner| {
            (0..4).map(|i| {
                let (from, to) = (self.corners[i], self.corners[(i + 1) % 4]);
                let (along, offset) = (to - from, *corner - from);
                let place = (dot(along, offset) / along.squared().max(f32::MIN_POSITIVE)).clamp(0.0, 1.0);
                (offset - along * place).squared()
            })
        });
        to_wheel.chain(to_tile).fold(f32::INFINITY, f32::min)
    }
}

fn dot(a: Vector, b: Vector) -> f32 {
    a.x * b.x + a.y * b.y
}

/// The corners of the convex hull of four points, counter-clockwise. Where there are three, the last is repeated.
fn convex_hull(points: [Vector; 4]) -> [Vector; 4] {
    let mut first = 0;
    for (i, point) in points.iter().enumerate() {
        let best = points[first];
        if point.x > best.x || (point.x == best.x && point.y < best.y) {
            first = i;
        }
    }
    let mut hull = [points[first]; 4];
    let mut last = first;
    for corner in 1..4 {
        // The next corner has all other points on its left.
        let mut next = first;
        for candidate in 0..4 {
            if next == last {
                next = candidate;
                continue;
            }
            let (best, other) = (points[next] - points[last], points[candidate] - points[last]);
            let turn = best.cross(other);
            if turn < 0.0 || (turn == 0.0 && other.squared() > best.squared()) {
                next = candidate;
            }
        }
        if next == first {
            let end = hull[corner - 1];
            hull[corner..].fill(end);
            break;
        }
        hull[corner] = points[next];
        last = next;
    }
    hull
}

/// The corners of `wheel`.
fn wheel_corners(wheel: &Body) -> [Vector; 4] {
    let Vector { x, y } = WHEEL_HALF;
    [(-x, y), (x, y), (x, -y), (-x, -y)].map(|(x, y)| wheel.rotation.turn(Vector { x, y }) + wheel.centre)
}

impl Grid {
    /// The tiles of `track`, each in all cells from where a wheel may touch it.
    pub(super) fn new(track: &Track) -> Self {
        let margin = REACH + 2.0 * SKIN;
        let boxes: Vec<(Vector, Vector)> =
            track.tiles.iter().map(|tile| bounds(&tile.quad, margin)).collect();
        let low = |of: fn(&Vector) -> f32| boxes.iter().map(|(low, _)| of(low)).fold(f32::INFINITY, f32::min);
        let high =
            |of: fn(&Vector) -> f32| boxes.iter().map(|(_, high)| of(high)).fold(f32::NEG_INFINITY, f32::max);
        let corner = Vector { x: low(|v| v.x), y: low(|v| v.y) };
        let columns = ((high(|v| v.x) - corner.x) / CELL) as usize + 1;
        let rows = ((high(|v| v.y) - corner.y) / CELL) as usize + 1;
        let mut cells = vec![Vec::new(); columns * rows];
        for (tile, (low, high)) in boxes.iter().enumerate() {
            let cell = |x: f32, from: f32| ((x - from) / CELL) as usize;
            for row in cell(low.y, corner.y)..=cell(high.y, corner.y) {
                for column in cell(low.x, corner.x)..=cell(high.x, corner.x) {
                    cells[row * columns + column].push(tile as u16);
                }
            }
        }
        let mut starts = vec![0];
        let mut tiles = Vec::new();
        for cell in &cells {
            tiles.extend_from_slice(cell);
            starts.push(tiles.len() as u32);
        }
        let outlines = track.tiles.iter().map(|tile| Outline::new(&tile.quad)).collect();
        Self { outlines, corner, columns, rows, starts, tiles }
    }

    /// Call `found` for each tile that `wheel` touches.
    pub(super) fn touched(&self, wheel: &Body, mut found: impl FnMut(usize)) {
        let at = wheel.centre - self.corner;
        if at.x < 0.0 || at.y < 0.0 {
            return;
        }
        let (column, row) = ((at.x / CELL) as usize, (at.y / CELL) as usize);
        if column >= self.columns || row >= self.rows {
            return;
        }
        let cell = row * self.columns + column;
        let tiles = &self.tiles[self.starts[cell] as usize..self.starts[cell + 1] as usize];
        if tiles.is_empty() {
            return;
        }
        let corners = wheel_corners(wheel);
        for &tile in tiles {
            if self.outlines[usize::from(tile)].touches(wheel, &corners) {
                found(usize::from(tile));
            }
        }
    }
}

/// The lower left and the upper right corner of the box around `quad` with a margin.
fn bounds(quad: &[[f32; 2]; 4], margin: f32) -> (Vector, Vector) {
    let low = |axis: usize| quad.iter().map(|corner| corner[axis]).fold(f32::INFINITY, f32::min) - margin;
    let high =
        |axis: usize| quad.iter().map(|corner| corner[axis]).fold(f32::NEG_INFINITY, f32::max) + margin;
    (Vector { x: low(0), y: low(1) }, Vector { x: high(0), y: high(1) })
}
