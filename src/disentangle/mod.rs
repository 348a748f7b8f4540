//! Metrics of disentanglement: how far each latent dimension of a model, its *code*, follows one *factor* of the data.
//!
//! All are functions of codes (posterior means) and of factor classes, in f64 and with natural logarithms. They know neither
//! files nor devices. Where one draws at random, its seed decides all draws. Algorithms and settings are those of
//! `disentanglement_lib` (Locatello et al., "Challenging common assumptions in the unsupervised learning of disentangled
//! representations", ICML 2019), with the differences that each file names.

mod beta_vae;
pub mod boosting;
mod dci;
mod explicitness;
mod factor_vae;
mod gaussian;
pub mod information;
mod irs;
mod items;
mod lbfgs;
mod logistic;
mod mig;
mod modularity;
mod sap;
mod scores;
mod svm;
mod tree;

pub use beta_vae::beta_vae;
pub use dci::{Dci, completeness, dci, disentanglement};
pub use explicitness::explicitness;
pub use factor_vae::{Votes, factor_vae};
pub use gaussian::{covariance, total_correlation};
pub use irs::irs;
pub use items::{Items, Random};
pub use mig::{Gaps, mig, mig_sampled};
pub use modularity::modularity;
pub use sap::{sap, sap_continuous};
pub use scores::{Scores, Settings};

#[cfg(test)]
mod grid_tests;
#[cfg(test)]
mod tests;
