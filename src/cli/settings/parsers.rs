//! Parsers of flags' values: into the TOML value of a key, or into a value outside the settings.

use clap::ValueEnum;
use clap::builder::{EnumValueParser, TypedValueParser, ValueParser};
use serde::Serialize;
use std::str::FromStr;
use toml::Value;
use vae::config::Warmup;
use vae::device::DeviceChoice;
use vae::{Error, Result};

fn toml_value(value: impl Serialize) -> Result<Value, String> {
    Value::try_from(value).map_err(|error| error.to_string())
}

/// A number of epochs, or steps such as `10000 steps`.
pub(super) fn warmup() -> ValueParser {
    ValueParser::new(|text: &str| match text.trim().parse::<f64>() {
        Ok(epochs) => toml_value(Warmup::Epochs(epochs)),
        Err(_) => toml_value(plain::<Warmup>(text)?),
    })
}

/// A text.
pub(super) fn text() -> ValueParser {
    ValueParser::new(|text: &str| Ok::<_, String>(Value::String(text.to_string())))
}

/// A number.
pub(super) fn number<T>() -> ValueParser
where
    T: FromStr<Err: std::fmt::Display> + Serialize + 'static,
{
    ValueParser::new(|text: &str| {
        toml_value(text.trim().parse::<T>().map_err(|error: T::Err| error.to_string())?)
    })
}

/// One of a few words, which the help lists.
pub(super) fn one_of<T: ValueEnum + Serialize + Clone + Send + Sync + 'static>() -> ValueParser {
    ValueParser::new(EnumValueParser::<T>::new().try_map(toml_value))
}

/// A value of the library that has its own spelling.
pub(super) fn typed<T: FromStr<Err = Error> + Serialize + 'static>() -> ValueParser {
    ValueParser::new(|text: &str| toml_value(plain::<T>(text)?))
}

/// `28x30`
pub(super) fn image_size() -> ValueParser {
    ValueParser::new(|text: &str| {
        let sides = text.split_once(['x', 'X']);
        let sides = sides.and_then(|(w, h)| Some([w.parse::<usize>().ok()?, h.parse().ok()?]));
        toml_value(sides.ok_or("give WIDTHxHEIGHT, such as 28x28")?)
    })
}

/// `20`, or `40,20` for several stochastic layers.
pub(super) fn latent() -> ValueParser {
    ValueParser::new(|text: &str| {
        let latent =
            numbers(text).ok_or("give a number such as 20, or one for each stochastic layer: 40,20")?;
        match latent[..] {
            [one] => toml_value(one),
            _ => toml_value(latent),
        }
    })
}

/// `500,250`, `none`, or a part for each stochastic layer, as `200,200/100,100`.
pub(super) fn hidden() -> ValueParser {
    ValueParser::new(|text: &str| {
        let part = |part: &str| match part.trim() {
            "" | "none" => Some(Vec::new()),
            part => numbers(part),
        };
        let parts: Option<Vec<Vec<usize>>> = text.split('/').map(part).collect();
        let parts = parts.ok_or("give layer sizes such as 500 or 500,250, or none")?;
        match &parts[..] {
            [one] => toml_value(one),
            _ => toml_value(parts),
        }
    })
}

fn numbers(text: &str) -> Option<Vec<usize>> {
    text.split(',').map(|number| number.trim().parse().ok()).collect()
}

/// A value of the library, with its error in the form that clap's message goes on with.
fn plain<T: FromStr<Err = Error>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error| match error {
        Error::Setting { problem, hint, .. } => format!("{problem}; {hint}"),
        other => other.to_string(),
    })
}

/// A `--device`.
pub(crate) fn device(text: &str) -> Result<DeviceChoice, String> {
    plain(text)
}

/// A number of images, at least one and few enough to draw.
pub(crate) fn count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count @ 1..=10_000) => Ok(count),
        _ => Err("give a number from 1 to 10000".to_string()),
    }
}

/// A number of images along a path: both ends, and what lies between.
pub(crate) fn path_length(text: &str) -> Result<usize, String> {
    match count(text) {
        Ok(1) | Err(_) => Err("give a number from 2 to 10000".to_string()),
        length => length,
    }
}
