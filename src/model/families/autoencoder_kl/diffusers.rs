//! The model as diffusers knows it: its `config.json`, and names that older versions of that library gave to tensors.

use super::AutoencoderKlConfig;
use crate::data::ImageShape;
use crate::model::families::Interchange;
use serde_json::{Value, json};

/// The class that opens the files.
const CLASS: &str = "AutoencoderKL";
/// Parts of names of the attention's tensors in older files, and what they are called now.
const OLD_NAMES: [(&str, &str); 4] =
    [(".query.", ".to_q."), (".key.", ".to_k."), (".value.", ".to_v."), (".proj_attn.", ".to_out.0.")];

/// The name of a tensor in newer versions of diffusers; any other name as it is.
pub(crate) fn current_name(name: &str) -> String {
    if !name.contains(".mid_block.attentions.") {
        return name.to_string();
    }
    OLD_NAMES.iter().fold(name.to_string(), |name, (old, new)| name.replace(old, new))
}

/// The files of a model for images of `shape`.
pub(super) fn interchange(config: &AutoencoderKlConfig, shape: ImageShape) -> Interchange {
    let levels = config.multipliers.len();
    let settings = json!({
        "_class_name": CLASS,
        "act_fn": "silu",
        "block_out_channels": config.channels(),
        "down_block_types": vec!["DownEncoderBlock2D"; levels],
        "in_channels": shape.channels,
        "latent_channels": config.latent,
        "layers_per_block": config.blocks,
        "norm_num_groups": config.norm_groups,
        "out_channels": shape.channels,
        "sample_size": shape.width.max(shape.height),
        "up_block_types": vec!["UpDecoderBlock2D"; levels],
    });
    Interchange {
        folder: "diffusers",
        settings: ("config.json", format!("{settings:#}\n")),
        weights: "diffusion_pytorch_model.safetensors",
        takes: |name| {
            let of_networks = ["encoder.", "decoder.", "quant_conv.", "post_quant_conv."];
            // Further parameters of a likelihood are not in that library.
            of_networks.iter().any(|part| name.starts_with(part)) && !name.starts_with("decoder.log_")
        },
    }
}

/// The settings in the text of a `config.json`; `None` if it is of another class.
///
/// # Errors
/// What the model of that file has and the family has not.
pub(super) fn read(text: &str) -> Result<Option<AutoencoderKlConfig>, String> {
    let settings: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if settings["_class_name"] != CLASS {
        return Ok(None);
    }
    let number = |key: &str, standard: usize| match &settings[key] {
        Value::Null => Ok(standard),
        value => value.as_u64().map(|it| it as usize).ok_or_else(|| format!("{key} is {value}")),
    };
    for (key, only) in [
        ("act_fn", json!("silu")),
        ("mid_block_add_attention", json!(true)),
        ("use_post_quant_conv", json!(true)),
        ("use_quant_conv", json!(true)),
    ] {
        if settings[key] != Value::Null && settings[key] != only {
            return Err(format!("{key} is {}, and the family autoencoder-kl has {only} only", settings[key]));
        }
    }
    let channels: Vec<usize> =
        serde_json::from_value(settings["block_out_channels"].clone()).unwrap_or(vec![64]);
    let width = channels.first().copied().unwrap_or_default();
    if width == 0 || channels.iter().any(|channels| !channels.is_multiple_of(width)) {
        return Err(format!("block_out_channels are {channels:?}, which are no multiples of the first"));
    }
    Ok(Some(AutoencoderKlConfig {
        latent: number("latent_channels", 4)?,
        width,
        multipliers: channels.iter().map(|channels| channels / width).collect(),
        blocks: number("layers_per_block", 1)?,
        norm_groups: number("norm_num_groups", 32)?,
        ..AutoencoderKlConfig::default()
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::families::FamilyConfig;

    #[test]
    fn settings_are_written_and_read_back() {
        let tiny: AutoencoderKlConfig =
            toml::from_str("width = 32\nmultipliers = [1, 2, 2]\nblocks = 1\nlatent = 3\nnorm-groups = 8")
                .unwrap();
        let shape = ImageShape { width: 24, height: 16, channels: 1 };
        for config in [tiny, AutoencoderKlConfig::default()] {
            let text = config.interchange(shape).unwrap().settings.1;
            assert_eq!(read(&text).unwrap().unwrap(), config, "{text}");
        }
        assert_eq!(read("{\"_class_name\": \"VQModel\"}"), Ok(None));
        for (text, expected) in [
            ("\"use_quant_conv\": false", "use_quant_conv is false"),
            ("\"block_out_channels\": [32, 48]", "no multiples"),
            ("\"latent_channels\": \"x\"", "latent_channels is \"x\""),
        ] {
            let problem = read(&format!("{{\"_class_name\": \"AutoencoderKL\", {text}}}")).unwrap_err();
            assert!(problem.contains(expected), "{text}: {problem}");
        }
    }

    #[test]
    fn older_names_of_the_attention_are_known() {
        for (old, new) in [
            ("encoder.mid_block.attentions.0.query.weight", "encoder.mid_block.attentions.0.to_q.weight"),
            ("decoder.mid_block.attentions.0.proj_attn.bias", "decoder.mid_block.attentions.0.to_out.0.bias"),
            ("encoder.mid_block.resnets.0.norm1.bias", "encoder.mid_block.resnets.0.norm1.bias"),
            ("encoder.0.value.bias", "encoder.0.value.bias"),
        ] {
            assert_eq!(current_name(old), new);
        }
    }
}
