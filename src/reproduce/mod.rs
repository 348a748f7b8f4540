//! Recipes: published settings with their numbers, and the comparison with ours.
//!
//! A recipe is a TOML file in `assets/recipes`, compiled into the program. Its `[config]` has the tables of [`Config`]; every
//! `[[variant]]` may change some of their keys. `[[expect]]` are numbers with a tolerance, `[[claim]]` what a figure without
//! numbers shows.

mod claim;
mod evaluation;
mod folder;
mod picture;

pub use claim::{Claim, Judgement};
pub use evaluation::{Evaluation, LayerUnits, Likelihood};
pub use folder::Request;
pub use picture::curves;

use crate::config::{Config, Preset, overlay};
use crate::report::EpochRecord;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The recipes, by name.
const RECIPES: [(&str, &str); 11] = [
    ("pytorch-example", include_str!("../../assets/recipes/pytorch-example.toml")),
    ("aevb-mnist", include_str!("../../assets/recipes/aevb-mnist.toml")),
    ("aevb-freyface", include_str!("../../assets/recipes/aevb-freyface.toml")),
    ("vae-784-400-40", include_str!("../../assets/recipes/vae-784-400-40.toml")),
    ("iwae-1-layer", include_str!("../../assets/recipes/iwae-1-layer.toml")),
    ("iwae-2-layer", include_str!("../../assets/recipes/iwae-2-layer.toml")),
    ("burgess-mnist", include_str!("../../assets/recipes/burgess-mnist.toml")),
    ("world-models-v", include_str!("../../assets/recipes/world-models-v.toml")),
    ("mnist-conv-2d", include_str!("../../assets/recipes/mnist-conv-2d.toml")),
    ("fashion-mnist-conv", include_str!("../../assets/recipes/fashion-mnist-conv.toml")),
    ("cifar10-residual", include_str!("../../assets/recipes/cifar10-residual.toml")),
];

/// KL divergence in nats above which a latent dimension counts as used.
const USED: f64 = 0.1;

/// The quantity that is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Measure {
    /// The negative evidence lower bound of the held-out images, by as many latent samples an image as the variant trains
    /// with, nats per image.
    HeldOutLoss,
    /// The negative importance-weighted bound of the held-out images, by as many samples an image as the recipe's
    /// `[evaluation]` says, nats per image.
    NegativeLogLikelihood,
    /// Active latent dimensions by the rule of Burda et al. (2016), of the stochastic layer nearest to the image.
    ActiveUnits,
    /// The same of the second stochastic layer.
    Layer2ActiveUnits,
    /// The negative log-likelihood term of the training images, averaged over an epoch, nats per image.
    TrainingReconstruction,
    /// Their KL divergence, averaged over an epoch, nats per image.
    TrainingKl,
    /// The KL divergence of the held-out images, nats per image.
    HeldOutKl,
    /// The sum over the values of an image of the squared difference from its reconstruction, averaged over the held-out
    /// images.
    HeldOutSquaredError,
    /// Latent dimensions whose KL divergence, averaged over held-out images, is above 0.1 nats.
    UsedDimensions,
}

/// A published number.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Expectation {
    /// The variant it belongs to.
    pub variant: String,
    /// The quantity.
    pub measure: Measure,
    /// The epoch at whose end it is measured, counted from 1; the last one where not given.
    #[serde(default)]
    pub epoch: Option<u64>,
    /// The number, in the measure's unit.
    pub theirs: f64,
    /// Largest difference that counts as agreement.
    pub tolerance: f64,
}

/// One model of a recipe.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Variant {
    /// Its name in tables and pictures.
    pub name: String,
    /// The preset whose settings lie below its own, in the place of the recipe's.
    #[serde(default)]
    model: Option<String>,
    /// Settings in which it differs from the recipe.
    #[serde(default)]
    config: toml::Table,
}

