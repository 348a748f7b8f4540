//! Drawings as lists of shapes: written as SVG, whose colours follow the page they stand in, and painted as PNG.

use std::fmt::Write as _;

use image::{RgbImage, Rgba, RgbaImage, imageops};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::canvas::{FAINT, FRAME, INK, SCALE, SOFT, paint, text_style, white};
use super::latent::class_colour;

/// A point, in pixels from the top left corner.
pub(crate) type Point = (f64, f64);

/// A colour by its use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Colour {
    /// Titles and nodes.
    Ink,
    /// Labels.
    Soft,
    /// Grid lines.
    Faint,
    /// Axes and frames.
    Frame,
    /// The background.
    Paper,
    /// One of ten distinct colours: see [`class_colour`].
    Series(usize),
}

/// The ten colours where the page is dark: the same hues, light enough to stand out.
const ON_DARK: [&str; 10] = [
    "#5b9cf0", "#f5b93a", "#3fbf8a", "#f0626b", "#b184e8", "#c08a5e", "#fe9fd0", "#b9abc0", "#a8f05a",
    "#7fd6f7",
];

impl Colour {
    fn rgb(self) -> RGBColor {
        match self {
            Self::Ink => INK,
            Self::Soft => SOFT,
            Self::Faint => FAINT,
            Self::Frame => FRAME,
            Self::Paper => WHITE,
            Self::Series(index) => {
                let [red, green, blue] = class_colour(index % 10, 10);
                RGBColor(red, green, blue)
            }
        }
    }

    /// Red, green and blue on a light page.
    pub(crate) fn bytes(self) -> [u8; 3] {
        let RGBColor(red, green, blue) = self.rgb();
        [red, green, blue]
    }

    /// The CSS variable that holds it.
    fn css(self) -> String {
        match self {
            Self::Ink => "var(--ink)".into(),
            Self::Soft => "var(--soft)".into(),
            Self::Faint => "var(--faint)".into(),
            Self::Frame => "var(--frame)".into(),
            Self::Paper => "var(--paper)".into(),
            Self::Series(index) => format!("var(--series-{})", index % 10),
        }
    }
}

/// The CSS variables of all colours, for a page that is light and one that is dark.
pub(crate) fn css_colours() -> [String; 2] {
    let hex = |colour: Colour| {
        let [red, green, blue] = colour.bytes();
        format!("#{red:02x}{green:02x}{blue:02x}")
    };
    let mut light = String::new();
    for (name, colour) in
        [("ink", Colour::Ink), ("soft", Colour::Soft), ("faint", Colour::Faint), ("frame", Colour::Frame)]
    {
        let _ = write!(light, "--{name}:{};", hex(colour));
    }
    light += "--paper:#ffffff;";
    let mut dark =
        String::from("--ink:#e8eaed;--soft:#a9b0b9;--faint:#2c323a;--frame:#5a626d;--paper:#15181d;");
    for (index, on_dark) in ON_DARK.iter().enumerate() {
        let _ = write!(light, "--series-{index}:{};", hex(Colour::Series(index)));
        let _ = write!(dark, "--series-{index}:{on_dark};");
    }
    [light, dark]
}

/// Position of a text relative to its point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Anchor {
    /// The text begins there.
    Start,
    /// Its middle is there.
    Middle,
    /// It ends there.
    End,
}

/// Style of a text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Type {
    /// Pixels to the em.
    pub(crate) size: u32,
    pub(crate) bold: bool,
    pub(crate) colour: Colour,
    pub(crate) anchor: Anchor,
    /// Read from bottom to top.
    pub(crate) turned: bool,
}

#[derive(Clone, Debug)]
enum Shape {
    Path { points: Vec<Point>, closed: bool, fill: Option<(Colour, f64)>, stroke: Option<(Colour, f64)> },
    Dots { centres: Vec<Point>, radius: f64, colour: Colour, opacity: f64 },
    Text { at: Point, text: String, look: Type },
    Picture { at: Point, size: Point, image: RgbaImage, smooth: bool },
}

/// A drawing.
#[derive(Clone, Debug)]
pub(crate) struct Scene {
    /// Pixels across.
    pub(crate) width: f64,
    /// Pixels down.
    pub(crate) height: f64,
    shapes: Vec<Shape>,
}

impl Scene {
    pub(crate) fn new(width: f64, height: f64) -> Self {
        Self { width, height, shapes: Vec::new() }
    }

