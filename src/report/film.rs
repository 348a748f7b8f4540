//! Films: a few pictures side by side that move, as an animated GIF or as a strip of stills.

use super::canvas::{INK, LABEL, SOFT, paint, text_style, text_width, white};
use super::grid::{Layout, tile, write_title};
use crate::data::ImageShape;
use crate::{Error, Result};
use image::codecs::gif::{GifEncoder, Repeat};
use image::{Delay, DynamicImage, Frame, RgbImage, imageops};
use plotters::style::text_anchor::{HPos, VPos};

/// By how much moving pictures are enlarged.
const FACTOR: u32 = 3;
/// Space around moving pictures.
const GAP: u32 = 8;
/// Height of a line of text.
const LINE: u32 = LABEL + 6;

/// Pictures that move side by side.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Film {
    /// What each of them is, with its pictures, `[moments, height, width, channels]` in `[0, 1]`.
    pub tracks: Vec<(String, Vec<f32>)>,
    /// What stands under each moment.
    pub captions: Vec<String>,
}

impl Film {
    fn moment(&self, shape: ImageShape, number: usize) -> RgbImage {
        let (width, height) = (shape.width as u32 * FACTOR, shape.height as u32 * FACTOR);
        let across = self.tracks.len() as u32 * (width + GAP) + GAP;
        let mut picture = white(across, height + 2 * LINE + 2 * GAP);
        let left = |track: usize| GAP + track as u32 * (width + GAP);
        for (track, (_, images)) in self.tracks.iter().enumerate() {
            let small = tile(images, shape, number);
            let large = imageops::resize(&small, width, height, imageops::FilterType::Nearest);
            imageops::replace(&mut picture, &large, i64::from(left(track)), i64::from(GAP + LINE));
        }
        paint(&mut picture, |area| {
            let style = |colour| text_style(LABEL, false, colour, (HPos::Left, VPos::Top));
            for (track, (name, _)) in self.tracks.iter().enumerate() {
                area.draw_text(name, &style(INK), (left(track) as i32, GAP as i32))?;
            }
            let caption = self.captions.get(number).map_or("", String::as_str);
            area.draw_text(caption, &style(SOFT), (GAP as i32, (height + GAP + LINE + 4) as i32))
        });
        picture
    }

    /// An animated GIF, `delay` milliseconds a moment.
    ///
    /// # Errors
    /// [`Error::Internal`] if the encoder refuses.
    pub fn animation(&self, shape: ImageShape, delay: u32) -> Result<Vec<u8>> {
        let refused = |problem| Error::Internal(format!("encoding an animation: {problem}"));
        let mut bytes = Vec::new();
        {
            let mut encoder = GifEncoder::new_with_speed(&mut bytes, 10);
            encoder.set_repeat(Repeat::Infinite).map_err(refused)?;
            let frame = |number| {
                let picture = DynamicImage::ImageRgb8(self.moment(shape, number)).to_rgba8();
                Frame::from_parts(picture, 0, 0, Delay::from_numer_denom_ms(delay, 1))
            };
            encoder.encode_frames((0..self.captions.len()).map(frame)).map_err(refused)?;
        }
        Ok(bytes)
    }

    /// `columns` moments, equally far apart, each with its pictures one above the other.
    pub fn strip(&self, shape: ImageShape, columns: usize, title: &str) -> RgbImage {
        let columns = columns.clamp(1, self.captions.len().max(1));
        let layout = Layout::new(columns, self.tracks.len(), shape, (4, 4), (0, 0));
        let widest = self.tracks.iter().map(|(name, _)| text_width(name, LABEL, false)).max();
        let left = widest.unwrap_or(0) + 14;
        let (mut picture, corner) = layout.picture(left, 0);
        for (row, (_, images)) in self.tracks.iter().enumerate() {
            for column in 0..columns {
                let number =
                    column * self.captions.len().saturating_sub(1) / columns.max(2).saturating_sub(1);
                layout.put(&mut picture, corner, (column, row), &tile(images, shape, number));
            }
        }
        paint(&mut picture, |area| {
            write_title(area, title, corner.0 - left)?;
            for (row, (name, _)) in self.tracks.iter().enumerate() {
                let middle = (corner.1 + layout.y(row) + layout.height / 2) as i32;
                let style = text_style(LABEL, false, INK, (HPos::Right, VPos::Center));
                area.draw_text(name, &style, (corner.0 as i32 - 12, middle))?;
            }
            Ok(())
        });
        picture
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::AnimationDecoder;

    const SHAPE: ImageShape = ImageShape { width: 4, height: 3, channels: 3 };

    fn film() -> Film {
        let images = |shift: usize| (0..5 * 36).map(|i| ((i / 36 + shift) % 5) as f32 / 5.0).collect();
        Film {
            tracks: vec![("seen".into(), images(0)), ("rebuilt".into(), images(1))],
            captions: (0..5).map(|step| format!("step {step}")).collect(),
        }
    }

    #[test]
    fn an_animation_has_all_moments() {
        let bytes = film().animation(SHAPE, 40).unwrap();
        let decoder = image::codecs::gif::GifDecoder::new(std::io::Cursor::new(bytes)).unwrap();
        let frames = decoder.into_frames().collect_frames().unwrap();
        assert_eq!(frames.len(), 5);
        assert_ne!(frames[0].buffer(), frames[4].buffer());
    }

    #[test]
    fn a_strip_has_a_row_for_each_track() {
        let both = film().strip(SHAPE, 3, "toy");
        let mut one = film();
        one.tracks.truncate(1);
        assert!(both.height() > one.strip(SHAPE, 3, "toy").height());
    }
}
