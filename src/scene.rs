//! The words by which a frame of the racing environment is described, and the sizes of the frame.
//!
//! `world::racing` writes them; `shaders/racing.wgsl` and its twins read them. All words are numbers of 32 bits; whole numbers
//! are exact. Lengths are in units of the world, or in points of a fine window whose row 0 is the lowest.
//!
//! **Road**, [`ROAD_WORDS`], once for each track: the number of tiles, three zeros, then for each tile [`TILE_WORDS`]: the
//! corners of its quadrilateral (x, y, four times), those of its kerb, its colour before a wheel has touched it, and the kerb's
//! colour, or [`ABSENT`]; two zeros.
//!
//! **Scene**, [`SCENE_WORDS`], once for each frame: cosine and sine of the angle by which the camera turns the world, its zoom
//! (points a unit), the place of the world (x, y) that is seen at half the width and a quarter of the height; width and height of
//! the window in points; samples along each side of a pixel, 4 or 1. Then [`CAR_QUADS`] quadrilaterals of the car, in points,
//! each with its colour or [`ABSENT`]. Then for each tile whether a wheel has touched it, 16 tiles a word, lowest bit first.
//!
//! **List**, [`LIST_WORDS`], computed from both: the number of quadrilaterals in view, then [`QUAD_WORDS`] each: four corners in
//! points, and a colour, red times 65,536 plus green times 256 plus blue. Later ones hide earlier ones.

/// Tiles for which a road has room. Of 20,000 tracks the longest has 389.
pub(crate) const TILES: usize = 512;
/// Words of a tile.
pub(crate) const TILE_WORDS: usize = 20;
/// Words before the first tile.
pub(crate) const ROAD_HEAD: usize = 4;
/// Words of a road.
pub(crate) const ROAD_WORDS: usize = ROAD_HEAD + TILES * TILE_WORDS;

/// Corners and colour.
pub(crate) const QUAD_WORDS: usize = 9;
/// Words of the camera.
pub(crate) const CAMERA_WORDS: usize = 8;
/// Four wheels with a stripe each, and six quadrilaterals of the hull.
pub(crate) const CAR_QUADS: usize = 14;
/// Where the touched tiles begin.
pub(crate) const TOUCHED: usize = CAMERA_WORDS + CAR_QUADS * QUAD_WORDS;
/// Tiles in a word.
pub(crate) const TILES_A_WORD: usize = 16;
/// Words of a scene, whole vec4.
pub(crate) const SCENE_WORDS: usize = (TOUCHED + TILES / TILES_A_WORD).div_ceil(4) * 4;

/// Squares of lighter grass along each side of the field.
pub(crate) const SQUARES: usize = 20;
/// Half the side of the field, which lies around the origin.
pub(crate) const FIELD: f64 = 2000.0 / 6.0;
/// Quadrilaterals of which a list is chosen: the field, the squares, tiles and kerbs, the car.
pub(crate) const QUADS: usize = 1 + SQUARES * SQUARES + 2 * TILES + CAR_QUADS;
/// Words of a list, whole vec4.
pub(crate) const LIST_WORDS: usize = (1 + QUADS * QUAD_WORDS).div_ceil(4) * 4;

/// The colour of what is not there.
pub(crate) const ABSENT: f32 = -1.0;
/// The field.
pub(crate) const GRASS: u32 = 0x66_cc_66;
/// Squares of the field.
pub(crate) const LIGHT_GRASS: u32 = 0x66_e6_66;
/// A tile that a wheel has touched.
pub(crate) const ROAD: u32 = 0x66_66_66;

/// Pixels along each side of the picture of the window.
pub(crate) const WINDOW: usize = 96;
/// Rows of it that a frame shows: below are indicators.
pub(crate) const ROWS: usize = 84;
/// Pixels along each side of a frame.
pub(crate) const FRAME: usize = 64;
/// Values of a frame.
pub(crate) const FRAME_VALUES: usize = FRAME * FRAME * 3;
