//! Columns of a dataset in the buffers of a plan.

use super::Which;
use crate::data::{Column, Part, Values};
use crate::plan::{BufferId, Element, Plan, Role};
use crate::{Error, Result};

/// The columns that `plan` gathers from this part of `dataset`, each with its buffer.
///
/// # Errors
/// [`Error::Column`] if the part lacks one of them, or has it with another type or shape.
pub(crate) fn gathered<'a>(
    plan: &Plan,
    dataset: &str,
    which: Which,
    part: &'a Part,
) -> Result<Vec<(BufferId, &'a Column)>> {
    let prefix = format!("dataset.{which}.");
    let mut found = Vec::new();
    for (index, buffer) in plan.buffers.iter().enumerate().filter(|(_, it)| it.role == Role::Dataset) {
        let Some(name) = buffer.name.strip_prefix(&prefix) else { continue };
        let wanted = format!("{} {}", size(&buffer.shape), kind(buffer.element));
        let Some(column) = part.column(name) else {
            let names: Vec<&str> = part.columns.iter().map(|column| column.name.as_str()).collect();
            let hint =
                format!("the model reads {wanted} for each item; the columns are: {}", names.join(", "));
            return Err(Error::column(dataset, which.to_string(), name, "is missing", hint));
        };
        if column.size() != size(&buffer.shape) || column.values.kind() != kind(buffer.element) {
            let problem = format!("holds {} of shape {:?}", column.values.kind(), column.shape);
            let hint = format!("the model reads {wanted} for each item");
            return Err(Error::column(dataset, which.to_string(), name, problem, hint));
        }
        found.push((BufferId(index), column));
    }
    Ok(found)
}

/// Values of one item, in a buffer of `[items, values]`.
fn size(shape: &[usize]) -> usize {
    shape.last().copied().unwrap_or_default()
}

/// The name that [`Values::kind`] has for what a buffer holds.
fn kind(element: Element) -> &'static str {
    match element {
        Element::Bytes => "bytes",
        Element::Real => "reals",
        Element::Word => "words",
    }
}

/// The items with these numbers as a buffer holds them: bytes four a word; the values of an item padded with zeros to
/// whole words, those of other types to whole vec4.
pub(crate) fn words(column: &Column, numbers: impl Iterator<Item = usize>) -> Vec<u32> {
    let size = column.size();
    let range = |number: usize| number * size..(number + 1) * size;
    let a_row = match column.values {
        Values::Bytes(_) | Values::Bits(_) => size.div_ceil(4),
        Values::Reals(_) | Values::Words(_) => size.next_multiple_of(4),
    };
    let mut words = Vec::with_capacity(numbers.size_hint().0 * a_row);
    for number in numbers {
        match &column.values {
            Values::Bytes(values) => words.extend(values[range(number)].chunks(4).map(|four| {
                let mut bytes = [0; 4];
                bytes[..four.len()].copy_from_slice(four);
                u32::from_le_bytes(bytes)
            })),
            Values::Bits(values) => values.extend(&mut words, range(number)),
            Values::Reals(values) => {
                words.extend(values[range(number)].iter().map(|value| value.to_bits()));
                words.resize(words.len().next_multiple_of(4), 0);
            }
            Values::Words(values) => {
                words.extend_from_slice(&values[range(number)]);
                words.resize(words.len().next_multiple_of(4), 0);
            }
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Bits;

    #[test]
    fn items_are_padded() {
        let packed = |values, size: usize, numbers: &[usize]| {
            words(&Column::new("it", &[size], values), numbers.iter().copied())
        };
        assert_eq!(packed(Values::Bytes(vec![1, 2, 3, 4, 5, 6]), 3, &[1, 0]), [0x06_05_04, 0x03_02_01]);
        assert_eq!(packed(Values::Bytes((1..11).collect()), 5, &[1]), [0x09_08_07_06, 10]);
        let bits = Bits::new(vec![0xff, 1]);
        assert_eq!(packed(Values::Bits(bits), 8, &[1, 0]), [0xff, 0, u32::MAX, u32::MAX]);
        let one = 1_f32.to_bits();
        assert_eq!(packed(Values::Reals(vec![0.0, 1.0]), 1, &[1, 0]), [one, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(packed(Values::Words((0..10).collect()), 5, &[1]), [5, 6, 7, 8, 9, 0, 0, 0]);
    }
}
