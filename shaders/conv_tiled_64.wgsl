// Convolutions by tiles of 64 rows by 64 columns: the sizes for shared/conv_tiled.wgsl.
// The two operands' tiles fill 8 KiB of workgroup memory.
//
// import: registers_8x8, conv_tiled
// kernels: tiled = tiled_64

const TILE_ROWS = 64u;
const TILE_COLUMNS = 16u; // vec4
const TILE_INNER = 16u; // k in a tile of an operand
const WORKGROUP_WIDTH = 8u; // invocations along the columns of a tile
const WORKGROUP_HEIGHT = 8u; // and along its rows