/// A published setting and its results.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Recipe {
    /// Its name on the command line.
    #[serde(skip)]
    pub name: &'static str,
    /// Title of the reproduced table or figure.
    pub title: String,
    /// Where its numbers are from.
    pub source: String,
    /// Differences from the publication that matter for the comparison.
    pub note: String,
    /// The pixels that the numbers refer to, above all their binarisation. Printed beside the numbers.
    pub pixels: String,
    /// Name of the folder with the images, if `--dataset` has no name for them.
    folder: Option<String>,
    /// The file in that folder, with the key of an array behind a colon, if the images are one file.
    file: Option<String>,
    /// The preset whose settings lie below those of all variants.
    model: Option<String>,
    /// Settings of all variants.
    config: toml::Table,
    /// How the models are evaluated, if the held-out ELBO that training reports is not enough.
    #[serde(default)]
    pub evaluation: Option<Evaluation>,
    /// The models.
    #[serde(rename = "variant")]
    pub variants: Vec<Variant>,
    /// Published numbers.
    #[serde(rename = "expect", default)]
    pub expectations: Vec<Expectation>,
    /// Statements read from a figure.
    #[serde(rename = "claim", default)]
    pub claims: Vec<Claim>,
}

/// The result of a variant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Achieved {
    /// The variant.
    pub variant: String,
    /// Evidence lower bound of the held-out images after the last step, by as many latent samples an image as the variant
    /// trains with, nats per image.
    pub elbo: f64,
    /// Every epoch.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub epochs: Vec<EpochNumbers>,
    /// A tighter bound, and latent dimensions in use, where the recipe asks for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub likelihood: Option<Likelihood>,
    /// Training images seen.
    pub images: u64,
    /// Seconds of training, evaluation left out.
    pub seconds: f64,
    /// The device it was trained and evaluated on.
    pub device: String,
}

/// What an epoch of a variant came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpochNumbers {
    /// Epochs finished, this one included.
    pub epoch: u64,
    /// Negative log-likelihood term of the training images, nats per image.
    pub training_reconstruction: f64,
    /// Their KL divergence, nats per image.
    pub training_kl: f64,
    /// That of the held-out images.
    pub held_out_kl: f64,
    /// Squared error of the held-out images, a sum over their values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_out_squared_error: Option<f64>,
    /// Latent dimensions with a KL divergence above 0.1 nats.
    pub used_dimensions: usize,
}

impl EpochNumbers {
    /// The numbers of the epoch `record`; `latents` are the rows of [`crate::report::LatentsFile::read`].
    pub fn of(record: &EpochRecord, latents: &[(u64, Vec<f64>)]) -> Self {
        let divergences =
            latents.iter().find(|(step, _)| *step == record.step).map(|(_, divergences)| divergences);
        Self {
            epoch: record.epoch,
            training_reconstruction: record.train_reconstruction,
            training_kl: record.train_kl,
            held_out_kl: record.test_kl,
            held_out_squared_error: record.others.get("squared_error").copied(),
            used_dimensions: divergences.into_iter().flatten().filter(|&&kl| kl > USED).count(),
        }
    }
}

/// All recipes.
///
/// # Errors
/// [`Error::Internal`] if one of the files cannot be read: they are parts of this program.
pub fn recipes() -> Result<Vec<Recipe>> {
    RECIPES
        .iter()
        .map(|(name, text)| {
            let recipe: Recipe =
                toml::from_str(text).map_err(|error| Error::Internal(format!("recipe {name}: {error}")))?;
            Ok(Recipe { name, ..recipe })
        })
        .collect()
}

/// The recipe called `name`.
///
/// # Errors
/// [`Error::Setting`] with a list of all recipes.
pub fn recipe(name: &str) -> Result<Recipe> {
    recipes()?.into_iter().find(|recipe| recipe.name == name).ok_or_else(|| {
        let names: Vec<&str> = RECIPES.iter().map(|(name, _)| *name).collect();
        Error::setting(
            "NAME",
            format!("no recipe is called '{name}'"),
            format!("there are {}", names.join(", ")),
        )
    })
}

impl Recipe {
    /// The settings of a variant, its images looked for in `data_dir` first. Not resolved yet.
    ///
    /// # Errors
    /// [`Error::Setting`] if the images are a folder that is nowhere to be found.
    pub fn config(&self, variant: &Variant, data_dir: Option<&Path>) -> Result<Config> {
        let mut table = toml::Table::new();
        if let Some(name) = variant.model.as_ref().or(self.model.as_ref()) {
            let preset = Preset::find(name)?;
            let missing = || Error::Internal(format!("recipe {}: there is no preset '{name}'", self.name));
            table = preset.ok_or_else(missing)?.over(table);
        }
        overlay(&mut table, self.config.clone());
        overlay(&mut table, variant.config.clone());
        let mut config = Config::from_table(&table)
            .map_err(|error| Error::Internal(format!("recipe {}, {}: {error}", self.name, variant.name)))?;
        match &self.folder {
            Some(folder) => {
                let found = find_folder(folder, data_dir)?;
                let found = self.file.as_ref().map_or(found.clone(), |file| found.join(file));
                config.data.dataset = found.to_string_lossy().into_owned();
            }
            None => config.data.data_dir = data_dir.map(Path::to_path_buf).or_else(environment),
        }
        Ok(config)
    }

