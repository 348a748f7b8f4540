//! What every dataset must keep to.

use super::{Column, Dataset, FACTORS, Factor, IMAGES, LABELS, Part, Values};
use crate::{Error, Result};

impl Dataset {
    /// Checks that both parts have items and the same columns, each with a value for every item; that images have the
    /// dataset's size; and that labels name a class and
    /// factors a value.
    ///
    /// # Errors
    /// [`Error::Column`] for a column that does not fit; [`Error::Internal`] for an empty part.
    pub fn validate(&self) -> Result<()> {
        for (name, part) in [("train", &self.train), ("test", &self.test)] {
            if part.count == 0 {
                return Err(Error::Internal(format!("dataset '{}': the {name} part is empty", self.name)));
            }
            for (index, column) in part.columns.iter().enumerate() {
                let faults = [
                    fault_of_values(column, part.count),
                    self.fault_of_images(column),
                    self.fault_of_labels(column),
                    self.fault_of_factors(column),
                    part.columns[..index].iter().any(|other| other.name == column.name).then(|| {
                        let problem = "is there twice".to_string();
                        (problem, "give every column another name".to_string())
                    }),
                ];
                if let Some((problem, hint)) = faults.into_iter().flatten().next() {
                    return Err(Error::column(&self.name, name, &column.name, problem, hint));
                }
            }
        }
        self.compare("train", &self.train, &self.test)?;
        self.compare("test", &self.test, &self.train)
    }

    /// Every column of `part` must be in `other` too.
    fn compare(&self, name: &str, part: &Part, other: &Part) -> Result<()> {
        let alike = |column: &Column, twin: &Column| {
            column.shape == twin.shape && column.values.kind() == twin.values.kind()
        };
        let differs = |column: &&Column| other.column(&column.name).is_none_or(|twin| !alike(column, twin));
        match part.columns.iter().find(differs) {
            None => Ok(()),
            Some(column) => {
                let hint = "give it to both parts, with one type and shape, or to neither";
                Err(Error::column(&self.name, name, &column.name, "is not in the other part", hint))
            }
        }
    }

    fn fault_of_images(&self, column: &Column) -> Option<(String, String)> {
        if column.name != IMAGES {
            return None;
        }
        let shape = [self.shape.height, self.shape.width, self.shape.channels];
        let fits = column.shape == shape && column.values.kind() == "bytes" && column.size() > 0;
        (!fits).then(|| {
            let problem = format!("holds {} of shape {:?}", column.values.kind(), column.shape);
            (problem, format!("images of {} are bytes of shape {shape:?}", self.shape))
        })
    }

    fn fault_of_factors(&self, column: &Column) -> Option<(String, String)> {
        if column.name != FACTORS {
            return None;
        }
        let (factors, sizes) = (self.factors.len(), self.factors.iter().map(Factor::size));
        match &column.values {
            Values::Words(numbers) if factors > 0 && column.shape == [factors] => {
                let unknown = |row: &[u32]| {
                    row.iter().zip(sizes.clone()).any(|(&number, size)| number as usize >= size)
                };
                numbers.chunks(factors).any(unknown).then(|| {
                    let problem = "has the number of a value that its factor lacks".to_string();
                    (problem, "the values of a factor are counted from 0".to_string())
                })
            }
            values => {
                let problem = format!("holds {} of shape {:?}", values.kind(), column.shape);
                Some((problem, format!("the values of {factors} factors are a word each")))
            }
        }
    }

    fn fault_of_labels(&self, column: &Column) -> Option<(String, String)> {
        if column.name != LABELS {
            return None;
        }
        let classes = self.classes.len();
        match &column.values {
            Values::Words(labels) if column.size() == 1 => {
                let unknown = labels.iter().find(|label| **label as usize >= classes)?;
                let problem = format!("has the label {unknown}, but there are {classes} classes");
                Some((problem, "labels are numbers of classes, counted from 0".into()))
            }
            values => {
                let problem = format!("holds {} of shape {:?}", values.kind(), column.shape);
                Some((problem, "labels are one word an item".into()))
            }
        }
    }
}

/// Whether a column has its values for each of `count` items.
fn fault_of_values(column: &Column, count: usize) -> Option<(String, String)> {
    let (size, length) = (column.size(), column.values.len());
    if matches!(column.values, Values::Bits(_)) && !size.is_multiple_of(8) {
        let hint = "keep them as bytes, or use images with a multiple of eight values".to_string();
        return Some((format!("holds bits of items of {size}"), hint));
    }
    (count.checked_mul(size) != Some(length)).then(|| {
        let problem = format!("has {length} {} for {count} items", column.values.kind());
        (problem, format!("each item has {size}: its shape is {:?}", column.shape))
    })
}
