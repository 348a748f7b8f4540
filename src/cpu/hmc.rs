//! Twins of `shaders/hmc.wgsl`.

use super::Real;
use super::call::Call;
use super::random::{normals, open_uniform, words};

/// Added to the stream of momenta: draws that accept or reject.
const ACCEPT: u32 = 16;

/// (rows, elements in a row of latents)
fn sizes<T: Real>(call: &Call<'_, T>) -> (usize, usize) {
    (call.count("CHAINS"), 4 * call.count("COLUMNS"))
}

/// The gradient of the potential energy is the latent plus this times the likelihood's gradient.
fn slope_factor<T: Real>(call: &Call<'_, T>) -> T {
    call.step_number("BETA") * T::of(call.count("CHAINS") as f64)
}

/// The step size of each image's chains in this transition.
fn step_sizes<'a, T: Real>(call: &Call<'a, T>) -> &'a [T] {
    let (batch, slot) = (call.count("BATCH"), call.step.slot as usize);
    &call.read("sizes")[slot * batch..(slot + 1) * batch]
}

pub(super) fn log_density<T: Real>(call: &mut Call<'_, T>) {
    let (chains, columns) = sizes(call);
    let (chunks, width) = (call.count("CHUNKS"), call.count("WIDTH"));
    let (value, latent) = (call.read("value"), call.write("latent"));
    let density = call.write("density");
    for i in 0..chains {
        // Kahan's sum carries along what rounding takes away.
        let (mut sum, mut carried) = (T::zero(), T::zero());
        for &chunk in &value[i * chunks..(i + 1) * chunks] {
            let term = chunk - carried;
            let next = sum + term;
            carried = (next - sum) - term;
            sum = next;
        }
        let square: T = latent[i * columns..(i + 1) * columns].iter().map(|&z| z * z).sum();
        let constant = T::of(width as f64 * std::f64::consts::TAU.ln());
        let record = [-sum, T::of(-0.5) * (square + constant), T::zero(), T::zero()];
        density[4 * i..4 * i + 4].copy_from_slice(&record);
    }
}

pub(super) fn hmc_reset<T: Real>(call: &mut Call<'_, T>) {
    let (chains, _) = sizes(call);
    let density = call.write("density");
    let latent_gradient = call.read("latent_gradient");
    call.write("position").copy_from_slice(call.write("latent"));
    call.write("position_gradient").copy_from_slice(latent_gradient);
    let state = call.write("state");
    for i in 0..chains {
        state[8 * i..8 * i + 8].fill(T::zero());
        state[8 * i..8 * i + 2].copy_from_slice(&density[4 * i..4 * i + 2]);
    }
}

pub(super) fn hmc_start<T: Real>(call: &mut Call<'_, T>) {
    let ((chains, columns), width) = (sizes(call), call.count("WIDTH"));
    let (factor, sizes_of_images, step) = (slope_factor(call), step_sizes(call), call.step);
    let change = call.step_number("CHANGE");
    let (position, gradient) = (call.write("position"), call.write("position_gradient"));
    let (latent, momentum) = (call.write("latent"), call.write("momentum"));
    let state = call.write("state");
    let half = T::of(0.5);
    for i in 0..chains {
        let size = sizes_of_images[i % sizes_of_images.len()];
        let now = &mut state[8 * i..8 * i + 4];
        let term = change * now[0] - now[3];
        let weight = now[2] + term;
        now[3] = (weight - now[2]) - term;
        now[2] = weight;
        let mut kinetic = T::zero();
        for c in 0..columns / 4 {
            let draws = normals::<T>(words(step, i * columns / 4 + c, 0));
            for (lane, draw) in draws.into_iter().enumerate() {
                let at = i * columns + 4 * c + lane;
                let draw = if 4 * c + lane < width { draw } else { T::zero() };
                kinetic += half * draw * draw;
                let kicked = draw - half * size * (position[at] + factor * gradient[at]);
                momentum[at] = kicked;
                latent[at] = position[at] + size * kicked;
            }
        }
        state[8 * i + 4] = kinetic;
    }
}

pub(super) fn hmc_leap<T: Real>(call: &mut Call<'_, T>) {
    let ((chains, columns), factor) = (sizes(call), slope_factor(call));
    let (sizes_of_images, gradient) = (step_sizes(call), call.read("latent_gradient"));
    let (latent, momentum) = (call.write("latent"), call.write("momentum"));
    for i in 0..chains {
        let size = sizes_of_images[i % sizes_of_images.len()];
        for at in i * columns..(i + 1) * columns {
            momentum[at] -= size * (latent[at] + factor * gradient[at]);
            latent[at] += size * momentum[at];
        }
    }
}

pub(super) fn hmc_accept<T: Real>(call: &mut Call<'_, T>) {
    let (chains, columns) = sizes(call);
    let (factor, sizes_of_images, step) = (slope_factor(call), step_sizes(call), call.step);
    let beta = call.step_number("BETA");
    let gradient = call.read("latent_gradient");
    let (latent, density, momentum) = (call.write("latent"), call.write("density"), call.write("momentum"));
    let (position, position_gradient) = (call.write("position"), call.write("position_gradient"));
    let state = call.write("state");
    let half = T::of(0.5);
    for i in 0..chains {
        let size = sizes_of_images[i % sizes_of_images.len()];
        let row = i * columns..(i + 1) * columns;
        let mut kinetic = T::zero();
        for at in row.clone() {
            let kicked = momentum[at] - half * size * (latent[at] + factor * gradient[at]);
            momentum[at] = kicked;
            kinetic += half * kicked * kicked;
        }
        let (before, past) = state[8 * i..8 * i + 8].split_at_mut(4);
        let end = &density[4 * i..4 * i + 4];
        let change = beta * (end[0] - before[0]) + (end[1] - before[1]) + (past[0] - kinetic);
        // A trajectory that has left all bounds gives NaN, and is rejected.
        let acceptance = if change > T::of(-80.0) { change.min(T::zero()).exp() } else { T::zero() };
        let draw = open_uniform::<T>(words(step, i, ACCEPT)[0]);
        if draw < acceptance {
            before[..2].copy_from_slice(&end[..2]);
            position[row.clone()].copy_from_slice(&latent[row.clone()]);
            position_gradient[row.clone()].copy_from_slice(&gradient[row]);
        }
        past[1] = acceptance;
        past[2] += acceptance;
        past[3] += T::one();
    }
}