    /// The key paths whose values may differ when a reproduction is resumed: where it runs, and where its images are.
    pub fn places(&self) -> &'static [&'static str] {
        match self.folder {
            Some(_) => &["run.device", "data.data-dir", "data.dataset"],
            None => &["run.device", "data.data-dir"],
        }
    }

    /// Compare our results: every number, then every claim. Claims about variants that were not run are left out.
    pub fn judge(&self, achieved: &[Achieved]) -> Vec<Judgement> {
        let numbers = self.expectations.iter().filter_map(|expected| {
            let ours = achieved.iter().find(|found| found.variant == expected.variant)?;
            Judgement::number(expected, ours)
        });
        numbers.chain(self.claims.iter().filter_map(|claim| claim.judge(achieved))).collect()
    }
}

/// The fraction `scale` of `total` steps, at least one.
pub fn scaled(total: u64, scale: f64) -> u64 {
    ((total as f64 * scale).round() as u64).max(1)
}

/// The folder that the variable `VAE_DATA` names.
pub fn environment() -> Option<PathBuf> {
    std::env::var_os("VAE_DATA").filter(|folder| !folder.is_empty()).map(PathBuf::from)
}

/// The folder `name`: `data_dir` or `VAE_DATA` itself, if it has that name, or a subfolder.
fn find_folder(name: &str, data_dir: Option<&Path>) -> Result<PathBuf> {
    let roots = data_dir.map(Path::to_path_buf).into_iter().chain(environment());
    let candidates: Vec<PathBuf> =
        roots.map(|root| if root.ends_with(name) { root } else { root.join(name) }).collect();
    if let Some(found) = candidates.iter().find(|folder| folder.is_dir()) {
        return Ok(found.clone());
    }
    let looked: Vec<String> = candidates.iter().map(|folder| folder.display().to_string()).collect();
    let problem = if looked.is_empty() {
        format!("the recipe's images, a folder called '{name}', are to be found with it")
    } else {
        format!("the recipe's images are not in {}", looked.join(", nor in "))
    };
    let hint = format!("give the folder that holds '{name}', or name it in the variable VAE_DATA");
    Err(Error::setting("--data-dir", problem, hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn achieved(variant: &str, elbo: f64) -> Achieved {
        Achieved {
            variant: variant.into(),
            elbo,
            epochs: Vec::new(),
            likelihood: None,
            images: 1,
            seconds: 1.0,
            device: String::new(),
        }
    }

    #[test]
    fn every_recipe_has_settings_that_resolve_and_names_that_exist() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["freyface", "carracing"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        for recipe in recipes().unwrap() {
            assert!(recipe.source.len() > 20 && recipe.note.len() > 20, "{}", recipe.name);
            assert!(recipe.pixels.len() > 10, "{}", recipe.name);
            assert!(!recipe.expectations.is_empty() || !recipe.claims.is_empty(), "{}", recipe.name);
            for variant in &recipe.variants {
                let config = recipe.config(variant, Some(folder.path())).unwrap().resolve().unwrap();
                assert!(config.optimizer.learning_rate.is_some());
            }
            let known = |name: &String| recipe.variants.iter().any(|variant| variant.name == *name);
            for expected in &recipe.expectations {
                assert!(known(&expected.variant) && expected.tolerance > 0.0, "{expected:?}");
                let weighed =
                    [Measure::NegativeLogLikelihood, Measure::ActiveUnits, Measure::Layer2ActiveUnits];
                let tells = !weighed.contains(&expected.measure) || recipe.evaluation.is_some();
                assert!(tells, "{} does not say how it is evaluated", recipe.name);
            }
            for claim in &recipe.claims {
                assert!(claim.variants().iter().all(known), "{claim:?}");
            }
        }
        assert!(recipe("nothing").unwrap_err().to_string().contains("aevb-mnist"));
    }

    #[test]
    fn numbers_outside_their_tolerance_fail() {
        let recipe = recipe("pytorch-example").unwrap();
        for (elbo, holds) in
            [(-105.6, true), (-105.2, true), (-104.9, false), (-106.2, false), (f64::NAN, false)]
        {
            let judged = recipe.judge(&[achieved("784-400-20", elbo)]);
            assert_eq!(judged.len(), 1);
            assert_eq!(judged[0].holds, holds, "{elbo}");
        }
        assert!(recipe.judge(&[]).is_empty());
    }

    #[test]
    fn likelihoods_and_active_units_are_judged_with_what_they_are() {
        let recipe = recipe("iwae-1-layer").unwrap();
        let likelihood = Likelihood {
            negative_log_likelihood: 84.9,
            standard_error: 0.24,
            samples: 5000,
            images: 10_000,
            layers: vec![LayerUnits { active: 29, all: 50 }],
            seconds: 1.0,
        };
        let found = Achieved { likelihood: Some(likelihood), ..achieved("IWAE k=50", -90.0) };
        let judged = recipe.judge(&[found]);
        assert_eq!(judged.len(), 2);
        assert_eq!((judged[0].what.as_str(), judged[0].holds), ("IWAE k=50, NLL by L_5000", true));
        assert_eq!(judged[0].ours, "84.90, standard error 0.24");
        assert_eq!((judged[1].ours.as_str(), judged[1].holds), ("29", false));
        // Without an evaluation there is nothing to compare.
        assert!(recipe.judge(&[achieved("IWAE k=50", -90.0)]).is_empty());
    }

    /// Of two layers each has its expectation, and a model with one has no second layer to compare.
    #[test]
    fn active_units_are_those_of_their_layer() {
        let recipe = recipe("iwae-2-layer").unwrap();
        let likelihood = |layers| Likelihood {
            negative_log_likelihood: 82.9,
            standard_error: 0.24,
            samples: 5000,
            images: 10_000,
            layers,
            seconds: 1.0,
        };
        let two = vec![LayerUnits { active: 25, all: 100 }, LayerUnits { active: 3, all: 50 }];
        for (layers, expected) in
            [(two.clone(), vec![("25", true), ("3", false)]), (two[..1].to_vec(), vec![("25", true)])]
        {
            let found = Achieved { likelihood: Some(likelihood(layers)), ..achieved("IWAE k=50", -90.0) };
            let judged = recipe.judge(&[found]);
            let units: Vec<_> = judged[1..].iter().map(|it| (it.ours.as_str(), it.holds)).collect();
            assert_eq!(units, expected);
        }
    }

    /// Table 1 of the paper: as many samples, and the objective, as the variant's name says.
    #[test]
    fn the_recipes_of_the_iwae_paper_are_its_table() {
        for (name, second, expectations) in [("iwae-1-layer", None, 10), ("iwae-2-layer", Some(50), 15)] {
            let recipe = recipe(name).unwrap();
            for variant in &recipe.variants {
                let config = recipe.config(variant, None).unwrap().resolve().unwrap();
                let samples: usize = variant.name.split("k=").nth(1).unwrap().parse().unwrap();
                let task = config.task(crate::data::ImageShape { width: 28, height: 28, channels: 1 });
                assert_eq!(task.objective.samples, samples);
                let groups = task.latent("test").unwrap().groups();
                assert_eq!(groups.get(1).map(|group| group.width), second);
                assert_eq!(variant.name.starts_with("IWAE"), task.objective.kind.weighting().is_some());
                assert_eq!(config.total_steps(60_000), 3280 * 3000);
                assert_eq!(
                    (config.optimizer.adam_epsilon, config.optimizer.learning_rate),
                    (1e-4, Some(1e-3))
                );
            }
            assert_eq!((recipe.variants.len(), recipe.expectations.len()), (5, expectations));
        }
    }

    #[test]
    fn folders_are_found_or_named() {
        let folder = tempfile::tempdir().unwrap();
        let faces = folder.path().join("no-such-faces");
        let problem = find_folder("no-such-faces", Some(folder.path())).unwrap_err().to_string();
        assert!(problem.contains(faces.to_str().unwrap()), "{problem}");
        std::fs::create_dir(&faces).unwrap();
        assert_eq!(find_folder("no-such-faces", Some(folder.path())).unwrap(), faces);
        assert_eq!(find_folder("no-such-faces", Some(&faces)).unwrap(), faces);
    }

    #[test]
    fn a_fraction_of_a_run_has_a_step_at_least() {
        assert_eq!((scaled(4690, 1.0), scaled(4690, 0.1), scaled(10, 1e-9)), (4690, 469, 1));
    }
}
