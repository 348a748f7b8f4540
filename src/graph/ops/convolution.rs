//! Convolutions of feature maps, and transposed convolutions.

use super::mask::Masked;
use crate::graph::shape::padded;
use crate::graph::{Gradients, Graph, Init, Lowering, Node, Operation, Shape, Tensor, ValueId, Window};
use crate::kernels;
use crate::plan::{Grid, constants};
use crate::{Error, Result};

/// Options of a convolution.
#[derive(Clone, Copy, Debug)]
pub struct ConvolutionOptions<'a> {
    /// Whether a bias is added to each channel.
    pub bias: bool,
    /// Whether the output is a matrix with one row for each item, `[items, height * width * channels]`, as images are.
    pub packed: bool,
    /// Constants that the weights are multiplied by, in the order of the checkpoint.
    pub mask: Option<&'a [f32]>,
}

impl Default for ConvolutionOptions<'_> {
    fn default() -> Self {
        Self { bias: true, packed: false, mask: None }
    }
}

/// The three products, by what each computes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    /// Large maps and weights to small maps.
    Small,
    /// Small maps and weights to large maps.
    Large,
    /// Small and large maps to weights.
    Weights,
}

/// Append a dispatch of `kernel`. The node's inputs are both operands, and a bias where the kernel has one.
fn product(
    node: &Node,
    lowering: &mut Lowering<'_>,
    (kernel, kind): (&'static str, Kind),
    window: &Window,
    accumulate: bool,
) -> Result<()> {
    let items = match kind {
        Kind::Weights => lowering.shape(node.inputs[1]).items(),
        Kind::Small | Kind::Large => lowering.shape(node.inputs[0]).items(),
    };
    let pixels = |[height, width, _]: [usize; 3]| items * height * width;
    let (small, large, row) = (window.small[2], window.large[2], window.weight_stride() / 4);
    let (rows, columns, inner, width) = match kind {
        Kind::Small => (pixels(window.small), small.div_ceil(4), row, small),
        Kind::Large => (pixels(window.large), large.div_ceil(4), small.div_ceil(4), large),
        Kind::Weights => (padded(small), row, pixels(window.small), row),
    };
    let mut constants = constants! {
        ROWS: rows, COLUMNS: columns, INNER: inner, ACTIVATION: 0, SECTION: columns, WIDTH: width,
        ACCUMULATE: accumulate,
    };
    constants.extend(window.constants());
    let declared = &kernels::kernel(kernel).overrides;
    constants.retain(|name, _| declared.iter().any(|own| own == name));
    let (a, b, output) = (node.inputs[0], node.inputs[1], node.outputs[0]);
    // Kernels read their operands as vec4 or element by element.
    let mut values = vec![
        ("a", a),
        ("a_elements", a),
        ("b", b),
        ("b_elements", b),
        ("output", output),
        ("output_elements", output),
    ];
    values.extend(node.inputs.get(2).map(|&bias| ("bias", bias)));
    let flops = 2 * items * window.multiply_adds();
    lowering.dispatch(node, kernel, constants, &values, window.grid(kernel, items, 1), flops)
}

/// Inputs: x (large maps), weight, and bias if there is one.
#[derive(Debug)]
struct Convolution(Window);

impl Operation for Convolution {
    fn gradient(&self, node: &Node, gradients: &mut Gradients<'_>) -> Result<()> {
        let Some(upstream) = gradients.upstream(node.outputs[0]) else { return Ok(()) };
        let (input, window) = (node.inputs[0], self.0);
        gradients_of_parameters(node, gradients, &window, [upstream, input], upstream);
        if let Some(target) = gradients.target(input) {
            let label = format!("gradient of {}", gradients.name(input));
            let kernel = if window.large_packed { "conv_nn_packed" } else { "conv_nn" };
            let operation = ConvolutionGradient((kernel, Kind::Large), window, target.1);
            gradients.push_into(label, operation, &[upstream, node.inputs[1]], target);
        }
        Ok(())
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let kernel = match (self.0.small_packed, node.inputs.len() > 2) {
            (true, _) => "conv_nt_packed",
            (false, true) => "conv_nt",
            (false, false) => "conv_nt_gradient",
        };
        product(node, lowering, (kernel, Kind::Small), &self.0, false)
    }
}

/// Inputs: x (small maps), weight, and bias if there is one.
#[derive(Debug)]
struct TransposedConvolution(Window);

impl Operation for TransposedConvolution {
    fn gradient(&self, node: &Node, gradients: &mut Gradients<'_>) -> Result<()> {
        let Some(upstream) = gradients.upstream(node.outputs[0]) else { return Ok(()) };
        let (input, window) = (node.inputs[0], self.0);
        gradients_of_parameters(node, gradients, &window, [input, upstream], upstream);
        if let Some(target) = gradients.target(input) {
            let label = format!("gradient of {}", gradients.name(input));
            let operation = ConvolutionGradient(("conv_nt_gradient", Kind::Small), window, target.1);
            gradients.push_into(label, operation, &[upstream, node.inputs[1]], target);
        }
        Ok(())
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let kernel = match (self.0.large_packed, node.inputs.len() > 2) {
            (true, true) => "conv_nn_bias_packed",
            (false, true) => "conv_nn_bias",
            (true, false) => "conv_nn_packed",
            (false, false) => "conv_nn",
        };
        product(node, lowering, (kernel, Kind::Large), &self.0, false)
    }
}

/// The gradients of weight and bias, from small and large maps, one of which is the `upstream` gradient.
fn gradients_of_parameters(
    node: &Node,
    gradients: &mut Gradients<'_>,
    window: &Window,
    [small, large]: [ValueId; 2],
    upstream: ValueId,
) {
    if let Some(target) = gradients.target(node.inputs[1]) {
        let label = format!("gradient of {}", gradients.name(node.inputs[1]));
        let operation = ConvolutionGradient(("conv_tn", Kind::Weights), *window, target.1);
        gradients.push_into(label, operation, &[small, large], target);
    }
    let Some(&bias) = node.inputs.get(2) else { return };
    let Some(target) = gradients.target(bias) else { return };
    let label = format!("gradient of {}", gradients.name(bias));
    let (size, packed) = if upstream == small {
        (window.small, window.small_packed)
    } else {
        (window.large, window.large_packed)
    };
    let mut sums = upstream;
    if packed {
        let operation = ChannelSum(size);
        let rows = operation.parts() * gradients.shape(upstream).items();
        sums = gradients.temporary(format!("{label}.parts"), Shape::matrix(rows, size[2]));
        gradients.push(format!("parts of {label}"), operation, &[upstream], &[sums]);
    }
    gradients.push_into(label, BiasGradient(size[2], target.1), &[sums], target);
}

/// Input: upstream gradient, maps of this number of channels or sums over parts of them. Output: the gradient of the bias.
#[derive(Debug)]
struct BiasGradient(usize, bool);

impl Operation for BiasGradient {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let (length, columns) = (lowering.shape(node.inputs[0]).length(), padded(self.0));
        lowering.dispatch(
            node,
            "column_sum",
            constants! { COLUMNS: columns / 4, INNER: length / columns, ACCUMULATE: self.1 },
            &[("a", node.inputs[0]), ("output", node.outputs[0])],
            Grid::Elements(columns / 4),
            length,
        )
    }
}

