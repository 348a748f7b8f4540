//! The surface that pictures are drawn on: a plotters backend over an RGB image, with its own text.
//!
//! plotters places glyphs on whole pixels and drops their left bearings, so text is set here from the glyph
//! outlines. The fonts are Noto Sans Regular and Bold (SIL Open Font License 1.1), compiled in: a machine
//! without any font draws the same picture.

use std::convert::Infallible;
use std::sync::OnceLock;

use ab_glyph::{Font, FontRef, PxScale, ScaleFont, point};
use image::{Rgb, RgbImage};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters_backend::{BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingErrorKind};

/// Charts are drawn this many times larger and then averaged down: smooth lines, points between pixels.
pub(super) const SCALE: u32 = 3;
/// Titles.
pub(super) const INK: RGBColor = RGBColor(0x22, 0x26, 0x2b);
/// Labels.
pub(super) const SOFT: RGBColor = RGBColor(0x55, 0x5c, 0x66);
/// The lines behind a chart.
pub(super) const FAINT: RGBColor = RGBColor(0xe6, 0xe8, 0xeb);
/// Axes and frames.
pub(super) const FRAME: RGBColor = RGBColor(0xa8, 0xae, 0xb6);
/// The size of a title, in pixels to the em.
pub(super) const TITLE: u32 = 19;
/// The size of all other text.
pub(super) const LABEL: u32 = 14;

/// Result of a drawing function.
pub(super) type Drawn<T = ()> = Result<T, DrawingAreaErrorKind<Infallible>>;
/// A drawing area addressed in pixels.
pub(super) type Area<'a> = DrawingArea<Canvas<'a>, Shift>;

/// A plotters backend over `image`.
pub(super) struct Canvas<'a> {
    image: &'a mut RgbImage,
}

/// Draws onto `image` as it is, pixel for pixel.
pub(super) fn paint(image: &mut RgbImage, draw: impl FnOnce(&Area<'_>) -> Drawn) {
    let area = Canvas { image }.into_drawing_area();
    // This backend never fails; plotters itself may (a size, a lock).
    if let Err(problem) = draw(&area) {
        log::error!("a picture is incomplete: {problem}");
    }
}

/// A new white picture, drawn [`SCALE`] times larger: `draw` multiplies its sizes by it.
pub(super) fn chart(width: u32, height: u32, draw: impl FnOnce(&Area<'_>) -> Drawn) -> RgbImage {
    let mut large = white(width * SCALE, height * SCALE);
    paint(&mut large, draw);
    image::imageops::thumbnail(&large, width, height)
}

/// A white picture.
pub(super) fn white(width: u32, height: u32) -> RgbImage {
    RgbImage::from_pixel(width.max(1), height.max(1), Rgb([255; 3]))
}

/// How text looks: `size` in pixels to the em, `anchor` the point of the text that is put at its position.
pub(super) fn text_style(
    size: u32,
    bold: bool,
    colour: RGBColor,
    anchor: (HPos, VPos),
) -> TextStyle<'static> {
    let style = if bold { FontStyle::Bold } else { FontStyle::Normal };
    FontDesc::new(FontFamily::SansSerif, f64::from(size), style)
        .color(&colour)
        .pos(Pos::new(anchor.0, anchor.1))
}

/// The width of `text` in pixels.
pub(super) fn text_width(text: &str, size: u32, bold: bool) -> u32 {
    fonts().map_or(0, |fonts| glyphs(&fonts[usize::from(bold)], text, size as f32).1.ceil() as u32)
}

/// `text`, cut with an ellipsis where it is wider than `width` pixels.
pub(super) fn fitting(text: &str, size: u32, bold: bool, width: u32) -> String {
    // A line break has no glyph: a title is one line.
    let mut text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(400).collect();
    if text_width(&text, size, bold) <= width {
        return text;
    }
    while text.pop().is_some() {
        let cut = format!("{}…", text.trim_end());
        if text_width(&cut, size, bold) <= width {
            return cut;
        }
    }
    text
}

fn fonts() -> Option<&'static [FontRef<'static>; 2]> {
    static FONTS: OnceLock<Option<[FontRef<'static>; 2]>> = OnceLock::new();
    let load = |bytes| FontRef::try_from_slice(bytes).ok();
    FONTS.get_or_init(|| Some([load(notosans::REGULAR_TTF)?, load(notosans::BOLD_TTF)?])).as_ref()
}

/// The glyphs of one line of text with its baseline at `y = 0`, and its width.
fn glyphs(font: &FontRef<'static>, text: &str, size: f32) -> (Vec<ab_glyph::Glyph>, f32) {
    // ab_glyph scales by ascent minus descent; sizes here are pixels to the em.
    let units = font.units_per_em().unwrap_or(1000.0);
    let scale = PxScale::from(size * font.height_unscaled() / units);
    let scaled = font.as_scaled(scale);
    let (mut placed, mut x, mut previous) = (Vec::new(), 0.0, None);
    for character in text.chars() {
        let id = font.glyph_id(character);
        if let Some(previous) = previous {
            x += scaled.kern(previous, id);
        }
        placed.push(id.with_scale_and_position(scale, point(x, 0.0)));
        x += scaled.h_advance(id);
        previous = Some(id);
    }
    (placed, x)
}

impl Canvas<'_> {
    fn blend(&mut self, (x, y): BackendCoord, colour: BackendColor) {
        let (Ok(x), Ok(y)) = (u32::try_from(x), u32::try_from(y)) else { return };
        if let Some(Rgb(pixel)) = self.image.get_pixel_mut_checked(x, y) {
            let alpha = colour.alpha.clamp(0.0, 1.0) as f32;
            for (old, new) in pixel.iter_mut().zip(<[u8; 3]>::from(colour.rgb)) {
                *old = (f32::from(*old) + (f32::from(new) - f32::from(*old)) * alpha).round() as u8;
            }
        }
    }
}

