//! C: a small controller, evolved by CMA-ES (Ha and Schmidhuber 2018, section 2.3).

mod act;
mod curve;
mod evolve;
mod inputs;

pub use curve::{Generation, read_curve};
pub use evolve::{Progress, Watch};
pub use inputs::{ACTIONS, HIDDEN, Inputs};
