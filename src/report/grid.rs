//! Grids of images. Small images are enlarged by a whole factor, so that each pixel stays a square.

use image::{Rgb, RgbImage, imageops};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::axes::number;
use super::canvas::{
    Area, Drawn, FRAME, INK, LABEL, SOFT, TITLE, fitting, paint, text_style, text_width, white,
};
use crate::data::ImageShape;

/// The space around a picture.
pub(super) const MARGIN: u32 = 24;
/// Height from the top of a picture to the tiles, if it has a title.
const HEADER: u32 = 62;
/// Smallest width of a picture, so that its title fits.
const NARROWEST: u32 = 420;
/// Tiles are enlarged while all of them stay within this many pixels...
const COMFORTABLE: usize = 1120;
/// ... by at most this factor, and shrunk when they are larger than this.
const LARGEST_FACTOR: usize = 8;
const LARGEST: usize = 3700;

/// A pixel value: a float in `[0, 1]`, or a byte.
pub(super) trait Value: Copy {
    fn byte(self) -> u8;
}

impl Value for u8 {
    fn byte(self) -> u8 {
        self
    }
}

impl Value for f32 {
    fn byte(self) -> u8 {
        (self.clamp(0.0, 1.0) * 255.0).round() as u8
    }
}

/// Image `index` of `values` (`[count, height, width, channels]`).
pub(super) fn tile<V: Value>(values: &[V], shape: ImageShape, index: usize) -> RgbImage {
    let first = index * shape.pixels();
    RgbImage::from_fn(shape.width.max(1) as u32, shape.height.max(1) as u32, |x, y| {
        let pixel = first + (y as usize * shape.width + x as usize) * shape.channels;
        Rgb([0, 1, 2].map(|channel| {
            let at = pixel + channel.min(shape.channels.saturating_sub(1));
            values.get(at).map_or(0, |value| value.byte())
        }))
    })
}

/// Number of whole images in `values`.
fn count<V>(values: &[V], shape: ImageShape) -> usize {
    values.len() / shape.pixels().max(1)
}

/// The layout of the tiles: `columns` by `rows`, beginning at a corner of the picture.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    columns: usize,
    rows: usize,
    /// One tile's size on the picture.
    width: u32,
    pub(super) height: u32,
    /// White pixels between columns, between rows, and more of them after every `group` rows.
    gap: (u32, u32),
    group: (usize, u32),
}

impl Layout {
    pub(super) fn new(
        columns: usize,
        rows: usize,
        shape: ImageShape,
        gap: (u32, u32),
        group: (usize, u32),
    ) -> Self {
        let (columns, rows) = (columns.clamp(1, LARGEST), rows.clamp(1, LARGEST));
        let (width, height) = (columns * shape.width.max(1), rows * shape.height.max(1));
        let gaps = (columns - 1) * gap.0 as usize;
        let vertical = (rows - 1) * gap.1 as usize + (rows / group.0.max(1)) * group.1 as usize;
        if width + gaps <= LARGEST && height + vertical <= LARGEST {
            let factor = (COMFORTABLE / width).min(2 * COMFORTABLE / height).clamp(1, LARGEST_FACTOR);
            let (width, height) = (shape.width.max(1) * factor, shape.height.max(1) * factor);
            return Self { columns, rows, width: width as u32, height: height as u32, gap, group };
        }
        // Leave out gaps that would fill the picture.
        let (gap, group) = if gaps.max(vertical) > LARGEST / 2 { ((0, 0), (0, 0)) } else { (gap, group) };
        let (gaps, vertical) = if gap == (0, 0) { (0, 0) } else { (gaps, vertical) };
        let factor =
            ((LARGEST - gaps) as f64 / width as f64).min((LARGEST - vertical) as f64 / height as f64);
        let shrunk = |size: usize| ((size.max(1) as f64 * factor) as u32).max(1);
        Self { columns, rows, width: shrunk(shape.width), height: shrunk(shape.height), gap, group }
    }

    fn x(&self, column: usize) -> u32 {
        column as u32 * (self.width + self.gap.0)
    }

    pub(super) fn y(&self, row: usize) -> u32 {
        let groups = row.checked_div(self.group.0).unwrap_or(0) as u32;
        row as u32 * (self.height + self.gap.1) + groups * self.group.1
    }

    fn size(&self) -> (u32, u32) {
        (self.x(self.columns - 1) + self.width, self.y(self.rows - 1) + self.height)
    }

    /// A white picture with room for the tiles, `left` pixels on their left and `below` under them, and the
    /// corner where they begin.
    pub(super) fn picture(&self, left: u32, below: u32) -> (RgbImage, (u32, u32)) {
        let (width, height) = self.size();
        let all = (2 * MARGIN + left + width).max(NARROWEST);
        (white(all, HEADER + height + below + MARGIN), ((all - left - width) / 2 + left, HEADER))
    }

