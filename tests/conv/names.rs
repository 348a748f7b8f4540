//! Parameters of presets, and their names.

use super::{preset, tensors};
use vae::data::ImageShape;
use vae::graph::Tensor;

pub(super) fn count(name: &str, shape: Option<ImageShape>) -> usize {
    let (config, shape) = preset(name, shape);
    tensors(&config, shape).iter().map(Tensor::count).sum()
}

#[test]
fn presets_have_the_published_numbers_of_parameters() {
    assert_eq!(count("world-models", None), 4_348_547);
    assert_eq!(count("burgess", None), 469_173);
    assert_eq!(count("burgess", Some(ImageShape { width: 64, height: 64, channels: 1 })), 502_005);
    assert_eq!(count("disentanglement", None), 690_517);
    assert_eq!(count("mnist-conv", None), 953_705);
    assert_eq!(count("residual", None), 756_259);
}

#[test]
fn layers_are_named_and_shaped_as_in_pytorch() {
    let named = |name: &str| -> Vec<String> {
        let (config, shape) = preset(name, None);
        tensors(&config, shape).iter().map(|tensor| format!("{} {:?}", tensor.name, tensor.shape)).collect()
    };
    let world_models = named("world-models");
    for expected in [
        "encoder.0.weight [32, 3, 4, 4]",
        "encoder.3.bias [256]",
        "encoder.mean.weight [32, 1024]",
        "encoder.log_variance.bias [32]",
        "decoder.0.weight [1024, 32]",
        "decoder.1.weight [1024, 128, 5, 5]",
        "decoder.3.weight [64, 32, 6, 6]",
        "decoder.output.weight [32, 3, 6, 6]",
        "decoder.output.bias [3]",
    ] {
        assert!(world_models.iter().any(|name| name == expected), "{expected} is not in {world_models:#?}");
    }
    assert_eq!(world_models.len(), 2 * (4 + 2 + 1 + 4));
    let residual = named("residual");
    for expected in [
        "encoder.0.bias [32]",
        "encoder.1.norm.weight [32]",
        "encoder.2.weight [96, 32, 1, 1]",
        "encoder.2.norm.bias [96]",
        "encoder.3.weight [96, 1, 5, 5]",
        "encoder.4.weight [32, 96, 1, 1]",
        "encoder.4.norm.weight [32]",
        "encoder.5.weight [64, 32, 3, 3]",
        "decoder.1.norm.weight [128]",
        "decoder.5.weight [128, 64, 4, 4]",
        "decoder.output.weight [32, 3, 4, 4]",
    ] {
        assert!(residual.iter().any(|name| name == expected), "{expected} is not in {residual:#?}");
    }
    assert!(!residual.iter().any(|name| name.starts_with("encoder.2.bias")), "{residual:#?}");
}
