//! Files of before the tables, whose keys all stood at the top: flat `config.toml`s and `--config` files, and the settings
//! in checkpoints of the format `vae-1`. Their model is of the first family.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Every key that once stood at the top, and its key path now.
pub const FLAT_KEYS: [(&str, &str); 36] = [
    ("dataset", "data.dataset"),
    ("data-dir", "data.data-dir"),
    ("images", "data.images"),
    ("image-size", "data.image-size"),
    ("color", "data.color"),
    ("test-fraction", "data.test-fraction"),
    ("binarize", "data.binarize"),
    ("hidden", "model.hidden"),
    ("latent", "model.latent"),
    ("activation", "model.activation"),
    ("likelihood", "model.likelihood"),
    ("sigma", "model.sigma"),
    ("mean-activation", "model.mean-activation"),
    ("objective", "objective.kind"),
    ("importance-samples", "objective.importance-samples"),
    ("noise-samples", "objective.noise-samples"),
    ("beta", "objective.beta"),
    ("kl-warmup", "objective.kl-warmup"),
    ("kl-cycle", "objective.kl-cycle"),
    ("capacity", "objective.capacity"),
    ("capacity-epochs", "objective.capacity-epochs"),
    ("free-bits", "objective.free-bits"),
    ("optimizer", "optimizer.kind"),
    ("learning-rate", "optimizer.learning-rate"),
    ("learning-rate-schedule", "optimizer.learning-rate-schedule"),
    ("adam-epsilon", "optimizer.adam-epsilon"),
    ("weight-decay", "optimizer.weight-decay"),
    ("clip-norm", "optimizer.clip-norm"),
    ("init", "optimizer.init"),
    ("output-bias", "optimizer.output-bias"),
    ("batch-size", "run.batch-size"),
    ("epochs", "run.epochs"),
    ("steps", "run.steps"),
    ("seed", "run.seed"),
    ("device", "run.device"),
    ("matmul", "run.matmul"),
];

/// Move flat keys of `table` into their tables. A key that stands there already, and a key that never was one, stay where
/// they are, to be refused with their line.
pub(super) fn upgrade(table: &mut DeTable<'_>) {
    for (flat, path) in FLAT_KEYS {
        // `objective` and `optimizer` are tables now, and were names.
        if table.get(flat).is_none_or(|value| matches!(value.get_ref(), DeValue::Table(_))) {
            continue;
        }
        let Some(((key, value), (section, name))) = table.remove_entry(flat).zip(path.split_once('.')) else {
            continue;
        };
        if !table.contains_key(section) {
            let new = Spanned::new(value.span(), DeValue::Table(DeTable::new()));
            table.insert(Spanned::new(key.span(), section.into()), new);
        }
        match table.get_mut(section).map(Spanned::get_mut) {
            Some(DeValue::Table(below)) if !below.contains_key(name) => {
                below.insert(Spanned::new(key.span(), name.into()), value);
            }
            _ => {
                table.insert(key, value);
            }
        }
    }
}