    /// A line through `points`.
    pub(crate) fn line(&mut self, points: &[Point], colour: Colour, width: f64) {
        let stroke = Some((colour, width));
        self.shapes.push(Shape::Path { points: points.to_vec(), closed: false, fill: None, stroke });
    }

    /// A line of dashes.
    pub(crate) fn dashes(&mut self, points: &[Point], colour: Colour, width: f64) {
        for dash in dashed(points, 7.0, 5.0) {
            self.line(&dash, colour, width);
        }
    }

    /// A polygon, filled with a colour of some opacity, with or without an outline.
    pub(crate) fn area(&mut self, points: &[Point], fill: (Colour, f64), stroke: Option<(Colour, f64)>) {
        self.shapes.push(Shape::Path { points: points.to_vec(), closed: true, fill: Some(fill), stroke });
    }

    /// A closed line.
    pub(crate) fn outline(&mut self, points: &[Point], colour: Colour, width: f64) {
        let stroke = Some((colour, width));
        self.shapes.push(Shape::Path { points: points.to_vec(), closed: true, fill: None, stroke });
    }

    /// A rectangle from one corner to the other.
    pub(crate) fn rectangle(&mut self, from: Point, to: Point, fill: (Colour, f64)) {
        self.area(&[from, (to.0, from.1), to, (from.0, to.1)], fill, None);
    }

    /// Filled circles.
    pub(crate) fn dots(&mut self, centres: Vec<Point>, radius: f64, colour: Colour, opacity: f64) {
        self.shapes.push(Shape::Dots { centres, radius, colour, opacity });
    }

    /// A line of text; its middle in height is at the point.
    pub(crate) fn text(&mut self, at: Point, text: impl Into<String>, look: Type) {
        self.shapes.push(Shape::Text { at, text: text.into(), look });
    }

    /// An image, stretched to `size`; its pixels stay squares unless it is `smooth`.
    pub(crate) fn picture(&mut self, at: Point, size: Point, image: RgbaImage, smooth: bool) {
        self.shapes.push(Shape::Picture { at, size, image, smooth });
    }

    /// Painted on white, in the colours of a light page.
    pub(crate) fn to_png(&self) -> RgbImage {
        let (width, height) = (self.width.ceil() as u32, self.height.ceil() as u32);
        let mut large = white(width * SCALE, height * SCALE);
        for shape in &self.shapes {
            match shape {
                Shape::Picture { at, size, image, smooth } => overlay(&mut large, *at, *size, image, *smooth),
                shape => paint(&mut large, |area| shape.draw(area)),
            }
        }
        imageops::thumbnail(&large, width, height)
    }

    /// As an `svg` element for a page that defines the colours of [`css_colours`]. Screen readers read out `title`.
    pub(crate) fn to_svg(&self, title: &str) -> String {
        let (width, height) = (self.width, self.height);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
             height=\"{height}\" role=\"img\"><title>{}</title>",
            escaped(title)
        );
        for shape in &self.shapes {
            shape.write(&mut svg);
        }
        svg + "</svg>"
    }
}

/// The dashes of a line: `on` pixels drawn, `off` left out.
fn dashed(points: &[Point], on: f64, off: f64) -> Vec<Vec<Point>> {
    let (mut dashes, mut dash): (Vec<Vec<Point>>, Vec<Point>) = (Vec::new(), Vec::new());
    let (mut drawing, mut left) = (true, on);
    for pair in points.windows(2) {
        let (mut from, to) = (pair[0], pair[1]);
        if drawing && dash.is_empty() {
            dash.push(from);
        }
        loop {
            let length = (to.0 - from.0).hypot(to.1 - from.1);
            if length < left {
                left -= length;
                if drawing {
                    dash.push(to);
                }
                break;
            }
            let part = left / length;
            from = (from.0 + part * (to.0 - from.0), from.1 + part * (to.1 - from.1));
            dash.push(from);
            if drawing {
                dashes.push(std::mem::take(&mut dash));
            }
            drawing = !drawing;
            left = if drawing { on } else { off };
        }
    }
    if drawing && left < on {
        dashes.push(dash);
    }
    dashes
}

