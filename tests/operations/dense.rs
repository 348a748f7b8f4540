//! Convolutions against their dense matrices, in f64, and on one and two threads.

use vae::cpu::{CpuExecutor, Real};
use vae::graph::{
    ConvolutionOptions, Graph, Mode, ProgramSpec, Setting, Shape, Target, Tensors, ValueId, Window, lower,
};
use vae::plan::{Executor, Step};

const SETTING: Setting = Setting { train_images: 1, test_images: 1, max_steps: 1, streamed: false };

/// A convolution or a transposed one, with its gradients.
struct Layer {
    window: Window,
    transposed: bool,
    items: usize,
}

/// What a layer computes.
#[derive(Debug, PartialEq)]
struct Computed<T> {
    output: Vec<T>,
    input_gradient: Vec<T>,
    gradients: Vec<T>,
    parameters: Vec<T>,
}

/// Numbers from -1 to 1 for the input (seed 1), the upstream gradient (2) and the parameters (3, 4).
fn content(seed: usize, i: usize) -> f64 {
    ((seed * 7919 + i * 104_729) % 2003) as f64 / 1001.0 - 1.0
}

impl Layer {
    fn maps(&self, [height, width, channels]: [usize; 3]) -> Shape {
        Shape::maps(self.items, [height, width], channels)
    }

    fn sizes(&self) -> [[usize; 3]; 2] {
        let Window { large, small, .. } = self.window;
        if self.transposed { [small, large] } else { [large, small] }
    }

    fn compute<T: Real>(&self) -> (Computed<T>, Tensors) {
        let tensors = Tensors::default();
        let group = tensors.group("network");
        let mut graph = Graph::new(&tensors, Mode::Train);
        let [from, to] = self.sizes().map(|size| self.maps(size));
        let x = graph.input("x", from);
        let options = ConvolutionOptions::default();
        let y = if self.transposed {
            graph.transposed_convolution("layer", x, &self.window, options).unwrap()
        } else {
            graph.convolution("layer", x, &self.window, options).unwrap()
        };
        let seed = graph.input("seed", to);
        let targets = [Target::Value(x), Target::Group(group)];
        let gradient = graph.pull_back(&[(y, seed)], &targets).unwrap().of(x).unwrap();
        let wanted: Vec<ValueId> = [y, gradient].into_iter().chain(graph.gradients_of(group)).collect();
        let plan = lower(&graph, &[ProgramSpec::new("all", &[x, seed], &wanted)], SETTING).unwrap();
        let mut cpu = CpuExecutor::<T>::new(&plan, 1).unwrap();
        let buffer = |name: &str| plan.buffer(name).unwrap();
        for (number, name, shape) in [(1, "x", from), (2, "seed", to)] {
            let values = cpu.real_mut(buffer(name));
            for (row, pixel) in values.chunks_mut(shape.stride()).enumerate() {
                for (column, value) in pixel[..shape.columns].iter_mut().enumerate() {
                    *value = T::of(content(number, row * shape.columns + column));
                }
            }
        }
        for (number, tensor) in (3..).zip(tensors.all()) {
            for (i, position) in tensor.positions().enumerate() {
                cpu.real_mut(buffer("parameters"))[position] = T::of(content(number, i));
            }
        }
        cpu.submit("all", &[Step { rows: self.items as u32, ..Step::default() }]).unwrap();
        let maps = |value: ValueId, shape: Shape| {
            let name = &graph.value(value).name;
            let rows = cpu.real(buffer(name)).chunks(shape.stride());
            rows.flat_map(|pixel| pixel[..shape.columns].to_vec()).collect::<Vec<_>>()
        };
        let computed = Computed {
            output: maps(y, to),
            input_gradient: maps(gradient, from),
            gradients: cpu.real(buffer("gradients")).to_vec(),
            parameters: cpu.real(buffer("parameters")).to_vec(),
        };
        (computed, tensors)
    }

