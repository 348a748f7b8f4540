//! Images as rows of numbers in text: CSV files, gzipped or not.
//!
//! A row is an image; its shape, see [`flat::shape`], and the order of its colours, see [`flat::in_planes`]. One column more is the class:
//! that called `label`, or the first. A first line of names may be there. Values are whole numbers from 0 to 255, or
//! fractions from 0 to 1. Columns are parted by `,`, `;`, a tab or a space.

use super::archive::GZIP;
use super::file::File;
use super::idx::{BYTE_LIMIT, too_large};
use super::{Dataset, ImageShape, Options, Part, arrays, convert, flat, idx::Images, split};
use crate::{Error, Result};
use csv::{ByteRecord, ReaderBuilder};
use std::collections::BTreeSet;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

/// The longest line.
const LINE_LIMIT: usize = 64 << 20;

/// Names of the column of classes.
const LABEL_NAMES: [&str; 6] = ["label", "labels", "class", "target", "targets", "y"];

/// Whether a file's name ends like that of a table.
pub(super) fn is_table(name: &str) -> bool {
    let name = name.to_lowercase();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    name.ends_with(".csv") || name.ends_with(".tsv")
}

/// A table as it was read.
#[derive(Debug)]
struct Table {
    shape: ImageShape,
    pixels: Vec<u8>,
    labels: Option<Vec<String>>,
    /// Whether the first column is taken for the class although nothing calls it so.
    guessed: bool,
    range: Range,
}

/// What the values of a table are, as far as they show.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Range {
    /// Only 0 and 1: either of the others.
    Bits,
    /// From 0 to 255.
    Whole,
    /// From 0 to 1, times 255.
    Fractions,
}

/// Reads the images in `train`, and those to hold out in `test` if there is such a file, as the dataset `name`.
pub(super) fn read(name: &str, train: &File, test: Option<&File>, options: &Options) -> Result<Dataset> {
    let path = train.path();
    let (mut train, mut test) =
        (table(train, options)?, test.map(|it| Ok((it, table(it, options)?))).transpose()?);
    let mut notes = Vec::new();
    if train.guessed {
        notes.push(format!(
            "The first column is taken for the class, the others for images of {}.",
            train.shape
        ));
    }
    if train.shape.channels == 3 {
        let planes = flat::in_planes(&train.pixels, train.shape);
        notes.push(flat::order(planes));
        for table in [Some(&mut train), test.as_mut().map(|(_, test)| test)].into_iter().flatten() {
            if planes && table.shape.channels == 3 {
                let pixels = table.shape.width * table.shape.height;
                table.pixels = arrays::interleaved(&table.pixels, 3, pixels);
            }
        }
    }
    if let Some((file, test)) = &mut test {
        if test.shape != train.shape {
            let problem =
                format!("its images are {}, but those of {} are {}", test.shape, path.display(), train.shape);
            return Err(Error::data(file.path(), problem, "give both tables columns of the same pixels"));
        }
        let different = matches!(
            (train.range, test.range),
            (Range::Whole, Range::Fractions) | (Range::Fractions, Range::Whole)
        );
        if different {
            let problem =
                format!("one of it and {} has fractions from 0 to 1, one numbers to 255", path.display());
            return Err(Error::data(file.path(), problem, "save both with values of one range"));
        }
    }
    let ranges = [Some(train.range), test.as_ref().map(|(_, test)| test.range)];
    let of_train_and_test = std::iter::once(&mut train).chain(test.as_mut().map(|(_, test)| test));
    if !ranges.contains(&Some(Range::Whole)) {
        for table in of_train_and_test.filter(|table| table.range == Range::Bits) {
            table.pixels.iter_mut().for_each(|value| *value *= 255);
        }
        if !ranges.contains(&Some(Range::Fractions)) {
            notes.push(flat::SPREAD.to_string());
        }
    }
    let (mut labels, mut test_labels) =
        (train.labels.take(), test.as_mut().and_then(|(_, it)| it.labels.take()));
    if test.is_some() && labels.is_some() != test_labels.is_some() {
        notes.push("Only one of the two tables has a column of classes: it is not used.".into());
        (labels, test_labels) = (None, None);
    }
    let files = 1 + usize::from(test.is_some());
    let (classes, numbers) = numbered([labels, test_labels]);
    let [labels, test_labels] = numbers;
    let part = |table: Table, labels: Option<Vec<u32>>, path: &Path| -> Result<(ImageShape, Part)> {
        let images = Images { shape: table.shape, pixels: table.pixels };
        let images = convert::convert(images, options, path)?;
        let part = Part::of_images(images.pixels, images.shape);
        Ok((images.shape, if let Some(labels) = labels { part.with_labels(labels) } else { part }))
    };
    let (shape, train) = part(train, labels, path)?;
    let (train, test) = match test {
        Some((file, test)) => (train, part(test, test_labels, file.path())?.1),
        None => split::split(train, options.test_fraction, options.seed, path)?,
    };
    let mut dataset = Dataset::new(name, shape, train, test).with_classes(classes);
    dataset.found.files = files;
    dataset.found.notes = notes;
    Ok(dataset)
}

