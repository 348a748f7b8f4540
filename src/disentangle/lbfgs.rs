//! Minimum of a smooth convex function by L-BFGS (Liu and Nocedal, "On the limited memory BFGS method for large scale
//! optimization", 1989).

/// Steps that the curvature is estimated from.
const MEMORY: usize = 10;
/// Iterations at most.
const ITERATIONS: usize = 300;

/// Where `function` is smallest, from `start` on. It writes its gradient to the second argument and returns its value. Ends
/// when no entry of the gradient is above `tolerance`.
pub(super) fn minimise(
    mut start: Vec<f64>,
    tolerance: f64,
    mut function: impl FnMut(&[f64], &mut [f64]) -> f64,
) -> Vec<f64> {
    let mut gradient = vec![0.0; start.len()];
    let mut value = function(&start, &mut gradient);
    // Changes of the point and of the gradient.
    let mut memory: Vec<[Vec<f64>; 2]> = Vec::new();
    for _ in 0..ITERATIONS {
        if gradient.iter().all(|slope| slope.abs() <= tolerance) {
            break;
        }
        let direction = direction(&gradient, &memory);
        let slope = dot(&direction, &gradient);
        let mut length =
            if memory.is_empty() { 1.0 / dot(&gradient, &gradient).sqrt().max(1.0) } else { 1.0 };
        let mut next_gradient = vec![0.0; start.len()];
        let accepted = loop {
            let next: Vec<f64> = start.iter().zip(&direction).map(|(x, d)| x + length * d).collect();
            let next_value = function(&next, &mut next_gradient);
            if next_value <= value + 1e-4 * length * slope {
                break Some((next, next_value));
            }
            length *= 0.5;
            if length < 1e-12 {
                break None;
            }
        };
        let Some((next, next_value)) = accepted else { break };
        let moved: Vec<f64> = next.iter().zip(&start).map(|(a, b)| a - b).collect();
        let turned: Vec<f64> = next_gradient.iter().zip(&gradient).map(|(a, b)| a - b).collect();
        if dot(&moved, &turned) > 0.0 {
            memory.push([moved, turned]);
            if memory.len() > MEMORY {
                memory.remove(0);
            }
        }
        (start, value) = (next, next_value);
        gradient.copy_from_slice(&next_gradient);
    }
    start
}

/// Minus the estimated inverse of the second derivative times the gradient, by two loops over the memory.
fn direction(gradient: &[f64], memory: &[[Vec<f64>; 2]]) -> Vec<f64> {
    let mut direction: Vec<f64> = gradient.iter().map(|slope| -slope).collect();
    let mut shares = vec![0.0; memory.len()];
    for (share, [moved, turned]) in shares.iter_mut().zip(memory).rev() {
        *share = dot(moved, &direction) / dot(moved, turned);
        direction.iter_mut().zip(turned).for_each(|(d, y)| *d -= *share * y);
    }
    if let Some([moved, turned]) = memory.last() {
        let scale = dot(moved, turned) / dot(turned, turned);
        direction.iter_mut().for_each(|d| *d *= scale);
    }
    for (share, [moved, turned]) in shares.iter().zip(memory) {
        let other = dot(turned, &direction) / dot(moved, turned);
        direction.iter_mut().zip(moved).for_each(|(d, s)| *d += (share - other) * s);
    }
    direction
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