impl Shape {
    fn draw(&self, area: &super::canvas::Area<'_>) -> super::canvas::Drawn {
        let scale = f64::from(SCALE);
        let place = |point: &Point| ((point.0 * scale).round() as i32, (point.1 * scale).round() as i32);
        match self {
            Self::Path { points, closed, fill, stroke } => {
                let mut places: Vec<(i32, i32)> = points.iter().map(place).collect();
                if let Some((colour, opacity)) = fill {
                    area.draw(&Polygon::new(places.clone(), colour.rgb().mix(*opacity).filled()))?;
                }
                let Some((colour, width)) = stroke else { return Ok(()) };
                if *closed {
                    places.extend(places.first().copied());
                }
                let width = (width * scale).round().max(1.0) as u32;
                area.draw(&PathElement::new(places, colour.rgb().stroke_width(width)))
            }
            Self::Dots { centres, radius, colour, opacity } => {
                let style = colour.rgb().mix(*opacity).filled();
                let radius = (radius * scale).round().max(1.0) as u32;
                centres.iter().try_for_each(|at| area.draw(&Circle::new(place(at), radius, style)))
            }
            Self::Text { at, text, look } => {
                let horizontal = match look.anchor {
                    Anchor::Start => HPos::Left,
                    Anchor::Middle => HPos::Center,
                    Anchor::End => HPos::Right,
                };
                let mut style =
                    text_style(look.size * SCALE, look.bold, look.colour.rgb(), (horizontal, VPos::Center));
                if look.turned {
                    style = style.transform(FontTransform::Rotate270);
                }
                area.draw_text(text, &style, place(at))
            }
            Self::Picture { .. } => Ok(()),
        }
    }

    fn write(&self, svg: &mut String) {
        // Writing to a string does not fail.
        let _ = match self {
            Self::Path { points, closed, fill, stroke } => {
                let mut path = String::new();
                for (i, (x, y)) in points.iter().enumerate() {
                    let _ = write!(path, "{}{} {}", if i == 0 { "M" } else { "L" }, short(*x), short(*y));
                }
                let fill = fill.map_or_else(
                    || "fill=\"none\"".to_string(),
                    |(colour, opacity)| format!("fill=\"{}\" fill-opacity=\"{opacity}\"", colour.css()),
                );
                let stroke = stroke.map_or_else(String::new, |(colour, width)| {
                    format!(" stroke=\"{}\" stroke-width=\"{width}\" stroke-linejoin=\"round\"", colour.css())
                });
                write!(svg, "<path d=\"{path}{}\" {fill}{stroke}/>", if *closed { "Z" } else { "" })
            }
            Self::Dots { centres, radius, colour, opacity } => {
                // Lines of no length with round ends: a circle in a dozen letters.
                let mut path = String::new();
                for (x, y) in centres {
                    let _ = write!(path, "M{} {}h0", short(*x), short(*y));
                }
                write!(
                    svg,
                    "<path d=\"{path}\" fill=\"none\" stroke=\"{}\" stroke-width=\"{}\" stroke-linecap=\"round\" \
                     stroke-opacity=\"{opacity}\"/>",
                    colour.css(),
                    short(2.0 * radius)
                )
            }
            Self::Text { at: (x, y), text, look } => {
                let anchor = match look.anchor {
                    Anchor::Start => "start",
                    Anchor::Middle => "middle",
                    Anchor::End => "end",
                };
                let weight = if look.bold { " font-weight=\"700\"" } else { "" };
                let turn = if look.turned {
                    format!(" transform=\"rotate(-90 {} {})\"", short(*x), short(*y))
                } else {
                    String::new()
                };
                // Half the height of a capital, as on the canvas; not every program knows dominant-baseline.
                write!(
                    svg,
                    "<text x=\"{}\" y=\"{}\" dy=\"0.357em\" font-size=\"{}\" text-anchor=\"{anchor}\" \
                     fill=\"{}\"{weight}{turn}>{}</text>",
                    short(*x),
                    short(*y),
                    look.size,
                    look.colour.css(),
                    escaped(text)
                )
            }
            Self::Picture { at, size, image, smooth } => {
                let rendering = if *smooth { "auto" } else { "pixelated" };
                write!(
                    svg,
                    "<image x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" preserveAspectRatio=\"none\" \
                     style=\"image-rendering:{rendering}\" href=\"{}\"/>",
                    short(at.0),
                    short(at.1),
                    short(size.0),
                    short(size.1),
                    data_uri(image)
                )
            }
        };
    }
}

/// A coordinate to a tenth of a pixel.
fn short(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.clone(), ToString::to_string)
}

