//! From what C computes to the controls of the car: as a graph, and on the host.

use super::{ACTIONS, Inputs};
use crate::Result;
use crate::graph::{Graph, ValueId};

impl Inputs {
    /// Steering, gas and brake, `[cars, 3]`: of a = tanh(W f + b), steering is a0, gas (a1 + 1) / 2, brake max(a2, 0). `weights`
    /// holds the parameters of each car's controller.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] if the sizes do not fit together.
    pub(in crate::world) fn controls(
        self,
        graph: &mut Graph,
        features: ValueId,
        weights: ValueId,
    ) -> Result<ValueId> {
        let raw = graph.controller(features, weights, self.layer())?;
        let steering = graph.take_columns("steering", raw, 0, 1)?;
        let gas = graph.take_columns("gas.raw", raw, 1, 1)?;
        let gas = graph.affine("gas", gas, 0.5, 0.5);
        let brake = graph.take_columns("brake.raw", raw, 2, 1)?;
        let brake = graph.clamp("brake", brake, [0.0, 1.0])?;
        graph.concat("controls", &[steering, gas, brake])
    }

    /// The same of one car, whose latents are `z` and whose state of M is `h`: steering, gas and brake.
    pub(in crate::world) fn act(self, weights: &[f32], z: &[f32], h: &[f32]) -> [f32; 3] {
        let mut features = z.to_vec();
        if self.need_memory() {
            features.extend_from_slice(h);
        }
        let mut rest = weights;
        if let Some(units) = self.layer() {
            let (own, after) = weights.split_at(units * (features.len() + 1));
            (features, rest) = (layer(own, &features, units), after);
        }
        let raw = layer(rest, &features, ACTIONS);
        [raw[0], 0.5 * raw[1] + 0.5, raw[2].max(0.0)]
    }
}

/// tanh(b + W x), of `weights` that hold b and then W, `[inputs, outputs]`.
fn layer(weights: &[f32], x: &[f32], outputs: usize) -> Vec<f32> {
    let (bias, weights) = weights.split_at(outputs);
    let sum = |output: usize| {
        let terms = x.iter().enumerate().map(|(input, value)| value * weights[input * outputs + output]);
        bias[output] + terms.sum::<f32>()
    };
    (0..outputs).map(|output| sum(output).tanh()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::OpenDevice;
    use crate::graph::{Mode, ProgramSpec, Setting, Shape, Tensors, lower};
    use crate::plan::Step;
    use crate::session::Host;

    /// The controls that the graph computes for cars with these numbers.
    fn by_graph(inputs: Inputs, features: &[f32], weights: &[f32], cars: usize) -> Vec<f32> {
        let mut graph = Graph::new(&Tensors::default(), Mode::Evaluate);
        let of = |values: &[f32]| Shape::matrix(cars, values.len() / cars);
        let given = [graph.input("features", of(features)), graph.input("weights", of(weights))];
        let wanted = inputs.controls(&mut graph, given[0], given[1]).unwrap();
        let setting = Setting { train_images: 1, test_images: 1, max_steps: 1, streamed: false };
        let plan = lower(&graph, &[ProgramSpec::new("act", &given, &[wanted])], setting).unwrap();
        let mut host = Host::open(&OpenDevice::Cpu, plan, 1).unwrap();
        for (name, values) in [("features", features), ("weights", weights)] {
            let port = host.port(name).unwrap();
            host.write_rows(&port, values).unwrap();
        }
        host.run("act", Step { rows: cars as u32, ..Step::default() }).unwrap();
        let port = host.port(&graph.value(wanted).name).unwrap();
        host.read_rows(&port, cars).unwrap().swap_remove(0)
    }

    #[test]
    fn the_graph_and_the_host_agree_and_controls_stay_in_their_ranges() {
        let (latent, hidden, cars) = (3, 2, 4);
        for inputs in [Inputs::ZH, Inputs::Z, Inputs::ZHidden] {
            let count = inputs.parameters(latent, hidden);
            let width = inputs.features(latent, hidden);
            let numbers =
                |count: usize, by: f32| (0..count).map(|i| ((i + 1) as f32 * by).sin()).collect::<Vec<f32>>();
            let (features, weights) = (numbers(cars * width, 1.7), numbers(cars * count, 0.9));
            let found = by_graph(inputs, &features, &weights, cars);
            for car in 0..cars {
                let own = &features[car * width..(car + 1) * width];
                let (z, h) = own.split_at(latent);
                let controls = inputs.act(&weights[car * count..(car + 1) * count], z, h);
                for (one, other) in controls.iter().zip(&found[3 * car..]) {
                    assert!((one - other).abs() < 1e-5, "{inputs:?}: {controls:?}");
                }
                assert!(controls[1] >= 0.0 && controls[2] >= 0.0);
            }
        }
    }
}
