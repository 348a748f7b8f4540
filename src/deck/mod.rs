//! Every figure and equation of a talk on variational autoencoders, computed: from a model that is trained for it, and
//! from distributions whose answers are known.
//!
//! [`Deck::compute`] does the work on a device; [`Deck::save`] writes one HTML page that needs no network, and the
//! figures as PNG files beside it.

mod autoencoders;
mod bayes;
mod divergence;
mod estimators;
mod evidence;
mod gaussians;
mod graphs;
mod kernel;
mod latent_space;
mod likelihoods;
mod mathml;
mod page;
mod student;
mod training;

use crate::data::Dataset;
use crate::device::OpenDevice;
use crate::files::write_atomically;
use crate::report::save_png;
use crate::report::scene::Scene;
use crate::web::{self, Bundle, write_single};
use crate::{Error, Result};
use std::path::{Path, PathBuf};
use training::Trained;

/// The page in which the model is explored and trained, beside the deck's.
const LIVE: &str = "live.html";

/// Options of a deck.
#[derive(Debug)]
pub struct Options<'a> {
    /// The device.
    pub device: OpenDevice,
    /// The images of the model.
    pub dataset: &'a Dataset,
    /// Use a smaller model, fewer images and fewer samples, for a quick check.
    pub quick: bool,
    /// Random seed.
    pub seed: u64,
}

/// A drawing with its caption.
#[derive(Debug)]
struct Figure {
    /// Name of its file, without the extension.
    name: &'static str,
    title: String,
    /// Caption, in two paragraphs.
    caption: [String; 2],
    scene: Scene,
}

/// A part of the page, in order.
#[derive(Debug)]
enum Block {
    /// A paragraph.
    Text(String),
    /// An equation in the notation of [`mathml`], and the numbers it has in the talk.
    Equation(&'static str, &'static str),
    /// A drawing.
    Figure(Figure),
    /// Numbers: the heads of the columns, and the rows.
    Table(Vec<String>, Vec<Vec<String>>),
}

/// A section of the page: one or more slides of the talk.
#[derive(Debug)]
struct Section {
    heading: &'static str,
    blocks: Vec<Block>,
}

/// All figures, computed.
#[derive(Debug)]
pub struct Deck {
    sections: Vec<Section>,
    /// One sentence on device, seed, images and model.
    facts: String,
    /// The model, to explore in a page.
    live: Bundle,
}

/// The data that the figures are computed from.
struct Context<'a> {
    options: &'a Options<'a>,
    trained: Trained,
}

impl Context<'_> {
    /// `whole`, or `few` for a quick deck.
    fn choose<T>(&self, whole: T, few: T) -> T {
        if self.options.quick { few } else { whole }
    }
}

/// A table from anything that can be printed.
fn table<const N: usize>(head: [&str; N], rows: Vec<[String; N]>) -> Block {
    Block::Table(head.map(str::to_string).to_vec(), rows.into_iter().map(Vec::from).collect())
}

impl Deck {
    /// Train the model and compute every figure. `progress` is called with the name of each part before it begins.
    ///
    /// # Errors
    /// [`Error::Setting`] if the images are not of one colour channel; else if the device fails.
    pub fn compute(options: &Options<'_>, progress: &mut dyn FnMut(&str)) -> Result<Self> {
        if options.dataset.shape.channels != 1 {
            let problem = format!("the images of '{}' are in colour", options.dataset.name);
            return Err(Error::setting(
                "--dataset",
                problem,
                "use digits, mnist, or another set of grey images",
            ));
        }
        progress("training a model with two latent dimensions");
        let mut trained = Trained::train(options)?;
        let (config, images) = (&trained.config, options.dataset.train.count);
        let steps = config.total_steps(images);
        let live = Bundle::of_session(
            config,
            &mut trained.session,
            options.dataset,
            steps,
            web::Options::default(),
        )?;
        let mut context = Context { options, trained };
        type Part = fn(&mut Context<'_>) -> Result<Section>;
        let parts: [(&str, Part); 9] = [
            ("the student network", student::section),
            ("the graphical model", |_| Ok(graphs::section())),
            ("the latent space", latent_space::section),
            ("Bayes' rule", bayes::section),
            ("two divergences", divergence::section),
            ("Gaussians", gaussians::section),
            ("the evidence", evidence::section),
            ("two likelihoods", likelihoods::section),
            ("two estimators", estimators::section),
        ];
        let mut sections = Vec::new();
        for (name, part) in parts {
            progress(name);
            sections.push(part(&mut context)?);
        }
        progress("the manifold");
        sections.push(latent_space::manifold(&mut context)?);
        progress("from autoencoder to β-VAE");
        sections.push(autoencoders::section(&mut context)?);
        let config = &context.trained.config;
        let facts = format!(
            "Computed on {} with seed {}: {}, {} images of {}; layers of {} units, 2 latent dimensions in the \
             middle, trained for {} passes.",
            context.trained.session.device_name(),
            options.seed,
            options.dataset.name,
            crate::text::thousands(context.trained.images),
            options.dataset.shape,
            config.model.outline(options.dataset.shape)?,
            config.run.epochs(),
        );
        Ok(Self { sections, facts, live })
    }

    /// Write `index.html`, `live.html` and the PNG files into `folder`, which is made if need be; returns their paths, the page
    /// first.
    ///
    /// # Errors
    /// If the folder or a file cannot be written.
    pub fn save(&self, folder: &Path) -> Result<Vec<PathBuf>> {
        std::fs::create_dir_all(folder).map_err(|source| Error::io(folder, source))?;
        let mut files = vec![folder.join("index.html")];
        for figure in self.figures() {
            let path = folder.join(format!("{}.png", figure.name));
            save_png(&figure.scene.to_png(), &path)?;
            files.push(path);
        }
        files.push(folder.join(LIVE));
        write_single(&self.live, &folder.join(LIVE))?;
        // Write the page last: its presence shows that all files are complete.
        write_atomically(&files[0], self.html()?.as_bytes())?;
        Ok(files)
    }

    fn figures(&self) -> impl Iterator<Item = &Figure> {
        self.sections.iter().flat_map(|section| &section.blocks).filter_map(|block| match block {
            Block::Figure(figure) => Some(figure),
            _ => None,
        })
    }
}
