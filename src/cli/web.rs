//! `vae web`.

use super::output;
use super::run::{DataArguments, RunArguments};
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use vae::run::Wanted;
use vae::text::thousands;
use vae::web::{self, Bundle, Options, Server};
use vae::{Error, Result};

#[derive(Debug, Args)]
#[command(after_help = "\
The page shows the latent space, encodes what a visitor draws, and trains the model on the visitor's GPU, or without one. \
It sends nothing anywhere.

Examples:
  vae web runs/digits-1 --serve
  vae web runs/digits-1 --out page       # a folder for any web server
  vae web runs/faces-1 --dataset photos --single faces.html")]
pub(crate) struct Web {
    #[command(flatten)]
    run: RunArguments,
    #[command(flatten)]
    data: DataArguments,
    /// Write the page to this folder [default: RUN/page, without --serve and --single]
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Write the page as one HTML file that opens with a double click
    #[arg(long, value_name = "FILE")]
    single: Option<PathBuf>,
    /// Serve the page on this machine, and open it in the browser; Ctrl-C ends it
    #[arg(long)]
    serve: bool,
    /// Port for --serve [default: a free one]
    #[arg(long, value_name = "N", requires = "serve", default_value_t = 0, hide_default_value = true)]
    port: u16,
    /// With --serve, print the address and open no browser
    #[arg(long, requires = "serve")]
    no_open: bool,
    /// Training images that the page holds, the first of the run; 0 for none [default: up to 10,000]
    #[arg(long, value_name = "N", conflicts_with = "no_train")]
    images: Option<usize>,
    /// Put no images into the page: it explores the model, and does not train it
    #[arg(long)]
    no_train: bool,
}

impl Web {
    pub(crate) fn run(self) -> Result<ExitCode> {
        // What would be refused later is refused before the model is loaded.
        let folder = match (&self.out, self.serve || self.single.is_some()) {
            (Some(folder), _) => Some(folder.clone()),
            (None, true) => None,
            (None, false) => Some(self.run.folder().join("page")),
        };
        if let Some(folder) = &folder {
            web::check_folder(folder)?;
        }
        if let Some(file) = &self.single {
            check_html(file)?;
            super::run::check_folder(file, "--single")?;
        }
        let place = self.data.place();
        let wanted = if self.no_train { Wanted::Nothing } else { Wanted::Some(&place) };
        let mut model = self.run.open(wanted)?;
        let bundle = Bundle::of(&mut model, Options { images: self.images, no_train: self.no_train })?;
        let mut text = contents(&bundle);
        if let Some(folder) = &folder {
            let bytes = web::write_folder(&bundle, folder)?;
            text.push_str(&format!(
                "{}  {} KB\n",
                folder.join("index.html").display(),
                thousands(kilobytes(bytes))
            ));
        }
        if let Some(file) = &self.single {
            let bytes = web::write_single(&bundle, file)?;
            text.push_str(&format!("{}  {} KB\n", file.display(), thousands(kilobytes(bytes))));
        }
        output::print(&text)?;
        if self.serve {
            self.serve(&bundle)?;
        }
        Ok(ExitCode::SUCCESS)
    }

    fn serve(&self, bundle: &Bundle) -> Result<()> {
        let server = Server::open(bundle, self.port)?;
        let address = server.address();
        output::print(&format!("{address}  Ctrl-C ends it\n"))?;
        if !self.no_open
            && let Err(problem) = open::that_detached(&address)
        {
            log::debug!("the browser: {problem}");
            output::say("no browser could be opened: open the address yourself");
        }
        let stop = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&stop);
        ctrlc::set_handler(move || flag.store(true, Ordering::Relaxed))
            .map_err(|error| Error::Internal(format!("Ctrl-C: {error}")))?;
        server.run(|| stop.load(Ordering::Relaxed))
    }
}

fn kilobytes(bytes: u64) -> usize {
    bytes.div_ceil(1024) as usize
}

/// What the page holds, in a line or two.
fn contents(bundle: &Bundle) -> String {
    let manifest = &bundle.manifest;
    let counted = |count, what: &str| {
        let plural = if count == 1 { "" } else { "s" };
        format!("{} {what} image{plural}", thousands(count))
    };
    let [train, test] = [manifest.dataset.train, manifest.dataset.test];
    let images = format!("{} and {}", counted(train, "training"), counted(test, "held-out"));
    match &manifest.why_not_training {
        None => format!("{}: {images}\n", manifest.title),
        Some(why) => format!("{}: {images}; the page does not train. {why}\n", manifest.title),
    }
}

/// Refuse a file under another ending.
fn check_html(path: &std::path::Path) -> Result<()> {
    if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("html")) {
        return Ok(());
    }
    let problem = format!("{} is not an HTML file's name", path.display());
    Err(Error::setting("--single", problem, "name a file that ends in .html"))
}
