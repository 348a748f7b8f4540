//! `vae data`.

use super::output;
use super::run::{check_png, is_npy, keep_inputs};
use super::settings::Settings;
use clap::Args;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use vae::config::Config;
use vae::data::{Dataset, Factor, Part, Survey, write_npy};
use vae::report;
use vae::text::thousands;
use vae::{Error, Result};

/// Images on a contact sheet, and in a row of it.
const SHEET: (usize, usize) = (120, 15);
/// Entries of a list that are shown; the others are counted.
const SHOWN: usize = 10;

/// Look at a dataset before training on it.
#[derive(Debug, Args)]
#[command(after_help = "\
Nothing is trained, and no device is opened. The flags are those of 'vae train', so that what it would choose is shown.

Examples:
  vae data pictures
  vae data pictures.zip --image-size 64x64 --sheet sheet.png
  vae data mnist --npy some.npy --indices 0,5,9-12")]
pub(crate) struct Data {
    /// A known name, or the path of a folder, an archive or a file: the same as --dataset
    #[arg(id = "named", value_name = "DATASET")]
    named: Option<String>,
    /// Draw a contact sheet of images evenly spread over the dataset
    #[arg(long, value_name = "PNG")]
    sheet: Option<PathBuf>,
    /// Write images as an array of NumPy: bytes from 0 to 255, [images, height, width, channels]
    #[arg(long, value_name = "FILE")]
    npy: Option<PathBuf>,
    /// The images to write, in this order: numbers and ranges, counted from 0 in the dataset's own order, before
    /// any are held out [default: all]
    #[arg(long, value_name = "LIST", requires = "npy", value_parser = indices)]
    indices: Option<Indices>,
    #[command(flatten)]
    settings: Settings<false>,
}

/// Numbers of images.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Indices(Vec<usize>);

/// `0,5,9-12`
fn indices(text: &str) -> Result<Indices, String> {
    let number = |text: &str| text.trim().parse::<usize>().map_err(|_| format!("'{text}' is not a number"));
    let mut all = Vec::new();
    for entry in text.split(',') {
        match entry.split_once('-') {
            Some((first, last)) => {
                let (first, last) = (number(first)?, number(last)?);
                if last < first || last - first >= u32::MAX as usize {
                    return Err(format!("'{entry}' is no range: give the smaller number first"));
                }
                all.extend(first..=last);
            }
            None => all.push(number(entry)?),
        }
    }
    Ok(Indices(all))
}

impl Data {
    pub(crate) fn run(mut self) -> Result<ExitCode> {
        self.settings.name_dataset(self.named.clone());
        self.show().map_err(|error| self.settings.explain(error))
    }

