//! The CPU as a device: one twin for each WGSL kernel.
//!
//! Twins are generic over the number type. In `f32` they are a device for machines without an adapter; in `f64`
//! they are the oracle that tests compare the WGSL with. A twin takes the dispatch's constants and buffers by the
//! names the WGSL uses, so that the two can be read side by side.

mod accumulate;
mod activation;
mod affine;
mod average;
mod batch_norm;
mod bench;
mod blocks;
mod call;
mod channel_sum;
mod clamp;
mod clip;
mod codes;
mod controller;
mod convolution;
mod convolution_parts;
mod corrupt;
mod covariance;
mod cross_entropy;
mod depthwise;
mod discrepancy;
mod distributions;
mod dropout;
mod executor;
mod gate;
mod gather;
mod gemm;
mod group_norm;
mod hmc;
mod idle;
mod importance;
mod keep_largest;
mod latent;
mod layer_norm;
mod likelihood;
mod lstm;
mod mask;
mod matmul;
mod mixture;
mod noncentred;
mod norm;
mod optimal_variance;
mod optimizer;
mod panel;
pub(crate) mod peak;
mod permute;
mod pool;
mod products;
mod racing;
mod random;
mod real;
mod reshape;
mod residual;
mod sampled_kl;
mod scratch;
mod softmax;
mod squared_error;
mod sum;
mod total_correlation;
mod unit_columns;
mod window;

pub use executor::CpuExecutor;
pub(crate) use racing::Painter;
pub use real::Real;

/// The processor's name among devices.
pub(crate) fn device_name() -> String {
    format!("CPU ({} threads)", rayon::current_num_threads())
}

use call::Call;

/// The value of an activation function.
pub(crate) fn activate(kind: crate::activation::Activation, x: f64) -> f64 {
    activation::activated(kind.number() as usize, x)
}