    /// Puts `tile` at a place of the grid.
    pub(super) fn put(
        &self,
        picture: &mut RgbImage,
        corner: (u32, u32),
        place: (usize, usize),
        tile: &RgbImage,
    ) {
        let fitted = if self.width >= tile.width() && self.height >= tile.height() {
            imageops::resize(tile, self.width, self.height, imageops::FilterType::Nearest)
        } else {
            imageops::thumbnail(tile, self.width, self.height)
        };
        let (x, y) = (corner.0 + self.x(place.0), corner.1 + self.y(place.1));
        imageops::replace(picture, &fitted, i64::from(x), i64::from(y));
    }
}

/// The title, from `left` on.
pub(super) fn write_title(area: &Area<'_>, title: &str, left: u32) -> Drawn {
    let width = area.dim_in_pixel().0.saturating_sub(left + MARGIN);
    let title = fitting(title, TITLE, true, width);
    area.draw_text(&title, &text_style(TITLE, true, INK, (HPos::Left, VPos::Center)), (left as i32, 34))
}

/// `images` row by row, `columns` of them across, on a picture with a title.
fn plain(images: &[f32], shape: ImageShape, grid: (usize, usize), gap: (u32, u32), title: &str) -> RgbImage {
    let shown = count(images, shape).min(grid.0 * grid.1);
    let layout = Layout::new(grid.0, grid.1, shape, gap, (0, 0));
    let (mut picture, corner) = layout.picture(0, 0);
    for index in 0..shown {
        let place = (index % layout.columns, index / layout.columns);
        layout.put(&mut picture, corner, place, &tile(images, shape, index));
    }
    paint(&mut picture, |area| {
        write_title(area, title, corner.0)?;
        if shown == 0 { write_nothing(area, corner) } else { Ok(()) }
    });
    picture
}

fn write_nothing(area: &Area<'_>, corner: (u32, u32)) -> Drawn {
    let style = text_style(LABEL, false, SOFT, (HPos::Left, VPos::Top));
    area.draw_text("no images", &style, (corner.0 as i32, corner.1 as i32))
}

/// Images drawn from the model, `columns` in a row.
///
/// `images` is `[count, height, width, channels]` in `[0, 1]`; values outside are clamped.
pub fn samples(images: &[f32], shape: ImageShape, columns: usize, title: &str) -> RgbImage {
    let shown = count(images, shape);
    let columns = columns.clamp(1, shown.max(1));
    plain(images, shape, (columns, shown.div_ceil(columns)), (3, 3), title)
}

/// `rows` paths through the latent space of `columns` images each, every row from one image to another.
///
/// `images` is `[rows * columns, height, width, channels]` in `[0, 1]`.
pub fn interpolation(
    images: &[f32],
    shape: ImageShape,
    rows: usize,
    columns: usize,
    title: &str,
) -> RgbImage {
    plain(images, shape, (columns.max(1), rows.max(1)), (2, 10), title)
}

/// Originals, each with its reconstruction right under it.
///
/// `originals` are bytes and `reconstructions` values in `[0, 1]`, both `[count, height, width, channels]`; the
/// shorter of the two decides how many pairs there are.
pub fn reconstructions(
    originals: &[u8],
    reconstructions: &[f32],
    shape: ImageShape,
    title: &str,
) -> RgbImage {
    let pairs = count(originals, shape).min(count(reconstructions, shape));
    stacked(["original", "reconstruction"], pairs, shape, title, |row, index| match row {
        0 => tile(originals, shape, index),
        _ => tile(reconstructions, shape, index),
    })
}

/// Corrupted images, under each what a denoising autoencoder makes of it, and under that the original.
///
/// `originals` are bytes, `corrupted` and `reconstructions` values in `[0, 1]` (values outside are clamped), all
/// `[count, height, width, channels]`; the shortest decides how many there are.
pub fn denoised(
    originals: &[u8],
    [corrupted, reconstructions]: [&[f32]; 2],
    shape: ImageShape,
    title: &str,
) -> RgbImage {
    let shown = count(originals, shape).min(count(corrupted, shape)).min(count(reconstructions, shape));
    stacked(["corrupted", "reconstruction", "original"], shown, shape, title, |row, index| match row {
        0 => tile(corrupted, shape, index),
        1 => tile(reconstructions, shape, index),
        _ => tile(originals, shape, index),
    })
}