/// `text` for the inside of an element or a quoted attribute.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn data_uri(image: &RgbaImage) -> String {
    let mut bytes = std::io::Cursor::new(Vec::new());
    match image.write_to(&mut bytes, image::ImageFormat::Png) {
        Ok(()) => format!("data:image/png;base64,{}", base64(bytes.get_ref())),
        Err(problem) => {
            log::error!("a picture is incomplete: {problem}");
            String::new()
        }
    }
}

/// RFC 4648, section 4.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let word =
            three.iter().fold(0u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        for digit in 0..4 {
            let value = (word >> (18 - 6 * digit)) & 63;
            text.push(if digit <= three.len() { char::from(ALPHABET[value as usize]) } else { '=' });
        }
    }
    text
}

fn overlay(large: &mut RgbImage, at: Point, size: Point, image: &RgbaImage, smooth: bool) {
    let scale = f64::from(SCALE);
    let (width, height) =
        ((size.0 * scale).round().max(1.0) as u32, (size.1 * scale).round().max(1.0) as u32);
    let filter = if smooth { imageops::FilterType::Triangle } else { imageops::FilterType::Nearest };
    let fitted = imageops::resize(image, width, height, filter);
    let (left, top) = ((at.0 * scale).round() as i64, (at.1 * scale).round() as i64);
    for (x, y, Rgba([red, green, blue, alpha])) in fitted.enumerate_pixels() {
        let (Ok(x), Ok(y)) = (u32::try_from(left + i64::from(x)), u32::try_from(top + i64::from(y))) else {
            continue;
        };
        if let Some(pixel) = large.get_pixel_mut_checked(x, y) {
            for (old, new) in pixel.0.iter_mut().zip([red, green, blue]) {
                let mixed = f32::from(*old) + (f32::from(*new) - f32::from(*old)) * f32::from(*alpha) / 255.0;
                *old = mixed.round() as u8;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LABEL: Type =
        Type { size: 14, bold: false, colour: Colour::Ink, anchor: Anchor::Middle, turned: false };

    /// The vectors of RFC 4648, section 10.
    #[test]
    fn base64_is_as_the_rfc_has_it() {
        for (plain, coded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }

    #[test]
    fn both_forms_hold_every_shape() {
        let mut scene = Scene::new(100.0, 60.0);
        scene.rectangle((10.0, 10.0), (40.0, 40.0), (Colour::Series(0), 1.0));
        scene.dots(vec![(70.0, 30.0)], 5.0, Colour::Series(3), 1.0);
        scene.text((50.0, 52.0), "p(x|z) < 1 & \"more\"", LABEL);
        scene.picture((80.0, 5.0), (8.0, 8.0), RgbaImage::from_pixel(2, 2, Rgba([0, 0, 0, 255])), false);
        scene.line(&[(0.0, 0.0), (99.0, 0.0)], Colour::Ink, 2.0);
        let png = scene.to_png();
        assert_eq!(png.dimensions(), (100, 60));
        assert_eq!(png.get_pixel(25, 25).0, Colour::Series(0).bytes());
        assert_eq!(png.get_pixel(70, 30).0, Colour::Series(3).bytes());
        assert_eq!(png.get_pixel(84, 9).0, [0; 3]);
        assert!(png.get_pixel(50, 0).0[0] < 100);
        let svg = scene.to_svg("a <title>");
        assert!(
            svg.contains("<title>a &lt;title&gt;</title>") && svg.contains("&lt; 1 &amp; &quot;more&quot;")
        );
        assert!(svg.contains("var(--series-3)") && svg.contains("data:image/png;base64,iVBOR"));
        assert_eq!(svg.matches("<path").count(), 3);
    }

    #[test]
    fn dashes_cover_their_share_of_a_line() {
        let dashes = dashed(&[(0.0, 0.0), (50.0, 0.0), (50.0, 70.0)], 7.0, 5.0);
        let length: f64 = dashes
            .iter()
            .flat_map(|dash| dash.windows(2))
            .map(|pair| (pair[1].0 - pair[0].0).hypot(pair[1].1 - pair[0].1))
            .sum();
        assert_eq!(dashes.len(), 10);
        assert!((length - 70.0).abs() < 1e-9, "{length}");
    }

    #[test]
    fn every_colour_of_a_shape_is_defined_for_both_pages() {
        for css in css_colours() {
            for colour in [Colour::Ink, Colour::Soft, Colour::Faint, Colour::Frame, Colour::Paper]
                .into_iter()
                .chain((0..10).map(Colour::Series))
            {
                let name = colour.css().replace("var(", "").replace(')', ":#");
                assert!(css.contains(&name), "{name}");
            }
        }
    }
}
