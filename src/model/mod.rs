//! Models: names and sizes of layers, turned into graphs, and their initial parameters.

pub(crate) mod density;
mod hierarchy;
mod init;
mod mlp;
mod mlp_config;
mod objective;
mod output_bias;

pub use density::{DensityModel, UpperDensity};
pub use hierarchy::{UpperLayer, UpperVae};
pub use init::Initialisation;
pub use mlp::{MlpVae, Vae};
pub use mlp_config::MlpConfig;
pub use objective::ObjectiveKind;
pub use output_bias::OutputBias;
