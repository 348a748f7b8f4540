//! Columns: what a dataset holds of each of its items, with a type and a shape.

use super::{Bits, ImageShape};
use std::borrow::Cow;
use std::ops::Range;

/// The column of images: bytes, `[height, width, channels]`.
pub const IMAGES: &str = "images";
/// The column of class numbers: one word an item.
pub const LABELS: &str = "labels";

/// The values of a column, item after item.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Numbers from 0 to 255, such as pixels. Models see them as 0 to 1.
    Bytes(Vec<u8>),
    /// The same, all of them 0 or 255, in one bit each. An item has a multiple of eight.
    Bits(Bits),
    /// Numbers as they are.
    Reals(Vec<f32>),
    /// Whole numbers, such as labels. Models see them as numbers, exact up to 2^24.
    Words(Vec<u32>),
}

impl Values {
    /// How many values there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Bytes(values) => values.len(),
            Self::Bits(values) => values.len(),
            Self::Reals(values) => values.len(),
            Self::Words(values) => values.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The name of the type in which models get them: `bytes`, `reals` or `words`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Bytes(_) | Self::Bits(_) => "bytes",
            Self::Reals(_) => "reals",
            Self::Words(_) => "words",
        }
    }
}

/// One property of all items of a part of a dataset.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// Its name: [`IMAGES`], [`LABELS`], or any other.
    pub name: String,
    /// The shape of one item; empty for a single number.
    pub shape: Vec<usize>,
    /// The values of all items: as many for each as the shape says.
    pub values: Values,
}

impl Column {
    /// A column whose items have this shape.
    pub fn new(name: impl Into<String>, shape: &[usize], values: Values) -> Self {
        Self { name: name.into(), shape: shape.to_vec(), values }
    }

    /// Values of one item.
    pub fn size(&self) -> usize {
        self.shape.iter().product()
    }

    /// Keep the first `count` items.
    pub(super) fn truncate(&mut self, count: usize) {
        let length = count * self.size();
        match &mut self.values {
            Values::Bytes(values) => values.truncate(length),
            Values::Bits(values) => values.packed_mut().truncate(length / 8),
            Values::Reals(values) => values.truncate(length),
            Values::Words(values) => values.truncate(length),
        }
    }

    /// The items with these numbers, in this order.
    fn select(&self, items: &[usize]) -> Self {
        let size = self.size();
        let values = match &self.values {
            Values::Bytes(values) => Values::Bytes(select(values, size, items)),
            Values::Bits(values) => Values::Bits(Bits::new(select(values.packed(), size / 8, items))),
            Values::Reals(values) => Values::Reals(select(values, size, items)),
            Values::Words(values) => Values::Words(select(values, size, items)),
        };
        Self::new(&*self.name, &self.shape, values)
    }

    /// Move the items that are `chosen` to another column. Both keep their order.
    pub(super) fn take(&mut self, chosen: &[bool]) -> Self {
        let size = self.size();
        let values = match &mut self.values {
            Values::Bytes(values) => Values::Bytes(take(values, size, chosen)),
            Values::Bits(values) => Values::Bits(Bits::new(take(values.packed_mut(), size / 8, chosen))),
            Values::Reals(values) => Values::Reals(take(values, size, chosen)),
            Values::Words(values) => Values::Words(take(values, size, chosen)),
        };
        Self::new(&*self.name, &self.shape, values)
    }

    /// Append the items of a column of the same type and shape.
    fn extend(&mut self, other: &Self) {
        if let Values::Bits(bits) = &self.values
            && matches!(other.values, Values::Bytes(_))
        {
            self.values = Values::Bytes(bits.unpacked(0..bits.len()));
        }
        match (&mut self.values, &other.values) {
            (Values::Bytes(own), Values::Bytes(more)) => own.extend(more),
            (Values::Bytes(own), Values::Bits(more)) => own.extend(more.unpacked(0..more.len())),
            (Values::Bits(own), Values::Bits(more)) => own.packed_mut().extend(more.packed()),
            (Values::Reals(own), Values::Reals(more)) => own.extend(more),
            (Values::Words(own), Values::Words(more)) => own.extend(more),
            _ => {}
        }
    }
}

fn select<T: Copy>(values: &[T], size: usize, items: &[usize]) -> Vec<T> {
    items.iter().flat_map(|&item| &values[item * size..(item + 1) * size]).copied().collect()
}

/// Moves the rest together in place, because a dataset may fill much of the memory.
fn take<T: Copy>(values: &mut Vec<T>, size: usize, chosen: &[bool]) -> Vec<T> {
    let count = chosen.iter().filter(|&&is_chosen| is_chosen).count();
    let mut taken = Vec::with_capacity(count * size);
    let mut kept = 0;
    for (index, &is_chosen) in chosen.iter().enumerate() {
        let item = index * size..(index + 1) * size;
        if is_chosen {
            taken.extend_from_slice(&values[item]);
        } else {
            values.copy_within(item, kept * size);
            kept += 1;
        }
    }
    values.truncate(kept * size);
    taken
}

/// Some items, each with a value in every column.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Part {
    /// What is known of each item.
    pub columns: Vec<Column>,
    /// How many items.
    pub count: usize,
    /// What each item is called: the path of its file within the dataset. Empty where items have no names.
    pub names: Vec<String>,
    /// The place of each item in the dataset before it was split. Empty where the dataset's own part is meant.
    pub places: Vec<u32>,
}

