//! The two networks, with the layers, names and order of diffusers' `AutoencoderKL`.

use super::AutoencoderKl;
use crate::Result;
use crate::graph::{Activation, ConvolutionOptions, Graph, Shape, ValueId, Window};
use crate::model::Head;
use crate::model::families::FamilyConfig;

/// What group norms add to a variance.
const EPSILON: f64 = 1e-6;
/// Ends of the log-variance of a latent.
const LOG_VARIANCE: [f64; 2] = [-30.0, 20.0];

/// A window of 3 by 3 over each pixel of `maps`, height, width and channels.
fn window(maps: [usize; 3], channels: usize) -> Result<Window> {
    Window::convolution(maps, channels, [3; 2], [1; 2], [1; 4])
}

/// Height, width and channels of the maps `value`.
fn maps(graph: &Graph, value: ValueId) -> [usize; 3] {
    let shape = graph.value(value).shape;
    [shape.space[0], shape.space[1], shape.columns]
}

fn convolution(graph: &mut Graph, name: &str, input: ValueId, channels: usize) -> Result<ValueId> {
    let window = window(maps(graph, input), channels)?;
    graph.convolution(name, input, &window, ConvolutionOptions::default())
}

/// A convolution with a window of one pixel.
fn pointwise(graph: &mut Graph, name: &str, input: ValueId, channels: usize) -> Result<ValueId> {
    let window = Window::convolution(maps(graph, input), channels, [1; 2], [1; 2], [0; 4])?;
    graph.convolution(name, input, &window, ConvolutionOptions::default())
}

impl AutoencoderKl {
    /// From images with pixels from 0 to 1, `[batch, height * width * channels]`, to the posterior, `[batch, 2, latents]`, or to codes,
    /// which are its means: the layers keep the shapes that diffusers has.
    pub(super) fn encoder(&self, graph: &mut Graph, head: Head, images: ValueId) -> Result<ValueId> {
        let (config, shape) = (&self.config, self.shape);
        let centred = graph.affine("images.centred", images, 2.0, -1.0);
        let image = [shape.height, shape.width, shape.channels];
        let first = window(image, config.width * config.multipliers[0])?;
        let mut value =
            graph.convolution("encoder.conv_in", centred, &first, ConvolutionOptions::default())?;
        let channels = config.channels();
        for (level, &channels) in channels.iter().enumerate() {
            let level_name = format!("encoder.down_blocks.{level}");
            for block in 0..config.blocks {
                value = self.block(graph, &format!("{level_name}.resnets.{block}"), value, channels)?;
            }
            if level + 1 < config.multipliers.len() {
                let down = Window::convolution(maps(graph, value), channels, [3; 2], [2; 2], [0, 0, 1, 1])?;
                let name = format!("{level_name}.downsamplers.0.conv");
                value = graph.convolution(&name, value, &down, ConvolutionOptions::default())?;
            }
        }
        value = self.middle(graph, "encoder", value)?;
        value = self.norm_and_activation(graph, "encoder.conv_norm_out", value)?;
        value = convolution(graph, "encoder.conv_out", value, 2 * config.latent)?;
        let moments = pointwise(graph, "quant_conv", value, 2 * config.latent)?;
        let means = graph.take_columns("encoder.mean", moments, 0, config.latent)?;
        let means = graph.flatten("encoder.means", means)?;
        if head == Head::Code {
            return Ok(means);
        }
        let log_variances =
            graph.take_columns("encoder.log_variance", moments, config.latent, config.latent)?;
        let clamped = graph.clamp("encoder.log_variance.clamped", log_variances, LOG_VARIANCE)?;
        let log_variances = graph.flatten("encoder.log_variances", clamped)?;
        graph.stack_sections("encoder.posterior", &[means, log_variances])
    }

