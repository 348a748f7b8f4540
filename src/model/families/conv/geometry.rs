//! The sizes of all maps of a convolutional model.

use super::config::{ConvConfig, Level, Upsampling};
use crate::data::ImageShape;
use crate::graph::Window;
use crate::text::table;
use crate::{Error, Result};

/// A step of the decoder.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Up {
    /// A transposed convolution.
    Transposed(Window),
    /// Each pixel repeated this number of times down and across, then a convolution.
    Nearest(usize, Window),
    /// A convolution.
    Convolution(Window),
}

impl Up {
    /// Height, width and channels of the maps it leads to.
    pub(super) fn output(&self) -> [usize; 3] {
        match self {
            Self::Transposed(window) => window.large,
            Self::Nearest(_, window) | Self::Convolution(window) => window.small,
        }
    }
}

/// The windows of all levels.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Geometry {
    /// One convolution a level of the encoder.
    pub(super) encoder: Vec<Window>,
    /// Height, width and channels of the decoder's first maps.
    pub(super) start: [usize; 3],
    /// One step a level of the decoder, and the last convolution, if there is one.
    pub(super) decoder: Vec<Up>,
}

impl Geometry {
    /// The windows of the model `config`, whose levels are all written out, for images of `shape`.
    ///
    /// # Errors
    /// [`Error::Setting`] if the levels do not fit the images.
    pub(super) fn of(config: &ConvConfig, shape: ImageShape) -> Result<Self> {
        let image = [shape.height, shape.width, shape.channels];
        let mut encoder: Vec<Window> = Vec::new();
        for (number, level) in (1..).zip(&config.levels) {
            let input = encoder.last().map_or(image, |window| window.small);
            let window = Window::convolution(
                input,
                level.channels.unwrap_or_default(),
                [level.kernel; 2],
                [level.stride; 2],
                [level.padding(); 4],
            );
            encoder.push(window.map_err(|_| too_small("model.levels", number, level, input, shape))?);
        }
        let end = encoder.last().map_or(image, |window| window.small);
        let start = config.decoder_start.unwrap_or(end);
        let levels = config.decoder_levels.as_deref().unwrap_or_default();
        // The sizes of the encoder in reverse, where the decoder mirrors it.
        let sizes: Vec<[usize; 3]> = encoder.iter().map(|window| window.large).rev().collect();
        let mirrors = start[..2] == end[..2]
            && levels.len() == config.levels.len()
            && levels.iter().zip(config.levels.iter().rev()).all(|(down, up)| down.stride == up.stride);
        let mut decoder: Vec<Up> = Vec::new();
        for (number, level) in (1..).zip(levels) {
            let input = decoder.last().map_or(start, Up::output);
            let wanted = match () {
                () if number == levels.len() => Some(image),
                () if mirrors => Some(sizes[number - 1]),
                () => None,
            };
            let channels = level.channels.unwrap_or(shape.channels);
            if config.output_kernel.is_none() && number == levels.len() && channels != shape.channels {
                let problem =
                    format!("the last level has {channels} channels, but the images have {}", shape.channels);
                let hint = "leave channels out in the last level, or give model.output-kernel = 3";
                return Err(Error::setting("model.decoder-levels", problem, hint));
            }
            let up = step(config.upsampling, level, input, wanted, channels);
            decoder.push(up.ok_or_else(|| {
                let problem = format!(
                    "level {number} cannot make as many pixels from maps of {}x{}: {}x{} are needed for images of {}x{}",
                    input[0],
                    input[1],
                    wanted.unwrap_or(input)[0],
                    wanted.unwrap_or(input)[1],
                    shape.height,
                    shape.width,
                );
                let hint = "change model.decoder-start, or the decoder's levels; 'vae plan' prints all sizes";
                Error::setting("model.decoder-levels", problem, hint)
            })?);
        }
        if let Some(kernel) = config.output_kernel {
            let input = decoder.last().map_or(start, Up::output);
            let window = around(input, shape.channels, kernel, image);
            decoder.push(Up::Convolution(window));
        }
        Ok(Self { encoder, start, decoder })
    }