/// The classes of labels, and the number of each label: that which it is, or its place among the names.
fn numbered(parts: [Option<Vec<String>>; 2]) -> (Vec<String>, [Option<Vec<u32>>; 2]) {
    let number = |label: &String| {
        let value: f64 = label.parse().ok()?;
        (value.fract() == 0.0 && (0.0..16_777_216.0).contains(&value)).then_some(value as u32)
    };
    let all = || parts.iter().flatten().flatten();
    if all().all(|label| number(label).is_some()) {
        let of = |labels: &Vec<String>| labels.iter().filter_map(number).collect::<Vec<u32>>();
        let mut numbers = [parts[0].as_ref().map(of), parts[1].as_ref().map(of)];
        let mut each: Vec<&mut Vec<u32>> = numbers.iter_mut().flatten().collect();
        return (flat::classes(&mut each), numbers);
    }
    let names: Vec<String> = all().collect::<BTreeSet<_>>().into_iter().cloned().collect();
    let of = |labels: &Vec<String>| {
        labels.iter().filter_map(|label| names.binary_search(label).ok()).map(|it| it as u32).collect()
    };
    let numbers = [parts[0].as_ref().map(of), parts[1].as_ref().map(of)];
    (names, numbers)
}

/// A reader that refuses lines of more than [`LINE_LIMIT`] bytes, which would be held in memory.
struct Lines<R> {
    from: R,
    length: usize,
}

impl<R: Read> Read for Lines<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.from.read(buffer)?;
        self.length = match buffer[..count].iter().rposition(|&byte| byte == b'\n') {
            Some(place) => count - place,
            None => self.length + count,
        };
        if self.length > LINE_LIMIT {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("a line is longer than {LINE_LIMIT} bytes"),
            ));
        }
        Ok(count)
    }
}

/// The sign between columns: the most frequent in the first lines.
fn delimiter(begin: &[u8]) -> u8 {
    let line = begin.split(|&byte| byte == b'\n').find(|line| !line.is_empty() && line[0] != b'#');
    let count = |sign: u8| line.unwrap_or_default().iter().filter(|&&byte| byte == sign).count();
    // Of several the first: there may be spaces around the others.
    let others = [b',', b';', b'\t'].into_iter().find(|&sign| count(sign) > 0);
    others.unwrap_or(if count(b' ') > 0 { b' ' } else { b',' })
}

/// A field without spaces and quotation marks around it, and without the mark that some programs begin a file with.
fn field(bytes: &[u8]) -> &str {
    let text = std::str::from_utf8(bytes).unwrap_or("\u{fffd}");
    text.trim_start_matches('\u{feff}').trim().trim_matches('"').trim()
}

/// Whether the first line names the columns.
fn is_header(fields: &[&str]) -> bool {
    let words: Vec<&&str> = fields.iter().filter(|field| field.parse::<f64>().is_err()).collect();
    let counted = |from: usize| {
        fields.len() > 9 && fields.iter().zip(from..).all(|(field, number)| **field == number.to_string())
    };
    match words[..] {
        [] => counted(0) || counted(1),
        [only] => LABEL_NAMES.contains(&&*only.to_lowercase()),
        _ => true,
    }
}

fn table(file: &File, options: &Options) -> Result<Table> {
    let path = file.path();
    let mut bytes = BufReader::new(file.open()?);
    let gzipped = bytes.fill_buf().map_err(|error| file.failed(error))?.starts_with(GZIP);
    let plain: Box<dyn Read + '_> =
        if gzipped { Box::new(flate2::bufread::MultiGzDecoder::new(bytes)) } else { Box::new(bytes) };
    let mut plain = BufReader::new(Lines { from: plain, length: 0 });
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::UnexpectedEof => {
            Error::data(path, format!("the table cannot be read: {error}"), "save or download it again")
        }
        _ => file.failed(error),
    };
    let delimiter = delimiter(plain.fill_buf().map_err(failed)?);
    let mut rows = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .quoting(false)
        .comment(Some(b'#'))
        .delimiter(delimiter)
        .from_reader(plain);

    let mut row = ByteRecord::new();
    let mut reader: Option<Rows<'_>> = None;
    let mut line = 0;
    loop {
        let more = rows.read_byte_record(&mut row).map_err(|error| match error.into_kind() {
            csv::ErrorKind::Io(error) => failed(error),
            other => Error::data(path, format!("after line {line}: {other:?}"), "save the table again"),
        })?;
        if !more {
            break;
        }
        line = row.position().map_or(line + 1, csv::Position::line);
        match &mut reader {
            Some(reader) => reader.add(&row, line)?,
            None => {
                let fields: Vec<&str> = row.iter().map(field).collect();
                let header = is_header(&fields);
                let mut first = Rows::new(path, &fields, header, options)?;
                if !header {
                    first.add(&row, line)?;
                }
                reader = Some(first);
            }
        }
    }
    match reader {
        Some(rows) if !rows.table.pixels.is_empty() => Ok(rows.table),
        _ => Err(Error::data(path, "the table has no rows of numbers", "save one row for each image")),
    }
}

