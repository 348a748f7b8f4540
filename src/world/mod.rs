//! World models: an environment, and what learns to act in it from pictures.
//!
//! * [`racing`] is the environment of the paper: a car on a random track, seen from above.
//! * [`cmaes`] evolves the parameters of a controller.
//!
//! Source: D. Ha and J. Schmidhuber, "Recurrent world models facilitate policy evolution", NeurIPS 2018.

pub mod cmaes;
pub mod racing;