/// Inputs: both operands. Output: the gradient of the input or the weight of a convolution.
#[derive(Debug)]
struct ConvolutionGradient((&'static str, Kind), Window, bool);

impl Operation for ConvolutionGradient {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        product(node, lowering, self.0, &self.1, self.2)
    }
}

/// Input: packed maps of this height, width and number of channels. Output: sums over parts of each item, `[parts, channels]`.
#[derive(Debug)]
struct ChannelSum([usize; 3]);

impl ChannelSum {
    /// Parts of an item.
    fn parts(&self) -> usize {
        (self.0[0] * self.0[1]).div_ceil(kernels::kernel("channel_sum").constant("PART") as usize)
    }
}

impl Operation for ChannelSum {
    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let [height, width, channels] = self.0;
        let (input, output) = (lowering.shape(node.inputs[0]), lowering.shape(node.outputs[0]));
        lowering.dispatch(
            node,
            "channel_sum",
            constants! {
                ROWS: output.rows, COLUMNS: output.stride() / 4, PARTS: self.parts(), PIXELS: height * width,
                PIXEL: channels, ITEM: input.stride(),
            },
            &[("maps", node.inputs[0]), ("sums", node.outputs[0])],
            Grid::Elements(output.length() / 4),
            input.length(),
        )
    }
}

/// Whether maps of this size, which are the value of `shape`, are packed.
fn packed(name: &str, shape: Shape, [height, width, channels]: [usize; 3]) -> Result<bool> {
    if shape == Shape::maps(shape.items(), [height, width], channels) {
        return Ok(false);
    }
    if shape == Shape::matrix(shape.rows, height * width * channels) {
        return Ok(!channels.is_multiple_of(4));
    }
    let problem = format!("the input of shape {shape} does not hold maps of [{height}, {width}, {channels}]");
    Err(Error::shape(name, problem))
}

