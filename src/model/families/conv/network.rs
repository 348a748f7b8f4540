//! The two networks of a convolutional model.

use super::config::{ConvConfig, Norm};
use super::geometry::{Geometry, Up};
use crate::Result;
use crate::graph::{BatchNorm, ConvolutionOptions, DepthwiseConvolution, Graph, ValueId, Window};
use crate::model::Head;
use crate::model::families::FamilyConfig;

/// Settings with all sizes.
pub(super) struct Network {
    pub(super) config: ConvConfig,
    pub(super) geometry: Geometry,
    /// Samples of each image that the decoder is given.
    pub(super) samples: usize,
}

/// The layers of one side: their names in order, and the rows that each image has on it.
struct Side {
    name: &'static str,
    next: usize,
    samples: usize,
}

impl Side {
    fn of(name: &'static str, samples: usize) -> Self {
        Self { name, next: 0, samples }
    }

    fn layer(&mut self) -> String {
        self.next += 1;
        format!("{}.{}", self.name, self.next - 1)
    }
}

impl Network {
    /// From images, `[batch, height * width * channels]`, to the posterior, `[batch, 2, latent]`, or to codes.
    pub(super) fn encoder(&self, graph: &mut Graph, head: Head, images: ValueId) -> Result<ValueId> {
        let (mut side, mut value) = (Side::of("encoder", 1), images);
        for (level, window) in self.config.levels.iter().zip(&self.geometry.encoder) {
            let name = side.layer();
            let bias = level.blocks > 0 || self.config.norm == Norm::None;
            value =
                graph.convolution(&name, value, window, ConvolutionOptions { bias, ..Default::default() })?;
            if level.blocks == 0 {
                value = self.norm_and_activation(graph, &side, &name, value)?;
            }
            for _ in 0..level.blocks {
                value = self.block(graph, &mut side, value)?;
            }
        }
        let heads = head.layers("encoder.");
        let heads: Vec<&str> = heads.iter().map(String::as_str).collect();
        let Some((&first, others)) = self.config.dense.split_first() else {
            return graph.linear_from_maps(&heads, value, self.config.latent);
        };
        let name = side.layer();
        value = graph.linear_from_maps(&[&name], value, first)?;
        value = self.activation(graph, &name, value);
        value = graph.dropout(&format!("{name}.dropout"), value, self.config.dropout)?;
        value = self.dense(graph, &mut side, value, others)?;
        graph.linear(&heads, value, self.config.latent)
    }

    /// From latents, `[rows, latent]`, to the likelihood's parameters, `[rows, (sections,) height * width * channels]`.
    pub(super) fn decoder(&self, graph: &mut Graph, latents: ValueId) -> Result<ValueId> {
        let mut side = Side::of("decoder", self.samples);
        let widths = self.config.decoder_dense.as_deref().unwrap_or_default();
        let mut value = self.dense(graph, &mut side, latents, widths)?;
        let [height, width, channels] = self.geometry.start;
        let name = side.layer();
        value = graph.linear_to_maps(&name, value, [height, width], channels)?;
        if self.config.start_activation {
            value = self.activation(graph, &name, value);
        }
        let levels = self.config.decoder_levels.as_deref().unwrap_or_default();
        let last = self.geometry.decoder.len() - 1;
        for (number, up) in self.geometry.decoder.iter().enumerate() {
            for _ in 0..levels.get(number).map_or(0, |level| level.blocks) {
                value = self.block(graph, &mut side, value)?;
            }
            if number == last {
                return self.output(graph, value, up);
            }
            let name = side.layer();
            let before_blocks = levels.get(number + 1).is_some_and(|level| level.blocks > 0);
            let bias = before_blocks || self.config.norm == Norm::None;
            value = step(graph, &name, value, up, ConvolutionOptions { bias, ..Default::default() })?;
            if !before_blocks {
                value = self.norm_and_activation(graph, &side, &name, value)?;
            }
        }
        Ok(value)
    }

    /// The last step: one layer for each section of the likelihood's parameters.
    fn output(&self, graph: &mut Graph, maps: ValueId, up: &Up) -> Result<ValueId> {
        let options = ConvolutionOptions { packed: true, ..Default::default() };
        let names = self.config.likelihood().kind.outputs();
        let sections: Result<Vec<ValueId>> =
            names.iter().map(|name| step(graph, name, maps, up, options)).collect();
        match sections?[..] {
            [one] => Ok(one),
            ref several => graph.stack_sections("decoder.parameters", several),
        }
    }

