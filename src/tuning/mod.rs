//! Chooses the fastest variant of each matrix product on a device.
//!
//! The fastest variant depends on the GPU and on the size of the product. So the plausible variants are checked and
//! timed when a device first meets a product of some size. The results are kept in the user's cache folder, under the
//! adapter, its driver and the shaders. A choice is made before a model's first step and holds until its last, because
//! variants round differently.

mod cache;

use crate::device::OpenDevice;
use crate::files::{cache_folder, write_atomically};
use crate::gpu::AdapterInfo;
use crate::plan::{Plan, Product, Variant};
use crate::probe::{KnownResults, time_variant};
use crate::text::text_serde;
use crate::{Error, Result};
use cache::Cache;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::time::{Duration, Instant};

/// Time that may be spent on measuring for one model. The products left are chosen by rule, and measured the next time.
const BUDGET: Duration = Duration::from_secs(4);
/// Seconds for which one variant of one product is timed, not counting its compilation and its check.
const PATIENCE: f64 = 0.03;
/// A variant must be faster than the best before it by this factor: a smaller gain is noise.
const GAIN: f64 = 0.95;

/// How variants are chosen: the value of `--matmul`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Tuning {
    /// `measured`: by measurement on this device, once.
    #[default]
    Measured,
    /// `fixed`: by a rule on the product's size and the kind of device; also `--no-tune`.
    Fixed,
    /// A variant's name: this one for all products.
    Only(Variant),
}

impl fmt::Display for Tuning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Measured => f.write_str("measured"),
            Self::Fixed => f.write_str("fixed"),
            Self::Only(variant) => write!(f, "{variant}"),
        }
    }
}

impl FromStr for Tuning {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "measured" => Ok(Self::Measured),
            "fixed" => Ok(Self::Fixed),
            name => name.parse().map(Self::Only).map_err(|_: Error| {
                let names = Variant::ALL.map(|variant| variant.to_string()).join(", ");
                let hint = format!("use measured, fixed, or one of {names}");
                Error::setting("--matmul", format!("unknown mode '{name}'"), hint)
            }),
        }
    }
}

text_serde!(Tuning);

/// The variants chosen for a plan's products, each under the product's name and size.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Choices(BTreeMap<String, Variant>);

impl Choices {
    /// The variant for `product`.
    pub fn of(&self, product: Product) -> Variant {
        self.0.get(&product.to_string()).copied().unwrap_or(Variant::Registers)
    }

    /// `plan` with the chosen variants.
    pub fn apply(&self, plan: Plan) -> Plan {
        if self.0.values().all(|variant| *variant == Variant::Registers) {
            return plan;
        }
        plan.with_variants(|product| self.of(product)).with_shared_memory()
    }
}

/// The choices of a run, and the adapter they were made for. A resumed run keeps them, whatever is measured later,
/// because other variants round differently.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Adapter, driver and shaders.
    adapter: String,
    products: Choices,
}

impl Record {
    /// The choices made on `device`; `None` if there was no choice to make.
    pub fn of(device: &OpenDevice, choices: &Choices) -> Option<Self> {
        match device {
            OpenDevice::Gpu(gpu) if !choices.0.is_empty() => {
                Some(Self { adapter: cache::key(gpu.info()), products: choices.clone() })
            }
            _ => None,
        }
    }

    /// Read a file of [`Record::write`]; `None` if it does not exist.
    ///
    /// # Errors
    /// If it cannot be read, or is not such a file.
    pub fn read(path: &Path) -> Result<Option<Self>> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(problem) if problem.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(problem) => return Err(Error::io(path, problem)),
        };
        serde_json::from_str(&text).map(Some).map_err(|problem| {
            let hint = "delete it, and the variants of matrix products are chosen anew";
            Error::checkpoint(path, format!("not a record of chosen variants: {problem}"), hint)
        })
    }

    /// Write it as JSON.
    ///
    /// # Errors
    /// If that fails.
    pub fn write(&self, path: &Path) -> Result<()> {
        let text =
            serde_json::to_vec_pretty(self).map_err(|error| Error::Internal(format!("JSON: {error}")))?;
        write_atomically(path, &text)
    }

    /// The variant for `product`, if it was recorded on `adapter` as it is now.
    fn get(&self, adapter: &AdapterInfo, product: Product) -> Option<Variant> {
        self.products.0.get(&product.to_string()).copied().filter(|_| self.adapter == cache::key(adapter))
    }
}

