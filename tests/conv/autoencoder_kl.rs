//! The autoencoder of latent diffusion: its size, its training, and its files.

use super::{gradients, names, training};
use vae::data::ImageShape;

/// Few channels; levels and groups that differ, and latent channels that no vector divides.
const SMALL: &str =
    "family = 'autoencoder-kl', width = 4, multipliers = [1, 2], blocks = 1, norm-groups = 2, latent = 3";
const GREY: ImageShape = ImageShape { width: 6, height: 4, channels: 1 };
const COLOUR: ImageShape = ImageShape { width: 2, height: 6, channels: 3 };

#[test]
fn it_has_the_published_number_of_parameters() {
    assert_eq!(names::count("autoencoder-kl", None), 83_653_863);
    assert_eq!(names::count("autoencoder-kl-tiny", None), 954_567);
    let grey = ImageShape { width: 28, height: 44, channels: 1 };
    assert_eq!(names::count("autoencoder-kl-tiny", Some(grey)), 953_413);
}

#[test]
fn gradients_of_the_whole_model_are_right() {
    // Distributions that have a derivative everywhere.
    gradients::check(&format!("model = {{ {SMALL}, likelihood = 'gaussian-learned' }}"), COLOUR);
    gradients::check(&format!("model = {{ {SMALL}, likelihood = 'bernoulli' }}"), GREY);
}

#[test]
fn it_trains_alike_on_every_device() {
    training::compare(&format!("model = {{ {SMALL} }}"), COLOUR);
    training::compare(
        &format!("model = {{ {SMALL} }}\nobjective.beta = 1.0\nobjective.noise-samples = 2"),
        GREY,
    );
}
