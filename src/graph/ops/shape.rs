//! Values in another shape: columns side by side, sections, and rows of another width.

use super::noncentred::TakeColumns;
use crate::graph::{Gradients, Graph, Lowering, Node, Operation, Shape, ValueId};
use crate::plan::{Grid, constants};
use crate::{Error, Result};

/// Inputs: matrices of equally many rows. Output: their columns side by side.
#[derive(Debug)]
struct Concat {
    /// For each input where its columns begin in a row of the output, and how many elements from there on it writes: columns,
    /// and the padding that follows.
    places: Vec<[usize; 2]>,
}

impl Operation for Concat {
    fn gradient(&self, node: &Node, gradients: &mut Gradients<'_>) -> Result<()> {
        let Some(upstream) = gradients.upstream(node.outputs[0]) else { return Ok(()) };
        for (&input, &[from, _]) in node.inputs.iter().zip(&self.places) {
            if let Some(part) = gradients.part(input) {
                let label = format!("gradient of {}", gradients.name(input));
                gradients.push(label, TakeColumns { from }, &[upstream], &[part]);
                gradients.add(input, part, part);
            }
        }
        Ok(())
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let whole = lowering.shape(node.outputs[0]);
        for (&input, &[from, cover]) in node.inputs.iter().zip(&self.places) {
            let part = lowering.shape(input);
            lowering.dispatch(
                node,
                "put_columns",
                constants! {
                    ROWS: part.rows, WIDTH: part.columns, PART: part.stride(), WHOLE: whole.stride(), FROM: from,
                    COVER: cover,
                },
                &[("part", input), ("whole", node.outputs[0])],
                Grid::Elements(part.rows * cover),
                0,
            )?;
        }
        Ok(())
    }
}

/// Input: a value. Output: the same memory as a value of another shape.
#[derive(Debug)]
struct Reshape;

impl Operation for Reshape {
    fn gradient(&self, node: &Node, gradients: &mut Gradients<'_>) -> Result<()> {
        let Some(upstream) = gradients.upstream(node.outputs[0]) else { return Ok(()) };
        let input = node.inputs[0];
        if gradients.wants(input) {
            let shape = gradients.shape(input);
            let name = format!("gradient.{}", gradients.name(input));
            let same = gradients.alias_as(&name, upstream, shape);
            gradients.push(name, Reshape, &[upstream], &[same]);
            gradients.share(input, same);
        }
        Ok(())
    }

    fn lower(&self, _: &Node, _: &mut Lowering<'_>) -> Result<()> {
        Ok(())
    }
}

/// Input: a value. Output: its elements in rows of another width.
#[derive(Debug)]
struct Repack {
    accumulate: bool,
}

impl Operation for Repack {
    fn gradient(&self, node: &Node, gradients: &mut Gradients<'_>) -> Result<()> {
        let Some(upstream) = gradients.upstream(node.outputs[0]) else { return Ok(()) };
        let Some(target) = gradients.target(node.inputs[0]) else { return Ok(()) };
        let label = format!("gradient of {}", gradients.name(node.inputs[0]));
        gradients.push_into(label, Repack { accumulate: target.1 }, &[upstream], target);
        Ok(())
    }

    fn lower(&self, node: &Node, lowering: &mut Lowering<'_>) -> Result<()> {
        let (input, output) = (lowering.shape(node.inputs[0]), lowering.shape(node.outputs[0]));
        lowering.dispatch(
            node,
            "repack",
            constants! {
                ROWS: output.rows * output.sections, WIDTH: output.columns, STRIDE: output.section_stride(),
                INPUT_WIDTH: input.columns, INPUT_STRIDE: input.section_stride(), ACCUMULATE: self.accumulate,
            },
            &[("input", node.inputs[0]), ("output", node.outputs[0])],
            Grid::Elements(output.length()),
            0,
        )
    }
}

