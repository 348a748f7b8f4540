//! Models on a device with no more than the default limits of WebGPU 1.0.

use crate::common;
use vae::config::Config;
use vae::data::{Dataset, ImageShape, Part};
use vae::device::OpenDevice;
use vae::gpu::{Gpu, Limits, adapters};
use vae::plan::Step;
use vae::session::{Session, Which};
use vae::{Error, Result};

const SHAPE: ImageShape = ImageShape { width: 256, height: 256, channels: 3 };
const BATCH: usize = 64;

/// The first usable adapter, with the default limits.
fn limited() -> Option<OpenDevice> {
    let (name, _) = common::adapters().into_iter().next()?;
    let info = adapters().into_iter().find(|info| info.to_string() == name).unwrap();
    let gpu = Gpu::open_with_default_limits(&info).unwrap();
    assert_eq!(
        gpu.info().limits.max_storage_buffer_binding_size,
        Limits::REQUIRED.max_storage_buffer_binding_size
    );
    Some(OpenDevice::Gpu(Box::new(gpu)))
}

fn images() -> Dataset {
    let pixel = |i: usize| (i.wrapping_mul(2_654_435_761) >> 13) as u8;
    let part = |count: usize| Part::of_images((0..count * SHAPE.pixels()).map(pixel).collect(), SHAPE);
    // More than one binding holds: the images are sent with each submit.
    let (train, test) = (part(11 * BATCH), part(1));
    Dataset::new("noise", SHAPE, train, test)
}

fn open(device: &OpenDevice, dataset: &Dataset, settings: &str, batch: usize) -> Result<Session> {
    let config =
        Config::default().with(&format!("run.batch-size = {batch}\nmodel.family = 'conv'\n{settings}"))?;
    let config = config.resolve()?.for_images(SHAPE)?;
    Session::open(device.clone(), &config.task(SHAPE), Some(&config.optimizers()), dataset)
}

#[test]
fn large_images_train_within_the_default_limits() {
    let Some(device) = limited() else { return };
    let dataset = images();
    let thin =
        "model.levels = [{ channels = 4, kernel = 4, stride = 4 }, { channels = 8, kernel = 4, stride = 4 }]";
    let mut session = open(&device, &dataset, thin, BATCH).unwrap();
    let numbers: Vec<u32> = (0..BATCH as u32).collect();
    session.submit("train", Which::Train, &[&numbers], vec![Step::default()]).unwrap();
    let rows: Vec<Vec<f32>> =
        session.receive(0).unwrap().iter().flat_map(|rows| rows.rows().map(<[f32]>::to_vec)).collect();
    let found = rows[0][session.plan().metric("reconstruction").unwrap()];
    // All parameters are 0: every logit is.
    let expected = SHAPE.pixels() as f32 * std::f32::consts::LN_2;
    assert!((found - expected).abs() < 1e-4 * expected, "{found} is not {expected}");
}

#[test]
fn what_does_not_fit_is_refused_with_the_batch_that_fits() {
    let Some(device) = limited() else { return };
    let dataset = images();
    let wide = "model.levels = [{ channels = 64, kernel = 4, stride = 2 }]\nmodel.shrink-to = 4";
    let error = open(&device, &dataset, wide, BATCH).unwrap_err();
    assert!(matches!(error, Error::Limit { batch: Some(32), .. }), "{error:?}");
    assert!(error.to_string().contains("--batch-size of 32 or less"), "{error}");
    open(&device, &dataset, wide, 32).unwrap();
}
