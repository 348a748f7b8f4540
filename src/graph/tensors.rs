//! The parameters and the state of a model. They outlive graphs: the graphs of training, evaluation and densities are
//! built on one table, and a name that is there already is shared.

use super::Shape;
use crate::{Error, Result};
use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;

/// Every parameter starts at a multiple of this many elements: adapters may ask that bindings start at
/// multiples of 256 bytes.
const ALIGNMENT: usize = 64;

/// How a tensor gets its first values. What `--init` says decides for weights and biases.
#[derive(Clone, Debug, PartialEq)]
pub enum Init {
    /// Weights of a layer.
    Weight {
        /// Inputs that one output sums over.
        fan_in: usize,
        /// Outputs that one input goes to.
        fan_out: usize,
    },
    /// Biases of a layer.
    Bias {
        /// Inputs that one output of the layer sums over.
        fan_in: usize,
    },
    /// All elements have this value.
    Constant(f64),
    /// Normal with mean 0 and this standard deviation.
    Normal(f64),
    /// Uniform between minus and plus this bound.
    Uniform(f64),
    /// These values, as they lie in memory with all padding: those of a state that is a constant. Parameters cannot have them.
    Values(Rc<[f32]>),
}

/// A named tensor, as in checkpoints, and where it lies in a flat buffer.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Name as in checkpoints: `encoder.0.weight`.
    pub name: String,
    /// Length of each dimension in checkpoints, such as `[out, in]` or `[out]`.
    pub shape: Vec<usize>,
    /// Dimensions in memory, in the order of the checkpoint: the length of each, and elements of the flat buffer from one
    /// index to the next. Several of them may be one dimension of the checkpoint.
    pub dimensions: Vec<(usize, usize)>,
    /// First element in the flat buffer.
    pub offset: usize,
    /// How it gets its first values.
    pub init: Init,
}

impl Tensor {
    /// Numbers in the tensor.
    pub fn count(&self) -> usize {
        self.shape.iter().product()
    }

    /// Where each element lies in the flat buffer, the last dimension running fastest.
    pub fn positions(&self) -> impl Iterator<Item = usize> + use<> {
        let (dimensions, offset) = (self.dimensions.clone(), self.offset);
        (0..self.count()).map(move |mut element| {
            let mut position = offset;
            for (length, stride) in dimensions.iter().rev() {
                position += element % length * stride;
                element /= length;
            }
            position
        })
    }

    /// Copy the tensor out of the flat buffer, without padding.
    pub fn take<T: Copy>(&self, flat: &[T]) -> Vec<T> {
        self.positions().map(|position| flat[position]).collect()
    }

    /// Copy `values` (without padding) into the flat buffer.
    pub fn put<T: Copy>(&self, flat: &mut [T], values: &[T]) {
        for (position, &value) in self.positions().zip(values) {
            flat[position] = value;
        }
    }
}

/// Index of a group of parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupId(pub(crate) usize);

/// Index of a block of parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct BlockId(usize);

/// Index of a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct StateId(pub(crate) usize);

/// Parameters that one operation binds together: one or more named tensors.
#[derive(Clone, Debug)]
struct Block {
    name: String,
    shape: Shape,
    group: GroupId,
    /// Their offsets count from the start of the block.
    tensors: Vec<Tensor>,
}

/// A value that is not trained, but kept from step to step and saved: running statistics, codebooks.
#[derive(Clone, Debug)]
pub(crate) struct State {
    /// Name as in checkpoints and plans: `state.NAME`, or PyTorch's.
    pub(crate) name: String,
    pub(crate) shape: Shape,
    pub(crate) init: Init,
}

impl State {
    /// The shape in checkpoints: one row is a vector.
    pub(crate) fn dimensions(&self) -> Vec<usize> {
        let Shape { rows, sections, columns, .. } = self.shape;
        if rows * sections == 1 { vec![columns] } else { self.shape.dimensions() }
    }

