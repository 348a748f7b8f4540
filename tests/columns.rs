//! Columns of a dataset: a model gathers bytes, reals and words by one list of indices.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it skips"
)]

mod common;

use std::rc::Rc;
use vae::Error;
use vae::data::{Column, Dataset, ImageShape, Part, Values};
use vae::device::OpenDevice;
use vae::graph::{Binarize, ColumnKind, Graph, Mode, ProgramSpec, Source, Tensors};
use vae::model::{Built, Model, Objective, Task};
use vae::optimizer::{Optimizer, OptimizerKind, Optimizers};
use vae::plan::Step;
use vae::session::{Session, Which};

const BATCH: usize = 5;
const PIXELS: ImageShape = ImageShape { width: 3, height: 2, channels: 1 };

type Wanted = (&'static str, usize, ColumnKind);

/// All columns of [`dataset`].
const ALL: [Wanted; 4] = [
    ("images", 6, ColumnKind::Bytes(Binarize::None)),
    ("actions", 6, ColumnKind::Reals),
    ("labels", 1, ColumnKind::Words),
    ("words", 5, ColumnKind::Words),
];

/// Only gathers minibatches: program `read` from training items, `check` from held-out ones.
#[derive(Debug)]
struct Reading(Vec<Wanted>);

impl Model for Reading {
    fn build(&self, tensors: &Tensors, task: &Task, optimizers: Option<&Optimizers>) -> vae::Result<Built> {
        let mut graph = Graph::new(tensors, Mode::Evaluate);
        let columns: Vec<_> =
            self.0.iter().map(|&(name, size, kind)| graph.column(name, task.batch, size, kind)).collect();
        let mut programs = vec![ProgramSpec::new("check", &[], &columns).from_source(Source::Test)];
        if optimizers.is_some() {
            programs.push(ProgramSpec::new("read", &[], &columns).from_source(Source::Train));
        }
        Ok(Built { graph, programs })
    }

    fn pixels(&self) -> usize {
        PIXELS.pixels()
    }
}

fn part(count: usize, first: usize) -> Part {
    let numbers = |size: usize| first * size..(first + count) * size;
    let words = numbers(5).map(|i| ((i * 7_654_321) % (1 << 24)) as u32).collect();
    Part::of_images(numbers(6).map(|i| (i * 37 % 256) as u8).collect(), PIXELS)
        .with_labels(numbers(1).map(|i| (i % 10) as u32).collect())
        .with(Column::new("words", &[5], Values::Words(words)))
        .with(Column::new(
            "actions",
            &[2, 3],
            Values::Reals(numbers(6).map(|i| (i as f32).sin() * 1e3).collect()),
        ))
}

fn dataset() -> Dataset {
    let classes = (0..10).map(|class| class.to_string()).collect();
    let set = Dataset::new("moves", PIXELS, part(23, 0), part(9, 100)).with_classes(classes);
    set.validate().unwrap();
    set
}

fn open(device: OpenDevice, columns: &[Wanted], dataset: &Dataset) -> vae::Result<Session> {
    let task = Task {
        model: Rc::new(Reading(columns.to_vec())),
        batch: BATCH,
        binarize: Binarize::None,
        mirror: None,
        objective: Objective::default(),
    };
    let optimizers = Optimizer::new(OptimizerKind::Adam).into();
    Session::open_for_inspection(device, &task, Some(&optimizers), dataset)
}

/// Item `number` of a column as a model should see it.
fn item(column: &Column, number: usize) -> Vec<f32> {
    let range = number * column.size()..(number + 1) * column.size();
    match &column.values {
        Values::Bytes(values) => values[range].iter().map(|&byte| f32::from(byte) / 255.0).collect(),
        Values::Bits(values) => values.unpacked(range).iter().map(|&byte| f32::from(byte) / 255.0).collect(),
        Values::Reals(values) => values[range].to_vec(),
        Values::Words(values) => values[range].iter().map(|&word| word as f32).collect(),
    }
}

#[test]
fn minibatches_are_the_items_asked_for() {
    let dataset = dataset();
    for (name, device) in common::devices() {
        let mut session = open(device, &ALL, &dataset).unwrap();
        for (program, which, part) in
            [("read", Which::Train, &dataset.train), ("check", Which::Test, &dataset.test)]
        {
            // The second is not full, and begins behind the first in the list of indices.
            let batches: [&[u32]; 2] = [&[3, 1, 4, 1, 5], &[8, 0, 7]];
            session.submit(program, which, &batches, vec![Step::default(); 2]).unwrap();
            session.receive(0).unwrap();
            for (column, size, _) in ALL {
                let flat = session.read_flat(column).unwrap().unwrap();
                let stride = size.next_multiple_of(4);
                assert_eq!(flat.len(), BATCH * stride);
                for (row, found) in flat.chunks(stride).enumerate() {
                    let mut expected = match batches[1].get(row) {
                        Some(&number) => item(part.column(column).unwrap(), number as usize),
                        None => Vec::new(),
                    };
                    expected.resize(stride, 0.0);
                    let near = |(a, b): (&f32, &f32)| (a - b).abs() <= 1e-6 * b.abs();
                    let exact = !matches!(part.column(column).unwrap().values, Values::Bytes(_));
                    let equal = if exact { found == expected } else { found.iter().zip(&expected).all(near) };
                    assert!(equal, "{name}, {program}, {column}, row {row}: {found:?}, not {expected:?}");
                }
            }
        }
    }
}

#[test]
fn what_the_model_reads_must_be_there() {
    let problem = |columns: &[Wanted], change: fn(&mut Dataset)| {
        let mut dataset = dataset();
        change(&mut dataset);
        let error = open(OpenDevice::Cpu, columns, &dataset).unwrap_err();
        assert!(matches!(error, Error::Column { .. }), "{error:?}");
        error.to_string()
    };
    let text = problem(&ALL, |set| set.test.remove("actions"));
    assert!(text.contains("dataset 'moves': column 'actions' of the test part is missing"), "{text}");
    assert!(text.contains("reads 6 reals for each item; the columns are: images, labels, words"), "{text}");
    let text = problem(&[("actions", 5, ColumnKind::Reals)], |_| ());
    assert!(text.contains("column 'actions' of the train part holds reals of shape [2, 3]"), "{text}");
    assert!(text.contains("reads 5 reals for each item"), "{text}");
    let text = problem(&[("labels", 1, ColumnKind::Reals)], |_| ());
    assert!(text.contains("column 'labels' of the train part holds words of shape []"), "{text}");
    assert!(text.contains("reads 1 reals for each item"), "{text}");
}

#[test]
fn a_column_has_one_type_and_shape() {
    for other in [("words", 3, ColumnKind::Words), ("words", 5, ColumnKind::Reals)] {
        let error = open(OpenDevice::Cpu, &[ALL[3], other], &dataset()).unwrap_err();
        assert!(matches!(error, Error::Shape { .. }), "{error:?}");
        assert!(
            error.to_string().contains("column 'words': the model reads this column with two"),
            "{error}"
        );
    }
}

/// A model that reads some columns has buffers for these only.
#[test]
fn other_columns_stay_on_the_host() {
    let session = open(OpenDevice::Cpu, &ALL[1..3], &dataset()).unwrap();
    let names: Vec<&str> = session.plan().buffers.iter().map(|buffer| buffer.name.as_str()).collect();
    assert!(names.contains(&"dataset.train.actions") && names.contains(&"dataset.test.labels"), "{names:?}");
    assert!(!names.iter().any(|name| name.contains("images") || name.contains("words")), "{names:?}");
}
