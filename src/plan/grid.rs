//! Numbers of a dispatch: the values of its constants, and its workgroups.

use crate::kernels::Kernel;

/// Most workgroups along one dimension that WebGPU guarantees.
const MOST_WORKGROUPS: u32 = 65_535;

/// Numbers for a kernel's `override` constants, by name.
macro_rules! constants {
    ($($name:ident: $value:expr),* $(,)?) => {
        std::collections::BTreeMap::from([$((stringify!($name), $crate::plan::Constant::from($value).0)),*])
    };
}
pub(crate) use constants;

/// A number on its way to an `override` constant: counts, flags and floats all travel as `f64`.
pub(crate) struct Constant(pub(crate) f64);

impl From<usize> for Constant {
    fn from(value: usize) -> Self {
        Self(value as f64)
    }
}
impl From<u32> for Constant {
    fn from(value: u32) -> Self {
        Self(f64::from(value))
    }
}
impl From<i32> for Constant {
    fn from(value: i32) -> Self {
        Self(f64::from(value))
    }
}
impl From<bool> for Constant {
    fn from(value: bool) -> Self {
        Self(f64::from(u8::from(value)))
    }
}
impl From<f64> for Constant {
    fn from(value: f64) -> Self {
        Self(value)
    }
}

/// How many invocations a kernel needs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Grid {
    /// One invocation for each element, in workgroups of one dimension. The field is the number of elements.
    Elements(usize),
    /// One invocation for each tile of `TILE_ROWS` rows by `TILE_COLUMNS` vec4 columns.
    Tiles { rows: usize, columns: usize },
    /// The same for each of `items` matrices.
    ItemTiles { items: usize, rows: usize, columns: usize },
    /// One workgroup for each such tile, `parts` times.
    WorkgroupTiles { rows: usize, columns: usize, parts: usize },
    /// Such tiles of `phases` matrices of `rows` rows each, all of them `parts` times, in one dimension: an invocation each, or a
    /// workgroup where the kernel has tiles of operands (`TILE_INNER`). Convolutions have few columns and very many rows.
    FlatTiles { phases: usize, rows: usize, columns: usize, parts: usize },
    /// The number of workgroups.
    Workgroups(usize),
}

impl Grid {
    pub(crate) fn workgroups(self, kernel: &Kernel) -> [u32; 3] {
        let [x, y, _] = kernel.workgroup_size;
        match self {
            Self::Elements(count) => fold(count.div_ceil(x as usize)),
            Self::Workgroups(count) => fold(count),
            Self::Tiles { rows, columns } => [
                (columns as u32).div_ceil(x * kernel.constant("TILE_COLUMNS")),
                (rows as u32).div_ceil(y * kernel.constant("TILE_ROWS")),
                1,
            ],
            Self::ItemTiles { items, rows, columns } => {
                let [across, down, _] = Self::Tiles { rows, columns }.workgroups(kernel);
                [across, down, items as u32]
            }
            Self::WorkgroupTiles { rows, columns, parts } => [
                (columns as u32).div_ceil(kernel.constant("TILE_COLUMNS")),
                (rows as u32).div_ceil(kernel.constant("TILE_ROWS")),
                parts as u32,
            ],
            Self::FlatTiles { phases, rows, columns, parts } => {
                let side = |name| kernel.constant(name) as usize;
                let tiles =
                    phases * rows.div_ceil(side("TILE_ROWS")) * columns.div_ceil(side("TILE_COLUMNS"));
                if kernel.find_constant("TILE_INNER").is_some() {
                    let [across, down, _] = fold(tiles);
                    [across, down, parts as u32]
                } else {
                    fold((tiles * parts).div_ceil(x as usize))
                }
            }
        }
    }
}

/// `count` workgroups, in two dimensions if one dimension cannot hold them. Some of the last row may be idle.
fn fold(count: usize) -> [u32; 3] {
    let rows = count.div_ceil(MOST_WORKGROUPS as usize).max(1);
    [count.div_ceil(rows).max(1) as u32, rows as u32, 1]
}
