//! Pictures of latent traversals.

use super::canvas::{INK, LABEL, SOFT, paint, text_style, text_width};
use super::grid::{Layout, MARGIN, tile, write_title};
use crate::data::ImageShape;
use crate::{Error, Result};
use image::codecs::gif::{GifEncoder, Repeat};
use image::{Delay, DynamicImage, Frame, RgbImage};
use plotters::style::text_anchor::{HPos, VPos};

/// What is written beside the images of one latent dimension.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TraversalRow {
    /// Its name.
    pub name: String,
    /// How much it carries.
    pub carries: String,
    /// The factor that it follows.
    pub factor: Option<String>,
}

impl TraversalRow {
    fn lines(&self) -> [String; 2] {
        [format!("{}  {}", self.name, self.carries), self.factor.clone().unwrap_or_default()]
    }
}

/// Space for the names on the left.
fn names_width(rows: &[TraversalRow]) -> u32 {
    let lines = rows.iter().flat_map(TraversalRow::lines);
    lines.map(|line| text_width(&line, LABEL, false)).max().unwrap_or(0) + 14
}

/// A row of `steps` images for each of `rows`.
///
/// `images` is `[rows * steps, height, width, channels]` in `[0, 1]`.
pub fn traversal(
    images: &[f32],
    shape: ImageShape,
    steps: usize,
    rows: &[TraversalRow],
    title: &str,
) -> RgbImage {
    let layout = Layout::new(steps, rows.len(), shape, (2, 6), (0, 0));
    let left = names_width(rows);
    let (mut picture, corner) = layout.picture(left, 0);
    for index in 0..rows.len() * steps {
        layout.put(&mut picture, corner, (index % steps, index / steps), &tile(images, shape, index));
    }
    paint(&mut picture, |area| {
        write_title(area, title, corner.0 - left)?;
        for (number, row) in rows.iter().enumerate() {
            let middle = (corner.1 + layout.y(number) + layout.height / 2) as i32;
            let [first, second] = row.lines();
            // Rows too low for two lines of text have one.
            let two = !second.is_empty() && layout.height >= 2 * LABEL + 6;
            let shift = if two { LABEL as i32 / 2 + 2 } else { 0 };
            let at = |y: i32| (corner.0 as i32 - 12, y);
            let style =
                |colour| text_style(LABEL.min(layout.height), false, colour, (HPos::Right, VPos::Center));
            area.draw_text(&first, &style(INK), at(middle - shift))?;
            if two {
                area.draw_text(&second, &style(SOFT), at(middle + shift))?;
            }
        }
        Ok(())
    });
    picture
}

/// One frame for each step, there and back: the images of all `rows`, each with its name below.
///
/// # Errors
/// [`Error::Internal`] if the encoder refuses.
pub fn traversal_animation(
    images: &[f32],
    shape: ImageShape,
    steps: usize,
    rows: &[TraversalRow],
) -> Result<Vec<u8>> {
    const LINE: u32 = LABEL + 6;
    let columns = rows.len().min(5);
    // A tile has room for its two lines of text.
    let widest = names_width(rows);
    let factor = (128 / shape.width.max(1) as u32).max(1);
    let (width, height) = (shape.width as u32 * factor, shape.height as u32 * factor);
    let cell = (width.max(widest) + 8, height + 2 * LINE + 12);
    let frame = |step: usize| {
        let size =
            (2 * MARGIN + columns as u32 * cell.0, MARGIN + rows.len().div_ceil(columns) as u32 * cell.1);
        let mut picture = super::canvas::white(size.0, size.1);
        let corner =
            |row: usize| (MARGIN + (row % columns) as u32 * cell.0, MARGIN + (row / columns) as u32 * cell.1);
        for row in 0..rows.len() {
            let image = tile(images, shape, row * steps + step);
            let large = image::imageops::resize(&image, width, height, image::imageops::FilterType::Nearest);
            let (x, y) = corner(row);
            image::imageops::replace(&mut picture, &large, i64::from(x), i64::from(y));
        }
        paint(&mut picture, |area| {
            for (number, row) in rows.iter().enumerate() {
                let (x, y) = corner(number);
                for (line, (text, colour)) in (0..).zip(row.lines().iter().zip([INK, SOFT])) {
                    let style = text_style(LABEL, false, colour, (HPos::Left, VPos::Top));
                    area.draw_text(text, &style, (x as i32, (y + height + 4 + line * LINE) as i32))?;
                }
            }
            Ok(())
        });
        Frame::from_parts(
            DynamicImage::ImageRgb8(picture).to_rgba8(),
            0,
            0,
            Delay::from_numer_denom_ms(90, 1),
        )
    };
    let refused = |problem| Error::Internal(format!("encoding an animation: {problem}"));
    let mut bytes = Vec::new();
    {
        let mut encoder = GifEncoder::new_with_speed(&mut bytes, 10);
        encoder.set_repeat(Repeat::Infinite).map_err(refused)?;
        let back = (1..steps.saturating_sub(1)).rev();
        encoder.encode_frames((0..steps).chain(back).map(frame)).map_err(refused)?;
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::AnimationDecoder;

    const SHAPE: ImageShape = ImageShape { width: 4, height: 3, channels: 1 };

    fn rows(factor: Option<&str>) -> Vec<TraversalRow> {
        let row = |i: usize| TraversalRow {
            name: format!("z{i}"),
            carries: "KL 1.25".into(),
            factor: factor.map(str::to_string),
        };
        (0..3).map(row).collect()
    }

    #[test]
    fn a_picture_has_a_row_for_each_dimension_with_its_names() {
        let images: Vec<f32> = (0..3 * 5 * 12).map(|i| (i / 12) as f32 / 15.0).collect();
        let plain = traversal(&images, SHAPE, 5, &rows(None), "toy");
        let named = traversal(&images, SHAPE, 5, &rows(Some("position_x 93 %")), "toy");
        assert!(named.width() >= plain.width() && named.height() == plain.height());
        assert_ne!(named, plain);
    }

    #[test]
    fn an_animation_goes_there_and_back() {
        let images: Vec<f32> = (0..3 * 5 * 12).map(|i| (i / 12 % 5) as f32 / 5.0).collect();
        let bytes = traversal_animation(&images, SHAPE, 5, &rows(None)).unwrap();
        let decoder = image::codecs::gif::GifDecoder::new(std::io::Cursor::new(bytes)).unwrap();
        let frames = decoder.into_frames().collect_frames().unwrap();
        assert_eq!(frames.len(), 8);
        assert_eq!(frames[1].buffer(), frames[7].buffer());
        assert_ne!(frames[0].buffer(), frames[4].buffer());
    }
}
