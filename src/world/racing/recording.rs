//! Recordings of gymnasium's episodes: JSON files that [`check`](super::check()) compares with ours.

use crate::{Error, Result};
use serde_json::{Map, Value};
use std::path::Path;

/// Names and number of the values of a state, in the order of [`State::values`].
pub const COLUMNS: [&str; 8] = ["x", "y", "angle", "vx", "vy", "angular", "reward", "tiles_visited"];

/// Episodes of gymnasium's CarRacing-v3: `{"columns": [..], "episodes": [..]}`.
#[derive(Clone, Debug, PartialEq)]
pub struct Recording {
    /// The episodes.
    pub episodes: Vec<Episode>,
}

/// One episode: `{"seed": 1, "tiles": 275, "actions": [[0, 1, 0], ..], "return": 323.6, "states": {"20": [..], ..}}`.
#[derive(Clone, Debug, PartialEq)]
pub struct Episode {
    /// The seed of `reset`.
    pub seed: u64,
    /// A name for what drives; may be missing.
    pub kind: String,
    /// Tiles of the track.
    pub tiles: usize,
    /// Angle, direction and position (alpha, beta, x, y) of the first point of the track; may be missing.
    pub track_first: Option<[f64; 4]>,
    /// The same of its last point.
    pub track_last: Option<[f64; 4]>,
    /// Steering, gas and brake of each step. The episode may end before the last.
    pub actions: Vec<[f64; 3]>,
    /// The sum of rewards.
    pub total: f64,
    /// States by the number of the action after which they were recorded, from 0.
    pub states: Vec<State>,
}

/// What was recorded after an action.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// The number of the action, from 0.
    pub step: usize,
    /// The columns of [`COLUMNS`]; the velocity is that of the centre of mass.
    pub values: [f64; 8],
}

/// A value of the file, and how one finds it there.
struct Field<'a> {
    file: &'a Path,
    name: String,
    value: &'a Value,
}

impl<'a> Field<'a> {
    fn wrong(&self, problem: impl std::fmt::Display) -> Error {
        let hint = "record it as vae world check --help says";
        Error::data(self.file, format!("{} {problem}", self.name), hint)
    }

    fn object(&self) -> Result<&'a Map<String, Value>> {
        self.value.as_object().ok_or_else(|| self.wrong("is no object"))
    }

    /// The field `key` of an object, if it has one.
    fn find(&self, key: &str) -> Result<Option<Self>> {
        let name = if self.name == "the file" { key.to_string() } else { format!("{}.{key}", self.name) };
        Ok(self.object()?.get(key).map(|value| Field { file: self.file, name, value }))
    }

    fn get(&self, key: &str) -> Result<Self> {
        let missing = || self.wrong(format!("has no field '{key}'"));
        self.find(key)?.ok_or_else(missing)
    }

    fn items(&self) -> Result<Vec<Self>> {
        let items = self.value.as_array().ok_or_else(|| self.wrong("is no list"))?;
        let field = |(i, value)| Field { file: self.file, name: format!("{}[{i}]", self.name), value };
        Ok(items.iter().enumerate().map(field).collect())
    }

    fn text(&self) -> Result<&'a str> {
        self.value.as_str().ok_or_else(|| self.wrong("is no text"))
    }

    fn whole(&self) -> Result<u64> {
        self.value.as_u64().ok_or_else(|| self.wrong("is no whole number from 0 on"))
    }

    fn number(&self) -> Result<f64> {
        self.value.as_f64().filter(|x| x.is_finite()).ok_or_else(|| self.wrong("is no number"))
    }

    fn numbers<const N: usize>(&self) -> Result<[f64; N]> {
        let numbers = self.items()?.iter().map(Self::number).collect::<Result<Vec<_>>>()?;
        let count = numbers.len();
        numbers.try_into().map_err(|_| self.wrong(format!("has {count} numbers, not {N}")))
    }
}

impl Recording {
    /// Read the recording at `path`.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read, [`Error::Data`] if it is no recording: the message names the field.
    pub fn open(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(|problem| Error::io(path, problem))?;
        let value: Value = serde_json::from_slice(&bytes).map_err(|problem| {
            let hint = "give a recording of episodes, as vae world check --help describes it";
            Error::data(path, format!("this is no JSON: {problem}"), hint)
        })?;
        let root = Field { file: path, name: "the file".to_string(), value: &value };
        let order = order(&root.get("columns")?)?;
        let listed = root.get("episodes")?;
        let episodes =
            listed.items()?.iter().map(|field| Episode::read(field, order)).collect::<Result<Vec<_>>>()?;
        if episodes.is_empty() {
            return Err(listed.wrong("is empty"));
        }
        Ok(Self { episodes })
    }
}

/// Where each of [`COLUMNS`] is in the states of a file whose list of columns is `field`.
fn order(field: &Field<'_>) -> Result<[usize; 8]> {
    let names = field.items()?.iter().map(Field::text).collect::<Result<Vec<_>>>()?;
    if let Some(name) = names.iter().find(|name| !COLUMNS.contains(name)) {
        return Err(field.wrong(format!("has an unknown column '{name}': it needs {}", COLUMNS.join(", "))));
    }
    if names.len() > COLUMNS.len() {
        return Err(field.wrong("names a column twice"));
    }
    let mut order = [0; 8];
    for (place, column) in order.iter_mut().zip(COLUMNS) {
        let missing = || field.wrong(format!("lacks '{column}': it needs {}", COLUMNS.join(", ")));
        *place = names.iter().position(|name| *name == column).ok_or_else(missing)?;
    }
    Ok(order)
}

impl Episode {
    fn read(field: &Field<'_>, order: [usize; 8]) -> Result<Self> {
        let listed = field.get("actions")?;
        let actions = listed.items()?.iter().map(Field::numbers).collect::<Result<Vec<_>>>()?;
        if actions.is_empty() {
            return Err(listed.wrong("is empty"));
        }
        let states = field.get("states")?;
        let mut read = Vec::new();
        for key in states.object()?.keys() {
            let state = states.get(key)?;
            let step = key.parse().map_err(|_| state.wrong("is not named by the number of an action"))?;
            if step >= actions.len() {
                return Err(state.wrong(format!("is after action {step}, but there are {}", actions.len())));
            }
            let values: [f64; 8] = state.numbers()?;
            read.push(State { step, values: order.map(|place| values[place]) });
        }
        read.sort_by_key(|state| state.step);
        if read.is_empty() {
            return Err(states.wrong("is empty"));
        }
        Ok(Self {
            seed: field.get("seed")?.whole()?,
            kind: field.find("kind")?.map(|kind| kind.text()).transpose()?.unwrap_or_default().to_string(),
            tiles: field.get("tiles")?.whole()? as usize,
            track_first: field.find("track_first")?.map(|point| point.numbers()).transpose()?,
            track_last: field.find("track_last")?.map(|point| point.numbers()).transpose()?,
            actions,
            total: field.get("return")?.number()?,
            states: read,
        })
    }
}
