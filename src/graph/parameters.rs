//! Parameters: blocks of one flat buffer, and the named tensors people see in checkpoints.

use super::{Graph, Shape, Storage, Value, ValueId};

/// Every parameter starts at a multiple of this many elements: adapters may ask that bindings start at
/// multiples of 256 bytes.
const ALIGNMENT: usize = 64;

/// What kind of tensor a parameter is, for its initial values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TensorKind {
    /// A layer's matrix, `[out, in]`.
    Weight,
    /// A layer's bias, `[out]`.
    Bias,
    /// A log-variance that belongs to no layer, `[1]`.
    LogVariance,
}

/// A named tensor inside the flat buffer of parameters (and, at the same place, of gradients and moments).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tensor {
    /// Name as in checkpoints: `encoder.0.weight`.
    pub name: String,
    /// Weight, bias or log-variance.
    pub kind: TensorKind,
    /// `[out, in]` or `[out]`.
    pub shape: Vec<usize>,
    /// First element in the flat buffer.
    pub offset: usize,
    /// Elements from one row to the next.
    pub stride: usize,
    /// Inputs of the layer it belongs to.
    pub fan_in: usize,
    /// Outputs of that layer.
    pub fan_out: usize,
}

impl Tensor {
    fn rows_and_columns(&self) -> (usize, usize) {
        match self.shape[..] {
            [rows, columns] => (rows, columns),
            _ => (1, self.shape[0]),
        }
    }

    /// Numbers in the tensor.
    pub fn count(&self) -> usize {
        self.shape.iter().product()
    }

    /// Where each row of the tensor lies in the flat buffer.
    pub fn row_ranges(&self) -> impl Iterator<Item = std::ops::Range<usize>> + use<> {
        let (rows, columns) = self.rows_and_columns();
        let (offset, stride) = (self.offset, self.stride);
        (0..rows).map(move |row| offset + row * stride..offset + row * stride + columns)
    }

    /// Copy the tensor out of the flat buffer, without padding.
    pub fn take<T: Copy>(&self, flat: &[T]) -> Vec<T> {
        self.row_ranges().flat_map(|range| flat[range].iter().copied()).collect()
    }

    /// Copy `values` (without padding) into the flat buffer.
    pub fn put<T: Copy>(&self, flat: &mut [T], values: &[T]) {
        let (_, columns) = self.rows_and_columns();
        for (range, row) in self.row_ranges().zip(values.chunks(columns)) {
            flat[range].copy_from_slice(row);
        }
    }
}

/// A parameter of an operation: one block of the flat buffer that holds one or more named tensors.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// Its value in the graph.
    pub value: ValueId,
    /// First element in the flat buffer.
    pub offset: usize,
    /// Shape of the whole block.
    pub shape: Shape,
    /// The named tensors in it.
    pub tensors: Vec<Tensor>,
}

impl Parameter {
    /// Past the last element, rounded up to where the next parameter may start.
    pub fn end(&self) -> usize {
        (self.offset + self.shape.length()).next_multiple_of(ALIGNMENT)
    }
}

impl Graph {
    /// Add a parameter; `tensors` gives its named tensors with offsets from the start of the block.
    pub(crate) fn parameter(&mut self, name: String, shape: Shape, mut tensors: Vec<Tensor>) -> ValueId {
        let offset = self.parameter_length();
        for tensor in &mut tensors {
            tensor.offset += offset;
        }
        let storage = Storage::Parameters(offset);
        self.values.push(Value { name, shape, storage, differentiable: !self.frozen });
        let value = ValueId(self.values.len() - 1);
        self.parameters.push(Parameter { value, offset, shape, tensors });
        value
    }

    /// All named tensors.
    pub fn tensors(&self) -> impl Iterator<Item = &Tensor> {
        self.parameters.iter().flat_map(|parameter| &parameter.tensors)
    }
}
