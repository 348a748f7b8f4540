//! CIFAR-10 in its binary form (<https://www.cs.toronto.edu/~kriz/cifar.html>): `data_batch_1.bin` and so on to train on,
//! `test_batch.bin` held out, each gzipped or not. A record is a label and 32x32 pixels: all reds, then greens, then blues.

use super::archive::GZIP;
use super::arrays::interleaved;
use super::file::{FILE_LIMIT, File};
use super::idx::{BYTE_LIMIT, Images, too_large};
use super::{Dataset, ImageShape, Options, Part, convert, split};
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The name of the dataset.
pub(super) const NAME: &str = "cifar10";
/// The folder that its archive holds.
const UNPACKED: &str = "cifar-10-batches-bin";
const SHAPE: ImageShape = ImageShape { width: 32, height: 32, channels: 3 };
const RECORD: usize = 1 + 32 * 32 * 3;
const CLASSES: [&str; 10] =
    ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

/// The batches among some files, by their names without `.gz`.
#[derive(Debug, Default)]
pub(super) struct Batches {
    train: Vec<File>,
    test: Vec<File>,
}

impl Batches {
    /// The batches among `files`; nothing where there are none to train on.
    pub(super) fn among(files: &[File]) -> Option<Self> {
        let mut names: BTreeMap<String, &File> = BTreeMap::new();
        for file in files {
            let name = file.last_name().to_lowercase();
            let plain = name.strip_suffix(".gz").unwrap_or(&name).to_string();
            // Of a file that is there plain and gzipped, the plain one is taken.
            if plain.ends_with(".bin") && (plain == name || !names.contains_key(&plain)) {
                names.insert(plain, file);
            }
        }
        let of = |begin: &str| -> Vec<File> {
            names.iter().filter(|(name, _)| name.starts_with(begin)).map(|(_, &file)| file.clone()).collect()
        };
        Some(Self { train: of("data_batch"), test: of("test_batch") }).filter(|found| !found.train.is_empty())
    }

    /// Whether `file` is one of them.
    pub(super) fn uses(&self, file: &File) -> bool {
        self.train.iter().chain(&self.test).any(|own| own == file)
    }

    /// What is said if some of the five batches to train on are not there.
    fn missing(&self) -> Option<String> {
        let there = |number: &usize| {
            let name = format!("data_batch_{number}.bin");
            self.train.iter().any(|file| file.last_name().to_lowercase().starts_with(&name))
        };
        let (found, missing): (Vec<usize>, Vec<usize>) = (1..=5).partition(there);
        let numbers: Vec<String> = missing.iter().map(|number| format!("data_batch_{number}.bin")).collect();
        (!found.is_empty() && !missing.is_empty()).then(|| {
            format!(
                "{} not there: the images to train on are fewer.",
                match &numbers[..] {
                    [one] => format!("{one} is"),
                    many => format!("{} are", many.join(", ")),
                }
            )
        })
    }
}

/// Read the dataset from the first of `folders` that holds some of its files.
pub(super) fn read(folders: &[PathBuf], options: &Options) -> Result<Dataset> {
    for folder in folders.iter().flat_map(|folder| [folder.clone(), folder.join(UNPACKED)]) {
        if !folder.is_dir() {
            continue;
        }
        let mut files = Vec::new();
        for entry in std::fs::read_dir(&folder).map_err(|error| Error::io(&folder, error))? {
            files.push(File::single(&entry.map_err(|error| Error::io(&folder, error))?.path()));
        }
        if let Some(found) = Batches::among(&files) {
            return read_batches(&found, &folder, options);
        }
    }
    let shown: Vec<String> = folders.iter().map(|folder| folder.display().to_string()).collect();
    Err(Error::setting(
        format!("--dataset {NAME}"),
        format!("its files are in none of these folders:\n    {}", shown.join("\n    ")),
        "put data_batch_1.bin to data_batch_5.bin and test_batch.bin into one of them, gzipped or not, or point \
         --data-dir, or the variable VAE_DATA, at the folder that holds them",
    ))
}

/// Read these batches. `folder` is what errors about all of them name.
pub(super) fn read_batches(batches: &Batches, folder: &Path, options: &Options) -> Result<Dataset> {
    let (shape, train) = part(&batches.train, folder, options)?;
    let (train, test) = if batches.test.is_empty() {
        split::split(train, options.test_fraction, options.seed, folder)?
    } else {
        (train, part(&batches.test, folder, options)?.1)
    };
    let classes = CLASSES.map(str::to_string).to_vec();
    let mut dataset = Dataset::new(NAME, shape, train, test).with_classes(classes);
    dataset.found.files = batches.train.len() + batches.test.len();
    dataset.found.notes.extend(batches.missing());
    Ok(dataset)
}