/// The twin of a kernel.
type Twin<T> = fn(&mut Call<'_, T>);

/// The twin of the kernel called `name`. Kernels that differ in the size of their tiles share one.
fn twin<T: Real>(name: &str) -> Option<Twin<T>> {
    Some(match name.split_once("_tiled_").map_or(name, |(untiled, _)| untiled) {
        "activate" => activation::activate,
        "activate_gradient" => activation::activate_gradient,
        "affine" => affine::affine,
        "multiply_add" => bench::multiply_add,
        "copy" => bench::copy,
        "add_up" => bench::add_up,
        "box_muller" => random::box_muller,
        "network_samples" => distributions::network_samples,
        "cholesky_samples" => distributions::cholesky_samples,
        "mixture_density" => distributions::mixture_density,
        "mixture_negative_log_likelihood" => mixture::mixture_negative_log_likelihood,
        "mixture_negative_log_likelihood_gradient" => mixture::mixture_negative_log_likelihood_gradient,
        "mixture_draw" => mixture::mixture_draw,
        "gather" => gather::gather,
        "gather_mirrored" => gather::gather_mirrored,
        "gather_reals" => gather::gather_reals,
        "gather_words" => gather::gather_words,
        "accumulate" => accumulate::accumulate,
        "seed" => accumulate::seed,
        "update_state" => accumulate::update_state,
        "pair_log_densities" => total_correlation::pair_log_densities,
        "pair_log_sums" => total_correlation::pair_log_sums,
        "total_correlation" => total_correlation::total_correlation,
        "total_correlation_z_gradient" => total_correlation::total_correlation_z_gradient,
        "total_correlation_posterior_gradient" => total_correlation::total_correlation_posterior_gradient,
        "column_means" => covariance::column_means,
        "covariance" => covariance::covariance,
        "covariance_penalty" => covariance::covariance_penalty,
        "covariance_gradient" => covariance::covariance_gradient,
        "prior_samples" => discrepancy::prior_samples,
        "kernel_discrepancy" => discrepancy::kernel_discrepancy,
        "kernel_discrepancy_gradient" => discrepancy::kernel_discrepancy_gradient,
        "permute_columns" => permute::permute_columns,
        "cross_entropy" => cross_entropy::cross_entropy,
        "cross_entropy_gradient" => cross_entropy::cross_entropy_gradient,
        "contrast" => cross_entropy::contrast,
        "contrast_gradient" => cross_entropy::contrast_gradient,
        "sampled_kl" => sampled_kl::sampled_kl,
        "sampled_kl_dimensions" => sampled_kl::sampled_kl_dimensions,
        "sampled_kl_gradient" => sampled_kl::sampled_kl_gradient,
        "sampled_kl_prior_gradient" => sampled_kl::sampled_kl_prior_gradient,
        "sampled_kl_posterior_gradient" => sampled_kl::sampled_kl_posterior_gradient,
        "log_weights" => importance::log_weights,
        "log_weights_gradient" => importance::log_weights_gradient,
        "importance_weights" => importance::importance_weights,
        "importance_gradient" => importance::importance_gradient,
        "weigh_chunks" => importance::weigh_chunks,
        "doubly_reparametrize" => importance::doubly_reparametrize,
        "begin_log_sum" => importance::begin_log_sum,
        "add_to_log_sum" => importance::add_to_log_sum,
        "reparametrize" => latent::reparametrize,
        "reparametrize_gradient" => latent::reparametrize_gradient,
        "gaussian_kl" => latent::gaussian_kl,
        "gaussian_kl_gradient" => latent::gaussian_kl_gradient,
        "gaussian_kl_pull_back" => latent::gaussian_kl_pull_back,
        "gaussian_kl_gradient_free_bits" => latent::gaussian_kl_gradient_free_bits,
        "gaussian_kl_gradient_floor" => latent::gaussian_kl_gradient_floor,
        "gaussian_kl_gradient_capacity" => latent::gaussian_kl_gradient_capacity,
        "reparametrize_kl" => latent::reparametrize_kl,
        "reparametrize_kl_gradient" => latent::reparametrize_kl_gradient,
        "batch_mean" => latent::batch_mean,
        "free_bits_gate" => gate::free_bits_gate,
        "floor_gradient" => gate::floor_gradient,
        "capacity_gradient" => gate::capacity_gradient,
        "take_columns" => noncentred::take_columns,
        "take_columns_gradient" => noncentred::take_columns_gradient,
        "conditional_sample" => noncentred::conditional_sample,
        "conditional_sample_gradient" => noncentred::conditional_sample_gradient,
        "log_density" => hmc::log_density,
        "hmc_reset" => hmc::hmc_reset,
        "hmc_start" => hmc::hmc_start,
        "hmc_leap" => hmc::hmc_leap,
        "hmc_accept" => hmc::hmc_accept,
        "matmul_nt" => matmul::matmul_nt,
        "matmul_nn" => matmul::matmul_nn,
        "matmul_nn_derivative" => matmul::matmul_nn_derivative,
        "matmul_tn" => matmul::matmul_tn,
        "matmul_tn_bias" => matmul::matmul_tn_bias,
        "partial_nt" => matmul::partial_nt,
        "partial_nn" => matmul::partial_nn,
        "partial_tn" => matmul::partial_tn,
        "finish_nt" => matmul::finish_nt,
        "finish_nn" => matmul::finish_nn,
        "finish_nn_derivative" => matmul::finish_nn_derivative,
        "finish_tn" => matmul::finish_tn,
        "finish_tn_bias" => matmul::finish_tn_bias,
        "conv_nt" => convolution::conv_nt,
        "conv_nt_packed" => convolution::conv_nt_packed,
        "conv_nt_gradient" => convolution::conv_nt_gradient,
        "conv_nt_derivative" => convolution::conv_nt_derivative,
        "conv_nn" => convolution::conv_nn,
        "conv_nn_packed" => convolution::conv_nn_packed,
        "conv_nn_derivative" => convolution::conv_nn_derivative,
        "conv_nn_bias" => convolution::conv_nn_bias,
        "conv_nn_bias_packed" => convolution::conv_nn_bias_packed,
        "conv_tn" => convolution::conv_tn,
        "clip_gradients" => clip::clip_gradients,
        "controller" => controller::controller,
        "clamp_values" => clamp::clamp_values,
        "clamp_gradient" => clamp::clamp_gradient,
        "channel_sum" => channel_sum::channel_sum,
        "apply_mask" => mask::apply_mask,
        "column_sum" => matmul::column_sum,
        "partial_column_sum" => matmul::partial_column_sum,
        "partial_conv_nt" => convolution_parts::partial_conv_nt,
        "partial_conv_nn" => convolution_parts::partial_conv_nn,
        "partial_conv_tn" => convolution_parts::partial_conv_tn,
        "optimal_variance" => optimal_variance::optimal_variance,
        "kept_variance" => optimal_variance::kept_variance,
        "adam" => optimizer::adam,
        "adamax" => optimizer::adamax,
        "adagrad" => optimizer::adagrad,
        "rmsprop" => optimizer::rmsprop,
        "sgd" => optimizer::sgd,
        "average_parameters" => average::average_parameters,
        "batch_moments" => batch_norm::batch_moments,
        "merge_moments" => batch_norm::merge_moments,
        "finish_moments" => batch_norm::finish_moments,
        "batch_norm" => batch_norm::batch_norm,
        "batch_norm_sums" => batch_norm::batch_norm_sums,
        "batch_norm_gradient" => batch_norm::batch_norm_gradient,
        "fixed_norm_gradient" => batch_norm::fixed_norm_gradient,
        "group_moments" => group_norm::group_moments,
        "group_norm" => group_norm::group_norm,
        "group_norm_sums" => group_norm::group_norm_sums,
        "group_norm_gradient" => group_norm::group_norm_gradient,
        "layer_norm" => layer_norm::layer_norm,
        "layer_norm_gradient" => layer_norm::layer_norm_gradient,
        "layer_norm_scale" => layer_norm::layer_norm_scale,
        "group_norm_scale" => group_norm::group_norm_scale,
        "block_sums" => blocks::block_sums,
        "block_products" => blocks::block_products,
        "add_blocks" => blocks::add_blocks,
        "add_scaled" => residual::add_scaled,
        "scaled" => residual::scaled,
        "add_row" => residual::add_row,
        "multiply_row" => residual::multiply_row,
        "multiply_items" => residual::multiply_items,
        "item_products" => residual::item_products,
        "depthwise" => depthwise::depthwise,
        "depthwise_input" => depthwise::depthwise_input,
        "depthwise_weight" => depthwise::depthwise_weight,
        "window_sum" => pool::window_sum,
        "window_spread" => pool::window_spread,
        "space_to_depth" => pool::space_to_depth,
        "depth_to_space" => pool::depth_to_space,
        "products_nt" => products::products_nt,
        "products_nn" => products::products_nn,
        "products_tn" => products::products_tn,
        "softmax" => softmax::softmax,
        "softmax_gradient" => softmax::softmax_gradient,
        "keep_largest" => keep_largest::keep_largest,
        "unit_columns" => unit_columns::unit_columns,
        "project_columns" => unit_columns::project_columns,
        "count_idle" => idle::count_idle,
        "idle_only" => idle::idle_only,
        "squares" => codes::squares,
        "squares_gradient" => codes::squares_gradient,
        "add_square_sum" => codes::add_square_sum,
        "add_square_sum_gradient" => codes::add_square_sum_gradient,
        "racing_list" => racing::racing_list,
        "racing_picture" => racing::racing_picture,
        "racing_frame" => racing::racing_frame,
        "row_squares" => codes::row_squares,
        "row_squares_gradient" => codes::row_squares_gradient,
        "slope_squares" => codes::slope_squares,
        "slope_squares_gradient" => codes::slope_squares_gradient,
        "sparsity" => codes::sparsity,
        "sparsity_gradient" => codes::sparsity_gradient,
        "corrupt" => corrupt::corrupt,
        "drop_values" => dropout::drop_values,
        "put_columns" => reshape::put_columns,
        "repack" => reshape::repack,
        "squared_error" => squared_error::squared_error,
        "lstm_pack" => lstm::lstm_pack,
        "lstm" => lstm::lstm,
        "lstm_gradient" => lstm::lstm_gradient,
        "sum" => sum::sum,
        "sum_metric" => sum::sum_metric,
        "sum_two_metrics" => sum::sum_two_metrics,
        "square_sum" => sum::square_sum,
        "square_root" => sum::square_root,
        _ => return likelihood::twin(name),
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_kernel_has_a_twin() {
        let missing: Vec<_> = crate::kernels::all()
            .filter(|kernel| !kernel.file.starts_with("tests/"))
            .filter(|kernel| super::twin::<f32>(&kernel.name).is_none())
            .collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}
