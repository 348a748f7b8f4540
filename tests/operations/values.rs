//! Values of the checks: their contents, and where the elements lie in memory.

use vae::plan::{BufferId, Plan, Port};

/// A value as the host sees it, `[rows, sections, columns]`, without padding.
#[derive(Clone, Debug)]
pub(crate) struct Matrix {
    shape: [usize; 3],
    elements: Vec<f64>,
}

impl Matrix {
    pub(crate) fn rows(&self) -> usize {
        self.shape[0]
    }

    pub(crate) fn columns(&self) -> usize {
        self.shape[2]
    }

    pub(crate) fn at(&self, row: usize, section: usize, column: usize) -> f64 {
        self.elements[(row * self.shape[1] + section) * self.shape[2] + column]
    }

    pub(crate) fn elements(&self) -> &[f64] {
        &self.elements
    }

    pub(crate) fn sum(&self) -> f64 {
        self.elements.iter().sum()
    }

    /// The sum of products of elements.
    pub(crate) fn dot(&self, other: &Self) -> f64 {
        self.elements.iter().zip(&other.elements).map(|(a, b)| a * b).sum()
    }
}

/// What a check's objective is a function of.
pub(crate) struct Values {
    pub(crate) inputs: Vec<Matrix>,
    pub(crate) outputs: Vec<Matrix>,
    /// What a pull-back multiplies the outputs by.
    pub(crate) seeds: Vec<Matrix>,
}

/// The place of a value in memory.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) buffer: BufferId,
    shape: [usize; 3],
    /// Where each element lies.
    pub(crate) positions: Vec<usize>,
    /// Elements up to the last one that is not padding. What follows is undefined.
    pub(crate) extent: usize,
}

impl Place {
    pub(crate) fn of(port: &Port) -> Self {
        let ([rows, sections, columns], [row, section]) = (port.shape, port.strides);
        let start = (0..rows).flat_map(|r| (0..sections).map(move |s| r * row + s * section));
        let positions: Vec<usize> = start.flat_map(|start| start..start + columns).collect();
        let extent = positions.last().map_or(0, |last| last + 1);
        Self { buffer: port.buffer, shape: port.shape, positions, extent }
    }

    pub(crate) fn take(&self, buffer: &[f64]) -> Matrix {
        let elements = self.positions.iter().map(|&position| buffer[position]).collect();
        Matrix { shape: self.shape, elements }
    }

    /// Row and column of each element: columns of later sections follow those of earlier ones.
    pub(crate) fn coordinates(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let width = self.shape[1] * self.shape[2];
        (0..self.positions.len()).map(move |i| (i / width, i % width))
    }
}

/// Contents without a pattern, away from 0 where some activation functions have a kink.
pub(crate) fn waves(input: usize, row: usize, column: usize) -> f64 {
    let wave = (1.3 * input as f64 + 2.1 * row as f64 + 0.77 * column as f64 + 0.4).sin();
    wave.signum() * (0.1 + 0.9 * wave.abs())
}

/// Grey pixels, some black, some white.
pub(crate) fn pixel(row: usize, column: usize) -> f64 {
    match (3 * row + 5 * column) % 7 {
        0 => 0.0,
        3 => 1.0,
        other => (other * 36 + row) as f64 / 255.0,
    }
}

/// The places of a program's ports.
pub(crate) fn places(plan: &Plan, program: &str) -> (Vec<Place>, Vec<Place>) {
    let program = plan.program(program).unwrap();
    let of = |ports: &[Port]| ports.iter().map(Place::of).collect();
    (of(&program.given), of(&program.wanted))
}
