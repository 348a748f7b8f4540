//! The closed forms, in f64.

/// A small symmetric positive definite matrix, row by row.
#[derive(Clone, Debug)]
pub(crate) struct Matrix {
    pub(crate) size: usize,
    pub(crate) values: Vec<f64>,
}

impl Matrix {
    pub(crate) fn new(size: usize, value: impl Fn(usize, usize) -> f64) -> Self {
        Self { size, values: (0..size * size).map(|i| value(i / size, i % size)).collect() }
    }

    pub(crate) fn at(&self, i: usize, j: usize) -> f64 {
        self.values[i * self.size + j]
    }

    /// Lower triangle L with L Lᵀ = this.
    fn cholesky(&self) -> Self {
        let mut l = Self::new(self.size, |_, _| 0.0);
        for i in 0..self.size {
            for j in 0..=i {
                let sum: f64 = (0..j).map(|k| l.at(i, k) * l.at(j, k)).sum();
                let value = self.at(i, j) - sum;
                l.values[i * self.size + j] = if i == j { value.sqrt() } else { value / l.at(j, j) };
            }
        }
        l
    }

    /// log N(x; 0, this)
    pub(crate) fn log_normal(&self, x: &[f64]) -> f64 {
        let l = self.cholesky();
        let mut y = Vec::new();
        for (i, x) in x.iter().enumerate() {
            let sum: f64 = (0..i).map(|k| l.at(i, k) * y[k]).sum();
            y.push((x - sum) / l.at(i, i));
        }
        let log_root: f64 = (0..self.size).map(|i| l.at(i, i).ln()).sum();
        let constant = 0.5 * self.size as f64 * std::f64::consts::TAU.ln();
        -0.5 * y.iter().map(|y| y * y).sum::<f64>() - log_root - constant
    }

    /// this⁻¹ x
    pub(crate) fn solve(&self, x: &[f64]) -> Vec<f64> {
        let l = self.cholesky();
        let mut y = x.to_vec();
        for i in 0..self.size {
            y[i] = (y[i] - (0..i).map(|k| l.at(i, k) * y[k]).sum::<f64>()) / l.at(i, i);
        }
        for i in (0..self.size).rev() {
            y[i] = (y[i] - (i + 1..self.size).map(|k| l.at(k, i) * y[k]).sum::<f64>()) / l.at(i, i);
        }
        y
    }

    /// Eigenvalues in descending order, by Jacobi's rotations.
    pub(crate) fn eigenvalues(&self) -> Vec<f64> {
        let (n, mut a) = (self.size, self.clone());
        for _ in 0..60 {
            for p in 0..n {
                for q in p + 1..n {
                    if a.at(p, q).abs() < 1e-300 {
                        continue;
                    }
                    let theta = 0.5 * (2.0 * a.at(p, q)).atan2(a.at(q, q) - a.at(p, p));
                    let (sin, cos) = theta.sin_cos();
                    let rotated = |i: usize, j: usize, b: &Self, by_row: bool| {
                        let get = |k: usize| if by_row { b.at(k, j) } else { b.at(i, k) };
                        match if by_row { i } else { j } {
                            it if it == p => cos * get(p) - sin * get(q),
                            it if it == q => sin * get(p) + cos * get(q),
                            _ => b.at(i, j),
                        }
                    };
                    let half = Self::new(n, |i, j| rotated(i, j, &a, true));
                    a = Self::new(n, |i, j| rotated(i, j, &half, false));
                }
            }
        }
        let mut values: Vec<f64> = (0..n).map(|i| a.at(i, i)).collect();
        values.sort_by(|a, b| b.total_cmp(a));
        values
    }
}

/// x = W z + b + noise of variance s², z ~ N(0, I).
#[derive(Clone, Debug)]
pub(crate) struct LinearGaussian {
    /// `[pixels, latent]`
    pub(crate) weight: Vec<f64>,
    pub(crate) bias: Vec<f64>,
    pub(crate) variance: f64,
    pub(crate) latent: usize,
}

impl LinearGaussian {
    fn weight(&self, pixel: usize, i: usize) -> f64 {
        self.weight[pixel * self.latent + i]
    }