fn part(files: &[File], folder: &Path, options: &Options) -> Result<(ImageShape, Part)> {
    let (mut labels, mut pixels) = (Vec::new(), Vec::new());
    for file in files {
        let path = file.path();
        let bytes = content(file)?;
        let again = "download it again, in the binary version";
        if bytes.is_empty() || !bytes.len().is_multiple_of(RECORD) {
            let problem = format!("{} bytes are not whole records of {RECORD} bytes", bytes.len());
            return Err(Error::data(path, problem, again));
        }
        if (pixels.len() + bytes.len()) as u64 > BYTE_LIMIT {
            return Err(too_large(path, (pixels.len() + bytes.len()) as u64));
        }
        for record in bytes.chunks_exact(RECORD) {
            if usize::from(record[0]) >= CLASSES.len() {
                return Err(Error::data(path, format!("a label is {}, above 9", record[0]), again));
            }
            labels.push(u32::from(record[0]));
            pixels.extend(interleaved(&record[1..], 3, 32 * 32));
        }
    }
    let images = convert::convert(Images { shape: SHAPE, pixels }, options, folder)?;
    Ok((images.shape, Part::of_images(images.pixels, images.shape).with_labels(labels)))
}

/// The bytes of a file, unpacked if they are gzipped.
fn content(file: &File) -> Result<Vec<u8>> {
    let bytes = file.read()?;
    if !bytes.starts_with(GZIP) {
        return Ok(bytes);
    }
    let mut unpacked = Vec::new();
    let decoder = flate2::read::MultiGzDecoder::new(&bytes[..]);
    decoder.take(FILE_LIMIT + 1).read_to_end(&mut unpacked).map_err(|error| {
        let problem = format!("the gzip stream is damaged: {error}");
        Error::data(file.path(), problem, "download the file again")
    })?;
    if unpacked.len() as u64 > FILE_LIMIT {
        return Err(Error::data(file.path(), "it unpacks to more than a GiB", "download the file again"));
    }
    Ok(unpacked)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Colour;
    use std::io::Write;

    /// Records whose reds, greens and blues are 10, 20 and 30 more than the label.
    fn records(labels: &[u8]) -> Vec<u8> {
        let record = |&label: &u8| {
            let planes = [10, 20, 30].into_iter().flat_map(move |more| vec![label + more; 1024]);
            std::iter::once(label).chain(planes).collect::<Vec<u8>>()
        };
        labels.iter().flat_map(record).collect()
    }

    fn gzip(path: &Path, bytes: &[u8]) {
        let file = std::fs::File::create(path).unwrap();
        let mut encoder = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap();
    }

    #[test]
    fn batches_are_joined_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join(UNPACKED);
        std::fs::create_dir(&inside).unwrap();
        gzip(&inside.join("data_batch_1.bin.gz"), &records(&[3, 1]));
        std::fs::write(inside.join("data_batch_2.bin"), records(&[9])).unwrap();
        gzip(&inside.join("data_batch_2.bin.gz"), b"not used");
        gzip(&inside.join("test_batch_first1000.bin.gz"), &records(&[0, 2]));
        let folders = [folder.path().join("other"), folder.path().to_path_buf()];
        let dataset = read(&folders, &Options::default()).unwrap();
        assert_eq!((dataset.shape, dataset.classes[9].as_str()), (SHAPE, "truck"));
        assert_eq!(dataset.train.labels(), Some(&[3, 1, 9][..]));
        assert_eq!(dataset.test.labels(), Some(&[0, 2][..]));
        assert_eq!(dataset.train.image(2)[..6], [19, 29, 39, 19, 29, 39]);
        let options = Options { colour: Some(Colour::Grey), image_size: Some((8, 6)), ..Options::default() };
        let grey = read(&folders, &options).unwrap();
        assert_eq!(grey.shape, ImageShape { width: 8, height: 6, channels: 1 });
        // Without a test part, one is held out.
        std::fs::remove_file(inside.join("test_batch_first1000.bin.gz")).unwrap();
        let dataset = read(&folders, &Options::default()).unwrap();
        assert_eq!((dataset.train.count, dataset.test.count), (2, 1));
    }

    #[test]
    fn what_is_wrong_names_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let folders = [folder.path().to_path_buf()];
        let problem = || read(&folders, &Options::default()).unwrap_err().to_string();
        assert!(
            problem().contains("--dataset cifar10") && problem().contains("data_batch_1.bin"),
            "{}",
            problem()
        );
        let path = folder.path().join("data_batch_1.bin");
        for (bytes, expected) in [
            (vec![0; RECORD + 1], "3074 bytes are not whole records"),
            (records(&[10]), "a label is 10"),
            (vec![0x1f, 0x8b, 8], "the gzip stream is damaged"),
        ] {
            std::fs::write(&path, bytes).unwrap();
            assert!(problem().contains("data_batch_1.bin") && problem().contains(expected), "{}", problem());
        }
    }
}
