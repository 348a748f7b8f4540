//! `vae plan`.

use super::output;
use super::settings::Settings;
use clap::Args;
use serde::Serialize;
use std::path::Path;
use std::process::ExitCode;
use vae::Result;
use vae::data::ImageShape;
use vae::graph::{Setting, Tensor, Tensors};
use vae::plan::{Plan, describe};
use vae::session::{MAX_STEPS, plan_task};
use vae::text::thousands;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  vae plan --hidden 500,250 --latent 20 | less\n  vae plan --model burgess --shape 64x64x1\n  vae plan --dataset pictures --json > plan.json"
)]
pub(crate) struct PlanCommand {
    #[command(flatten)]
    settings: Settings<false>,
    /// Assume images of this width, height and number of channels (1 or 3), and read no dataset
    #[arg(long, value_name = "WxHxC", value_parser = shape)]
    shape: Option<ImageShape>,
    /// Write the plan as JSON to standard output
    #[arg(long)]
    json: bool,
}

/// A plan as JSON.
#[derive(Serialize)]
struct Record<'a> {
    /// Numbers that training changes.
    parameters: usize,
    #[serde(flatten)]
    plan: &'a Plan,
}

/// `64x64x3`
fn shape(text: &str) -> Result<ImageShape, String> {
    let numbers: Option<Vec<usize>> = text.split(['x', 'X']).map(|number| number.parse().ok()).collect();
    match numbers.as_deref() {
        Some(&[width, height, channels @ (1 | 3)])
            if (1..=8192).contains(&width) && (1..=8192).contains(&height) =>
        {
            Ok(ImageShape { width, height, channels })
        }
        _ => Err("give WIDTHxHEIGHTxCHANNELS with 1 or 3 channels, such as 64x64x3".into()),
    }
}

impl PlanCommand {
    pub(crate) fn run(self) -> Result<ExitCode> {
        self.show().map_err(|error| self.settings.explain(error))
    }

    fn show(&self) -> Result<ExitCode> {
        let config = self.settings.config()?.resolve()?;
        let of_data =
            self.settings.given().any(|(path, _)| path.starts_with("data.") && path != "data.binarize");
        let of_preset = self.settings.preset()?.filter(|_| !of_data).map(|preset| preset.shape());
        let (config, shape, [train_images, test_images]) = match self.shape.or(of_preset) {
            Some(shape) => (config.for_images(shape)?, shape, [config.run.batch_size(); 2]),
            None => config.for_plan()?,
        };
        let streamed = config.sends_minibatches(shape, train_images);
        let setting = Setting { train_images, test_images, max_steps: MAX_STEPS, streamed };
        let (task, tensors) = (config.task(shape), Tensors::default());
        let plan = plan_task(&task, &tensors, Some(&config.optimizers()), setting)?;
        let parameters = tensors.all().iter().map(Tensor::count).sum();
        if self.json {
            output::write_json(&Record { parameters, plan: &plan }, Path::new("-"))?;
        } else {
            let layers = config.model.describe(shape)?.map_or(String::new(), |table| format!("{table}\n"));
            let head = format!(
                "Model {}, {}: {} parameters\n\n{layers}",
                config.model.family(),
                config.model.outline(shape)?,
                thousands(parameters)
            );
            output::print(&(head + &describe(&plan)))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
