//! What stands at the start of a run: what was found and chosen, and the flag that changes each.

use super::train::counted;
use vae::config::{Config, ObjectiveConfig};
use vae::data::Dataset;
use vae::graph::{Binarize, LikelihoodKind, Tensor};
use vae::run::RunFolder;
use vae::session::Session;
use vae::text::thousands;
use vae::train::Start;

/// Columns of a terminal.
const WIDTH: usize = 80;
/// Columns of the names.
const NAMES: usize = 12;

/// The start of a run: a table of what was found and chosen, then one paragraph for each of the `notes`.
pub(super) fn announcement(
    run: &RunFolder,
    config: &Config,
    dataset: &Dataset,
    session: &Session,
    start: Start<'_>,
    notes: &[String],
) -> String {
    let parameters: usize = session.tensors().iter().map(Tensor::count).sum();
    let images = dataset.train.count;
    let data = format!(
        "{}: {} to train on, {} held out",
        dataset.name,
        thousands(images),
        thousands(dataset.test.count)
    );
    let model = format!(
        "{} {}, {} parameters",
        config.model.family(),
        config.model.outline(dataset.shape).unwrap_or_default(),
        thousands(parameters)
    );
    let kind = config.model.likelihood().kind;
    let likelihood = match (kind, config.binarization()) {
        (kind, Binarize::None) => kind.to_string(),
        (kind, how) => format!("{kind}, {how} binarisation"),
    };
    let total = config.total_steps(images);
    let epochs = total.div_ceil(config.steps_per_epoch(images).max(1));
    let from = match start {
        Start::Checkpoint(checkpoint) => {
            format!("from step {} on, ", thousands(checkpoint.state.step as usize))
        }
        Start::Drawn | Start::Weights(_) => String::new(),
    };
    let batch = counted(config.run.batch_size() as u64, "image");
    let length = format!("{from}{} of {batch}, {}", counted(total, "step"), counted(epochs, "epoch"));
    let drawn = dataset.found.files == 0;
    let rows = [
        ("data", data, "--dataset, --images"),
        ("size", dataset.shape.to_string(), if drawn { "--image-size" } else { "--image-size, --color" }),
        ("model", model, "--model, --latent"),
        ("likelihood", likelihood, "--likelihood"),
        ("device", session.device_name(), "--device"),
        ("length", length, "--epochs, --batch-size"),
        ("run", run.path().display().to_string(), "--out"),
    ];
    let notes = notes.iter().cloned().chain(of_settings(config));
    table(&rows) + &notes.map(|note| paragraph(&note)).collect::<String>()
}

/// What people should know of the settings.
fn of_settings(config: &Config) -> Vec<String> {
    let mut notes = Vec::new();
    if config.model.likelihood().kind == LikelihoodKind::Bernoulli && config.binarization() == Binarize::None
    {
        notes.push("grey pixels make the Bernoulli reconstruction a cross-entropy, not a likelihood".into());
    }
    let beta = config.objective.beta();
    if config.objective.kind.is_deterministic() {
        notes.push("an autoencoder has no prior to draw from, so that samples.png is left out".into());
    } else if beta < ObjectiveConfig::AUTOENCODER && config.objective.penalty_term().is_none() {
        notes.push(format!(
            "the KL weight is {beta:?}: draws from the prior, as in samples.png, will be noise"
        ));
    }
    notes
}

/// `text` in lines of at most `width` columns. A longer word stands alone; what is too long for a line of the table is
/// broken after a dash, where it has some.
fn lines(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.extend(broken(word, WIDTH - NAMES)),
        }
    }
    lines
}

/// A word in pieces of at most `width` columns, each but the last with a dash at its end.
fn broken(word: &str, width: usize) -> Vec<String> {
    let mut pieces = vec![String::new()];
    for part in word.split_inclusive('-') {
        match pieces.last_mut() {
            Some(piece) if piece.is_empty() || piece.chars().count() + part.chars().count() <= width => {
                piece.push_str(part);
            }
            _ => pieces.push(part.to_string()),
        }
    }
    pieces
}

/// A note, in lines that fit a terminal.
fn paragraph(note: &str) -> String {
    lines(note, WIDTH).join("\n") + "\n"
}

/// Rows of a name, a value, and the flags that change it, which stand beside the first line of the value that leaves room.
fn table(rows: &[(&str, String, &str)]) -> String {
    let flags = rows.iter().map(|row| row.2.len()).max().unwrap_or(0);
    let width = WIDTH - NAMES - flags - 2;
    let mut text = String::new();
    for (name, value, flag) in rows {
        let (mut name, mut flag) = (*name, Some(*flag));
        for line in lines(value, width) {
            let beside = flag.take_if(|_| line.chars().count() <= width);
            let beside = beside.map_or(String::new(), |flag| format!("  {flag}"));
            let row = if beside.is_empty() { line } else { format!("{line:width$}{beside}") };
            text += &format!("{name:NAMES$}{row}\n");
            name = "";
        }
        if let Some(flag) = flag {
            text += &format!("{:indent$}{flag}\n", "", indent = NAMES + width + 2);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_fits_a_terminal_and_names_the_flags() {
        let rows = [
            ("data", "digits: 10,000 to train on, 2,000 held out".to_string(), "--dataset, --images"),
            (
                "model",
                "mlp 784-16-8-16-5-16-3-16-2-16-3-16-5-16-8-16-784, 77 parameters".to_string(),
                "--model",
            ),
            (
                "length",
                "from step 1,234 on, 2,512 steps of 64 images, 16 epochs".to_string(),
                "--epochs, --batch-size",
            ),
            ("run", "/a/folder/with/a/very/long/name/that/no/line/of/a/terminal/has".to_string(), "--out"),
        ];
        let text = table(&rows);
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
        assert!(rows.iter().all(|row| text.contains(row.2)), "{text}");
        assert!(text.contains("784-16-8-16-5-16-3-16-2-16-3-16-5-16-8-16-784,\n"), "{text}");
        assert_eq!(text.lines().next().unwrap().find("--dataset"), Some(58));
    }

    #[test]
    fn long_words_are_broken_after_dashes() {
        let outline =
            "64x64x3-32x32x32-16x16x64-8x8x128-4x4x256-32-4x4x256-8x8x128-16x16x64-32x32x32-64x64x3";
        let broken = lines(&format!("conv {outline}"), 30);
        assert_eq!((broken.len(), &*broken[0]), (3, "conv"));
        assert!(broken[1].ends_with('-') && broken[1].len() <= 68, "{broken:?}");
        assert_eq!(broken[1].clone() + &broken[2], outline);
        assert_eq!(lines("a/long/path/without/dashes b", 9), ["a/long/path/without/dashes", "b"]);
    }

    #[test]
    fn notes_are_broken_between_words() {
        let note = "word ".repeat(40);
        assert!(paragraph(note.trim()).lines().all(|line| line.len() <= WIDTH && !line.ends_with(' ')));
    }
}
