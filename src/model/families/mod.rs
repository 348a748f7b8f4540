//! The families of models, a folder each.

pub mod auto;
pub mod autoencoder_kl;
pub mod conv;
pub mod mlp;
mod pixels;

use crate::Result;
use crate::data::ImageShape;
use crate::graph::{Likelihood, LikelihoodChoice};
use crate::model::{Model, OutputLayer};
use std::fmt::Debug;
use std::rc::Rc;

/// The settings of a family: the record of its table `[model]`.
pub trait FamilyConfig: Debug {
    /// Refuse settings that make no sense for images of any size, and fill in those that depend on others.
    ///
    /// # Errors
    /// [`crate::Error::Setting`] naming the key path.
    fn resolve(self) -> Result<Self>
    where
        Self: Sized;

    /// The same with every key written out, for images of `shape`.
    ///
    /// # Errors
    /// [`crate::Error::Setting`] naming the key path, if the model does not fit the images.
    fn for_images(&self, shape: ImageShape) -> Result<Self>
    where
        Self: Sized;

    /// The model for images of `shape`.
    fn model(&self, shape: ImageShape) -> Rc<dyn Model>;

    /// The key `likelihood`.
    fn likelihood_choice(&mut self) -> &mut LikelihoodChoice;

    /// The distribution of a pixel, with its settings; Bernoulli where the data has not decided yet.
    fn likelihood(&self) -> Likelihood;

    /// Sizes of all layers on one line, for images of `shape`.
    ///
    /// # Errors
    /// [`crate::Error::Setting`] if the model does not fit the images.
    fn outline(&self, shape: ImageShape) -> Result<String>;

    /// Layers whose sizes are worked out, with these sizes, as a table for people; `None` where there are none.
    ///
    /// # Errors
    /// [`crate::Error::Setting`] if the model does not fit the images.
    fn describe(&self, shape: ImageShape) -> Result<Option<String>> {
        let _ = shape;
        Ok(None)
    }

    /// The parameter groups, each of which an optimizer trains.
    fn groups(&self) -> &'static [&'static str] {
        &["vae"]
    }

    /// What training takes where a setting of another table is not given.
    fn standard(&self) -> Standard {
        Standard::default()
    }

    /// The files by which another library opens the model for images of `shape`, if there is one.
    fn interchange(&self, shape: ImageShape) -> Option<Interchange> {
        let _ = shape;
        None
    }

    /// The layer that computes the decoder's output.
    fn output_layer(&self) -> OutputLayer {
        OutputLayer::of(self.likelihood())
    }
}

/// Files by which another library opens a model. The tensors have the same names and shapes in a checkpoint.
#[derive(Clone, Debug)]
pub struct Interchange {
    /// The folder for them in that of a run.
    pub folder: &'static str,
    /// Name and text of the file of settings.
    pub settings: (&'static str, String),
    /// Name of the safetensors file.
    pub weights: &'static str,
    /// Whether the library has the tensor of this name.
    pub takes: fn(&str) -> bool,
}

/// Defaults of other tables that depend on the family.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Standard {
    /// Weight of the KL divergence.
    pub beta: f64,
    /// Learning rate of Adam; that of the optimizer where not given.
    pub learning_rate: Option<f64>,
}

impl Default for Standard {
    fn default() -> Self {
        Self { beta: 1.0, learning_rate: None }
    }
}