/// How a run computes its matrix products.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matmul {
    /// How variants are chosen.
    pub tuning: Tuning,
    /// Choices of an earlier run, which are kept on the device where they were made.
    pub record: Option<Record>,
}

impl From<Tuning> for Matmul {
    fn from(tuning: Tuning) -> Self {
        Self { tuning, record: None }
    }
}

/// A variant that gave wrong numbers, or that the driver refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The variant.
    pub variant: Variant,
    /// The product it was tried on.
    pub product: String,
    /// What is wrong with it.
    pub problem: String,
}

/// The variants that may be fastest on a device of this kind, the safest first.
pub fn candidates(adapter: &AdapterInfo, product: Product) -> Vec<Variant> {
    // Workgroup memory and barriers cost a software adapter far more than they save.
    if adapter.is_software() {
        return vec![Variant::Registers];
    }
    let mut candidates = vec![Variant::Registers, Variant::Tiled(32)];
    let tiles = |side: usize| product.m.div_ceil(side) * product.n.div_ceil(side) * product.parts;
    if tiles(32) >= 16 {
        candidates.push(Variant::Tiled(64));
    }
    if tiles(64) >= 16 {
        candidates.push(Variant::Tiled(128));
    }
    // From 512 tiles on, even the largest GPUs are busy without a split.
    if tiles(32) < 512 {
        candidates.extend(
            [4, 16].map(Variant::Split).into_iter().filter(|_| product.k >= 128 && product.can_split()),
        );
    }
    candidates.retain(|variant| !matches!(variant, Variant::Tiled(side) if !product.has_tiles(*side)));
    candidates
}

/// The variant for `product` without measuring.
pub fn by_rule(adapter: &AdapterInfo, product: Product) -> Variant {
    if adapter.is_software() { Variant::Registers } else { for_hardware(product) }
}

/// The variant for `product` on a hardware GPU of which nothing is known. The numbers are those of `benches/results/nvidia.md`.
pub fn for_hardware(product: Product) -> Variant {
    let tiles = |side: usize| product.m.div_ceil(side) * product.n.div_ceil(side) * product.parts;
    // Tiles that are wider or higher than the output would be half empty.
    let fits = |side: u32| {
        let filled = 2 * product.n > side as usize && 2 * product.m > side as usize;
        product.has_tiles(side) && (product.window.is_none() || filled)
    };
    match () {
        () if tiles(128) >= 512 && fits(128) => Variant::Tiled(128),
        () if tiles(64) >= 256 && fits(64) => Variant::Tiled(64),
        () if tiles(32) < 128 && product.k >= 2048 && product.can_split() => Variant::Split(16),
        () if tiles(32) < 128 && product.k >= 256 && product.can_split() => Variant::Split(4),
        () => Variant::Tiled(32),
    }
}

/// Choose a variant for each matrix product of `plan` on `device`, for minibatches of `rows` images. The CPU has one
/// variant.
///
/// # Errors
/// If the device fails. A cache that cannot be read or written is no error: it costs the time to measure again.
pub fn choose(device: &OpenDevice, matmul: &Matmul, plan: &Plan, rows: usize) -> Result<Choices> {
    let OpenDevice::Gpu(gpu) = device else { return Ok(Choices::default()) };
    let adapter = gpu.info();
    let products = products(plan);
    let fixed = |choose: &dyn Fn(Product) -> Variant| {
        Choices(products.keys().map(|&product| (product.to_string(), choose(product))).collect())
    };
    match &matmul.tuning {
        Tuning::Only(variant) => Ok(fixed(&|_| *variant)),
        Tuning::Fixed => Ok(fixed(&|product| by_rule(adapter, product))),
        Tuning::Measured => {
            let file = cache_folder().map(|folder| folder.join("matmul.json"));
            let known = |product| matmul.record.as_ref()?.get(adapter, product);
            let open: Vec<_> = (products.iter())
                .map(|(&product, &index)| {
                    let recorded = known(product).map(|variant| vec![variant]);
                    (product, index, recorded.unwrap_or_else(|| candidates(adapter, product)))
                })
                .collect();
            let mut results = KnownResults::new();
            let mut time = |index, variant| {
                let time = time_variant(device, plan, index, rows, variant, PATIENCE, &mut results)?;
                Ok(time.map(|spread| spread.ms))
            };
            measured(adapter, &open, file.as_deref(), BUDGET, &mut time).map(|it| it.0)
        }
    }
}

