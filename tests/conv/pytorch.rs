//! A checkpoint of V of World Models is what a plain PyTorch module loads: tensors of its names, shapes and order give the same
//! posteriors. `tests/fixtures/world-models-posteriors.json` was printed by PyTorch 2.15:
//
// import json, math, torch
// import torch.nn.functional as F
// number = 0
// def hashed(i):
//     i = (i ^ (i >> 16)) * 0x45D9F3B % 2**32
//     i = (i ^ (i >> 16)) * 0x45D9F3B % 2**32
//     return i ^ (i >> 16)
// def numbers(*shape, fan_in):
//     global number
//     number += 1
//     scale = math.sqrt(6 / fan_in)
//     values = [scale * (hashed(i + 10000000 * number) / 2**31 - 1) for i in range(math.prod(shape))]
//     return torch.tensor(values).reshape(shape)
// layers = [(32, 3), (64, 32), (128, 64), (256, 128)]
// convolutions = [(numbers(o, i, 4, 4, fan_in=16 * i), numbers(o, fan_in=16 * i)) for o, i in layers]
// heads = [(numbers(32, 1024, fan_in=1024), numbers(32, fan_in=1024)) for _ in range(2)]
// x = torch.tensor([hashed(i) % 256 for i in range(2 * 64 * 64 * 3)]).reshape(2, 64, 64, 3).permute(0, 3, 1, 2) / 255
// for weight, bias in convolutions:
//     x = F.relu(F.conv2d(x, weight, bias, stride=2))
// x = x.flatten(1)
// print(json.dumps([[round(v, 6) for v in F.linear(x, *head).flatten().tolist()] for head in heads]))

use super::preset;
use crate::common;
use vae::data::{Dataset, Part};
use vae::run::{Checkpoint, TrainState};
use vae::session::Session;

fn hashed(i: u32) -> u32 {
    let i = (i ^ (i >> 16)).wrapping_mul(0x045d_9f3b);
    let i = (i ^ (i >> 16)).wrapping_mul(0x045d_9f3b);
    i ^ (i >> 16)
}

/// The values of tensor `number`, counted from 1, in the order of a checkpoint.
fn numbers(number: u32, shape: &[usize], fan_in: usize) -> Vec<f32> {
    let scale = (6.0 / fan_in as f64).sqrt();
    let value = |i: u32| scale * (f64::from(hashed(i + 10_000_000 * number)) / f64::from(1_u32 << 31) - 1.0);
    (0..shape.iter().product::<usize>() as u32).map(|i| value(i) as f32).collect()
}

#[test]
fn pytorch_reads_the_checkpoint_of_v_and_finds_the_same_posteriors() {
    let (config, shape) = preset("world-models", None);
    let part =
        Part::of_images((0..2 * shape.pixels() as u32).map(|i| (hashed(i) % 256) as u8).collect(), shape);
    let dataset = Dataset::new("noise", shape, part.clone(), part);
    let text = include_str!("../fixtures/world-models-posteriors.json");
    let [means, log_variances]: [Vec<f32>; 2] = serde_json::from_str(text).unwrap();
    // Names in the order of the script, with the inputs of a sum.
    let layers = [("0", 48), ("1", 512), ("2", 1024), ("3", 2048), ("mean", 1024), ("log_variance", 1024)];
    let names = layers.iter().flat_map(|(name, fan_in)| {
        ["weight", "bias"].map(|kind| (format!("encoder.{name}.{kind}"), *fan_in))
    });
    for (device_name, device) in common::devices() {
        let task = config.task(shape);
        let mut session = Session::open(device.clone(), &task, Some(&config.optimizers()), &dataset).unwrap();
        let mut flat = vec![0.0; session.table().length()];
        for (number, (name, fan_in)) in (1..).zip(names.clone()) {
            let tensor = session.table().find(&name).unwrap();
            tensor.put(&mut flat, &numbers(number, &tensor.shape, fan_in));
        }
        session.write_flat("parameters", &flat).unwrap();
        // Through a file: what it holds under a name is what PyTorch's module would be given.
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint.safetensors");
        Checkpoint::take(&mut session, &config, &TrainState::default()).unwrap().save(&path).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        for (number, (name, fan_in)) in (1..).zip(names.clone()) {
            let tensor = file.tensor(&name).unwrap();
            let expected = numbers(number, tensor.shape(), fan_in);
            assert_eq!(tensor.data(), bytemuck::cast_slice::<f32, u8>(&expected), "{name}");
        }
        let mut session = Session::open(device, &task.clone().for_evaluation(), None, &dataset).unwrap();
        Checkpoint::load(&path).unwrap().restore(&mut session, &path).unwrap();
        let found = session.encode(&[0, 1]).unwrap();
        for (what, found, expected) in
            [("mean", &found.means, &means), ("log-variance", &found.log_variances, &log_variances)]
        {
            let largest = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(found.len() == 64 && largest < 1e-4, "{device_name}: {what}: {largest}");
        }
    }
}
