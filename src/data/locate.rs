//! Finds the files of a dataset that is known by name.

use super::idx_folder::{self, MNIST_KEY, Role, Set};
use crate::{Error, Result};
use std::path::{Path, PathBuf};

/// The datasets that [`super::open`] finds by name. The program also knows `digits` and `dsprites`, which need
/// no files.
pub const KNOWN_NAMES: [&str; 5] = ["mnist", "fashion-mnist", "kmnist", "emnist", super::cifar::NAME];

/// Where to look, in this order.
#[derive(Clone, Debug, Default)]
pub(super) struct Roots {
    /// `--data-dir`: the folder itself, or its subfolder of the dataset's name.
    pub(super) data_dir: Option<PathBuf>,
    /// `VAE_DATA`: the same two.
    pub(super) environment: Option<PathBuf>,
    /// `vae` in the user's data folder: its subfolder of the dataset's name.
    pub(super) user: Option<PathBuf>,
    /// Where the system keeps datasets, such as those that are packages of Debian: its subfolder of the dataset's name.
    pub(super) system: Option<PathBuf>,
}

impl Roots {
    /// The places of this process, after `data_dir`.
    pub(super) fn of_process(data_dir: Option<PathBuf>) -> Self {
        Self {
            data_dir,
            environment: std::env::var_os("VAE_DATA").filter(|value| !value.is_empty()).map(PathBuf::from),
            user: directories::BaseDirs::new().map(|folders| folders.data_dir().join("vae")),
            system: cfg!(unix).then(|| PathBuf::from("/usr/share/datasets")),
        }
    }

    /// The folders to look in for the dataset `name`.
    pub(super) fn candidates(&self, name: &str) -> Vec<PathBuf> {
        let mut folders = Vec::new();
        for root in [&self.data_dir, &self.environment].into_iter().flatten() {
            // MNIST and its drop-in replacements have the same file names, so DIR/mnist must not be taken for kmnist.
            let other = KNOWN_NAMES.iter().any(|known| *known != name && root.ends_with(known));
            if !other {
                folders.push(root.clone());
            }
            folders.push(root.join(name));
        }
        folders.extend([&self.user, &self.system].into_iter().flatten().map(|root| root.join(name)));
        folders
    }
}

/// The files of the dataset `name`, one of [`KNOWN_NAMES`], and their folder.
pub(super) fn named(name: &str, roots: &Roots) -> Result<(Set, PathBuf)> {
    let candidates = roots.candidates(name);
    for folder in &candidates {
        if folder.is_dir()
            && let Some(set) = in_folder(name, folder)?
        {
            return Ok((set, folder.clone()));
        }
    }
    let prefix = if name == "emnist" { "emnist-SPLIT-" } else { "" };
    let test = if name == "emnist" { "test" } else { "t10k" };
    let splits = if name == "emnist" {
        "\n  SPLIT is balanced, byclass, bymerge, digits, letters or mnist"
    } else {
        ""
    };
    let folders: Vec<String> = candidates.iter().map(|folder| folder.display().to_string()).collect();
    Err(Error::setting(
        format!("--dataset {name}"),
        format!("its files are in none of these folders:\n    {}", folders.join("\n    ")),
        format!(
            "put these four into one of them, gzipped or not:\n    \
             {prefix}train-images-idx3-ubyte.gz\n    {prefix}train-labels-idx1-ubyte.gz\n    \
             {prefix}{test}-images-idx3-ubyte.gz\n    {prefix}{test}-labels-idx1-ubyte.gz\n  \
             or point --data-dir, or the variable VAE_DATA, at the folder that holds them{splits}"
        ),
    ))
}

fn in_folder(name: &str, folder: &Path) -> Result<Option<Set>> {
    let mut sets = idx_folder::list(folder)?;
    if name == "emnist" {
        sets.retain(|key, _| key.starts_with("emnist"));
        return idx_folder::choose(&sets, folder);
    }
    Ok(sets.remove(MNIST_KEY).filter(|set| set.has(Role::Train) && set.has(Role::Test)))
}

/// The error for a `--dataset` that is neither a known name nor an existing path.
pub(super) fn unknown(dataset: &str) -> Error {
    let names = || ["digits", super::sprites::NAME].into_iter().chain(KNOWN_NAMES);
    let lower = dataset.to_lowercase();
    let nearest = names().min_by_key(|name| distance(&lower, name));
    let close = nearest.filter(|name| distance(&lower, name) <= name.len() / 2);
    let suggestion = close.map(|name| format!("did you mean '{name}'? ")).unwrap_or_default();
    Error::setting(
        format!("--dataset {dataset}"),
        "no dataset has this name, and no file or folder has this path",
        format!(
            "{suggestion}known names: {}; or give a path: a folder or an archive (zip, tar, tar.gz) of pictures or of \
             IDX files, an IDX file, or a .npy, .npz or .csv file",
            names().collect::<Vec<_>>().join(", ")
        ),
    )
}

