//! Models: names and sizes of layers, turned into graphs, and their initial parameters.

mod init;
mod mlp;
mod objective;

pub use init::Initialisation;
pub use mlp::{MlpVae, Vae};
pub use objective::ObjectiveKind;
