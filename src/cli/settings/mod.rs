//! The settings that people give: flags, `--set`, and a configuration file, laid over one another as TOML tables and typed
//! once, as a [`Config`].

mod flags;
#[cfg(test)]
mod likelihood_tests;
mod parsers;
#[cfg(test)]
mod tests;

pub(crate) use flags::{FLAGS, Flag};
pub(crate) use parsers::{count, device, path_length};

use clap::ValueEnum;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};
use flags::{Of, Takes};
use std::path::{Path, PathBuf};
use toml::{Table, Value};
use vae::config::{Config, FLAT_KEYS, Family, Preset, at_path, overlay};
use vae::run::Weights;
use vae::{Error, Result};

/// The settings on a command line; without `TRAINING`, only the flags that decide a plan.
#[derive(Debug, Default)]
pub(crate) struct Settings<const TRAINING: bool> {
    /// `--config`
    file: Option<PathBuf>,
    /// `--model`
    model: Option<String>,
    /// `--set`, in the order given.
    sets: Vec<(String, Value)>,
    /// The flags.
    flags: Vec<(&'static Flag, Value)>,
    /// The dataset, where it is no flag but an argument.
    named: Option<String>,
}

/// The preset of dSprites.
const OF_SPRITES: &str = "burgess";

/// The names of presets that are no families too.
fn presets() -> Vec<&'static str> {
    Preset::names().filter(|name| !Family::NAMES.contains(name)).collect()
}

/// The flags that a command has.
fn flags_of(training: bool) -> impl Iterator<Item = &'static Flag> {
    FLAGS.iter().filter(move |flag| training || flag.of == Of::Plan)
}

impl Flag {
    fn argument(&'static self) -> Arg {
        let heading = match self.path.split('.').next() {
            Some("data") => "Data",
            Some("model") => "Model",
            Some("objective") => "Objective",
            Some("optimizer") => "Optimizer",
            _ => "Run",
        };
        let argument = Arg::new(self.name).long(self.name).help(self.help).help_heading(heading);
        match self.takes {
            Takes::Value(parser) => argument.value_name(self.value_name).value_parser(parser()),
            Takes::Switch => argument
                .value_name(self.value_name)
                .num_args(0..=1)
                .require_equals(true)
                .default_missing_value("true")
                .value_parser(parsers::number::<bool>()),
            Takes::Nothing(_) => argument.action(ArgAction::SetTrue),
        }
    }

    /// What was typed behind it, if it was given.
    fn value(&self, matches: &ArgMatches) -> Option<Value> {
        match self.takes {
            Takes::Value(_) | Takes::Switch => matches.get_one::<Value>(self.name).cloned(),
            Takes::Nothing(value) => {
                let given = matches.value_source(self.name) == Some(ValueSource::CommandLine);
                given.then(|| Value::String(value.to_string()))
            }
        }
    }
}

