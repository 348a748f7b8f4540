//! Drawings as lists of shapes: written as SVG, whose colours follow the page they stand in, and painted as PNG.

use std::fmt::Write as _;

use image::{RgbImage, RgbaImage, imageops};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::canvas::{SCALE, paint, text_style, white};
pub(crate) use super::colour::{Colour, css_colours};
use super::embed::{data_uri, overlay};

/// A point, in pixels from the top left corner.
pub(crate) type Point = (f64, f64);

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

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgba;

    const LABEL: Type =
        Type { size: 14, bold: false, colour: Colour::Ink, anchor: Anchor::Middle, turned: false };

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
}