    /// All layers of maps, for people.
    pub(super) fn describe(&self) -> String {
        let maps = |[height, width, channels]: [usize; 3]| format!("{height}x{width}x{channels}");
        let sides = |[a, b]: [usize; 2]| if a == b { a.to_string() } else { format!("{a}x{b}") };
        let mut rows = Vec::new();
        for window in &self.encoder {
            rows.push([
                "encoder".to_string(),
                "convolution".into(),
                maps(window.large),
                maps(window.small),
                sides(window.kernel),
                sides(window.stride),
                format!("padding {}", around_text(window.padding, beyond(window))),
            ]);
        }
        for up in &self.decoder {
            let (what, from, window) = match up {
                Up::Transposed(window) => ("transposed convolution", window.small, window),
                Up::Nearest(_, window) => ("nearest, convolution", window.large, window),
                Up::Convolution(window) => ("convolution", window.large, window),
            };
            let edge = match up {
                Up::Transposed(_) => {
                    let [bottom, right] = beyond(window);
                    let extra = [bottom, right].map(|side| (-side).max(0));
                    let crop = around_text(window.padding, [bottom, right].map(|side| side.max(0)));
                    if extra == [0, 0] {
                        format!("crop {crop}")
                    } else {
                        format!("crop {crop}, extra {} {}", extra[0], extra[1])
                    }
                }
                _ => format!("padding {}", around_text(window.padding, beyond(window))),
            };
            rows.push([
                "decoder".to_string(),
                what.into(),
                maps(from),
                maps(up.output()),
                sides(window.kernel),
                sides(window.stride),
                edge,
            ]);
        }
        table(["side", "layer", "from", "to", ">kernel", ">stride", "top left bottom right"], &rows)
    }

    /// Sizes of all maps on one line: `64x64x3-32x32x32-..`.
    pub(super) fn outline(&self, latent: usize) -> String {
        let maps = |[height, width, channels]: [usize; 3]| format!("{height}x{width}x{channels}");
        let image = self.encoder.first().map(|window| maps(window.large));
        let down = self.encoder.iter().map(|window| maps(window.small));
        let up = self.decoder.iter().map(|up| maps(up.output()));
        let all = image.into_iter().chain(down).chain([latent.to_string(), maps(self.start)]).chain(up);
        all.collect::<Vec<_>>().join("-")
    }
}

/// Pixels of the padded large maps that lie below and to the right of them and are read by a window; negative where the
/// window leaves the last ones out.
fn beyond(window: &Window) -> [isize; 2] {
    [0, 1].map(|axis| {
        let reach = (window.small[axis] - 1) * window.stride[axis] + window.kernel[axis];
        reach as isize - (window.large[axis] + window.padding[axis]) as isize
    })
}

fn around_text([top, left]: [usize; 2], [bottom, right]: [isize; 2]) -> String {
    format!("{top} {left} {} {}", bottom.max(0), right.max(0))
}

/// The side of the maps that a transposed convolution makes of `side` pixels.
fn natural(level: &Level, side: usize) -> isize {
    ((side - 1) * level.stride + level.kernel) as isize - 2 * level.padding() as isize
}

/// A step of the decoder from maps of `input` to `wanted` ones, or to those that follow from the level. `None` if there are
/// pixels that it does not reach.
fn step(
    upsampling: Upsampling,
    level: &Level,
    input: [usize; 3],
    wanted: Option<[usize; 3]>,
    channels: usize,
) -> Option<Up> {
    let side = |axis: usize| {
        let natural = match upsampling {
            Upsampling::Transposed => natural(level, input[axis]),
            Upsampling::Nearest => (input[axis] * level.stride) as isize,
        };
        let wanted = wanted.map_or(natural, |wanted| wanted[axis] as isize);
        let most = match upsampling {
            Upsampling::Transposed => natural + level.stride as isize - 1,
            Upsampling::Nearest => natural + level.kernel as isize - 1,
        };
        usize::try_from(wanted).ok().filter(|&side| side > 0 && wanted <= most)
    };
    let [height, width] = [side(0)?, side(1)?];
    let output = [height, width, channels];
    Some(match upsampling {
        Upsampling::Nearest => {
            let enlarged = [input[0] * level.stride, input[1] * level.stride, input[2]];
            Up::Nearest(level.stride, around(enlarged, channels, level.kernel, output))
        }
        Upsampling::Transposed => Up::Transposed(Window {
            large: output,
            small: input,
            kernel: [level.kernel; 2],
            stride: [level.stride; 2],
            padding: [level.padding(); 2],
            large_packed: false,
            small_packed: false,
        }),
    })
}

