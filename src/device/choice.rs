//! What `--device` says.

use crate::text::text_serde;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// What the user asks for with `--device`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum DeviceChoice {
    /// `auto`: a GPU if there is one, else the processor. A software adapter is taken only when it is named: it is several
    /// times slower than the processor's own kernels.
    #[default]
    Auto,
    /// `cpu`: this program's own kernels for the processor; needs no driver.
    Cpu,
    /// `software`: a driver that runs shaders on the processor.
    Software,
    /// A number: the adapter at this index of the list.
    Index(usize),
    /// Anything else: a part of an adapter's name, or `backend:name`, in any case.
    Name(String),
}

impl FromStr for DeviceChoice {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let text = text.trim();
        match text.to_lowercase().as_str() {
            "" => Err(Error::setting(
                "--device",
                "no device is named",
                "use auto, cpu, software, an adapter's number, or a part of its name",
            )),
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "software" => Ok(Self::Software),
            other => Ok(other.parse().map_or_else(|_| Self::Name(text.to_string()), Self::Index)),
        }
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Software => f.write_str("software"),
            Self::Index(index) => write!(f, "{index}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

text_serde!(DeviceChoice);

impl DeviceChoice {
    /// Whether the backend GL is named: `gl:NAME`.
    pub(super) fn names_gl(&self) -> bool {
        matches!(self, Self::Name(name) if name.split_once(':').is_some_and(|(backend, _)| backend.trim().eq_ignore_ascii_case("gl")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_read_and_written_as_text() {
        for (text, choice) in [
            ("auto", DeviceChoice::Auto),
            ("cpu", DeviceChoice::Cpu),
            ("software", DeviceChoice::Software),
            ("3", DeviceChoice::Index(3)),
            ("vulkan:RTX", DeviceChoice::Name("vulkan:RTX".to_string())),
        ] {
            assert_eq!(text.parse::<DeviceChoice>().unwrap(), choice);
            assert_eq!(choice.to_string(), text);
            let json = serde_json::to_string(&choice).unwrap();
            assert_eq!(json, format!("\"{text}\""));
            assert_eq!(serde_json::from_str::<DeviceChoice>(&json).unwrap(), choice);
        }
        assert_eq!(" CPU ".parse::<DeviceChoice>().unwrap(), DeviceChoice::Cpu);
        assert!(" ".parse::<DeviceChoice>().unwrap_err().to_string().starts_with("--device: "));
    }

    #[test]
    fn gl_is_opened_by_name_only() {
        for (text, gl) in
            [("gl:llvmpipe", true), ("GL:", true), ("llvmpipe", false), ("vulkan:gl", false), ("auto", false)]
        {
            assert_eq!(text.parse::<DeviceChoice>().unwrap().names_gl(), gl, "{text}");
        }
    }
}