type Done = Result<(), DrawingErrorKind<Infallible>>;

impl DrawingBackend for Canvas<'_> {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        self.image.dimensions()
    }

    fn ensure_prepared(&mut self) -> Done {
        Ok(())
    }

    fn present(&mut self) -> Done {
        Ok(())
    }

    fn draw_pixel(&mut self, point: BackendCoord, colour: BackendColor) -> Done {
        self.blend(point, colour);
        Ok(())
    }

    /// plotters' own circles blend their middle several times, which shows when they are translucent.
    fn draw_circle<S: BackendStyle>(
        &mut self,
        centre: BackendCoord,
        radius: u32,
        style: &S,
        fill: bool,
    ) -> Done {
        let (radius, colour) = (radius as i32, style.color());
        let half_width = f64::from(style.stroke_width()) / 2.0;
        for y in -radius - 1..=radius + 1 {
            for x in -radius - 1..=radius + 1 {
                let distance = f64::from(x * x + y * y).sqrt() - f64::from(radius);
                let inside = if fill { -distance } else { half_width - distance.abs() };
                let cover = (inside + 0.5).clamp(0.0, 1.0);
                if cover > 0.0 {
                    let colour = BackendColor { alpha: colour.alpha * cover, rgb: colour.rgb };
                    self.blend((centre.0 + x, centre.1 + y), colour);
                }
            }
        }
        Ok(())
    }

    fn draw_text<S: BackendTextStyle>(&mut self, text: &str, style: &S, position: BackendCoord) -> Done {
        let Some(fonts) = fonts() else { return Ok(()) };
        let font = &fonts[usize::from(matches!(style.style(), FontStyle::Bold))];
        let (size, colour) = (style.size() as f32, style.color());
        let (placed, width) = glyphs(font, text, size);
        let left = match style.anchor().h_pos {
            HPos::Left => 0.0,
            HPos::Center => -width / 2.0,
            HPos::Right => -width,
        };
        // The line is 1.2 em high with its middle at half a capital (0.357 em), so that digits are centred.
        let baseline = match style.anchor().v_pos {
            VPos::Top => 0.957 * size,
            VPos::Center => 0.357 * size,
            VPos::Bottom => -0.243 * size,
        };
        let (left, baseline) = (left.round(), baseline.round());
        for mut glyph in placed {
            glyph.position.x += left;
            glyph.position.y += baseline;
            let Some(outline) = font.outline_glyph(glyph) else { continue };
            let corner = outline.px_bounds().min;
            outline.draw(|x, y, cover| {
                let (x, y) = (corner.x as i32 + x as i32, corner.y as i32 + y as i32);
                let (x, y) = style.transform().transform(x, y);
                let colour = BackendColor { alpha: colour.alpha * f64::from(cover), rgb: colour.rgb };
                self.blend((position.0 + x, position.1 + y), colour);
            });
        }
        Ok(())
    }

    fn estimate_text_size<S: BackendTextStyle>(
        &self,
        text: &str,
        style: &S,
    ) -> Result<(u32, u32), DrawingErrorKind<Infallible>> {
        let bold = matches!(style.style(), FontStyle::Bold);
        Ok((text_width(text, style.size() as u32, bold), (style.size() * 1.2).ceil() as u32))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// How many pixels of a region are darker than mid-grey.
    pub(in crate::report) fn dark(picture: &RgbImage, x: (u32, u32), y: (u32, u32)) -> usize {
        let all = (y.0..y.1.min(picture.height()))
            .flat_map(|y| (x.0..x.1.min(picture.width())).map(move |x| (x, y)));
        all.filter(|&(x, y)| picture.get_pixel(x, y).0.iter().all(|&v| v < 128)).count()
    }

    #[test]
    fn text_is_drawn_and_anchored() {
        let write = |anchor| {
            let mut picture = white(200, 60);
            let style = text_style(TITLE, true, INK, anchor);
            paint(&mut picture, |area| area.draw_text("latent", &style, (100, 30)));
            picture
        };
        let left = write((HPos::Left, VPos::Center));
        assert!(dark(&left, (100, 200), (0, 60)) > 100);
        assert_eq!(dark(&left, (0, 98), (0, 60)), 0);
        let right = write((HPos::Right, VPos::Center));
        assert_eq!(dark(&right, (102, 200), (0, 60)), 0);
        assert_eq!(dark(&write((HPos::Left, VPos::Top)), (0, 200), (0, 29)), 0);
        assert_eq!(dark(&write((HPos::Left, VPos::Bottom)), (0, 200), (31, 60)), 0);
    }

    #[test]
    fn every_character_of_the_pictures_has_a_glyph() {
        for font in fonts().unwrap() {
            for character in "azAZ09 −–…·,.:×".chars() {
                assert_ne!(font.glyph_id(character).0, 0, "{character}");
            }
        }
    }

    #[test]
    fn long_text_is_cut_to_its_width() {
        assert_eq!(fitting("short", LABEL, false, 200), "short");
        let cut = fitting("a title that goes on and on, far past the picture", LABEL, false, 120);
        assert!(cut.ends_with('…') && text_width(&cut, LABEL, false) <= 120, "{cut}");
        assert_eq!(fitting("anything", LABEL, false, 0), "");
    }

    #[test]
    fn drawing_outside_is_harmless() {
        let mut picture = white(10, 10);
        let mut canvas = Canvas { image: &mut picture };
        let text = text_style(LABEL, false, INK, (HPos::Left, VPos::Top));
        canvas.draw_circle((-9, 40), 8, &INK.filled(), true).unwrap();
        canvas.draw_circle((30, -30), 8, &INK.filled(), false).unwrap();
        canvas.draw_text("far away", &text, (-400, 900)).unwrap();
        assert_eq!(picture, white(10, 10));
    }
}