impl Graph {
    /// The elements of `x` in their order (row, section, column) as a value of `shape`. It shares the memory of `x` where no
    /// padding is in the way.
    ///
    /// # Errors
    /// [`Error::Shape`] if `shape` has not as many elements.
    pub fn reshape(&mut self, name: &str, x: ValueId, shape: Shape) -> Result<ValueId> {
        let from = self.shape(x);
        let elements = |shape: &Shape| shape.rows * shape.sections * shape.columns;
        if elements(&from) != elements(&shape) {
            return Err(Error::shape(name, format!("{from} has not as many elements as {shape}")));
        }
        let unpadded = |shape: &Shape| shape.columns.is_multiple_of(4);
        if from.columns == shape.columns || (unpadded(&from) && unpadded(&shape)) {
            let output = self.alias_as(name, x, shape);
            self.push(name, Reshape, &[x], &[output]);
            return Ok(output);
        }
        Ok(self.apply(name, Repack { accumulate: false }, &[x], shape))
    }

    /// Each item of the maps `x` as one row, pixel by pixel: `[items, height * width * channels]`.
    ///
    /// # Errors
    /// [`Error::Shape`] if `x` has sections.
    pub fn flatten(&mut self, name: &str, x: ValueId) -> Result<ValueId> {
        let shape = self.shape(x);
        if shape.sections != 1 {
            return Err(Error::shape(name, format!("{shape} has sections")));
        }
        self.reshape(name, x, Shape::matrix(shape.items(), shape.pixels() * shape.columns))
    }

    /// The columns, or channels, of all `parts` side by side.
    ///
    /// # Errors
    /// [`Error::Shape`] if their rows differ, or one has sections.
    pub fn concat(&mut self, name: &str, parts: &[ValueId]) -> Result<ValueId> {
        let shapes = self.fitting(name, parts)?;
        let whole = Shape { columns: shapes.iter().map(|shape| shape.columns).sum(), ..shapes[0] };
        let mut from = 0;
        let mut places: Vec<[usize; 2]> = Vec::new();
        for shape in &shapes {
            places.push([from, shape.columns]);
            from += shape.columns;
        }
        // The last one writes the padding.
        if let Some([from, cover]) = places.last_mut() {
            *cover = whole.stride() - *from;
        }
        Ok(self.apply(name, Concat { places }, parts, whole))
    }

    /// Matrices `[rows, columns]` as the sections of one, `[rows, sections, columns]`.
    ///
    /// # Errors
    /// [`Error::Shape`] if their shapes differ, or one has sections.
    pub fn stack_sections(&mut self, name: &str, parts: &[ValueId]) -> Result<ValueId> {
        let shapes = self.fitting(name, parts)?;
        let first = shapes[0];
        if let Some(other) = shapes.iter().find(|shape| shape.columns != first.columns) {
            return Err(Error::shape(name, format!("{first} and {other} are not equally wide")));
        }
        let section = first.section_stride();
        let places = (0..parts.len()).map(|i| [i * section, section]).collect();
        Ok(self.apply(name, Concat { places }, parts, Shape { sections: parts.len(), ..first }))
    }

    /// Section number `index` of `x`, `[rows, columns]`.
    ///
    /// # Errors
    /// [`Error::Shape`] if there is no such section.
    pub fn take_section(&mut self, name: &str, x: ValueId, index: usize) -> Result<ValueId> {
        let shape = self.shape(x);
        if index >= shape.sections {
            return Err(Error::shape(name, format!("{shape} has no section number {index}")));
        }
        let operation = TakeColumns { from: index * shape.section_stride() };
        Ok(self.apply(name, operation, &[x], Shape { sections: 1, ..shape }))
    }

    /// The shapes of `parts`: without sections, and with equal rows.
    fn fitting(&self, name: &str, parts: &[ValueId]) -> Result<Vec<Shape>> {
        let shapes: Vec<Shape> = parts.iter().map(|&part| self.shape(part)).collect();
        let Some(first) = shapes.first() else {
            return Err(Error::shape(name, "there is nothing to put together".to_string()));
        };
        let differs =
            |shape: &&Shape| (shape.rows, shape.space, shape.sections) != (first.rows, first.space, 1);
        if let Some(other) = shapes.iter().find(differs) {
            return Err(Error::shape(name, format!("{first} and {other} do not fit together")));
        }
        Ok(shapes)
    }
}
