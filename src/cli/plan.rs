//! `vae plan`.

use super::output;
use super::settings::Settings;
use clap::Args;
use std::path::Path;
use std::process::ExitCode;
use vae::Result;
use vae::graph::{Setting, Tensors};
use vae::plan::describe;
use vae::session::{MAX_STEPS, plan_task};

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  vae plan --hidden 500,250 --latent 20 | less\n  vae plan --json > plan.json"
)]
pub(crate) struct PlanCommand {
    #[command(flatten)]
    settings: Settings<false>,
    /// Write the plan as JSON to standard output
    #[arg(long)]
    json: bool,
}

impl PlanCommand {
    pub(crate) fn run(self) -> Result<ExitCode> {
        self.show().map_err(|error| self.settings.explain(error))
    }

    fn show(&self) -> Result<ExitCode> {
        let config = self.settings.config()?.resolve()?;
        let (shape, train_images, test_images) = config.dataset_size()?;
        let setting = Setting { train_images, test_images, max_steps: MAX_STEPS, streamed: false };
        let task = config.task(shape);
        let plan = plan_task(&task, &Tensors::default(), Some(&config.optimizers()), setting)?;
        if self.json {
            output::write_json(&plan, Path::new("-"))?;
        } else {
            output::print(&describe(&plan))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
