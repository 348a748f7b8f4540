//! World models: an environment, and what learns to act in it from pictures.
//!
//! * [`racing`] is the environment of the paper: a car on a random track, seen from above.
//! * [`environment`] says what environments have in common, and [`child`] runs one from outside. [`frame`] resizes pictures.
//! * [`memory`] is M, which says how likely the next latents are, and dreams.
//! * [`cmaes`] evolves the parameters of a controller.
//!
//! Source: D. Ha and J. Schmidhuber, "Recurrent world models facilitate policy evolution", NeurIPS 2018.

pub mod child;
pub mod cmaes;
pub mod environment;
pub mod frame;
pub mod memory;
pub mod racing;
