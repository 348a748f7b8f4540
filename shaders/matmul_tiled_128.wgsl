// Matrix products by tiles of 128 rows by 128 columns: the sizes for shared/matmul_tiled.wgsl.
// The two operands' tiles fill 16 KiB of workgroup memory.
//
// import: registers_8x8, matmul_tiled, matmul_partial_tn
// kernels: tiled = tiled_128

const TILE_ROWS = 128u;
const TILE_COLUMNS = 32u; // vec4
const TILE_INNER = 16u; // k in a tile of an operand
const WORKGROUP_WIDTH = 16u; // invocations along the columns of a tile
const WORKGROUP_HEIGHT = 16u; // and along its rows
