//! Factors of variation: what the items of a dataset were made from, such as the shape and the place of what they show.

use super::arrays::Array;
use super::file::File;
use super::npy::Header;
use super::sprites::SHAPES;
use super::{Column, Dataset, Part, Values};
use crate::Result;

/// The column of factors: for each item one word a factor, the number of its value.
pub const FACTORS: &str = "factors";

/// Arrays of a `.npz`, as dSprites names them: the number of each factor's value, and the values, `[count, factors]`.
const CLASSES: &str = "latents_classes";
const VALUES: &str = "latents_values";

/// The factors of dSprites (Matthey et al., 2017) with their sizes, without colour, which has one value.
pub(super) const OF_DSPRITES: [(&str, usize); 5] =
    [("shape", 3), ("scale", 6), ("orientation", 40), ("position_x", 32), ("position_y", 32)];

/// One factor: each item has one of its values.
#[derive(Clone, Debug, PartialEq)]
pub struct Factor {
    /// Its name.
    pub name: String,
    /// Its values, by number.
    pub values: Vec<f64>,
}

impl Factor {
    /// A factor with these values.
    pub fn new(name: impl Into<String>, values: Vec<f64>) -> Self {
        Self { name: name.into(), values }
    }

    /// A factor whose values are the numbers from 0 to below `size`.
    pub fn numbered(name: impl Into<String>, size: usize) -> Self {
        Self::new(name, (0..size).map(|class| class as f64).collect())
    }

    /// How many values it has.
    pub fn size(&self) -> usize {
        self.values.len()
    }
}

impl Dataset {
    /// The same dataset with these factors, whose values both parts have in their column [`FACTORS`].
    #[must_use]
    pub fn with_factors(self, factors: Vec<Factor>) -> Self {
        Self { factors, ..self }
    }

    /// Its factors; where it has none but labels, these as one factor `label`. Its items' values: [`Part::factors_or_labels`].
    pub fn factors_or_labels(&self) -> Vec<Factor> {
        let labelled = || self.train.labels().or(self.test.labels()).is_some();
        if self.factors.is_empty() && labelled() {
            return vec![Factor::numbered("label", self.classes.len())];
        }
        self.factors.clone()
    }
}

impl Part {
    /// The same items with the number of a value for each of `factors` factors: `[count, factors]`, indices into
    /// [`Factor::values`]. Without factors there is no column.
    #[must_use]
    pub fn with_factors(mut self, numbers: Vec<u32>, factors: usize) -> Self {
        if factors == 0 {
            self.remove(FACTORS);
            return self;
        }
        self.with(Column::new(FACTORS, &[factors], Values::Words(numbers)))
    }

    /// The number of the value of each factor, `[count, factors]`, if the dataset has factors.
    pub fn factors(&self) -> Option<&[u32]> {
        self.words(FACTORS)
    }

    /// The same; where there are no factors but labels, these: `[count, 1]`.
    pub fn factors_or_labels(&self) -> Option<&[u32]> {
        self.factors().or_else(|| self.labels())
    }
}

/// The factors of `count` images and the numbers of their values, `[count, factors]`, where `arrays` of `file` hold some.
/// Factors of one value are left out.
pub(super) fn read(
    file: &File,
    arrays: &[Array],
    count: usize,
    notes: &mut Vec<String>,
) -> Result<Option<(Vec<Factor>, Vec<u32>)>> {
    let named = |name: &str| arrays.iter().find(|array| array.key() == Some(name));
    let Some(array) = named(CLASSES) else { return Ok(None) };
    let columns = match *array.shape() {
        [rows, columns] if rows == count && columns > 0 => columns,
        _ => 0,
    };
    let classes = if columns == 0 { None } else { array.values(file, Header::labels)? };
    let Some(classes) = classes else {
        notes.push(format!(
            "{CLASSES} holds no whole numbers of factors of the {count} images, and is not used."
        ));
        return Ok(None);
    };
    let values = named(VALUES).filter(|values| values.shape() == array.shape());
    let values = values.map(|values| values.values(file, Header::reals)).transpose()?;
    let mut factors: Vec<Factor> =
        (0..columns).map(|column| factor(&classes, values.as_deref(), column, columns)).collect();
    let kept: Vec<usize> = (0..columns).filter(|&column| factors[column].size() > 1).collect();
    factors.retain(|factor| factor.size() > 1);
    if factors.iter().map(Factor::size).eq(OF_DSPRITES.map(|(_, size)| size)) {
        for (factor, (name, _)) in factors.iter_mut().zip(OF_DSPRITES) {
            factor.name = name.to_string();
        }
    }
    let numbers =
        classes.chunks_exact(columns).flat_map(|row| kept.iter().map(|&column| row[column])).collect();
    Ok((!factors.is_empty()).then_some((factors, numbers)))
}

/// `part` with the factors that were read, and these. The shapes of dSprites become labels, if there are none.
pub(super) fn give(
    part: Part,
    classes: &mut Vec<String>,
    found: Option<(Vec<Factor>, Vec<u32>)>,
) -> (Part, Vec<Factor>) {
    let Some((factors, numbers)) = found else { return (part, Vec::new()) };
    let of_dsprites = factors.iter().map(|factor| &*factor.name).eq(OF_DSPRITES.map(|(name, _)| name));
    let shapes = (of_dsprites && part.labels().is_none())
        .then(|| numbers.iter().step_by(OF_DSPRITES.len()).copied().collect());
    let part = part.with_factors(numbers, factors.len());
    match shapes {
        Some(shapes) => {
            *classes = SHAPES.map(str::to_string).to_vec();
            (part.with_labels(shapes), factors)
        }
        None => (part, factors),
    }
}

