//! Columns: what a dataset holds of each of its items, with a type and a shape.

use super::ImageShape;

/// The column of images: bytes, `[height, width, channels]`.
pub const IMAGES: &str = "images";
/// The column of class numbers: one word an item.
pub const LABELS: &str = "labels";

/// The values of a column, item after item.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Numbers from 0 to 255, such as pixels. Models see them as 0 to 1.
    Bytes(Vec<u8>),
    /// Numbers as they are.
    Reals(Vec<f32>),
    /// Whole numbers, such as labels. Models see them as numbers, exact up to 2^24.
    Words(Vec<u32>),
}

/// The same expression for values of each type.
macro_rules! of_each {
    ($values:expr, $own:ident => $result:expr) => {
        match $values {
            Values::Bytes($own) => $result,
            Values::Reals($own) => $result,
            Values::Words($own) => $result,
        }
    };
}

/// The same, with a result of the same type.
macro_rules! of_each_as {
    ($values:expr, $own:ident => $result:expr) => {
        match $values {
            Values::Bytes($own) => Values::Bytes($result),
            Values::Reals($own) => Values::Reals($result),
            Values::Words($own) => Values::Words($result),
        }
    };
}

impl Values {
    /// How many values there are.
    pub fn len(&self) -> usize {
        of_each!(self, values => values.len())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The name of their type: `bytes`, `reals` or `words`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Bytes(_) => "bytes",
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
        of_each!(&mut self.values, values => values.truncate(length));
    }

    /// The items with these numbers, in this order.
    fn select(&self, items: &[usize]) -> Self {
        let size = self.size();
        let values = of_each_as!(&self.values, values => select(values, size, items));
        Self { values, ..Self::new(&*self.name, &self.shape, Values::Bytes(Vec::new())) }
    }

    /// Move the items that are `chosen` to another column. Both keep their order.
    pub(super) fn take(&mut self, chosen: &[bool]) -> Self {
        let size = self.size();
        let values = of_each_as!(&mut self.values, values => take(values, size, chosen));
        Self { values, ..Self::new(&*self.name, &self.shape, Values::Bytes(Vec::new())) }
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
        let count = pixels.len() / shape.pixels().max(1);
        let shape = [shape.height, shape.width, shape.channels];
        Self {
            columns: vec![Column::new(IMAGES, &shape, Values::Bytes(pixels))],
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
            match (&mut column.values, other.column(&column.name).map(|it| &it.values)) {
                (Values::Bytes(own), Some(Values::Bytes(more))) => own.extend(more),
                (Values::Reals(own), Some(Values::Reals(more))) => own.extend(more),
                (Values::Words(own), Some(Values::Words(more))) => own.extend(more),
                _ => {}
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

    /// The bytes of all images; none where there is no such column.
    pub fn pixels(&self) -> &[u8] {
        match self.column(IMAGES).map(|column| &column.values) {
            Some(Values::Bytes(pixels)) => pixels,
            _ => &[],
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
    pub fn image(&self, index: usize) -> &[u8] {
        let pixels = self.pixels();
        let size = pixels.len() / self.count.max(1);
        &pixels[index * size..(index + 1) * size]
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