    /// `values` with the padding of memory; `None` if they are not as many as the state has.
    pub(crate) fn padded(&self, values: &[f32]) -> Option<Vec<f32>> {
        let shape = self.shape;
        if shape.rows * shape.sections * shape.columns != values.len() {
            return None;
        }
        let mut flat = vec![0.0; shape.length()];
        for (to, from) in flat.chunks_mut(shape.section_stride()).zip(values.chunks(shape.columns)) {
            to[..from.len()].copy_from_slice(from);
        }
        Some(flat)
    }
}

#[derive(Debug, Default)]
struct Table {
    groups: Vec<String>,
    current: usize,
    blocks: Vec<Block>,
    states: Vec<State>,
}

/// The table of a model's parameters, in groups, and of its state. Clones share the table.
///
/// In memory all parameters are one flat buffer, group after group, so that an optimiser binds one range; gradients and
/// moments have the same layout.
#[derive(Clone, Debug, Default)]
pub struct Tensors(Rc<RefCell<Table>>);

impl Tensors {
    /// Parameters that are added from here on belong to the group `name`.
    pub fn group(&self, name: &str) -> GroupId {
        let mut table = self.0.borrow_mut();
        let found = table.groups.iter().position(|own| own == name);
        table.current = found.unwrap_or_else(|| {
            table.groups.push(name.into());
            table.groups.len() - 1
        });
        GroupId(table.current)
    }

    /// All groups, by name, in the order of their parameters.
    pub fn groups(&self) -> Vec<(GroupId, String)> {
        self.0.borrow().groups.iter().enumerate().map(|(i, name)| (GroupId(i), name.clone())).collect()
    }

    /// The block called `name`. The first call for a name adds the block to the current group.
    ///
    /// # Errors
    /// [`Error::Shape`] if there is a block called `name` with another shape.
    pub(crate) fn block(&self, name: &str, shape: Shape, tensors: Vec<Tensor>) -> Result<BlockId> {
        if self.0.borrow().groups.is_empty() {
            self.group("vae");
        }
        let mut table = self.0.borrow_mut();
        if let Some(index) = table.blocks.iter().position(|block| block.name == name) {
            let found = table.blocks[index].shape;
            if found != shape {
                return Err(Error::shape(name, format!("its parameters are {found}, not {shape}")));
            }
            return Ok(BlockId(index));
        }
        let group = GroupId(table.current);
        table.blocks.push(Block { name: name.into(), shape, group, tensors });
        Ok(BlockId(table.blocks.len() - 1))
    }

    /// The state called `name`. The first call for a name adds it.
    ///
    /// # Errors
    /// [`Error::Shape`] if there is a state called `name` with another shape.
    pub(crate) fn state(&self, name: &str, shape: Shape, init: Init) -> Result<StateId> {
        let mut table = self.0.borrow_mut();
        if let Some(index) = table.states.iter().position(|state| state.name == name) {
            let found = table.states[index].shape;
            if found != shape {
                return Err(Error::shape(name, format!("the state is {found}, not {shape}")));
            }
            return Ok(StateId(index));
        }
        table.states.push(State { name: name.into(), shape, init });
        Ok(StateId(table.states.len() - 1))
    }

    pub(crate) fn states(&self) -> Vec<State> {
        self.0.borrow().states.clone()
    }

    /// The first values of all states, as they lie in memory, by the names of their buffers.
    pub fn first_states(&self) -> Vec<(String, Vec<f32>)> {
        let first = |State { name, shape, init }: State| {
            let mut flat = vec![0.0; shape.length()];
            match init {
                Init::Constant(value) => {
                    for row in flat.chunks_mut(shape.section_stride()) {
                        row[..shape.columns].fill(value as f32);
                    }
                }
                Init::Values(values) => flat.copy_from_slice(&values),
                _ => return None,
            }
            Some((name, flat))
        };
        self.states().into_iter().filter_map(first).collect()
    }

    pub(crate) fn group_of(&self, block: BlockId) -> GroupId {
        self.0.borrow().blocks[block.0].group
    }