/// The factor in this column: its value number `i` is the one in the first row that has this number; `i` where there are no
/// values, or no such row.
fn factor(classes: &[u32], values: Option<&[f64]>, column: usize, columns: usize) -> Factor {
    let of_column = || classes.iter().skip(column).step_by(columns).map(|&class| class as usize);
    let size = of_column().max().map_or(0, |last| last + 1);
    let mut factor = Factor::numbered(format!("factor{}", column + 1), size);
    if let Some(values) = values {
        let mut found = vec![false; size];
        for (class, &value) in of_column().zip(values.iter().skip(column).step_by(columns)) {
            if !found[class] {
                (found[class], factor.values[class]) = (true, value);
            }
        }
    }
    factor
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{ArrayValues, ImageShape, Options, open, split, write_arrays};

    /// Ten images of 2x2 pixels with a constant, a factor of two values and one of five.
    fn archive(with_values: bool) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("made.npz");
        let pixels: Vec<u8> = (0..40).map(|i| 6 * i).collect();
        let classes: Vec<u32> = (0..10).flat_map(|i| [0, i / 5, i % 5]).collect();
        let values: Vec<f32> =
            (0..10u8).flat_map(|i| [7.0, f32::from(i / 5) + 0.5, f32::from(i % 5) / 4.0]).collect();
        let mut arrays = vec![
            ("imgs", &[10, 2, 2][..], ArrayValues::Bytes(&pixels)),
            (CLASSES, &[10, 3][..], ArrayValues::Words(&classes)),
        ];
        if with_values {
            arrays.push((VALUES, &[10, 3][..], ArrayValues::Floats(&values)));
        }
        write_arrays(&path, &arrays).unwrap();
        (folder, path)
    }

    #[test]
    fn factors_come_with_the_images_and_stay_with_them() {
        for with_values in [true, false] {
            let (_folder, path) = archive(with_values);
            let set =
                open(path.to_str().unwrap(), &Options { test_fraction: 0.3, ..Options::default() }).unwrap();
            let names: Vec<&str> = set.factors.iter().map(|factor| &*factor.name).collect();
            assert_eq!(names, ["factor2", "factor3"]);
            let values = |factor: usize| set.factors[factor].values.clone();
            assert_eq!(values(0), if with_values { [0.5, 1.5] } else { [0.0, 1.0] });
            assert_eq!(
                values(1),
                [0.0, 0.25, 0.5, 0.75, 1.0].map(|it| if with_values { it } else { 4.0 * it })
            );
            assert_eq!((set.train.count, set.test.count), (7, 3));
            for part in [&set.train, &set.test] {
                for (index, row) in part.factors().unwrap().chunks(2).enumerate() {
                    let image = u32::from(part.image(index)[0]) / 24;
                    assert_eq!(row, [image / 5, image % 5]);
                }
            }
            let mut some = set.train.clone();
            some.truncate(2);
            assert_eq!(some.factors().unwrap(), &set.train.factors().unwrap()[..4]);
            assert_eq!(set.factors_or_labels(), set.factors);
        }
    }

    #[test]
    fn arrays_of_another_length_are_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("made.npz");
        let images = ("imgs", &[10, 2, 2][..], ArrayValues::Bytes(&[9; 40]));
        write_arrays(&path, &[images, (CLASSES, &[9, 2], ArrayValues::Words(&[1; 18]))]).unwrap();
        let set = open(path.to_str().unwrap(), &Options::default()).unwrap();
        assert!(set.factors.is_empty() && set.train.factors().is_none());
        assert!(set.found.notes.iter().any(|note| note.contains(CLASSES)), "{:?}", set.found.notes);
    }

    #[test]
    fn labels_alone_are_one_factor() {
        let shape = ImageShape { width: 1, height: 1, channels: 1 };
        let part = Part::of_images(vec![1, 2, 3, 4], shape).with_labels(vec![0, 2, 1, 2]);
        assert_eq!(part.clone().with_factors(Vec::new(), 0), part);
        let (train, test) = split(part, 0.25, 0, std::path::Path::new("here")).unwrap();
        let names = ["a", "b", "c"].map(str::to_string).to_vec();
        let set = Dataset::new("toy", shape, train, test).with_classes(names);
        assert_eq!(set.factors_or_labels(), [Factor::new("label", vec![0.0, 1.0, 2.0])]);
        assert_eq!(set.train.factors_or_labels(), set.train.labels());
        assert!(set.train.factors().is_none());
    }

    #[test]
    fn factors_that_no_value_has_are_refused() {
        let shape = ImageShape { width: 1, height: 1, channels: 1 };
        let part = Part::of_images(vec![1, 2], shape).with_factors(vec![0, 1, 1, 0], 2);
        let set = |factors| Dataset::new("toy", shape, part.clone(), part.clone()).with_factors(factors);
        set(vec![Factor::numbered("a", 2), Factor::numbered("b", 2)]).validate().unwrap();
        for wrong in
            [vec![], vec![Factor::numbered("a", 2)], vec![Factor::numbered("a", 2), Factor::numbered("b", 1)]]
        {
            assert!(set(wrong).validate().unwrap_err().to_string().contains(FACTORS));
        }
    }
}
