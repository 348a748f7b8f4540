//! Stochastic layers as people write them: `latent = [100, 50]` and `hidden = [[200, 200], [100, 100]]` for two. In the
//! record they are `latent` and `hidden` of the first layer, `upper-latent` and `upper-hidden` of the second.

use super::Config;
use serde::de::Error as _;
use toml::{Table, Value};

/// A key of a first layer, and its upper layer's.
const KEYS: [(&str, &str); 2] = [("latent", "upper-latent"), ("hidden", "upper-hidden")];

/// The layers of `value`, if it is a list of layers: of `latent` any list, of `hidden` a list of lists.
fn layers(key: &str, value: &Value) -> Option<Vec<Value>> {
    let list = value.as_array()?;
    let stacked = key == "latent" || list.iter().any(Value::is_array);
    stacked.then(|| list.clone())
}

impl Config {
    /// The settings of a configuration file's text.
    ///
    /// # Errors
    /// If it is not TOML, has an unknown key, or a value that does not fit its key.
    pub fn from_toml(text: &str) -> Result<Self, toml::de::Error> {
        match text.parse::<Table>() {
            Ok(table)
                if KEYS.iter().any(|(key, _)| table.get(*key).and_then(|v| layers(key, v)).is_some()) =>
            {
                Self::from_table(table)
            }
            // From the text, so that errors tell the line.
            _ => toml::from_str(text),
        }
    }

    /// The settings of a run, as its folder or a checkpoint holds them. A run that names no order of images was begun by
    /// a program that had order 1 only.
    ///
    /// # Errors
    /// See [`Config::from_toml`].
    pub fn from_run(text: &str) -> Result<Self, toml::de::Error> {
        let mut config = Self::from_toml(text)?;
        if !text.parse::<Table>()?.contains_key("order") {
            config.order = 1;
        }
        Ok(config)
    }

    /// The same from a table.
    ///
    /// # Errors
    /// See [`Config::from_toml`].
    pub fn from_table(mut table: Table) -> Result<Self, toml::de::Error> {
        for (key, upper) in KEYS {
            let Some(layers) = table.get(key).and_then(|value| layers(key, value)) else { continue };
            let (first, second) = match layers.as_slice() {
                [first] => (first, None),
                [first, second] => (first, Some(second)),
                _ => {
                    let problem =
                        format!("{key}: {} stochastic layers; there can be one or two", layers.len());
                    return Err(toml::de::Error::custom(problem));
                }
            };
            table.insert(key.into(), first.clone());
            if let Some(second) = second {
                table.insert(upper.into(), second.clone());
            }
        }
        table.try_into()
    }

    /// The settings as a configuration file has them.
    ///
    /// # Errors
    /// If they cannot be written as TOML.
    pub fn to_table(&self) -> Result<Table, toml::ser::Error> {
        let mut table = Table::try_from(self)?;
        for (key, upper) in KEYS {
            if let (Some(second), Some(first)) = (table.remove(upper), table.get(key).cloned()) {
                table.insert(key.into(), Value::Array(vec![first, second]));
            }
        }
        Ok(table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_layer_is_written_as_ever_and_two_as_lists() {
        let one = Config { hidden: vec![500, 250], latent: 50, ..Config::default() };
        let text = one.to_toml().unwrap();
        assert!(text.contains("\nhidden = [500, 250]\nlatent = 50\n") && !text.contains("upper"), "{text}");
        assert_eq!(Config::from_toml(&text).unwrap(), one);
        for same in ["hidden = [[500, 250]]\nlatent = [50]", "hidden = [500, 250]\nlatent = 50"] {
            assert_eq!(Config::from_toml(same).unwrap(), one);
        }
        let two = Config { upper_hidden: Some(vec![100]), upper_latent: Some(20), ..one };
        let text = two.to_toml().unwrap();
        assert!(text.contains("latent = [50, 20]") && !text.contains("upper"), "{text}");
        assert_eq!(Config::from_toml(&text).unwrap(), two);
        let linear = Config { hidden: vec![], upper_hidden: Some(vec![]), ..two };
        assert_eq!(Config::from_toml(&linear.to_toml().unwrap()).unwrap(), linear);
        let no_layers = Config { hidden: vec![], ..Config::default() };
        assert_eq!(Config::from_toml(&no_layers.to_toml().unwrap()).unwrap(), no_layers);
    }

    #[test]
    fn a_run_without_an_order_has_the_first() {
        let order = |config: Result<Config, toml::de::Error>| config.unwrap().order;
        assert_eq!(order(Config::from_toml("seed = 3")), 2);
        for (text, expected) in [("seed = 3", 1), ("latent = [3, 2]", 1), ("order = 1", 1), ("order = 2", 2)]
        {
            assert_eq!(order(Config::from_run(text)), expected, "{text}");
        }
        assert_eq!(order(Config::from_run(&Config::default().to_toml().unwrap())), 2);
        let problem = Config { order: 3, ..Config::default() }.resolve().unwrap_err().to_string();
        assert!(problem.starts_with("--order: there is no order 3"), "{problem}");
    }

    #[test]
    fn what_is_no_layer_is_refused() {
        for (text, expected) in [
            ("latent = [3, 2, 1]", "3 stochastic layers"),
            ("latent = []", "0 stochastic layers"),
            ("latent = [5, 'x']", "string"),
            ("hidden = [[5], 6]", "sequence"),
            ("seed = 1\nlatnet = 2", "line 2"),
        ] {
            let problem = Config::from_toml(text).unwrap_err().to_string();
            assert!(problem.contains(expected), "{text}: {problem}");
        }
    }

    #[test]
    fn layers_that_do_not_fit_are_refused() {
        let two =
            Config { upper_hidden: Some(vec![100]), upper_latent: Some(20), latent: 50, ..Config::default() };
        two.clone().resolve().unwrap();
        for (broken, expected) in [
            (Config { upper_hidden: None, ..two.clone() }, "--hidden"),
            (Config { upper_latent: None, ..two.clone() }, "--latent"),
            (Config { upper_latent: Some(0), ..two.clone() }, "--latent"),
            (Config { upper_hidden: Some(vec![0]), ..two.clone() }, "--hidden"),
        ] {
            let problem = broken.resolve().unwrap_err().to_string();
            assert!(problem.starts_with(expected), "{problem}");
        }
    }
}
