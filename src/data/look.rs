//! How pictures become pixels: how they are brought to one size, what lies under transparent parts, and which values are
//! black and white.

use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// How a picture of another shape is brought to the size of the set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Fit {
    /// Scaled until it covers the size; what stands over on two sides is cut.
    #[default]
    Crop,
    /// Scaled by different factors across and down.
    Stretch,
    /// Scaled until it fits into the size; the rest is background.
    Pad,
}

/// The colour under transparent parts and beside padded pictures: `white`, `black` or `#rrggbb`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Background(
    /// Red, green and blue.
    pub [u8; 3],
);

impl Background {
    /// No light.
    pub const BLACK: Self = Self([0; 3]);
    /// All light.
    pub const WHITE: Self = Self([255; 3]);

    /// Its grey: the luminance of Rec. 709.
    pub(super) fn grey(self) -> u8 {
        luminance(self.0)
    }

    pub(super) fn is_grey(self) -> bool {
        self.0[0] == self.0[1] && self.0[1] == self.0[2]
    }
}

/// The luminance of Rec. 709.
pub(super) fn luminance([red, green, blue]: [u8; 3]) -> u8 {
    ((2126 * u32::from(red) + 7152 * u32::from(green) + 722 * u32::from(blue) + 5_000) / 10_000) as u8
}

impl std::fmt::Display for Background {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [red, green, blue] = self.0;
        match *self {
            Self::BLACK => f.write_str("black"),
            Self::WHITE => f.write_str("white"),
            _ => write!(f, "#{red:02x}{green:02x}{blue:02x}"),
        }
    }
}

impl FromStr for Background {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "black" => return Ok(Self::BLACK),
            "white" => return Ok(Self::WHITE),
            _ => {}
        }
        let digits =
            text.strip_prefix('#').filter(|it| it.len() == 6 && it.bytes().all(|d| d.is_ascii_hexdigit()));
        let value = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let Some([_, colour @ ..]) = value.map(u32::to_be_bytes) else {
            let hint = "give white, black, or a colour such as #ffeedd";
            return Err(Error::setting("--background", format!("'{text}' is no colour"), hint));
        };
        Ok(Self(colour))
    }
}

impl TryFrom<String> for Background {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Background> for String {
    fn from(background: Background) -> Self {
        background.to_string()
    }
}

/// How the pictures of a set became pixels: with it, new pictures are read as those of the set were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Look {
    /// How pictures of another shape were brought to one size.
    pub fit: Fit,
    /// What lies under transparent parts; none where nothing was transparent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub background: Option<Background>,
    /// The values, of 0 to 65535, that became 0 and 255, where the set was stretched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub range: Option<[u16; 2]>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_read_as_they_are_written() {
        for (text, colour) in
            [("white", [255; 3]), ("black", [0; 3]), ("#102030", [16, 32, 48]), ("#ABCDEF", [171, 205, 239])]
        {
            let background: Background = text.parse().unwrap();
            assert_eq!(background.0, colour);
            assert_eq!(background.to_string().parse::<Background>().unwrap(), background);
        }
        assert_eq!("#ffffff".parse::<Background>().unwrap().to_string(), "white");
        for text in ["", "grey", "#12345", "#12345g", "#1234567", "#+12345", "#é1234"] {
            let message = text.parse::<Background>().unwrap_err().to_string();
            assert!(message.contains("--background") && message.contains("#ffeedd"), "{message}");
        }
    }
}
