//! Shapes, and how matrices lie in memory.

/// Round up to whole vec4.
pub(crate) const fn padded(columns: usize) -> usize {
    columns.div_ceil(4) * 4
}

/// The shape of a matrix whose rows may hold several sections side by side, such as a posterior's means and
/// log-variances.
///
/// In memory rows follow each other; each section of a row is padded with zeros to a multiple of four, so that
/// kernels read whole vec4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Shape {
    /// Rows.
    pub rows: usize,
    /// Sections of a row, all equally wide.
    pub sections: usize,
    /// Columns of a section, without padding.
    pub columns: usize,
}

impl Shape {
    /// A plain matrix.
    pub const fn matrix(rows: usize, columns: usize) -> Self {
        Self { rows, sections: 1, columns }
    }

    /// Elements from one section to the next.
    pub const fn section_stride(&self) -> usize {
        padded(self.columns)
    }

    /// Elements from one row to the next.
    pub const fn stride(&self) -> usize {
        self.sections * padded(self.columns)
    }

    /// Elements in memory, padding included.
    pub const fn length(&self) -> usize {
        self.rows * self.stride()
    }

    /// Elements up to the last one that is not padding. What lies behind is nobody's: a matrix of one row, such as the
    /// loss terms, is written to here, and its padding may hold what another value left in the same memory.
    pub const fn extent(&self) -> usize {
        self.length() + self.columns - self.section_stride()
    }

    /// The shape as people write it: `[rows, columns]` or `[rows, sections, columns]`.
    pub fn dimensions(&self) -> Vec<usize> {
        match self.sections {
            1 => vec![self.rows, self.columns],
            sections => vec![self.rows, sections, self.columns],
        }
    }
}

impl std::fmt::Display for Shape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.dimensions())
    }
}

#[cfg(test)]
mod tests {
    use super::Shape;

    #[test]
    fn extents_end_with_the_last_column() {
        let lengths = |shape: Shape| (shape.extent(), shape.length());
        assert_eq!(lengths(Shape::matrix(1, 2450)), (2450, 2452));
        assert_eq!(lengths(Shape::matrix(3, 5)), (21, 24));
        assert_eq!(lengths(Shape { rows: 2, sections: 2, columns: 3 }), (15, 16));
        assert_eq!(lengths(Shape::matrix(2, 4)), (8, 8));
    }
}