/// The edit distance of Levenshtein: how many letters to insert, remove or replace.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::ImageShape;
    use crate::data::idx::write_images;

    /// Writes both image files of MNIST's layout into `folder`.
    fn fill(folder: &Path, names: [&str; 2]) {
        std::fs::create_dir_all(folder).unwrap();
        for name in names {
            let shape = ImageShape { width: 1, height: 1, channels: 1 };
            write_images(&folder.join(name), shape, &[1, 2]).unwrap();
        }
    }

    const MNIST: [&str; 2] = ["train-images-idx3-ubyte.gz", "t10k-images.idx3-ubyte"];

    fn roots(folder: &Path) -> Roots {
        let root = |name| Some(folder.join(name));
        Roots {
            data_dir: root("flag"),
            environment: root("variable"),
            user: root("user"),
            system: root("system"),
        }
    }

    #[test]
    fn places_are_tried_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let roots = roots(folder.path());
        // From the last place to the first: each new one takes precedence over those filled before.
        for place in ["system/kmnist", "user/kmnist", "variable/kmnist", "variable", "flag/kmnist", "flag"] {
            fill(&folder.path().join(place), MNIST);
            assert_eq!(named("kmnist", &roots).unwrap().1, folder.path().join(place));
        }
    }

    #[test]
    fn a_folder_named_after_another_dataset_is_not_taken_for_this_one() {
        let folder = tempfile::tempdir().unwrap();
        let mnist = folder.path().join("mnist");
        fill(&mnist, MNIST);
        let roots = Roots { data_dir: Some(mnist.clone()), ..Roots::default() };
        assert_eq!(named("mnist", &roots).unwrap().1, mnist);
        assert!(named("fashion-mnist", &roots).is_err());
    }

    #[test]
    fn other_files_in_the_folder_do_not_matter() {
        let folder = tempfile::tempdir().unwrap();
        fill(folder.path(), MNIST);
        fill(folder.path(), ["frey-images-idx3-ubyte", "emnist-letters-train-images-idx3-ubyte"]);
        let roots = Roots { environment: Some(folder.path().to_path_buf()), ..Roots::default() };
        assert!(named("mnist", &roots).unwrap().0.has(Role::Test));
        assert!(!named("emnist", &roots).unwrap().0.has(Role::Test));
    }

    #[test]
    fn missing_files_are_listed_with_every_folder() {
        let folder = tempfile::tempdir().unwrap();
        // One of four files is not enough.
        fill(&folder.path().join("flag"), [MNIST[0], MNIST[0]]);
        let message = named("mnist", &roots(folder.path())).unwrap_err().to_string();
        for place in ["flag\n", "flag/mnist", "variable\n", "variable/mnist", "user/mnist", "system/mnist"] {
            assert!(message.contains(&format!("{}/{place}", folder.path().display())), "{place}:\n{message}");
        }
        for part in [
            "--dataset mnist",
            "train-images-idx3-ubyte.gz",
            "train-labels-idx1-ubyte.gz",
            "t10k-images-idx3-ubyte.gz",
            "t10k-labels-idx1-ubyte.gz",
            "--data-dir",
            "VAE_DATA",
        ] {
            assert!(message.contains(part), "{part}:\n{message}");
        }
        let message = named("emnist", &roots(folder.path())).unwrap_err().to_string();
        assert!(message.contains("emnist-SPLIT-test-labels-idx1-ubyte.gz"), "{message}");
        assert!(message.contains("byclass"), "{message}");
    }

    #[test]
    fn an_unknown_name_suggests_the_nearest() {
        for (typed, meant) in
            [("mnst", "mnist"), ("MNIST", "mnist"), ("fashion_mnist", "fashion-mnist"), ("digit", "digits")]
        {
            let message = unknown(typed).to_string();
            assert!(message.contains(&format!("did you mean '{meant}'?")), "{message}");
            assert!(message.contains("digits, dsprites, mnist, fashion-mnist, kmnist, emnist"), "{message}");
        }
        let message = unknown("./pictures/of/cats").to_string();
        assert!(!message.contains("did you mean"), "{message}");
        assert!(message.contains("no file or folder has this path"), "{message}");
    }

    #[test]
    fn distances() {
        for (a, b, expected) in
            [("", "", 0), ("", "abc", 3), ("kitten", "sitting", 3), ("mnist", "kmnist", 1)]
        {
            assert_eq!((distance(a, b), distance(b, a)), (expected, expected));
        }
    }
}