/// A convolution of stride 1 from maps of `input` to maps of `output`'s height and width, which has its middle over each
/// pixel.
fn around(input: [usize; 3], channels: usize, kernel: usize, output: [usize; 3]) -> Window {
    Window {
        large: input,
        small: [output[0], output[1], channels],
        kernel: [kernel; 2],
        stride: [1; 2],
        padding: [(kernel - 1) / 2; 2],
        large_packed: false,
        small_packed: false,
    }
}

fn too_small(path: &str, number: usize, level: &Level, input: [usize; 3], shape: ImageShape) -> Error {
    let problem = format!(
        "level {number} has a window of {kernel}x{kernel} and padding {}, but its maps are {}x{} for images of {}x{}",
        level.padding(),
        input[0],
        input[1],
        shape.height,
        shape.width,
        kernel = level.kernel,
    );
    Error::setting(path, problem, "give fewer levels, or larger images with data.image-size")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::families::FamilyConfig;

    fn geometry(settings: &str, width: usize, height: usize) -> Result<Geometry> {
        let config: ConvConfig = toml::from_str(settings).unwrap();
        let shape = ImageShape { width, height, channels: 3 };
        let config = config.resolve()?.for_images(shape)?;
        assert_eq!(config.for_images(shape)?, config);
        Geometry::of(&config, shape)
    }

    #[test]
    fn a_mirrored_decoder_ends_at_the_image() {
        for upsampling in ["transposed", "nearest"] {
            for levels in [
                "",
                "levels = [{ channels = 8, kernel = 3, stride = 2 }, { channels = 4, kernel = 5, stride = 3, blocks = 1 }]",
                "levels = [{ channels = 8, kernel = 2, stride = 2 }]\nshrink-to = 4\noutput-kernel = 3",
                "levels = [{ channels = 8, kernel = 3 }, { channels = 5, kernel = 4, stride = 2, padding = 0 }]",
            ] {
                for (width, height) in [(64, 64), (31, 17), (20, 28), (129, 97), (9, 8)] {
                    let text = format!("upsampling = '{upsampling}'\n{levels}");
                    let found =
                        geometry(&text, width, height).unwrap_or_else(|error| panic!("{text}: {error}"));
                    assert_eq!(found.decoder.last().unwrap().output(), [height, width, 3], "{text}");
                    assert_eq!(found.start, found.encoder.last().unwrap().small);
                    for (before, after) in found.encoder.iter().zip(&found.encoder[1..]) {
                        assert_eq!(before.small, after.large);
                    }
                }
            }
        }
        let sized = geometry("", 256, 256).unwrap();
        let channels: Vec<usize> = sized.encoder.iter().map(|window| window.small[2]).collect();
        assert_eq!(channels, [32, 64, 128, 256, 256, 256]);
        assert_eq!(sized.start, [4, 4, 256]);
    }

    #[test]
    fn levels_that_do_not_fit_are_refused() {
        for (text, problem) in [
            ("levels = [{ channels = 8, kernel = 9, padding = 0 }]", "level 1 has a window of 9x9"),
            ("levels = [{ channels = 8, kernel = 3 }]\nshrink-to = 4", "never makes maps"),
            ("levels = [{ channels = 8, kernel = 0 }]", "0 is too few"),
            ("levels = [{ kernel = 3 }]", "has no channels"),
            ("decoder-levels = []", "has no levels"),
            (
                "decoder-start = [1, 1, 8]\ndecoder-levels = [{ kernel = 3, stride = 2 }]",
                "level 1 cannot make as many pixels",
            ),
            (
                "decoder-levels = [{ channels = 5, kernel = 4, stride = 2 }]",
                "5 channels, but the images have 3",
            ),
            ("block-kernel = 4", "is even"),
        ] {
            let error = geometry(text, 8, 8).unwrap_err().to_string();
            assert!(error.contains(problem), "{text}: {error}");
        }
    }
}