/// A table that is being read.
struct Rows<'a> {
    path: &'a Path,
    columns: usize,
    label: Option<usize>,
    table: Table,
}

impl<'a> Rows<'a> {
    /// A table with this first line, which is a `header` or an image.
    fn new(path: &'a Path, fields: &[&str], header: bool, options: &Options) -> Result<Self> {
        let columns = fields.len();
        let named = |field: &&str| LABEL_NAMES.contains(&&*field.to_lowercase());
        let called = if header {
            fields.iter().position(named)
        } else {
            // A word cannot be a pixel.
            fields.first().filter(|first| first.parse::<f64>().is_err()).map(|_| 0)
        };
        let shape = |values: usize| flat::shape(values, options.image_size);
        let with_label = |place: usize| shape(columns.saturating_sub(1)).map(|shape| (shape, Some(place)));
        let size = options.image_size.map_or(0, |(width, height)| width.saturating_mul(height));
        // Of an asked size one column more is the class, even where all columns could be another size.
        let asked = size > 0
            && [1, 3].iter().any(|channels| size.saturating_mul(*channels) == columns.saturating_sub(1));
        let found = match called {
            Some(place) => with_label(place),
            None if asked => with_label(0),
            None => shape(columns).map(|shape| (shape, None)).or_else(|| with_label(0)),
        };
        let (shape, label) = found.ok_or_else(|| {
            let problem = format!("{columns} columns are no square of grey or colour pixels, with or without a class");
            let hint = "give the size of the images, --image-size WIDTHxHEIGHT, and leave out columns that are neither \
                        pixels nor the class, such as an index (to_csv(index=False))";
            Error::data(path, problem, hint)
        })?;
        let guessed = label.is_some() && called.is_none();
        let table = Table {
            guessed,
            shape,
            pixels: Vec::new(),
            labels: label.map(|_| Vec::new()),
            range: Range::Bits,
        };
        Ok(Self { path, columns, label, table })
    }

    /// Adds the row in this line of the file.
    fn add(&mut self, row: &ByteRecord, line: u64) -> Result<()> {
        if row.len() != self.columns {
            let problem =
                format!("line {line} has {} columns, but the first has {}", row.len(), self.columns);
            return Err(Error::data(self.path, problem, "give every line one value for each pixel"));
        }
        if (self.table.pixels.len() + self.columns) as u64 > BYTE_LIMIT {
            return Err(too_large(self.path, BYTE_LIMIT + 1));
        }
        for (column, text) in row.iter().map(field).enumerate() {
            if self.label == Some(column) {
                let labels = self.table.labels.get_or_insert_default();
                labels.push(text.to_string());
                continue;
            }
            let wrong = |what: &str| {
                let shown: String = text.chars().take(20).collect();
                let problem = format!("line {line}, column {}: '{shown}' {what}", column + 1);
                let hint = "values are whole numbers from 0 to 255, or fractions from 0 to 1";
                Error::data(self.path, problem, hint)
            };
            let value: f64 = text.parse().map_err(|_| wrong("is no number"))?;
            let byte = match self.table.range {
                _ if !(0.0..=255.0).contains(&value) => return Err(wrong("is not from 0 to 255")),
                Range::Fractions if value > 1.0 => {
                    return Err(wrong("is above 1, but values before it are fractions"));
                }
                Range::Fractions => (255.0 * value).round() as u8,
                Range::Whole if value.fract() != 0.0 => {
                    return Err(wrong("is a fraction, but values before it are above 1"));
                }
                Range::Bits if value.fract() != 0.0 && value > 1.0 => {
                    return Err(wrong("is a fraction above 1"));
                }
                Range::Bits if value.fract() != 0.0 => {
                    self.table.pixels.iter_mut().for_each(|value| *value *= 255);
                    self.table.range = Range::Fractions;
                    (255.0 * value).round() as u8
                }
                Range::Bits | Range::Whole => {
                    if value > 1.0 {
                        self.table.range = Range::Whole;
                    }
                    value as u8
                }
            };
            self.table.pixels.push(byte);
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
