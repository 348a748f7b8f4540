//! Colours of drawings, on a light page and on a dark one.

use super::canvas::{FAINT, FRAME, INK, SOFT};
use super::latent::class_colour;
use plotters::style::{RGBColor, WHITE};
use std::fmt::Write as _;

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
    pub(super) fn rgb(self) -> RGBColor {
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
    pub(super) fn css(self) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

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
