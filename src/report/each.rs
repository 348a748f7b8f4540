//! Images as a file each.

use super::grid::Value;
use crate::data::ImageShape;
use crate::files::write_atomically;
use crate::{Error, Result};
use image::{ExtendedColorType, ImageEncoder};
use std::collections::BTreeSet;
use std::path::Path;

/// Write each of `images` (`[count, height, width, channels]`, in [0, 1]) as a PNG file into `folder`, which is made where
/// there is none. The files are called by the last part of the images' names or, where these are not given, `0001.png` and
/// so on.
///
/// # Errors
/// [`Error::Setting`] if a file of such a name is there; [`Error::Io`] if one cannot be written.
pub fn save_each(folder: &Path, names: &[String], images: &[f32], shape: ImageShape) -> Result<()> {
    let count = images.len() / shape.pixels().max(1);
    let files: Vec<_> = file_names(names, count).iter().map(|name| folder.join(name)).collect();
    if folder.exists() && !folder.is_dir() {
        let problem = format!("{} is a file", folder.display());
        return Err(Error::setting(folder.display().to_string(), problem, "name a folder"));
    }
    if let Some(file) = files.iter().find(|file| file.exists()) {
        let hint = "name another folder, or delete these pictures first";
        return Err(Error::data(file, "it exists, and would be replaced", hint));
    }
    std::fs::create_dir_all(folder).map_err(|error| Error::io(folder, error))?;
    let kind = if shape.channels == 1 { ExtendedColorType::L8 } else { ExtendedColorType::Rgb8 };
    for (file, image) in files.iter().zip(images.chunks(shape.pixels())) {
        let values: Vec<u8> = image.iter().map(|value| value.byte()).collect();
        let mut bytes = Vec::new();
        image::codecs::png::PngEncoder::new(&mut bytes)
            .write_image(&values, shape.width as u32, shape.height as u32, kind)
            .map_err(|problem| Error::Internal(format!("encoding {}: {problem}", file.display())))?;
        write_atomically(file, &bytes)?;
    }
    Ok(())
}

/// The names of `count` files, all different on every system.
fn file_names(names: &[String], count: usize) -> Vec<String> {
    let digits = count.to_string().len().max(4);
    let numbers = (1..=count).map(|number| format!("{number:0digits$}"));
    if names.len() != count {
        return numbers.map(|number| format!("{number}.png")).collect();
    }
    let stem = |name: &String| -> String {
        let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
        let stem = last.rsplit_once('.').map_or(last, |(stem, _)| stem);
        stem.chars().map(|c| if c.is_control() || "<>:\"|?*".contains(c) { '_' } else { c }).collect()
    };
    let stems: Vec<String> = names.iter().map(stem).collect();
    let different: BTreeSet<String> = stems.iter().map(|stem| stem.to_lowercase()).collect();
    if different.len() == count && !different.contains("") {
        return stems.iter().map(|stem| format!("{stem}.png")).collect();
    }
    numbers.zip(&stems).map(|(number, stem)| format!("{number}-{stem}.png")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_have_names_of_their_own() {
        let named = |names: &[&str]| {
            file_names(&names.iter().map(ToString::to_string).collect::<Vec<_>>(), names.len())
        };
        assert_eq!(named(&["a/one.jpg", "C:\\b\\two.tar.png", "x:y"]), ["one.png", "two.tar.png", "x_y.png"]);
        assert_eq!(named(&["a/one.jpg", "b/One.png"]), ["0001-one.png", "0002-One.png"]);
        assert_eq!(named(&["", "b"]), ["0001-.png", "0002-b.png"]);
        assert_eq!(file_names(&[], 2), ["0001.png", "0002.png"]);
    }

    #[test]
    fn pictures_are_not_replaced() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("new/pictures");
        let shape = ImageShape { width: 2, height: 1, channels: 1 };
        save_each(&folder, &[], &[0.0, 1.0, 0.5, 7.0], shape).unwrap();
        let second = image::open(folder.join("0002.png")).unwrap();
        assert_eq!(second.into_luma8().into_raw(), [128, 255]);
        let problem = save_each(&folder, &[], &[0.0, 1.0], shape).unwrap_err().to_string();
        assert!(problem.contains("0001.png: it exists"), "{problem}");
    }
}
