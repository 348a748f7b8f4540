//! The held-out pictures that a run keeps, to look at where its dataset is not.

use super::RunFolder;
use crate::data::{ArrayValues, Arrays, Dataset, Factor, ImageShape, Part, write_arrays};
use crate::{Error, Result};
use std::path::Path;

/// The file, in the run's folder.
pub(super) const PICTURES: &str = "pictures.npz";

impl RunFolder {
    /// Keep what later commands need of `dataset`: what is known of its images, and the first `pictures` held-out ones.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn keep(&self, dataset: &Dataset, pictures: usize) -> Result<()> {
        self.write_known(dataset)?;
        self.keep_pictures(dataset, pictures)
    }

    /// Keep the first `count` held-out images of `dataset`: in arrays `images` (bytes, `[count, height, width, channels]`)
    /// and, where they are known, `labels` with `classes`, `names`, and `factors` with their names, sizes and values.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn keep_pictures(&self, dataset: &Dataset, count: usize) -> Result<()> {
        let part = &dataset.test;
        let count = count.min(part.count);
        if count == 0 {
            return Ok(());
        }
        let ImageShape { width, height, channels } = dataset.shape;
        let pixels: Vec<u8> = (0..count).flat_map(|index| part.image(index).into_owned()).collect();
        let pixels = ArrayValues::Bytes(&pixels);
        let shape = [count, height, width, channels];
        let mut arrays = vec![("images", &shape[..], pixels)];
        let classes = [dataset.classes.len()];
        if let Some(labels) = part.labels() {
            arrays.push(("labels", &shape[..1], ArrayValues::Words(&labels[..count])));
            arrays.push(("classes", &classes, ArrayValues::Texts(&dataset.classes)));
        }
        let factors = [dataset.factors.len()];
        let of_factors = [count, dataset.factors.len()];
        let factor_names: Vec<String> = dataset.factors.iter().map(|factor| factor.name.clone()).collect();
        let sizes: Vec<u32> = dataset.factors.iter().map(|factor| factor.size() as u32).collect();
        let values: Vec<f64> = dataset.factors.iter().flat_map(|factor| factor.values.clone()).collect();
        let all_values = [values.len()];
        if let Some(numbers) = part.factors() {
            let numbers = &numbers[..count * dataset.factors.len()];
            arrays.push(("factors", &of_factors, ArrayValues::Words(numbers)));
            arrays.push(("factor_names", &factors, ArrayValues::Texts(&factor_names)));
            arrays.push(("factor_sizes", &factors, ArrayValues::Words(&sizes)));
            arrays.push(("factor_values", &all_values, ArrayValues::Reals(&values)));
        }
        if !part.names.is_empty() {
            arrays.push(("names", &shape[..1], ArrayValues::Texts(&part.names[..count])));
        }
        write_arrays(&self.file(PICTURES), &arrays)
    }

    /// The pictures that the run keeps, of this shape, as the held-out part of a dataset called `name`; none where it keeps
    /// none.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] if they are not what a run keeps.
    pub fn kept_pictures(&self, name: &str, shape: ImageShape) -> Result<Option<Dataset>> {
        let path = self.file(PICTURES);
        if !path.is_file() {
            return Ok(None);
        }
        let read = || read(&path, name, shape);
        let hint = "delete the file; --dataset names other pictures to look at";
        read().map_err(|error| Error::checkpoint(&path, format!("not readable: {error}"), hint))?.map_or_else(
            || Err(Error::checkpoint(&path, format!("it holds no pictures of {shape}"), hint)),
            |dataset| Ok(Some(dataset)),
        )
    }
}

fn read(path: &Path, name: &str, shape: ImageShape) -> Result<Option<Dataset>> {
    let arrays = Arrays::open(path)?;
    let Some((sizes, pixels)) = arrays.bytes("images")? else { return Ok(None) };
    let count = sizes.first().copied().unwrap_or(0);
    if count == 0 || sizes != [count, shape.height, shape.width, shape.channels] {
        return Ok(None);
    }
    let mut part = Part::of_images(pixels, shape);
    let mut classes = Vec::new();
    if let (Some(labels), Some(names)) = (arrays.labels("labels")?, arrays.texts("classes")?)
        && labels.len() == count
        && labels.iter().all(|&label| (label as usize) < names.len())
    {
        (part, classes) = (part.with_labels(labels), names);
    }
    let factors = factors(&arrays)?;
    if let Some(numbers) = arrays.labels("factors")?.filter(|it| it.len() == count * factors.len()) {
        part = part.with_factors(numbers, factors.len());
    }
    if let Some(names) = arrays.texts("names")?.filter(|names| names.len() == count) {
        part = part.with_names(names);
    }
    let factors = if part.factors().is_some() { factors } else { Vec::new() };
    let none = Part::of_images(Vec::new(), shape);
    Ok(Some(Dataset::new(name, shape, none, part).with_classes(classes).with_factors(factors)))
}

/// The factors of the pictures; none where they are not kept.
fn factors(arrays: &Arrays) -> Result<Vec<Factor>> {
    let (names, sizes) = (arrays.texts("factor_names")?, arrays.labels("factor_sizes")?);
    let (Some(names), Some(sizes), Some(values)) = (names, sizes, arrays.reals("factor_values")?) else {
        return Ok(Vec::new());
    };
    let mut values = values.into_iter();
    let factors = names.into_iter().zip(sizes);
    Ok(factors.map(|(name, size)| Factor::new(name, values.by_ref().take(size as usize).collect())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::data::digits::digits;

    #[test]
    fn kept_pictures_are_the_first_held_out_ones() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunFolder::create(&folder.path().join("run"), &Config::default(), false).unwrap();
        let mut dataset = digits(5, 9, 1).unwrap();
        let numbers = (0..9).flat_map(|i| [i % 2, i % 3]).collect();
        dataset.factors = vec![Factor::numbered("a", 2), Factor::new("b", vec![0.1, 0.5, 2.0 / 3.0])];
        dataset.test = dataset.test.with_factors(numbers, 2);
        dataset.test.names = (0..9).map(|i| format!("{i}.png")).collect();
        assert!(run.kept_pictures("digits", dataset.shape).unwrap().is_none());
        run.keep_pictures(&dataset, 0).unwrap();
        assert!(run.kept_pictures("digits", dataset.shape).unwrap().is_none());
        run.keep_pictures(&dataset, 4).unwrap();
        let kept = run.kept_pictures("digits", dataset.shape).unwrap().unwrap();
        assert_eq!((kept.test.count, kept.train.count, &kept.classes), (4, 0, &dataset.classes));
        assert_eq!(kept.test.image(3), dataset.test.image(3));
        assert_eq!(kept.test.labels().unwrap(), &dataset.test.labels().unwrap()[..4]);
        assert_eq!(kept.test.factors().unwrap(), &dataset.test.factors().unwrap()[..8]);
        assert_eq!(kept.factors, dataset.factors);
        assert_eq!(kept.test.names, dataset.test.names[..4]);
        let other = ImageShape { width: 5, ..dataset.shape };
        assert!(run.kept_pictures("digits", other).unwrap_err().to_string().contains("5x28"));
        std::fs::write(run.file(PICTURES), "text").unwrap();
        assert!(run.kept_pictures("digits", dataset.shape).unwrap_err().to_string().contains("not readable"));
        run.keep_pictures(&dataset, 64).unwrap();
        assert_eq!(run.kept_pictures("digits", dataset.shape).unwrap().unwrap().test.count, 9);
    }
}