    fn centred(&self, x: &[f32]) -> Vec<f64> {
        x.iter().zip(&self.bias).map(|(x, b)| f64::from(*x) - b).collect()
    }

    /// log p(x) = log N(x; b, W Wᵀ + s² I)
    pub(crate) fn log_evidence(&self, x: &[f32]) -> f64 {
        let covariance = Matrix::new(self.bias.len(), |i, j| {
            let product: f64 = (0..self.latent).map(|k| self.weight(i, k) * self.weight(j, k)).sum();
            product + if i == j { self.variance } else { 0.0 }
        });
        covariance.log_normal(&self.centred(x))
    }

    /// Mean and covariance of p(z|x): precision Wᵀ W / s² + I.
    pub(crate) fn posterior(&self, x: &[f32]) -> (Vec<f64>, Matrix) {
        let pixels = self.bias.len();
        let precision = Matrix::new(self.latent, |i, j| {
            let product: f64 = (0..pixels).map(|p| self.weight(p, i) * self.weight(p, j)).sum();
            product / self.variance + if i == j { 1.0 } else { 0.0 }
        });
        let centred = self.centred(x);
        let right: Vec<f64> = (0..self.latent)
            .map(|i| (0..pixels).map(|p| self.weight(p, i) * centred[p]).sum::<f64>() / self.variance)
            .collect();
        let columns: Vec<Vec<f64>> = (0..self.latent)
            .map(|j| {
                precision.solve(&(0..self.latent).map(|i| f64::from(u8::from(i == j))).collect::<Vec<_>>())
            })
            .collect();
        (precision.solve(&right), Matrix::new(self.latent, |i, j| columns[j][i]))
    }
}

/// The highest log-likelihood per datum that a linear Gaussian model with `latent` dimensions reaches on data of
/// covariance `s` (Tipping and Bishop 1999, equations 4, 7 and 8).
pub(crate) fn best_log_likelihood(s: &Matrix, latent: usize) -> f64 {
    let (values, d) = (s.eigenvalues(), s.size as f64);
    let rest = values[latent..].iter().sum::<f64>() / (d - latent as f64);
    let logs: f64 = values[..latent].iter().map(|value| value.ln()).sum();
    -0.5 * (d * std::f64::consts::TAU.ln() + logs + (d - latent as f64) * rest.ln() + d)
}

#[test]
fn the_closed_forms_agree_with_each_other() {
    // Bayes: log p(x) = log p(x|z) + log p(z) - log p(z|x), at any z.
    let model = LinearGaussian {
        weight: vec![0.3, -0.1, 0.2, 0.4, -0.5, 0.1],
        bias: vec![0.1, 0.2, 0.3],
        variance: 0.04,
        latent: 2,
    };
    let (x, z) = ([0.5_f32, 0.1, 0.9], [0.3, -0.7]);
    let (mean, covariance) = model.posterior(&x);
    let identity = |n: usize, s: f64| Matrix::new(n, |i, j| if i == j { s } else { 0.0 });
    let aside: Vec<f64> = (0..3)
        .map(|p| f64::from(x[p]) - model.bias[p] - model.weight(p, 0) * z[0] - model.weight(p, 1) * z[1])
        .collect();
    let posterior = covariance.log_normal(&[z[0] - mean[0], z[1] - mean[1]]);
    let right = identity(3, 0.04).log_normal(&aside) + identity(2, 1.0).log_normal(&z) - posterior;
    assert!((model.log_evidence(&x) - right).abs() < 1e-10, "{} {right}", model.log_evidence(&x));
    let matrix = Matrix::new(3, |i, j| [[2.0, 1.0, 0.0], [1.0, 2.0, 1.0], [0.0, 1.0, 2.0]][i][j]);
    for (found, exact) in
        matrix.eigenvalues().into_iter().zip([2.0 + 2.0_f64.sqrt(), 2.0, 2.0 - 2.0_f64.sqrt()])
    {
        assert!((found - exact).abs() < 1e-10, "{found} {exact}");
    }
}