    /// First element of each block, in the order of their addition, and the elements of all together.
    fn layout(&self) -> (Vec<usize>, usize) {
        let table = self.0.borrow();
        let mut order: Vec<usize> = (0..table.blocks.len()).collect();
        order.sort_by_key(|&index| (table.blocks[index].group, index));
        let (mut offsets, mut next) = (vec![0; order.len()], 0);
        for index in order {
            offsets[index] = next;
            next = (next + table.blocks[index].shape.length()).next_multiple_of(ALIGNMENT);
        }
        (offsets, next)
    }

    /// Elements of a block in the flat buffer.
    pub(crate) fn range(&self, block: BlockId) -> Range<usize> {
        let start = self.layout().0[block.0];
        start..start + self.0.borrow().blocks[block.0].shape.length()
    }

    /// Elements of a group in the flat buffer, padding included.
    pub fn group_range(&self, group: GroupId) -> Range<usize> {
        let offsets = self.layout().0;
        let table = self.0.borrow();
        let own = || table.blocks.iter().zip(&offsets).filter(|(block, _)| block.group == group);
        let start = own().map(|(_, &offset)| offset).min().unwrap_or(0);
        let end = own().map(|(block, &offset)| offset + block.shape.length()).max().unwrap_or(start);
        start..end.next_multiple_of(ALIGNMENT)
    }

    /// Elements of the flat buffer that holds all parameters, padding included.
    pub fn length(&self) -> usize {
        self.layout().1
    }

    /// All named tensors, in the order of their addition, with their places in the flat buffer.
    pub fn all(&self) -> Vec<Tensor> {
        let offsets = self.layout().0;
        let table = self.0.borrow();
        let placed = |(block, &start): (&Block, &usize)| {
            let moved = |tensor: &Tensor| Tensor { offset: start + tensor.offset, ..tensor.clone() };
            block.tensors.iter().map(moved).collect::<Vec<_>>()
        };
        table.blocks.iter().zip(&offsets).flat_map(placed).collect()
    }

    /// The tensor called `name`.
    pub fn find(&self, name: &str) -> Option<Tensor> {
        self.all().into_iter().find(|tensor| tensor.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(name: &str, shape: &[usize], strides: &[usize]) -> Tensor {
        let dimensions = shape.iter().copied().zip(strides.iter().copied()).collect();
        Tensor { name: name.into(), shape: shape.to_vec(), dimensions, offset: 0, init: Init::Constant(0.0) }
    }

    #[test]
    fn tensors_of_any_dimensions_go_in_and_out() {
        // A convolution's weights: [out, in, height, width] here, [out, height, width, padded in] on the device.
        let weights = tensor("w", &[2, 3, 2, 2], &[16, 1, 8, 4]);
        let values: Vec<f32> = (1..=24).map(|i| i as f32).collect();
        let mut flat = vec![0.0; 32];
        weights.put(&mut flat, &values);
        assert_eq!(weights.take(&flat), values);
        assert_eq!(&flat[..8], [1.0, 5.0, 9.0, 0.0, 2.0, 6.0, 10.0, 0.0]);
    }

    #[test]
    fn groups_are_contiguous_whatever_the_order_of_addition() {
        let tensors = Tensors::default();
        let first = tensors.group("first");
        let add = |name: &str, rows| {
            let shape = Shape::matrix(rows, 4);
            tensors.block(name, shape, vec![tensor(name, &[rows, 4], &[4, 1])]).unwrap()
        };
        let a = add("a", 3);
        let second = tensors.group("second");
        let b = add("b", 17);
        tensors.group("first");
        let c = add("c", 1);
        assert_eq!(add("a", 3), a, "a name that is there is shared");
        assert_eq!((tensors.range(a), tensors.range(c), tensors.range(b)), (0..12, 64..68, 128..196));
        assert_eq!((tensors.group_range(first), tensors.group_range(second)), (0..128, 128..256));
        assert_eq!(tensors.length(), 256);
        assert!(tensors.block("a", Shape::matrix(4, 4), Vec::new()).is_err());
    }
}