/// `shown` stacks of images: `tile` gives the image of a row, whose name is in `names`, and a stack.
fn stacked<const N: usize>(
    names: [&str; N],
    shown: usize,
    shape: ImageShape,
    title: &str,
    tile: impl Fn(usize, usize) -> RgbImage,
) -> RgbImage {
    // Full rows where the number allows it.
    let most = (COMFORTABLE / shape.width.max(1)).clamp(4, 12);
    let columns = (most / 2 + 1..=most).rev().find(|columns| shown.is_multiple_of(*columns)).unwrap_or(most);
    let columns = columns.min(shown).max(1);
    let layout = Layout::new(columns, N * shown.div_ceil(columns), shape, (3, 2), (N, 14));
    let widest = names.map(|name| text_width(name, LABEL, false)).into_iter().max().unwrap_or_default();
    // Rows too low for a line of text are left without their names.
    let left = if layout.height >= 16 { widest + 12 } else { 0 };
    let (mut picture, corner) = layout.picture(left, 0);
    for index in 0..shown {
        for row in 0..N {
            let place = (index % columns, N * (index / columns) + row);
            layout.put(&mut picture, corner, place, &tile(row, index));
        }
    }
    paint(&mut picture, |area| {
        write_title(area, title, corner.0 - left)?;
        if shown == 0 {
            return write_nothing(area, corner);
        }
        let style = text_style(LABEL, false, SOFT, (HPos::Right, VPos::Center));
        for row in (0..layout.rows).filter(|_| left > 0) {
            let y = corner.1 + layout.y(row) + layout.height / 2;
            area.draw_text(names[row % N], &style, (corner.0 as i32 - 12, y as i32))?;
        }
        Ok(())
    });
    picture
}

/// The decoder's images over a grid of the two-dimensional latent space, without gaps.
///
/// `images` is `[side * side, height, width, channels]` in `[0, 1]`, row by row from the top; `axis_values` are
/// the `side` latent coordinates in ascending order ([`super::manifold_axis`]). z1 grows to the right and z2
/// grows upwards: row 0 has the **largest** z2.
pub fn manifold(
    images: &[f32],
    shape: ImageShape,
    side: usize,
    axis_values: &[f64],
    title: &str,
) -> RgbImage {
    let side = side.max(1);
    let layout = Layout::new(side, side, shape, (0, 0), (0, 0));
    let (mut picture, corner) = layout.picture(76, 56);
    let shown = count(images, shape).min(side * side);
    for index in 0..shown {
        layout.put(&mut picture, corner, (index % side, index / side), &tile(images, shape, index));
    }
    paint(&mut picture, |area| {
        write_title(area, title, corner.0)?;
        if shown == 0 {
            return write_nothing(area, corner);
        }
        write_axes(area, &layout, corner, axis_values)
    });
    picture
}

/// Ticks at tile centres and the names of the two latent coordinates.
fn write_axes(area: &Area<'_>, layout: &Layout, corner: (u32, u32), values: &[f64]) -> Drawn {
    let (left, top) = (corner.0 as i32, corner.1 as i32);
    let (width, height) = (layout.size().0 as i32, layout.size().1 as i32);
    let (tile_width, tile_height) = (layout.width as i32, layout.height as i32);
    let across = text_style(LABEL, false, SOFT, (HPos::Center, VPos::Top));
    let up = text_style(LABEL, false, SOFT, (HPos::Right, VPos::Center));
    let line = |from, to| PathElement::new(vec![from, to], FRAME.stroke_width(1));
    let known = values.len().min(layout.columns);
    // A label needs about 60 pixels across and 30 down: one choice serves both axes.
    let room = (width / 60).min(height / 30).max(1) as usize;
    for index in spread(known, room.min(9)) {
        let label = number(values[index], 2);
        let x = left + index as i32 * tile_width + tile_width / 2;
        let y = top + height - 1 - (index as i32 * tile_height + tile_height / 2);
        area.draw(&line((x, top + height + 1), (x, top + height + 5)))?;
        area.draw_text(&label, &across, (x, top + height + 9))?;
        area.draw(&line((left - 6, y), (left - 2, y)))?;
        area.draw_text(&label, &up, (left - 11, y))?;
    }
    let name = |anchor| text_style(LABEL + 2, false, INK, anchor);
    area.draw_text("z1", &name((HPos::Center, VPos::Bottom)), (left + width / 2, top + height + 54))?;
    area.draw_text("z2", &name((HPos::Left, VPos::Center)), (left - 74, top + height / 2))
}

/// At most `most` of the numbers below `count`, with both ends, symmetric about the middle where that is possible.
fn spread(count: usize, most: usize) -> Vec<usize> {
    match (count, most.min(count)) {
        (0, _) => Vec::new(),
        (_, 0 | 1) => vec![count / 2],
        (_, most) => {
            let even = |n: usize| (count - 1).is_multiple_of(n - 1);
            let parity = (2..=most).rev().find(|n| n % 2 == count % 2).unwrap_or(most);
            let ticks = (most.div_ceil(2).max(2)..=most).rev().find(|&n| even(n)).unwrap_or(parity);
            (0..ticks).map(|i| (i * (count - 1) * 2 + ticks - 1) / (2 * (ticks - 1))).collect()
        }
    }
}

#[cfg(test)]
#[path = "grid_tests.rs"]
mod tests;