impl<const TRAINING: bool> Args for Settings<TRAINING> {
    fn augment_args(command: Command) -> Command {
        let run = |argument: Arg| argument.help_heading("Run");
        let command = command
            .arg(run(Arg::new("config")
                .long("config")
                .value_name("FILE.toml")
                .value_parser(clap::value_parser!(PathBuf))
                .help(
                    "Read settings from FILE, such as the config.toml of a run; flags and --set override it",
                )))
            .arg(
                Arg::new("model")
                    .long("model")
                    .value_name("NAME")
                    .help(format!(
                        "Model: mlp (multilayer perceptrons), conv (convolutions), autoencoder-kl (the autoencoder of latent diffusion), or a preset with its published settings: {}. \
                         auto is an mlp for images of up to 1,024 values, and a conv sized to the picture for larger ones; \
                         with --hidden, --activation or several --latent it is an mlp [default: auto; burgess for dsprites]",
                        presets().join(", ")
                    ))
                    .help_heading("Model"),
            )
            .arg(run(Arg::new("set")
                .long("set")
                .value_name("KEY=VALUE")
                .action(ArgAction::Append)
                .value_parser(assignment)
                .help(
                    "Set any key of the configuration, such as model.latent=20 or \
                     optimizer.vae.learning-rate=1e-3; can be repeated; flags override it",
                )));
        flags_of(TRAINING).fold(command, |command, flag| {
            command.arg(match flag.name {
                "epochs" => flag.argument().conflicts_with("steps"),
                "no-tune" => flag.argument().conflicts_with("matmul"),
                _ => flag.argument(),
            })
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<const TRAINING: bool> FromArgMatches for Settings<TRAINING> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut settings = Self::default();
        settings.update_from_arg_matches(matches)?;
        Ok(settings)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.file = matches.get_one("config").cloned();
        self.model = matches.get_one("model").cloned();
        self.sets = matches.get_many("set").into_iter().flatten().cloned().collect();
        self.flags = flags_of(TRAINING).filter_map(|flag| Some((flag, flag.value(matches)?))).collect();
        Ok(())
    }
}

/// `KEY=VALUE`: a key path, and a TOML value or a word.
fn assignment(text: &str) -> Result<(String, Value), String> {
    let (path, value) = text.split_once('=').ok_or("give KEY=VALUE, such as model.latent=20")?;
    let (path, value) = (path.trim(), value.trim());
    if !path.contains('.') {
        return Err(match FLAT_KEYS.iter().find(|(flat, _)| *flat == path) {
            Some((_, now)) => format!("the key is {now}"),
            None => "give the key with its table, such as model.latent".to_string(),
        });
    }
    if path.split('.').any(str::is_empty) {
        return Err(format!("'{path}' has an empty part"));
    }
    let value = value.parse().unwrap_or_else(|_| Value::String(value.to_string()));
    Ok((path.to_string(), value))
}

impl<const TRAINING: bool> Settings<TRAINING> {
    /// The settings of a new run, not resolved yet. Flags come first, then `--set`, then the configuration file, then the
    /// defaults.
    ///
    /// # Errors
    /// If the configuration file cannot be used, or `--set` names no key or gives it a value that does not fit.
    pub(crate) fn config(&self) -> Result<Config> {
        let table = match &self.file {
            Some(path) => Config::read_table(path)?,
            None => Table::new(),
        };
        let table = self.with_model(table)?;
        self.over(self.with_likelihood(table))
    }

    /// `table` with the likelihood that the data decides, unless a setting is given that says or implies one: a preset or
    /// a configuration file does, and so does the model of another run.
    fn with_likelihood(&self, mut table: Table) -> Table {
        let says = |path: &str| {
            let keys = ["model.likelihood", "model.sigma", "model.scale", "model.mean-activation"];
            keys.contains(&path) || path == "data.binarize"
        };
        let of_model = table.get("model").is_some_and(|model| model.get("likelihood").is_some());
        let of_preset = self.model.as_deref().is_some_and(|name| Preset::names().any(|own| own == name));
        if self.file.is_none() && !of_model && !of_preset && !self.given().any(|(path, _)| says(path)) {
            overlay(&mut table, at_path("model.likelihood", Value::String("auto".into())));
        }
        table
    }

    /// Take the dataset from an argument.
    pub(crate) fn name_dataset(&mut self, name: Option<String>) {
        self.named = name;
    }

    /// The preset that `--model` names, if it names one; for dSprites the net that its published results are of, where
    /// nothing says which model.
    ///
    /// # Errors
    /// [`Error::Internal`] if the preset cannot be read.
    pub(crate) fn preset(&self) -> Result<Option<Preset>> {
        if let Some(name) = self.model.as_deref() {
            return Preset::find(name);
        }
        let dataset = self.named.as_deref().or(self.last("data.dataset"));
        let open = self.file.is_none() && self.last("run.from").is_none() && !self.asks_for_mlp();
        if open && dataset == Some(vae::data::sprites::NAME) { Preset::find(OF_SPRITES) } else { Ok(None) }
    }

    /// The text that is given last for the key `path`.
    fn last(&self, path: &str) -> Option<&str> {
        let sets = self.sets.iter().map(|(path, value)| (path.as_str(), value));
        let mut given = sets.chain(self.flags.iter().map(|(flag, value)| (flag.path, value)));
        given.rfind(|(own, _)| *own == path).and_then(|(_, value)| value.as_str())
    }

    /// `table` with the model of `--model`, or that of the run in `--from`, or, where nothing says which, `auto`.
    fn with_model(&self, mut table: Table) -> Result<Table> {
        if let Some(preset) = self.preset()? {
            return Ok(preset.over(table));
        }
        if let (None, None, Some(from)) = (&self.model, &self.file, self.last("run.from"))
            && let Some(model) = Weights::model_of(Path::new(from))?
        {
            let model = Value::try_from(model);
            let model = model.map_err(|error| Error::Internal(format!("configuration: {error}")))?;
            table.insert("model".into(), model);
            return Ok(table);
        }
        let family = match self.model.as_deref() {
            Some("auto") if self.asks_for_mlp() => "mlp",
            Some(name) => match Family::from_str(name, false) {
                Ok(_) => name,
                Err(_) => {
                    let hint =
                        format!("use {}, or a preset: {}", Family::NAMES.join(", "), presets().join(", "));
                    return Err(Error::setting("--model", format!("no model is called '{name}'"), hint));
                }
            },
            None if self.file.is_some() => return Ok(table),
            None if self.asks_for_mlp() => "mlp",
            None => "auto",
        };
        let own = table.get("model").and_then(|model| model.get("family")).and_then(Value::as_str);
        if own.unwrap_or("mlp") != family {
            table.remove("model");
        }
        overlay(&mut table, at_path("model.family", Value::String(family.into())));
        Ok(table)
    }

    /// Whether a setting is given that only multilayer perceptrons have.
    fn asks_for_mlp(&self) -> bool {
        let sets = self.sets.iter().map(|(path, value)| (path.as_str(), value));
        let mut given = sets.chain(self.flags.iter().map(|(flag, value)| (flag.path, value)));
        given.any(|(path, value)| match path {
            "model.hidden" | "model.activation" => true,
            "model.latent" => value.is_array(),
            _ => false,
        })
    }

    /// The settings of `table`, under `--set` and the flags.
    ///
    /// # Errors
    /// If `--set` names no key or gives it a value that does not fit.
    pub(crate) fn over(&self, mut table: Table) -> Result<Config> {
        for (path, value) in &self.sets {
            table = lay(table, at_path(path, value.clone()));
            Config::from_table(&table).map_err(|error| {
                let hint = "the keys stand in docs/config-keys.md";
                Error::setting(format!("--set {path}"), error.message(), hint)
            })?;
        }
        for (flag, value) in &self.flags {
            table = lay(table, at_path(flag.path, value.clone()));
            Config::from_table(&table).map_err(|error| refused_by_family(flag, &table, &error))?;
        }
        Config::from_table(&table).map_err(|error| Error::Internal(format!("flags: {error}")))
    }

    /// The key path of every setting that is given on the command line, and what was typed for it.
    pub(crate) fn given(&self) -> impl Iterator<Item = (&str, String)> {
        let sets = self.sets.iter().map(|(path, _)| (path.as_str(), format!("--set {path}")));
        let model = self.model.iter().map(|_| ("model.family", "--model".to_string()));
        let flags = self.flags.iter().map(|(flag, _)| (flag.path, format!("--{}", flag.name)));
        sets.chain(model).chain(flags)
    }

    /// An error of the library, which names key paths, with what the user has typed in their place.
    pub(crate) fn explain(&self, error: Error) -> Error {
        let Error::Setting { setting, problem, hint } = error else { return error };
        let path = FLAGS.iter().find(|flag| setting == format!("--{}", flag.name)).map(|flag| flag.path);
        let path = path.unwrap_or(&setting);
        // A flag comes before --set.
        let typed = self.given().filter(|(given, _)| *given == path).last().map(|(_, typed)| typed);
        let in_file = || {
            let (file, mut keys) = (self.file.as_ref()?, path.split('.'));
            let mut value = &Value::Table(Config::read_table(file).ok()?);
            keys.try_for_each(|key| value.get(key).map(|below| value = below))?;
            Some(format!("{}: {path}", file.display()))
        };
        let in_preset = || {
            let (name, table) = (self.model.as_ref()?, self.preset().ok()??.over(Table::new()));
            let mut value = &Value::Table(table);
            path.split('.').try_for_each(|key| value.get(key).map(|below| value = below))?;
            Some(format!("--model {name}: {path}"))
        };
        let setting = typed.or_else(in_file).or_else(in_preset).unwrap_or(setting);
        by_flags(Error::Setting { setting, problem, hint })
    }
}

/// The error of a flag whose key the model's family has not, or has with another type.
fn refused_by_family(flag: &Flag, table: &Table, error: &toml::de::Error) -> Error {
    let family = table.get("model").and_then(|model| model.get("family")).and_then(Value::as_str);
    let (setting, family) = (format!("--{}", flag.name), family.unwrap_or("mlp"));
    if !flag.path.starts_with("model.") {
        return Error::Internal(format!("flags: {error}"));
    }
    let problem = match error.message().starts_with("unknown field") {
        true => format!("a model of the family {family} has no such setting"),
        false => format!("it does not fit a model of the family {family}: {}", error.message()),
    };
    Error::setting(
        setting,
        problem,
        "leave it out, or choose another --model; docs/models.md lists the settings",
    )
}

/// `above` laid over `below`. Epochs that are given take the place of steps below, and a setting of all optimizers that of
/// each group below.
fn lay(mut below: Table, above: Table) -> Table {
    let settings = above.get("optimizer").and_then(Value::as_table).into_iter().flatten();
    if let Some(Value::Table(optimizer)) = below.get_mut("optimizer") {
        for (key, value) in settings.filter(|(_, value)| !value.is_table()) {
            for group in optimizer.iter_mut().filter_map(|(_, value)| value.as_table_mut()) {
                group.insert(key.clone(), value.clone());
            }
        }
    }
    if above.get("run").is_some_and(|run| run.get("epochs").is_some() && run.get("steps").is_none())
        && let Some(Value::Table(run)) = below.get_mut("run")
    {
        run.remove("steps");
    }
    overlay(&mut below, above);
    below
}

/// An error of the library with flags in the place of key paths: `--latent 20` where it says `model.latent = 20`.
pub(crate) fn by_flags(error: Error) -> Error {
    let Error::Setting { setting, problem, hint } = error else { return error };
    let mut flags: Vec<&Flag> =
        FLAGS.iter().filter(|flag| !matches!(flag.takes, Takes::Nothing(_))).collect();
    // objective.capacity-epochs before objective.capacity
    flags.sort_by_key(|flag| std::cmp::Reverse(flag.path.len()));
    let with_flags = |text: String| {
        // What follows --set is a key path.
        let mut parts = text.split("--set ").map(String::from);
        let first = parts.next().map(|part| (String::new(), part));
        let others = parts.map(|part| match part.split_once(' ') {
            Some((path, rest)) => (format!("--set {path} "), rest.to_string()),
            None => (format!("--set {part}"), String::new()),
        });
        let replaced = first.into_iter().chain(others).map(|(kept, text)| {
            kept + &flags.iter().fold(text, |text, flag| {
                let typed = format!("--{}", flag.name);
                text.replace(&format!("{} = ", flag.path), &format!("{typed} ")).replace(flag.path, &typed)
            })
        });
        replaced.collect::<String>()
    };
    let named = setting.starts_with("--set ") || setting.contains(": ");
    Error::Setting {
        setting: if named { setting } else { with_flags(setting) },
        problem: with_flags(problem),
        hint: with_flags(hint),
    }
}