    fn dense(&self, graph: &mut Graph, side: &mut Side, input: ValueId, widths: &[usize]) -> Result<ValueId> {
        let mut value = input;
        for &width in widths {
            let name = side.layer();
            value = graph.linear(&[&name], value, width)?;
            value = self.activation(graph, &name, value);
            value = graph.dropout(&format!("{name}.dropout"), value, self.config.dropout)?;
        }
        Ok(value)
    }

    fn activation(&self, graph: &mut Graph, layer: &str, value: ValueId) -> ValueId {
        let kind = self.config.activation;
        graph.activate(&format!("{layer}.{kind:?}").to_lowercase(), value, kind)
    }

    fn norm(&self, graph: &mut Graph, side: &Side, layer: &str, maps: ValueId) -> Result<ValueId> {
        let name = format!("{layer}.norm");
        match self.config.norm {
            Norm::None => Ok(maps),
            Norm::Batch => {
                graph.batch_norm(&name, maps, BatchNorm { samples: side.samples, ..BatchNorm::default() })
            }
            Norm::Group => {
                let channels = graph.value(maps).shape.columns;
                graph.group_norm(&name, maps, groups(channels, self.config.norm_groups), 1e-5)
            }
            Norm::Layer => graph.layer_norm(&name, maps, 1e-5),
        }
    }

    fn norm_and_activation(
        &self,
        graph: &mut Graph,
        side: &Side,
        layer: &str,
        maps: ValueId,
    ) -> Result<ValueId> {
        let value = self.norm(graph, side, layer, maps)?;
        Ok(self.activation(graph, layer, value))
    }

    /// A residual block in the manner of NVAE's decoder (Vahdat and Kautz, arXiv 2007.03898, figure 3a, without squeeze and
    /// excitation): norm, widen, norm, activation, depthwise window, norm, activation, narrow, norm; a fraction of the result
    /// is added to the maps.
    fn block(&self, graph: &mut Graph, side: &mut Side, maps: ValueId) -> Result<ValueId> {
        let shape = graph.value(maps).shape;
        let ([height, width], channels) = (shape.space, shape.columns);
        let wide = channels * self.config.block_expansion;
        let options = ConvolutionOptions { bias: self.config.norm == Norm::None, ..Default::default() };
        let point = |from, to| Window::convolution([height, width, from], to, [1; 2], [1; 2], [0; 4]);
        let mut value = maps;
        if self.config.norm != Norm::None {
            let name = side.layer();
            value = self.norm(graph, side, &name, value)?;
        }
        let name = side.layer();
        value = graph.convolution(&name, value, &point(channels, wide)?, options)?;
        value = self.norm_and_activation(graph, side, &name, value)?;
        let name = side.layer();
        let kernel = self.config.block_kernel;
        let depthwise = DepthwiseConvolution {
            kernel: [kernel; 2],
            stride: [1; 2],
            padding: [kernel / 2; 4],
            bias: options.bias,
        };
        value = graph.depthwise(&name, value, depthwise)?;
        value = self.norm_and_activation(graph, side, &name, value)?;
        let name = side.layer();
        value = graph.convolution(&name, value, &point(wide, channels)?, options)?;
        value = self.norm(graph, side, &name, value)?;
        graph.add_scaled(&format!("{name}.sum"), maps, value, self.config.block_scale)
    }
}

/// The most groups, up to `most`, that divide the channels evenly.
fn groups(channels: usize, most: usize) -> usize {
    (1..=most.min(channels)).rev().find(|&groups| channels.is_multiple_of(groups)).unwrap_or(1)
}

/// One step of the decoder.
fn step(
    graph: &mut Graph,
    name: &str,
    maps: ValueId,
    up: &Up,
    options: ConvolutionOptions<'_>,
) -> Result<ValueId> {
    match up {
        Up::Transposed(window) => graph.transposed_convolution(name, maps, window, options),
        Up::Convolution(window) => graph.convolution(name, maps, window, options),
        Up::Nearest(factor, window) => {
            let enlarged = graph.upsample(&format!("{name}.enlarged"), maps, [*factor; 2])?;
            graph.convolution(name, enlarged, window, options)
        }
    }
}