impl Part {
    /// Images of one size: `pixels` is `[count, height, width, channels]`, 0 to 255.
    pub fn of_images(pixels: Vec<u8>, shape: ImageShape) -> Self {
        Self::of_values(Values::Bytes(pixels), shape)
    }

    /// The same images of pixels that are black or white, kept as bits; an image has a multiple of eight values.
    pub fn of_bits(pixels: Bits, shape: ImageShape) -> Self {
        Self::of_values(Values::Bits(pixels), shape)
    }

    fn of_values(pixels: Values, shape: ImageShape) -> Self {
        let count = pixels.len() / shape.pixels().max(1);
        let shape = [shape.height, shape.width, shape.channels];
        Self {
            columns: vec![Column::new(IMAGES, &shape, pixels)],
            count,
            names: Vec::new(),
            places: Vec::new(),
        }
    }

    /// The same items with one more column, or with another of that name.
    #[must_use]
    pub fn with(mut self, column: Column) -> Self {
        self.remove(&column.name);
        self.columns.push(column);
        self
    }

    /// The same items with a name each.
    #[must_use]
    pub fn with_names(self, names: Vec<String>) -> Self {
        Self { names, ..self }
    }

    /// The same items with one class number each, an index into [`super::Dataset::classes`].
    #[must_use]
    pub fn with_labels(self, labels: Vec<u32>) -> Self {
        self.with(Column::new(LABELS, &[], Values::Words(labels)))
    }

    /// The items with these numbers, in this order.
    #[must_use]
    pub fn select(&self, items: &[usize]) -> Self {
        Self {
            columns: self.columns.iter().map(|column| column.select(items)).collect(),
            count: items.len(),
            names: match self.names.len() {
                0 => Vec::new(),
                _ => items.iter().map(|&item| self.names[item].clone()).collect(),
            },
            places: match self.places.len() {
                0 => Vec::new(),
                _ => items.iter().map(|&item| self.places[item]).collect(),
            },
        }
    }

    /// These items and those of `other`, which has the same columns: in the order of the dataset, if they are parts that it
    /// was split into.
    #[must_use]
    pub fn joined(mut self, other: &Self) -> Self {
        let split = !self.places.is_empty() && !other.places.is_empty();
        for column in &mut self.columns {
            if let Some(more) = other.column(&column.name) {
                column.extend(more);
            }
        }
        self.count += other.count;
        self.names.extend(other.names.iter().cloned());
        self.places.extend(&other.places);
        if !split {
            self.places.clear();
            return self;
        }
        let mut order: Vec<usize> = (0..self.count).collect();
        order.sort_by_key(|&item| self.places[item]);
        Self { places: Vec::new(), ..self.select(&order) }
    }

    /// Drop a column.
    pub fn remove(&mut self, name: &str) {
        self.columns.retain(|column| column.name != name);
    }

    /// The column called `name`.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The bytes of all images; none where there is no such column. Images that are kept as bits take eight times their
    /// memory here: [`Part::image`] gives one after another.
    pub fn pixels(&self) -> Cow<'_, [u8]> {
        self.bytes(0..self.count)
    }

    /// Bytes, and so values, of one image; 0 where there are none.
    pub fn image_size(&self) -> usize {
        self.column(IMAGES).map_or(0, Column::size)
    }

    /// The images, where they are kept as bits.
    pub fn bits(&self) -> Option<&Bits> {
        match &self.column(IMAGES)?.values {
            Values::Bits(bits) => Some(bits),
            _ => None,
        }
    }

    /// The bytes of the images in a range.
    fn bytes(&self, items: Range<usize>) -> Cow<'_, [u8]> {
        let size = self.image_size();
        let range = items.start * size..items.end * size;
        match self.column(IMAGES).map(|column| &column.values) {
            Some(Values::Bytes(pixels)) => Cow::Borrowed(&pixels[range]),
            Some(Values::Bits(bits)) => Cow::Owned(bits.unpacked(range)),
            _ => Cow::Borrowed(&[]),
        }
    }

    /// One class number an item, if there are labels.
    pub fn labels(&self) -> Option<&[u32]> {
        self.words(LABELS)
    }

    /// The words of the column called `name`, if there is one.
    pub(super) fn words(&self, name: &str) -> Option<&[u32]> {
        match &self.column(name)?.values {
            Values::Words(words) => Some(words),
            _ => None,
        }
    }

    /// The bytes of image `index`.
    pub fn image(&self, index: usize) -> Cow<'_, [u8]> {
        self.bytes(index..index + 1)
    }

    /// What is kept of image `index`: its bytes, or the bytes of its bits. Images of one part are equal if these are.
    pub(crate) fn kept(&self, index: usize) -> Cow<'_, [u8]> {
        let size = self.image_size() / 8;
        match self.bits() {
            Some(bits) => Cow::Borrowed(&bits.packed()[index * size..(index + 1) * size]),
            None => self.image(index),
        }
    }

    /// All that is kept of the images.
    pub(crate) fn all_kept(&self) -> Cow<'_, [u8]> {
        self.bits().map_or_else(|| self.pixels(), |bits| Cow::Borrowed(bits.packed()))
    }

    /// Keep the first `count` items, if there are more.
    pub fn truncate(&mut self, count: usize) {
        if count < self.count {
            self.count = count;
            self.names.truncate(count);
            self.places.truncate(count);
            self.columns.iter_mut().for_each(|column| column.truncate(count));
        }
    }
}