    fn show(&self) -> Result<ExitCode> {
        // Refused before anything is read.
        self.sheet.as_deref().map_or(Ok(()), check_png)?;
        let mut config = self.settings.config()?;
        if let Some(named) = &self.named {
            if self.settings.given().any(|(path, _)| path == "data.dataset") {
                let problem = format!("the dataset is named twice: {named} too");
                return Err(Error::setting("--dataset", problem, "leave one of the two out"));
            }
            config.data.dataset.clone_from(named);
        }
        let config = config.resolve()?;
        let source = [PathBuf::from(&config.data.dataset)];
        if let Some(path) = &self.sheet {
            keep_inputs("--sheet", path, &source)?;
        }
        if let Some(path) = &self.npy {
            keep_inputs("--npy", path, &source)?;
            if !is_npy(path) {
                let problem = format!("{} is not the name of an array of NumPy", path.display());
                return Err(Error::setting("--npy", problem, "name a file that ends in .npy"));
            }
        }
        let dataset = config.read_dataset()?;
        if self.sheet.is_none() && self.npy.is_none() {
            let (config, chosen) = config.for_dataset(&dataset)?;
            let text = describe(&dataset, &training(&config, &dataset), &chosen);
            return output::print(&text).map(|()| ExitCode::SUCCESS);
        }
        let images = dataset.in_order();
        if let Some(path) = &self.sheet {
            report::save_png(&sheet(&dataset, &images), path)?;
            output::print(&format!("{}\n", path.display()))?;
        }
        if let Some(path) = &self.npy {
            self.write(path, &dataset, &images)?;
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Write the images that are asked for.
    fn write(&self, path: &Path, dataset: &Dataset, images: &[(&Part, usize)]) -> Result<()> {
        let all = || Indices((0..images.len()).collect());
        let Indices(wanted) = self.indices.clone().unwrap_or_else(all);
        let mut pixels = Vec::with_capacity(wanted.len() * dataset.shape.pixels());
        for index in &wanted {
            let (part, number) = images.get(*index).ok_or_else(|| {
                let problem = format!("there is no image {index}");
                let hint = format!("{} has images 0 to {}", dataset.name, images.len() - 1);
                Error::setting("--indices", problem, hint)
            })?;
            pixels.extend_from_slice(&part.image(*number));
        }
        let shape = dataset.shape;
        write_npy(path, &[wanted.len(), shape.height, shape.width, shape.channels], &pixels)?;
        output::print(&format!("{}\n", path.display()))
    }
}

/// Some images of the dataset.
fn sheet(dataset: &Dataset, images: &[(&Part, usize)]) -> image::RgbImage {
    let shown = SHEET.0.min(images.len());
    let pixels: Vec<f32> = (0..shown)
        .map(|index| images[index * images.len() / shown])
        .flat_map(|(part, index)| part.image(index).into_owned())
        .map(|value| f32::from(value) / 255.0)
        .collect();
    let (count, all) = (thousands(shown), thousands(images.len()));
    let title = format!("{count} of the {all} images of {}", dataset.name);
    report::samples(&pixels, dataset.shape, SHEET.1, &title)
}

/// What `vae train` would do with the dataset.
fn training(config: &Config, dataset: &Dataset) -> Vec<(&'static str, String)> {
    let model =
        format!("{} {}", config.model.family(), config.model.outline(dataset.shape).unwrap_or_default());
    let total = config.total_steps(dataset.train.count);
    let length = format!(
        "{} steps of {} images, {} epochs",
        thousands(total as usize),
        thousands(config.run.batch_size()),
        thousands(total.div_ceil(config.steps_per_epoch(dataset.train.count).max(1)) as usize)
    );
    vec![("model", model), ("likelihood", config.model.likelihood().kind.to_string()), ("training", length)]
}

/// All that is known of the dataset, line by line, with what training would be and why.
fn describe(dataset: &Dataset, training: &[(&'static str, String)], chosen: &[String]) -> String {
    let survey = Survey::of(dataset);
    let found = &dataset.found;
    let mut lines: Vec<(&str, String)> = Vec::new();
    if found.files > 0 {
        lines.push(("files", thousands(found.files)));
    }
    let passed_over = found.passed_over.iter().map(|it| format!("{}: {}", it.name, it.why));
    lines.extend(shortened(passed_over.collect(), "more").into_iter().map(|line| ("passed over", line)));
    lines.push((
        "images",
        format!("{} to train on, {} held out", thousands(dataset.train.count), thousands(dataset.test.count)),
    ));
    lines.push(("size", dataset.shape.to_string()));
    lines.extend(shortened(classes(dataset), "more classes").into_iter().map(|line| ("classes", line)));
    lines.extend(dataset.factors.iter().map(|factor| ("factors", described(factor))));
    for (index, channel) in survey.channels.iter().enumerate() {
        let name = match survey.channels.len() {
            3 => ["red", "green", "blue"][index],
            _ => "values",
        };
        lines.push((
            name,
            format!(
                "{} to {}, mean {:.1}, standard deviation {:.1}",
                channel.least, channel.most, channel.mean, channel.deviation
            ),
        ));
    }
    lines.push((
        "copies",
        format!(
            "{} training images repeat another one, {} held-out images are in training too",
            thousands(survey.repeated),
            thousands(survey.shared)
        ),
    ));
    lines.extend_from_slice(training);
    let mut text = format!("{}\n", dataset.name);
    let mut before = "";
    for (name, line) in &lines {
        text += &format!("  {:<12} {line}\n", if *name == before { "" } else { name });
        before = name;
    }
    for note in found.notes.iter().chain(chosen) {
        text += &format!("{note}\n");
    }
    for warning in survey.warnings() {
        text += &format!("warning: {warning}\n");
    }
    text
}

/// A factor's name, size and range.
fn described(factor: &Factor) -> String {
    let range = factor
        .values
        .iter()
        .fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], &value| [low.min(value), high.max(value)]);
    let [low, high] = range.map(|value| (1000.0 * value).round() / 1000.0);
    format!("{}: {} values from {low} to {high}", factor.name, factor.size())
}

/// The first few of `lines`, and how many there are beside them.
fn shortened(mut lines: Vec<String>, what: &str) -> Vec<String> {
    let more = lines.len().saturating_sub(SHOWN);
    lines.truncate(SHOWN);
    if more > 0 {
        lines.push(format!("and {} {what}", thousands(more)));
    }
    lines
}

/// Each class with the number of its images.
fn classes(dataset: &Dataset) -> Vec<String> {
    let counted = |part: &Part, class: usize| {
        let labels = part.labels().unwrap_or_default();
        labels.iter().filter(|label| **label as usize == class).count()
    };
    let line = |(class, name): (usize, &String)| {
        let [train, test] = [&dataset.train, &dataset.test].map(|part| thousands(counted(part, class)));
        format!("{name}: {train} to train on, {test} held out")
    };
    dataset.classes.iter().enumerate().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_indices_keep_their_order_and_repeats() {
        assert_eq!(indices("0,5,9-12"), Ok(Indices(vec![0, 5, 9, 10, 11, 12])));
        assert_eq!(indices("3, 3,1"), Ok(Indices(vec![3, 3, 1])));
        for wrong in ["", "a", "1-", "5-3", "1,,2", "-1", "0-99999999999"] {
            assert!(indices(wrong).is_err(), "{wrong}");
        }
    }
}