    /// From latents, `[rows, latents]`, to the likelihood's parameters, `[rows, (sections,) height * width * channels]`.
    pub(super) fn decoder(&self, graph: &mut Graph, latents: ValueId) -> Result<ValueId> {
        let config = &self.config;
        let [height, width, channels] = config.latent_maps(self.shape);
        let latent_maps = Shape::maps(graph.value(latents).shape.rows, [height, width], channels);
        let mut value = graph.reshape("decoder.latents", latents, latent_maps)?;
        value = pointwise(graph, "post_quant_conv", value, channels)?;
        let widest = config.channels();
        for (number, &channels) in widest.iter().rev().enumerate() {
            if number == 0 {
                value = convolution(graph, "decoder.conv_in", value, channels)?;
                value = self.middle(graph, "decoder", value)?;
            }
            let level_name = format!("decoder.up_blocks.{number}");
            for block in 0..=config.blocks {
                value = self.block(graph, &format!("{level_name}.resnets.{block}"), value, channels)?;
            }
            if number + 1 < config.multipliers.len() {
                let name = format!("{level_name}.upsamplers.0");
                value = graph.upsample(&name, value, [2; 2])?;
                value = convolution(graph, &format!("{name}.conv"), value, channels)?;
            }
        }
        value = self.norm_and_activation(graph, "decoder.conv_norm_out", value)?;
        self.output(graph, value)
    }

    /// The last convolution, of the likelihood's first parameter as in diffusers, where pixels go from -1 to 1; and one for
    /// each further parameter.
    fn output(&self, graph: &mut Graph, value: ValueId) -> Result<ValueId> {
        let options = ConvolutionOptions { packed: true, ..Default::default() };
        let last = window(maps(graph, value), self.shape.channels)?;
        let layer = self.config.output_layer();
        let mut output = graph.convolution(layer.name, value, &last, options)?;
        if layer.centred {
            output = graph.affine("decoder.pixels", output, 0.5, 0.5);
        }
        let mut sections = vec![output];
        for name in &layer.likelihood.kind.outputs()[1..] {
            sections.push(graph.convolution(name, value, &last, options)?);
        }
        match sections[..] {
            [one] => Ok(one),
            ref several => graph.stack_sections("decoder.parameters", several),
        }
    }

    fn norm(&self, graph: &mut Graph, name: &str, value: ValueId) -> Result<ValueId> {
        graph.group_norm(name, value, self.config.norm_groups, EPSILON)
    }

    fn norm_and_activation(&self, graph: &mut Graph, name: &str, value: ValueId) -> Result<ValueId> {
        let value = self.norm(graph, name, value)?;
        Ok(graph.activate(&format!("{name}.silu"), value, Activation::Silu))
    }

    /// A residual block: norm, SiLU and convolution twice, added to the maps, whose channels a convolution of one pixel
    /// changes where they differ.
    fn block(&self, graph: &mut Graph, name: &str, value: ValueId, channels: usize) -> Result<ValueId> {
        let mut change = self.norm_and_activation(graph, &format!("{name}.norm1"), value)?;
        change = convolution(graph, &format!("{name}.conv1"), change, channels)?;
        change = self.norm_and_activation(graph, &format!("{name}.norm2"), change)?;
        change = convolution(graph, &format!("{name}.conv2"), change, channels)?;
        let kept = match graph.value(value).shape.columns == channels {
            true => value,
            false => pointwise(graph, &format!("{name}.conv_shortcut"), value, channels)?,
        };
        graph.add_scaled(&format!("{name}.sum"), kept, change, 1.0)
    }

    /// The middle of the side `side`: a residual block, attention, a residual block.
    fn middle(&self, graph: &mut Graph, side: &str, value: ValueId) -> Result<ValueId> {
        let channels = graph.value(value).shape.columns;
        let value = self.block(graph, &format!("{side}.mid_block.resnets.0"), value, channels)?;
        let value = self.attention(graph, &format!("{side}.mid_block.attentions.0"), value)?;
        self.block(graph, &format!("{side}.mid_block.resnets.1"), value, channels)
    }

    /// Every pixel attends to all pixels of its item, with one head; added to the maps.
    fn attention(&self, graph: &mut Graph, name: &str, value: ValueId) -> Result<ValueId> {
        let channels = graph.value(value).shape.columns;
        let normed = self.norm(graph, &format!("{name}.group_norm"), value)?;
        let mut linear = |layer: &str| graph.linear(&[&format!("{name}.{layer}")], normed, channels);
        let [q, k, v] = [linear("to_q")?, linear("to_k")?, linear("to_v")?];
        let attended = graph.attention(&format!("{name}.attention"), q, k, v)?;
        let change = graph.linear(&[&format!("{name}.to_out.0")], attended, channels)?;
        graph.add_scaled(&format!("{name}.sum"), value, change, 1.0)
    }
}
