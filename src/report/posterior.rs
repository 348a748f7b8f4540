//! The picture of one image's posterior: its contours, the encoder's Gaussian, the best one, draws by HMC, the prior.

use image::{Rgb, RgbImage};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::axes::{Axes, Chart};
use super::canvas::{Area, Drawn, INK, LABEL, SCALE, SOFT, TITLE, chart, fitting, text_style};
use super::contour::Field;
use crate::data::ImageShape;

/// Side of each of the two charts, and of the column beside them.
const SQUARE: u32 = 620;
const SIDE: u32 = 250;
const HEADER: u32 = 56;
const LINE: u32 = 26;

const POSTERIOR: RGBColor = RGBColor(0x1f, 0x6f, 0xd0);
const ENCODER: RGBColor = RGBColor(0xe0, 0x30, 0x3a);
const BEST: RGBColor = RGBColor(0x0f, 0x85, 0x54);
const DRAWS: RGBColor = RGBColor(0x55, 0x5c, 0x66);
const PRIOR: RGBColor = RGBColor(0xa8, 0xae, 0xb6);

/// Shares of the mass that contours and ellipses enclose.
pub const SHARES: [f64; 3] = [0.5, 0.9, 0.99];

/// A diagonal Gaussian: mean and deviation of each dimension.
pub type Diagonal = Vec<(f64, f64)>;

/// Contents of the picture.
#[derive(Clone, Debug)]
pub struct PosteriorPicture<'a> {
    /// Title of the picture.
    pub title: String,
    /// The image, `[height, width, channels]` in [0, 1].
    pub pixels: &'a [f32],
    /// Its size.
    pub shape: ImageShape,
    /// log p(x, z) up to a constant, over the region that holds the mass: a field for two dimensions, values along x for
    /// one.
    pub joint: Field,
    /// The encoder's q.
    pub encoder: Diagonal,
    /// The best diagonal Gaussian.
    pub best: Diagonal,
    /// Draws by HMC, `[count, latent]`.
    pub draws: &'a [f64],
    /// Numbers to write beside the charts.
    pub notes: Vec<String>,
}

/// Draws the picture. Two latent dimensions: the whole latent space, and the part that holds the mass. One: the
/// densities.
pub fn posterior(picture: &PosteriorPicture<'_>) -> RgbImage {
    let two = picture.encoder.len() == 2;
    let width = if two { 2 * SQUARE } else { 2 * SQUARE - 160 };
    let mut drawn = chart(width + SIDE, SQUARE + HEADER, |area| {
        area.fill(&WHITE)?;
        let title = fitting(&picture.title, TITLE, true, width + SIDE - 60);
        let style = text_style(TITLE * SCALE, true, INK, (HPos::Left, VPos::Center));
        area.draw_text(&title, &style, at(24, HEADER / 2 + 4))?;
        let (_, below) = area.split_vertically(HEADER * SCALE);
        let (charts, beside) = below.split_horizontally(width * SCALE);
        if two {
            let (left, right) = charts.split_horizontally(SQUARE * SCALE);
            overview(&left, picture)?;
            closeup(&right, picture)?;
        } else {
            densities(&charts, picture)?;
        }
        legend(&beside, picture, two)
    });
    thumbnail(&mut drawn, picture, width);
    drawn
}

fn at(x: u32, y: u32) -> (i32, i32) {
    ((x * SCALE) as i32, (y * SCALE) as i32)
}

/// The radius of the circle that holds `share` of a standard normal distribution in two dimensions.
fn radius(share: f64) -> f64 {
    (-2.0 * (1.0 - share).ln()).sqrt()
}

fn ellipse(of: &[(f64, f64)], share: f64) -> Vec<(f64, f64)> {
    let r = radius(share);
    (0..=180)
        .map(|i| {
            let (sin, cos) = (std::f64::consts::TAU * f64::from(i) / 180.0).sin_cos();
            (of[0].0 + r * of[0].1 * cos, of[1].0 + r * of[1].1 * sin)
        })
        .collect()
}