/// The distinct products of a plan, each with one of its dispatches.
fn products(plan: &Plan) -> BTreeMap<Product, usize> {
    let dispatches = plan.dispatches.iter().enumerate().rev();
    dispatches.filter_map(|(index, dispatch)| Some((Product::of(dispatch)?, index))).collect()
}

/// Times dispatch number `.0` in a variant: milliseconds, or the problem with its result.
type Timer<'a> = &'a mut dyn FnMut(usize, Variant) -> Result<std::result::Result<f64, String>>;

/// The choices known from `file`; the others by timing the candidates of each product, for up to `budget`.
fn measured(
    adapter: &AdapterInfo,
    products: &[(Product, usize, Vec<Variant>)],
    file: Option<&Path>,
    budget: Duration,
    time: Timer<'_>,
) -> Result<(Choices, Vec<Refused>)> {
    let mut cache = Cache::load(file, adapter);
    let (mut choices, mut refused) = (Choices::default(), Vec::new());
    let mut open = Vec::new();
    for (product, index, candidates) in products {
        let name = product.to_string();
        match (cache.get(&name), candidates.as_slice()) {
            (_, [only]) => drop(choices.0.insert(name, *only)),
            (Some(known), candidates) if candidates.contains(&known) => drop(choices.0.insert(name, known)),
            (_, candidates) => open.push((*product, *index, candidates)),
        }
    }
    if open.is_empty() {
        return Ok((choices, refused));
    }
    log::info!(
        "{adapter}: timing the variants of {} matrix products, once for this adapter (at most {} s; --no-tune for a \
         fixed choice)",
        open.len(),
        budget.as_secs()
    );
    let start = Instant::now();
    let mut skipped = 0;
    for (product, index, candidates) in open {
        let name = product.to_string();
        if start.elapsed() >= budget {
            skipped += 1;
            let rule = by_rule(adapter, product);
            // A variant that was wrong for one product is not used for any other.
            let wrong = refused.iter().any(|refused: &Refused| refused.variant == rule);
            choices.0.insert(name, if wrong { Variant::Registers } else { rule });
            continue;
        }
        let mut best: Option<(f64, Variant)> = None;
        let mut complete = true;
        for &variant in candidates {
            if best.is_some() && start.elapsed() >= budget {
                complete = false;
                break;
            }
            match time(index, variant)? {
                Ok(ms) if best.is_none_or(|(least, _)| ms < GAIN * least) => best = Some((ms, variant)),
                Ok(_) => {}
                Err(problem) => {
                    log::warn!("{adapter}: the variant {variant} of {name} is not used: {problem}");
                    refused.push(Refused { variant, product: name.clone(), problem });
                }
            }
        }
        let Some((_, variant)) = best else {
            return Err(Error::device(
                adapter.to_string(),
                format!("no variant of {name} gives the right result"),
                "run 'vae selftest' to see what is wrong, and update the driver, or use --device cpu",
            ));
        };
        log::debug!("{name}: {variant}");
        choices.0.insert(name.clone(), variant);
        // If only some candidates were tried, measure this product again the next time.
        if complete {
            cache.insert(name, variant);
        }
    }
    cache.save();
    if skipped > 0 {
        log::info!("{skipped} of them were chosen by rule, and will be timed the next time");
    }
    Ok((choices, refused))
}

#[cfg(test)]
mod tests;
