// Convolutions by tiles of 32 rows by 32 columns: the sizes for shared/conv_tiled.wgsl.
// The two operands' tiles fill 8 KiB of workgroup memory.
//
// import: registers_4x4, conv_tiled, conv_partial
// kernels: tiled = tiled_32

const TILE_ROWS = 32u;
const TILE_COLUMNS = 8u; // vec4
const TILE_INNER = 32u; // k in a tile of an operand
const WORKGROUP_WIDTH = 8u; // invocations along the columns of a tile
const WORKGROUP_HEIGHT = 8u; // and along its rows
