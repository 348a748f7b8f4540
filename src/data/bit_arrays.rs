//! Large arrays of images whose values are all 0 or 1, such as the file of dSprites: read as bits, an eighth of their bytes.

use super::arrays::{self, Array};
use super::file::File;
use super::npy::Header;
use super::{Bits, Dataset, ImageShape, Options, Part, array_labels, factors, flat, memory, split};
use crate::Result;

/// The dataset whose images are in `array`, if these are grey, wanted as they are, of at least `least` values, and all of
/// them 0 or 1.
pub(super) fn read(
    file: &File,
    array: &Array,
    all: &[Array],
    options: &Options,
    least: u64,
) -> Result<Option<Dataset>> {
    let (count, height, width) = match *array.shape() {
        [count, height, width] | [count, height, width, 1] => (count, height, width),
        _ => return Ok(None),
    };
    let shape = ImageShape { width, height, channels: 1 };
    let as_they_are = options.image_size.is_none_or(|size| size == (width, height))
        && options.colour.is_none_or(|colour| colour.channels() == 1)
        && !options.stretch
        && options.range.is_none();
    let values = (count as u64).saturating_mul((width as u64).saturating_mul(height as u64));
    if !as_they_are || values < least || values == 0 || !shape.pixels().is_multiple_of(8) {
        return Ok(None);
    }
    let path = file.path();
    if values / 8 >= memory::SMALL {
        memory::check(path, &format!("{count} images of {width}x{height}"), values / 8, memory::available())?;
    }
    let Some(bits) = array.values(file, Header::bits)? else { return Ok(None) };
    let mut notes = Vec::new();
    if array.header.holds_integers() {
        notes.push(flat::SPREAD.to_string());
    }
    let mut part = Part::of_bits(Bits::new(bits), shape);
    let mut classes = Vec::new();
    if let Some(mut labels) = array_labels::read(file, array, all, &array_labels::NAMES, count, &mut notes)? {
        classes = flat::classes(&mut [&mut labels]);
        part = part.with_labels(labels);
    }
    let found = factors::read(file, all, count, &mut notes)?;
    let (part, factors) = factors::give(part, &mut classes, found);
    let (train, test) = split::split(part, options.test_fraction, options.seed, path)?;
    let mut dataset =
        Dataset::new(arrays::name_of(path), shape, train, test).with_classes(classes).with_factors(factors);
    dataset.found.files = 1;
    dataset.found.notes = notes;
    Ok(Some(dataset))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{ArrayValues, write_arrays};

    fn written(pixels: &[u8]) -> (tempfile::TempDir, File) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("made.npz");
        // The factors have the sizes of those of dSprites, the first images the last values.
        let sizes = [1, 3, 6, 40, 32, 32];
        let classes: Vec<u32> =
            (0..40).flat_map(|i: u32| sizes.map(|size: u32| size - 1 - i % size)).collect();
        let arrays: [(&str, &[usize], ArrayValues<'_>); 2] = [
            ("imgs", &[40, 4, 4], ArrayValues::Bytes(pixels)),
            ("latents_classes", &[40, 6], ArrayValues::Words(&classes)),
        ];
        write_arrays(&path, &arrays).unwrap();
        (folder, File::single(&path))
    }

    fn read_from(file: &File, options: &Options, least: u64) -> Option<Dataset> {
        let all = arrays::list(file).unwrap().found;
        read(file, &all[0], &all, options, least).unwrap()
    }

    #[test]
    fn bits_and_bytes_are_the_same_dataset() {
        let pixels: Vec<u8> = (0..640).map(|i: u32| (i * i / 7 % 2) as u8).collect();
        let (_folder, file) = written(&pixels);
        let options = Options::default();
        let bits = read_from(&file, &options, 1).unwrap();
        let bytes = arrays::read(&file, None, &options).unwrap();
        bits.validate().unwrap();
        for (of_bits, of_bytes) in [(&bits.train, &bytes.train), (&bits.test, &bytes.test)] {
            assert!(of_bits.bits().is_some() && of_bytes.bits().is_none());
            assert_eq!(of_bits.pixels(), of_bytes.pixels());
            assert_eq!((of_bits.labels(), of_bits.factors()), (of_bytes.labels(), of_bytes.factors()));
            assert_eq!(of_bits.places, of_bytes.places);
        }
        assert_eq!(
            (&bits.classes, &bits.factors, &bits.found),
            (&bytes.classes, &bytes.factors, &bytes.found)
        );
        assert_eq!(bits.classes, super::super::sprites::SHAPES);
        let names: Vec<&str> = bits.factors.iter().map(|factor| &*factor.name).collect();
        assert_eq!(names, ["shape", "scale", "orientation", "position_x", "position_y"]);
    }

    #[test]
    fn other_images_are_left_to_others() {
        let mut pixels = vec![1; 640];
        let (_folder, file) = written(&pixels);
        assert!(read_from(&file, &Options::default(), 641).is_none());
        let smaller = Options { image_size: Some((2, 2)), ..Options::default() };
        assert!(read_from(&file, &smaller, 1).is_none());
        pixels[600] = 2;
        let (_folder, file) = written(&pixels);
        assert!(read_from(&file, &Options::default(), 1).is_none());
    }
}
