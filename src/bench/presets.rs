//! The convolutional models that are measured: presets, at the sizes of their images.

use crate::config::{Config, Preset};
use crate::data::ImageShape;
use crate::device::OpenDevice;
use crate::graph::{Setting, Tensors, lower_unfused};
use crate::plan::Plan;
use crate::{Error, Result};

/// Images in a minibatch.
const BATCH: usize = 100;

/// A preset under the name that its rows have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measured {
    /// The name in rows, which programs that compare speeds know it by.
    pub(super) name: &'static str,
    /// The preset's own.
    preset: &'static str,
    /// Images in the minibatches of a software adapter; all others take [`BATCH`].
    pub(super) on_software: usize,
    /// Images in more minibatches of a hardware GPU.
    pub(super) on_hardware: Option<usize>,
}

/// The presets that are measured. A new one is one line.
pub(super) const PRESETS: [Measured; 6] = [
    Measured { name: "world-models", preset: "world-models", on_software: BATCH, on_hardware: Some(1000) },
    Measured {
        name: "disentanglement",
        preset: "disentanglement",
        on_software: BATCH,
        on_hardware: Some(1000),
    },
    Measured { name: "mnist-conv", preset: "mnist-conv", on_software: BATCH, on_hardware: Some(1000) },
    Measured { name: "residual", preset: "residual", on_software: BATCH, on_hardware: Some(1000) },
    Measured { name: "burgess", preset: "burgess", on_software: BATCH, on_hardware: Some(1000) },
    Measured { name: "autoencoder-kl", preset: "autoencoder-kl-tiny", on_software: 16, on_hardware: None },
];

impl Measured {
    /// Sizes of minibatches in training steps.
    pub(super) fn batches(&self, device: &OpenDevice) -> Vec<usize> {
        match device {
            OpenDevice::Gpu(gpu) if gpu.info().is_software() => vec![self.on_software],
            OpenDevice::Gpu(_) => [Some(BATCH), self.on_hardware].into_iter().flatten().collect(),
            OpenDevice::Cpu => vec![BATCH],
        }
    }

    /// The plan of a training step, an operation a dispatch.
    ///
    /// # Errors
    /// [`Error::Internal`] if there is no such preset.
    pub(super) fn plan(&self, batch: usize) -> Result<Plan> {
        let (config, shape) = self.config(batch)?;
        let (task, tensors) = (config.task(shape), Tensors::default());
        let built = task.model.build(&tensors, &task, Some(&config.optimizers()))?;
        let setting = Setting { train_images: batch, test_images: batch, max_steps: 1, streamed: false };
        lower_unfused(&built.graph, &built.programs, setting)
    }

    /// The preset's settings for minibatches of `batch` grey images, and the size of its images.
    ///
    /// # Errors
    /// [`Error::Internal`] if there is no such preset.
    pub(super) fn config(&self, batch: usize) -> Result<(Config, ImageShape)> {
        let missing = || Error::Internal(format!("there is no preset {}", self.preset));
        let preset = Preset::find(self.preset)?.ok_or_else(missing)?;
        let settings = format!("data.binarize = 'none'\nrun.batch-size = {batch}");
        let config = preset.config()?.with(&settings)?.resolve()?.for_images(preset.shape())?;
        Ok((config, preset.shape()))
    }
}

#[cfg(test)]
mod tests {
    use super::PRESETS;
    use crate::graph::{Setting, Tensors, lower};
    use crate::plan::Variant;

    #[test]
    fn every_preset_has_settings() {
        for measured in PRESETS {
            let (config, shape) = measured.config(100).unwrap();
            assert_eq!(config.run.batch_size(), 100, "{}", measured.name);
            assert!(shape.pixels() >= 784, "{}", measured.name);
        }
    }

    /// A device may choose any variant for any of their products.
    #[test]
    fn every_variant_of_a_preset_is_a_valid_plan() {
        for measured in PRESETS {
            let (config, shape) = measured.config(100).unwrap();
            let (task, tensors) = (config.task(shape), Tensors::default());
            let built = task.model.build(&tensors, &task, Some(&config.optimizers())).unwrap();
            let setting = Setting { train_images: 100, test_images: 100, max_steps: 1, streamed: false };
            let fused = lower(&built.graph, &built.programs, setting).unwrap();
            for plan in [fused, measured.plan(100).unwrap()] {
                for variant in Variant::ALL {
                    let problem = plan.clone().with_variants(|_| variant).validate().err();
                    assert!(problem.is_none(), "{}, {variant}: {problem:?}", measured.name);
                }
            }
        }
    }
}