    /// The entries of the matrix from large to small maps: rows, columns, and the number of the weight.
    fn entries(&self) -> Vec<[usize; 3]> {
        let Window { large, small, kernel, stride, padding, .. } = self.window;
        let mut entries = Vec::new();
        for y in 0..small[0] {
            for x in 0..small[1] {
                for o in 0..small[2] {
                    for ky in 0..kernel[0] {
                        for kx in 0..kernel[1] {
                            let (row, column) = (y * stride[0] + ky, x * stride[1] + kx);
                            let inside = (padding[0]..padding[0] + large[0]).contains(&row)
                                && (padding[1]..padding[1] + large[1]).contains(&column);
                            for c in (0..large[2]).filter(|_| inside) {
                                let pixel = (row - padding[0]) * large[1] + column - padding[1];
                                entries.push([
                                    (y * small[1] + x) * small[2] + o,
                                    pixel * large[2] + c,
                                    ((o * large[2] + c) * kernel[0] + ky) * kernel[1] + kx,
                                ]);
                            }
                        }
                    }
                }
            }
        }
        entries
    }

    fn check(&self) {
        let (found, tensors) = self.compute::<f64>();
        let count = |[height, width, channels]: [usize; 3]| height * width * channels;
        let ([from, to], all) = (self.sizes(), tensors.all());
        let (weight, bias) = (all[0].take(&found.parameters), all[1].take(&found.parameters));
        let mut output: Vec<f64> = (0..self.items * count(to)).map(|i| bias[i % to[2]]).collect();
        let mut input_gradient = vec![0.0; self.items * count(from)];
        let mut weight_gradient = vec![0.0; weight.len()];
        let mut bias_gradient = vec![0.0; to[2]];
        for item in 0..self.items {
            for &[small, large, number] in &self.entries() {
                let (i, o) = if self.transposed { (small, large) } else { (large, small) };
                let (i, o) = (item * count(from) + i, item * count(to) + o);
                output[o] += weight[number] * content(1, i);
                input_gradient[i] += weight[number] * content(2, o);
                weight_gradient[number] += content(1, i) * content(2, o);
            }
        }
        (0..output.len()).for_each(|o| bias_gradient[o % to[2]] += content(2, o));
        for (what, found, expected) in [
            ("output", found.output, output),
            ("input gradient", found.input_gradient, input_gradient),
            ("weight gradient", all[0].take(&found.gradients), weight_gradient),
            ("bias gradient", all[1].take(&found.gradients), bias_gradient),
        ] {
            let largest = expected.iter().fold(1.0, |largest: f64, value| largest.max(value.abs()));
            for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
                let right = (found - expected).abs() <= 1e-12 * largest;
                assert!(right, "{} {}: {what} {i}: {found}, {expected}", self.window, self.transposed);
            }
        }
    }
}

#[test]
fn convolutions_are_their_dense_matrices() {
    // Numbers that share no period, so that most combinations occur.
    for i in 0..60 {
        let large = [1 + i % 7, 1 + i * 3 % 5, 1 + i % 6];
        let (kernel, stride) = ([1 + i % 4, 1 + i * 2 % 3], [1 + i % 3, 1 + i / 2 % 3]);
        let around = [i % 2, i / 3 % 2, i / 2 % 3, i / 5 % 2];
        let Ok(window) = Window::convolution(large, 1 + i % 9, kernel, stride, around) else { continue };
        for transposed in [false, true] {
            Layer { window, transposed, items: 1 + i % 3 }.check();
        }
    }
    for i in 0..30 {
        let small = [1 + i % 3, 1 + i % 4, 1 + i % 7];
        let (kernel, stride) = ([2 + i % 4, 3 + i % 3], [1 + i % 2, 1 + i % 3]);
        let crop = [i % 2, 1 - i % 2, i / 2 % 2, 0];
        let Ok(window) = Window::transposed(small, 1 + i % 5, kernel, stride, crop, [i % 2, 0]) else {
            continue;
        };
        for transposed in [false, true] {
            Layer { window, transposed, items: 1 + i % 2 }.check();
        }
    }
}

#[test]
fn one_and_two_threads_give_the_same_bits() {
    let window = |large, channels, kernel, stride| {
        Window::convolution(large, channels, [kernel; 2], [stride; 2], [0; 4]).unwrap()
    };
    // Blocks of all kinds: many pixels, few pixels of many channels, one pixel.
    for window in [window([33, 33, 3], 32, 4, 2), window([8, 8, 64], 96, 4, 2), window([5, 5, 20], 24, 5, 1)]
    {
        for transposed in [false, true] {
            let layer = Layer { window, transposed, items: 19 };
            let on = |threads: usize| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| layer.compute::<f32>().0)
            };
            assert!(on(1) == on(2), "{window} {transposed}");
        }
    }
}
