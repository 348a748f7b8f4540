//! World models: an environment, and what learns to act in it from pictures.
//!
//! * [`racing`] is the environment of the paper: a car on a random track, seen from above.
//! * [`environment`] says what environments have in common, and [`child`] runs one from outside. [`frame`] resizes pictures.
//! * V is an ordinary model of this library, [`memory`] is M, [`controller`] is C, which [`cmaes`] evolves.
//! * [`agent`] puts the three on a device, [`rollout`] drives many cars with them.
//! * [`WorldFolder`] holds a world run, with [`WorldSettings`].
//!
//! Source: D. Ha and J. Schmidhuber, "Recurrent world models facilitate policy evolution", NeurIPS 2018.

pub mod agent;
pub mod child;
pub mod cmaes;
mod collect;
pub mod controller;
mod dream;
mod drive;
pub mod environment;
mod folder;
pub mod frame;
pub mod memory;
mod mind;
mod paper;
mod play;
pub mod racing;
pub mod rollout;
mod settings;

pub use collect::{Actions, Record, Recording};
pub use dream::{DREAMS, DreamNumbers};
pub use drive::{Drive, FILM_DELAY, LONGEST, Scores};
pub use folder::WorldFolder;
pub use mind::{EPISODES, SHAPE as FRAME_SHAPE};
pub use paper::{PUBLISHED, Published};
pub use play::{AtRandom, Native, Played, Policy, Trained, play};
pub use settings::{
    ControllerSettings, EnvironmentSettings, FrameSettings, MemorySettings, VisionSettings, WorldSettings,
};
