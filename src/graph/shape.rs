//! Shapes, and how matrices lie in memory.

/// Round up to whole vec4.
pub(crate) const fn padded(columns: usize) -> usize {
    columns.div_ceil(4) * 4
}

/// The shape of a matrix whose rows may hold several sections side by side, such as a posterior's means and
/// log-variances. Feature maps are such a matrix with one row for each pixel (NHWC): item after item, and the pixels of an
/// item row by row.
///
/// In memory rows follow each other; each section of a row is padded with zeros to a multiple of four, so that
/// kernels read whole vec4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Shape {
    /// Rows of all items: `items * height * width`.
    pub rows: usize,
    /// Height and width of the maps of an item; `[1, 1]` where an item is one row.
    pub space: [usize; 2],
    /// Sections of a row, all equally wide.
    pub sections: usize,
    /// Columns of a section, without padding.
    pub columns: usize,
}

impl Shape {
    /// A plain matrix.
    pub const fn matrix(rows: usize, columns: usize) -> Self {
        Self::with_sections(rows, 1, columns)
    }

    /// A matrix with several sections in each row.
    pub const fn with_sections(rows: usize, sections: usize, columns: usize) -> Self {
        Self { rows, space: [1, 1], sections, columns }
    }

    /// Feature maps, NHWC: `items` times `height` by `width` pixels of `channels` values.
    pub const fn maps(items: usize, [height, width]: [usize; 2], channels: usize) -> Self {
        Self { space: [height, width], ..Self::matrix(items * height * width, channels) }
    }

    /// Rows of one item.
    pub const fn pixels(&self) -> usize {
        self.space[0] * self.space[1]
    }

    /// Items: images, or samples of them.
    pub const fn items(&self) -> usize {
        self.rows / self.pixels()
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

    /// Elements up to the last one that is not padding. A matrix of one row, such as the loss terms, is written up to here:
    /// its padding may hold stale data of another value in the same memory.
    pub const fn extent(&self) -> usize {
        self.length() + self.columns - self.section_stride()
    }

    /// The shape as people write it: `[rows, columns]`, `[rows, sections, columns]` or `[items, height, width, channels]`.
    pub fn dimensions(&self) -> Vec<usize> {
        let sections = (self.sections > 1).then_some(self.sections);
        let rows = match self.space {
            [1, 1] => vec![self.rows],
            [height, width] => vec![self.items(), height, width],
        };
        rows.into_iter().chain(sections).chain([self.columns]).collect()
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
        assert_eq!(lengths(Shape::with_sections(2, 2, 3)), (15, 16));
        assert_eq!(lengths(Shape::matrix(2, 4)), (8, 8));
    }

    #[test]
    fn maps_have_a_row_for_each_pixel() {
        let maps = Shape::maps(3, [5, 2], 7);
        assert_eq!((maps.rows, maps.items(), maps.pixels(), maps.stride()), (30, 3, 10, 8));
        assert_eq!(maps.to_string(), "[3, 5, 2, 7]");
        assert_eq!(Shape::with_sections(3, 2, 7).to_string(), "[3, 2, 7]");
    }
}