/// Cuts lines at the frame, because plotters draws past it.
fn lines(
    chart: &mut Chart<'_, '_>,
    frame: ((f64, f64), (f64, f64)),
    points: &[(f64, f64)],
    style: ShapeStyle,
) -> Drawn {
    let inside =
        |(x, y): &(f64, f64)| *x >= frame.0.0 && *x <= frame.0.1 && *y >= frame.1.0 && *y <= frame.1.1;
    let pairs = points.windows(2).filter(|pair| pair.iter().all(inside));
    chart.draw_series(pairs.map(|pair| PathElement::new(pair.to_vec(), style)))?;
    Ok(())
}

fn line(colour: RGBColor, width: f64) -> ShapeStyle {
    colour.stroke_width((width * f64::from(SCALE)) as u32)
}

fn dots(chart: &mut Chart<'_, '_>, frame: ((f64, f64), (f64, f64)), draws: &[f64], size: f64) -> Drawn {
    let inside = |z: &[f64]| z[0] > frame.0.0 && z[0] < frame.0.1 && z[1] > frame.1.0 && z[1] < frame.1.1;
    // A few thousand points are enough to show a density.
    let every = (draws.len() / 2).div_ceil(2500).max(1);
    let points = draws.chunks_exact(2).step_by(every).filter(|z| inside(z));
    let radius = (size * f64::from(SCALE)) as u32;
    chart.draw_series(points.map(|z| Circle::new((z[0], z[1]), radius, DRAWS.mix(0.28).filled())))?;
    Ok(())
}

fn prior_circles(chart: &mut Chart<'_, '_>, frame: ((f64, f64), (f64, f64))) -> Drawn {
    for share in SHARES {
        lines(chart, frame, &ellipse(&[(0.0, 1.0); 2], share), line(PRIOR, 1.5))?;
    }
    Ok(())
}

/// The whole latent space, with the close-up's frame.
fn overview(area: &Area<'_>, picture: &PosteriorPicture<'_>) -> Drawn {
    let corners = [picture.joint.x.0, picture.joint.x.1, picture.joint.y.0, picture.joint.y.1];
    let half = corners.iter().fold(3.4, |half: f64, corner| half.max(corner.abs() + 0.2));
    let frame = ((-half, half), (-half, half));
    let axes = Axes {
        title: "The latent space",
        x: frame.0,
        y: frame.1,
        x_name: "z1",
        y_name: "z2",
        ticks: (8, 8),
        whole_x: false,
    };
    let mut chart = axes.draw(area)?;
    prior_circles(&mut chart, frame)?;
    dots(&mut chart, frame, picture.draws, 1.2)?;
    for level in picture.joint.levels(&SHARES[1..2]) {
        for segment in picture.joint.contour(level) {
            chart.draw_series([PathElement::new(segment.to_vec(), line(POSTERIOR, 1.5))])?;
        }
    }
    lines(&mut chart, frame, &ellipse(&picture.encoder, 0.9), line(ENCODER, 1.5))?;
    let ((left, right), (low, high)) = (picture.joint.x, picture.joint.y);
    let frame = vec![(left, low), (right, low), (right, high), (left, high), (left, low)];
    chart.draw_series([PathElement::new(frame, line(INK, 1.0))])?;
    Ok(())
}

/// The part that holds the mass.
fn closeup(area: &Area<'_>, picture: &PosteriorPicture<'_>) -> Drawn {
    let frame = (picture.joint.x, picture.joint.y);
    let axes = Axes {
        title: "The part within the frame",
        x: frame.0,
        y: frame.1,
        x_name: "z1",
        y_name: "z2",
        ticks: (7, 7),
        whole_x: false,
    };
    let mut chart = axes.draw(area)?;
    prior_circles(&mut chart, frame)?;
    dots(&mut chart, frame, picture.draws, 2.2)?;
    for level in picture.joint.levels(&SHARES) {
        for segment in picture.joint.contour(level) {
            chart.draw_series([PathElement::new(segment.to_vec(), line(POSTERIOR, 2.0))])?;
        }
    }
    for share in SHARES {
        lines(&mut chart, frame, &ellipse(&picture.encoder, share), line(ENCODER, 2.0))?;
    }
    lines(&mut chart, frame, &ellipse(&picture.best, 0.9), line(BEST, 2.0))?;
    Ok(())
}

