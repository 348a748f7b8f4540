//! The files of `web/`, embedded in the program.

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_bytes!(concat!("../../web/", $name)))),*]
    };
}

/// Every file of a page, with its path in `web/`.
pub(super) const FILES: &[(&str, &[u8])] = files![
    "bundle.js",
    "charts.js",
    "choose.js",
    "closeup.js",
    "colours.js",
    "contours.js",
    "cpu.js",
    "dimensions.js",
    "draw.js",
    "explorer.js",
    "flat.js",
    "index.html",
    "kernels.js",
    "page.js",
    "paint_canvas.js",
    "paint_gpu.js",
    "path.js",
    "picture.js",
    "pixels.js",
    "plane.js",
    "point.js",
    "posterior.js",
    "programs.js",
    "random.js",
    "remote.js",
    "runtime.js",
    "session.js",
    "simd.wasm",
    "state.js",
    "status.js",
    "steps.js",
    "style.css",
    "train.js",
    "tries.js",
    "weights.js",
    "worker.js",
    "kernels/activation.js",
    "kernels/convolution.js",
    "kernels/distributions.js",
    "kernels/codes.js",
    "kernels/elementwise.js",
    "kernels/gather.js",
    "kernels/importance.js",
    "kernels/latent.js",
    "kernels/likelihood.js",
    "kernels/maps.js",
    "kernels/matmul.js",
    "kernels/norm.js",
    "kernels/optimizer.js",
    "kernels/penalties.js",
    "kernels/random.js",
    "kernels/sums.js",
];

/// The file called `name`.
pub(super) fn file(name: &str) -> Option<&'static [u8]> {
    FILES.iter().find(|(own, _)| *own == name).map(|(_, bytes)| *bytes)
}

/// The text of the file called `name`.
pub(super) fn text(name: &str) -> Option<&'static str> {
    std::str::from_utf8(file(name)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::path::Path;

    fn names(folder: &Path, prefix: &str, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = format!("{prefix}{}", path.file_name().unwrap().to_str().unwrap());
            if path.is_dir() {
                names(&path, &format!("{name}/"), found);
            } else if !name.ends_with(".wat") {
                found.insert(name);
            }
        }
    }

    #[test]
    fn every_file_of_a_page_is_embedded() {
        let mut found = BTreeSet::new();
        names(&Path::new(env!("CARGO_MANIFEST_DIR")).join("web"), "", &mut found);
        let listed: BTreeSet<String> = FILES.iter().map(|(name, _)| name.to_string()).collect();
        assert_eq!(found, listed);
    }
}