/// The shape of maps of this size, as a matrix with one row for each item if they are to be `flat`, and whether the pixels
/// are packed then.
fn shape_of(items: usize, [height, width, channels]: [usize; 3], flat: bool) -> (Shape, bool) {
    if flat {
        let shape = Shape::matrix(items, height * width * channels);
        (shape, height * width > 1 && !channels.is_multiple_of(4))
    } else {
        (Shape::maps(items, [height, width], channels), false)
    }
}

impl Graph {
    /// The convolution of the large maps of `window` to its small ones. `input` holds maps, `[items, height, width, channels]`,
    /// or images, `[items, height * width * channels]`. The tensors are those of PyTorch's `Conv2d`: `NAME.weight` `[out, in,
    /// kernel height, kernel width]` and, with a bias, `NAME.bias` `[out]`. A layer whose name is in the table already shares
    /// its weights.
    ///
    /// # Errors
    /// [`Error::Shape`] if `input` does not hold the large maps, the mask has another length than the weights, or the table
    /// holds a layer of this name and another size.
    pub fn convolution(
        &mut self,
        name: &str,
        input: ValueId,
        window: &Window,
        options: ConvolutionOptions<'_>,
    ) -> Result<ValueId> {
        let shape = self.shape(input);
        let large_packed = packed(name, shape, window.large)?;
        let (output, small_packed) = shape_of(shape.items(), window.small, options.packed);
        if small_packed && !options.bias {
            return Err(Error::shape(name, "a convolution to packed maps needs a bias"));
        }
        let window = Window { large_packed, small_packed, ..*window };
        let inputs = self.convolution_inputs(name, input, &window, window.small[2], options)?;
        Ok(self.apply(name, Convolution(window), &inputs, output))
    }

    /// The transposed convolution of the small maps of `window` to its large ones. `input` and the result are as for
    /// [`Graph::convolution`]. The tensors are those of PyTorch's `ConvTranspose2d`: `NAME.weight` `[in, out, kernel height,
    /// kernel width]` and, with a bias, `NAME.bias` `[out]`.
    ///
    /// # Errors
    /// Those of [`Graph::convolution`].
    pub fn transposed_convolution(
        &mut self,
        name: &str,
        input: ValueId,
        window: &Window,
        options: ConvolutionOptions<'_>,
    ) -> Result<ValueId> {
        let shape = self.shape(input);
        if packed(name, shape, window.small)? {
            let problem =
                format!("a transposed convolution needs maps, and not {shape} with padding at the end");
            return Err(Error::shape(name, problem));
        }
        let (output, large_packed) = shape_of(shape.items(), window.large, options.packed);
        let window = Window { large_packed, small_packed: false, ..*window };
        let inputs = self.convolution_inputs(name, input, &window, window.large[2], options)?;
        Ok(self.apply(name, TransposedConvolution(window), &inputs, output))
    }

    /// The inputs of a convolution: `input`, the weight with its mask, and the bias of `out` channels.
    fn convolution_inputs(
        &mut self,
        name: &str,
        input: ValueId,
        window: &Window,
        out: usize,
        options: ConvolutionOptions<'_>,
    ) -> Result<Vec<ValueId>> {
        let ([height, width], large, small) = (window.kernel, window.large[2], window.small[2]);
        let (fan_in, fan_out) = (large * height * width, small * height * width);
        let (row, pixel) = (window.weight_stride(), window.large_stride());
        let tensor = Tensor {
            name: format!("{name}.weight"),
            shape: vec![small, large, height, width],
            dimensions: vec![(small, row), (large, 1), (height, width * pixel), (width, pixel)],
            offset: 0,
            init: Init::Weight { fan_in, fan_out },
        };
        let shape = Shape::matrix(padded(small), window.weight_columns());
        let mut values = options.mask.map(|mask| (mask, vec![0.0; shape.length()]));
        if let Some((mask, flat)) = &mut values {
            if mask.len() != tensor.count() {
                let problem = format!("a mask of {} numbers for {} weights", mask.len(), tensor.count());
                return Err(Error::shape(name, problem));
            }
            tensor.put(flat, mask);
        }
        let mut weight = self.parameter(&format!("{name}.weight"), shape, vec![tensor])?;
        if let Some((_, flat)) = values {
            let mask = self.state(&format!("{name}.mask"), shape, Init::Values(flat.into()))?;
            weight = self.apply(format!("{name}.weight.masked"), Masked, &[weight, mask], shape);
        }
        let mut inputs = vec![input, weight];
        if options.bias {
            let tensor = Tensor {
                name: format!("{name}.bias"),
                shape: vec![out],
                dimensions: vec![(out, 1)],
                offset: 0,
                init: Init::Bias { fan_in },
            };
            inputs.push(self.parameter(&format!("{name}.bias"), Shape::matrix(1, out), vec![tensor])?);
        }
        Ok(inputs)
    }
}