/// Densities over one latent dimension.
fn densities(area: &Area<'_>, picture: &PosteriorPicture<'_>) -> Drawn {
    let (low, high) = picture.joint.x;
    let values = &picture.joint.values;
    let count = values.len().max(2);
    let step = (high - low) / (count - 1) as f64;
    let top = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let total: f64 = values.iter().map(|value| (value - top).exp()).sum::<f64>() * step;
    let x = |i: usize| low + step * i as f64;
    let exact: Vec<(f64, f64)> = (0..values.len()).map(|i| (x(i), (values[i] - top).exp() / total)).collect();
    let normal = |m: f64, s: f64| -> Vec<(f64, f64)> {
        let value = |z: f64| (-0.5 * ((z - m) / s).powi(2)).exp() / (s * std::f64::consts::TAU.sqrt());
        (0..count).map(|i| (x(i), value(x(i)))).collect()
    };
    let curves = [
        (normal(0.0, 1.0), PRIOR),
        (normal(picture.best[0].0, picture.best[0].1), BEST),
        (normal(picture.encoder[0].0, picture.encoder[0].1), ENCODER),
        (exact, POSTERIOR),
    ];
    let highest = curves.iter().flat_map(|(curve, _)| curve).fold(0.0, |high: f64, (_, y)| high.max(*y));
    let frame = ((low, high), (0.0, 1.06 * highest));
    let axes = Axes {
        title: "",
        x: frame.0,
        y: frame.1,
        x_name: "z1",
        y_name: "density",
        ticks: (10, 8),
        whole_x: false,
    };
    let mut chart = axes.draw(area)?;
    let bins = 60;
    let width = (high - low) / f64::from(bins);
    for bin in 0..bins {
        let left = low + width * f64::from(bin);
        let inside = picture.draws.iter().filter(|z| (left..left + width).contains(*z)).count();
        let density = inside as f64 / (picture.draws.len().max(1) as f64 * width);
        let corners = [(left, 0.0), (left + width, density.min(frame.1.1))];
        chart.draw_series([Rectangle::new(corners, DRAWS.mix(0.28).filled())])?;
    }
    for (curve, colour) in curves {
        lines(&mut chart, frame, &curve, line(colour, 2.0))?;
    }
    Ok(())
}

fn legend(area: &Area<'_>, picture: &PosteriorPicture<'_>, two: bool) -> Drawn {
    let style = |colour| text_style(LABEL * SCALE, false, colour, (HPos::Left, VPos::Center));
    let mut y = 160;
    let mut entries = vec![
        (POSTERIOR, "posterior p(z|x)"),
        (ENCODER, "encoder's q(z|x)"),
        (BEST, if two { "best Gaussian, 90 %" } else { "best Gaussian" }),
        (PRIOR, "prior p(z)"),
    ];
    if !picture.draws.is_empty() {
        entries.push((DRAWS, "draws by HMC"));
    }
    for (colour, name) in entries {
        area.draw(&PathElement::new(vec![at(10, y), at(34, y)], line(colour, 3.0)))?;
        area.draw_text(name, &style(INK), at(42, y))?;
        y += LINE;
    }
    if two {
        area.draw_text("lines hold 50, 90 and 99 %", &style(SOFT), at(10, y))?;
        y += LINE;
    }
    y += LINE / 2;
    for note in &picture.notes {
        area.draw_text(&fitting(note, LABEL, false, SIDE - 16), &style(INK), at(10, y))?;
        y += LINE;
    }
    Ok(())
}

/// The image itself, enlarged, above the legend.
fn thumbnail(drawn: &mut RgbImage, picture: &PosteriorPicture<'_>, width: u32) {
    let ImageShape { width: columns, height: rows, channels } = picture.shape;
    let scale = (112 / columns.max(rows).max(1)).max(1) as u32;
    let most = 120 / scale;
    for y in 0..(rows as u32).min(most) {
        for x in 0..(columns as u32).min(most) {
            let first = (y as usize * columns + x as usize) * channels;
            let value = |c: usize| {
                let pixel = picture.pixels.get(first + c.min(channels - 1)).copied().unwrap_or(0.0);
                (255.0 * pixel.clamp(0.0, 1.0)).round() as u8
            };
            let colour = Rgb([value(0), value(1), value(2)]);
            for dy in 0..scale {
                for dx in 0..scale {
                    let place = (width + 12 + x * scale + dx, HEADER + 12 + y * scale + dy);
                    if let Some(pixel) = drawn.get_pixel_mut_checked(place.0, place.1) {
                        *pixel = colour;
                    }
                }
            }
        }
    }
}
