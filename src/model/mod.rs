//! Models: names and sizes of layers, turned into graphs, and their initial parameters.

pub(crate) mod density;
mod init;
mod mlp;
mod objective;

pub use density::DensityModel;
pub use init::Initialisation;
pub use mlp::{MlpVae, Vae};
pub use objective::ObjectiveKind;
