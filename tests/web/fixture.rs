//! A small trained run with its page, and what the program computes of it on the CPU.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;
use tempfile::TempDir;
use vae::plan::Step;
use vae::report::EpochRecord;
use vae::run::{Place, Wanted};
use vae::session::Which;
use vae::train::Steps;
use vae::web::{Bundle, Options, write_folder, write_single};
use vae::{
    Checkpoint, Config, Dataset, DeviceChoice, Observer, OpenDevice, RunFolder, Session, Snapshot, Start,
    TrainedModel, Trainer,
};

/// The file of the run that holds the model and the state of training.
const CHECKPOINT: &str = "checkpoint.safetensors";

struct Quiet;

impl Observer for Quiet {
    fn progress(&mut self, _: &Snapshot) {}
    fn epoch(&mut self, _: &EpochRecord) {}
}

/// A run of 20 epochs on digits, and its page.
pub(crate) struct Fixture {
    folder: TempDir,
    pub(crate) config: Config,
    pub(crate) dataset: Dataset,
}

/// The run that all tests of this process share.
pub(crate) fn fixture() -> &'static Fixture {
    static FIXTURE: OnceLock<Fixture> = OnceLock::new();
    FIXTURE.get_or_init(|| {
        let mut config = Config::default().with("model.hidden = [48]").unwrap();
        config.data.images = Some(600);
        config.run.batch_size = Some(32);
        config.run.steps = Some(380);
        config.run.device = DeviceChoice::Cpu;
        let config = config.resolve().unwrap();
        let dataset = config.open_dataset().unwrap();
        let fixture = Fixture { folder: tempfile::tempdir().unwrap(), config, dataset };
        fixture.train();
        fixture
    })
}

impl Fixture {
    fn run(&self) -> PathBuf {
        self.folder.path().join("run")
    }

    /// The folder of the page.
    pub(crate) fn page(&self) -> PathBuf {
        self.folder.path().join("page")
    }

    /// The page as one file.
    pub(crate) fn single(&self) -> PathBuf {
        self.folder.path().join("page.html")
    }

    /// The program's session, with an optimizer.
    fn session(&self) -> Session {
        let optimizers = self.config.optimizers();
        Session::open(
            OpenDevice::Cpu,
            &self.config.task(self.dataset.shape),
            Some(&optimizers),
            &self.dataset,
        )
        .unwrap()
    }

    fn train(&self) {
        let run = RunFolder::create(&self.run(), &self.config, false).unwrap();
        let mut trainer =
            Trainer::new(self.session(), &self.config, &self.dataset, &run, Start::Drawn).unwrap();
        trainer.train(&AtomicBool::new(false), &mut Quiet).unwrap();
        let mut model = self.trained();
        let bundle = Bundle::of(&mut model, Options::default()).unwrap();
        write_folder(&bundle, &self.page()).unwrap();
        write_single(&bundle, &self.single()).unwrap();
    }

    fn trained(&self) -> TrainedModel {
        let place = Place::default();
        TrainedModel::open(&self.run(), CHECKPOINT, Some(&DeviceChoice::Cpu), Wanted::Some(&place)).unwrap()
    }

    /// First parameters under the run's rule.
    pub(crate) fn first_parameters(&self) -> Vec<f32> {
        self.config.first_parameters(self.session().table(), &self.dataset.train)
    }

    /// First parameters under another rule.
    pub(crate) fn first_normal(&self, deviation: f64) -> Vec<f32> {
        vae::model::Initialisation::Normal(deviation).values(self.session().table(), self.config.run.seed)
    }

    /// The negative bounds of `count` steps, from first parameters or from the trained model.
    pub(crate) fn losses(&self, trained: bool, count: u64) -> Vec<f64> {
        let mut session = self.session();
        let mut first = 0;
        if trained {
            let path = self.run().join(CHECKPOINT);
            let checkpoint = Checkpoint::load(&path).unwrap();
            checkpoint.restore(&mut session, &path).unwrap();
            first = checkpoint.state.step;
        } else {
            session.write_flat("parameters", &self.first_parameters()).unwrap();
        }
        let steps = Steps::of(&self.config, self.dataset.train.count);
        let mut losses = Vec::new();
        for step in first..first + count {
            let order = steps.order(step / steps.per_epoch());
            let images = order.chunks(steps.batch()).nth((step % steps.per_epoch()) as usize).unwrap();
            let record: Step = steps.record(session.plan(), step);
            session.submit("train", Which::Train, &[images], vec![record]).unwrap();
            let metrics = session.receive(0).unwrap();
            let row = metrics[0].rows().next().unwrap();
            let value = |name: &str| f64::from(row[session.plan().metric(name).unwrap()]);
            losses.push(value("reconstruction") + value("kl"));
        }
        losses
    }

    /// The bound of all held-out images.
    pub(crate) fn elbo(&self) -> f64 {
        self.trained().session.evaluate(self.dataset.test.count, 1).unwrap().elbo()
    }
}

/// The worst relative difference of what a page posted, `[{reconstruction, kl}]`, to `expected`.
pub(crate) fn difference(posted: &Value, expected: &[f64]) -> f64 {
    let posted = posted.as_array().unwrap();
    assert_eq!(posted.len(), expected.len());
    let losses =
        posted.iter().map(|step| step["reconstruction"].as_f64().unwrap() + step["kl"].as_f64().unwrap());
    let worst = losses.zip(expected).map(|(loss, expected)| (loss - expected).abs() / expected.abs());
    worst.fold(0.0, f64::max)
}

/// A folder for files that people look at after a test.
pub(crate) fn shown(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}
