//! The quadrilaterals of a scene that are in view, in points of the window.

use crate::scene::{
    ABSENT, CAMERA_WORDS, CAR_QUADS, FIELD, GRASS, LIGHT_GRASS, QUAD_WORDS, ROAD, ROAD_HEAD, SQUARES,
    TILE_WORDS, TILES, TILES_A_WORD, TOUCHED,
};
use num_traits::Float;

/// What the camera sees.
struct Camera<T> {
    cos: T,
    sin: T,
    zoom: T,
    x: T,
    y: T,
    width: T,
    height: T,
    /// The square of a distance from (`x`, `y`) beyond which nothing is in view, however it is turned.
    reach: T,
}

/// A number of this type.
fn of<T: Float>(value: f64) -> T {
    T::from(value).unwrap_or_else(T::nan)
}

impl<T: Float> Camera<T> {
    fn new(scene: &[T]) -> Self {
        let (zoom, width, height) = (scene[2], scene[5], scene[6]);
        // No quadrilateral is longer than 24: one with a corner further away than this is not in view.
        let reach = (width * of(0.5)).hypot(height * of(0.75)) / zoom + of(30.0);
        let [cos, sin, x, y] = [scene[0], scene[1], scene[3], scene[4]];
        Self { cos, sin, zoom, x, y, width, height, reach: reach * reach }
    }

    /// The point of the window that shows (`x`, `y`), without its fraction.
    fn point(&self, x: T, y: T) -> (T, T) {
        let (x, y) = (x - self.x, y - self.y);
        let across = (self.cos * x - self.sin * y) * self.zoom + self.width * of(0.5);
        let up = (self.sin * x + self.cos * y) * self.zoom + self.height * of(0.25);
        (whole(across), whole(up))
    }

    fn is_far(&self, x: T, y: T) -> bool {
        let (x, y) = (x - self.x, y - self.y);
        x * x + y * y > self.reach
    }

    fn is_in_view(&self, quad: &[T]) -> bool {
        let low = |axis: usize| quad[axis].min(quad[axis + 2]).min(quad[axis + 4].min(quad[axis + 6]));
        let high = |axis: usize| quad[axis].max(quad[axis + 2]).max(quad[axis + 4].max(quad[axis + 6]));
        let before = of(-1.0);
        high(0) >= before && low(0) <= self.width && high(1) >= before && low(1) <= self.height
    }
}

/// The whole number next to `value` on the side of 0.
fn whole<T: Float>(value: T) -> T {
    value.to_i32().and_then(T::from).unwrap_or_else(T::zero)
}

/// Write the list of `scene` on `road`. See [`crate::scene`].
pub(crate) fn project<T: Float>(scene: &[T], road: &[T], list: &mut [T]) {
    let camera = Camera::new(scene);
    let mut count = 0;
    let mut put = |quad: &[T], colour: T| {
        if colour >= T::zero() && camera.is_in_view(quad) {
            let into = &mut list[1 + count * QUAD_WORDS..][..QUAD_WORDS];
            into[..8].copy_from_slice(&quad[..8]);
            into[8] = colour;
            count += 1;
        }
    };
    let world = |corners: &[T]| {
        let mut quad = [T::zero(); 8];
        for (to, from) in quad.chunks_exact_mut(2).zip(corners.chunks_exact(2)) {
            (to[0], to[1]) = camera.point(from[0], from[1]);
        }
        quad
    };
    let rectangle =
        |x: f64, y: f64, side: f64| [x + side, y, x, y, x, y + side, x + side, y + side].map(of::<T>);
    put(&world(&rectangle(-FIELD, -FIELD, 2.0 * FIELD)), of(f64::from(GRASS)));
    let side = FIELD / SQUARES as f64;
    for column in 0..SQUARES {
        for row in 0..SQUARES {
            let corners =
                rectangle(2.0 * side * column as f64 - FIELD, 2.0 * side * row as f64 - FIELD, side);
            if !camera.is_far(corners[2], corners[3]) {
                put(&world(&corners), of(f64::from(LIGHT_GRASS)));
            }
        }
    }
    let tiles = road[0].to_usize().unwrap_or(0).min(TILES);
    for (number, tile) in road[ROAD_HEAD..].chunks_exact(TILE_WORDS).take(tiles).enumerate() {
        if camera.is_far(tile[0], tile[1]) {
            continue;
        }
        let word = scene[TOUCHED + number / TILES_A_WORD].to_u32().unwrap_or(0);
        let touched = (word >> (number % TILES_A_WORD)) & 1 == 1;
        put(&world(&tile[..8]), if touched { of(f64::from(ROAD)) } else { tile[16] });
        if tile[17] > of(f64::from(ABSENT)) {
            put(&world(&tile[8..16]), tile[17]);
        }
    }
    for quad in scene[CAMERA_WORDS..].chunks_exact(QUAD_WORDS).take(CAR_QUADS) {
        put(quad, quad[8]);
    }
    list[0] = of(count as f64);
}
