//! Files that are not read, known by their first bytes or their names, and the lines that convert them.

use super::file::File;

/// How many first bytes show the kind of a file.
const BEGIN: u64 = 1024;

/// The kind of a file that is not read, and how to convert it.
pub(super) struct Foreign {
    /// Such as `an HDF5 file`.
    pub(super) what: &'static str,
    /// What to do, in lines that can be typed.
    pub(super) how: String,
}

/// The kind of `file`, if it is one that is known but not read.
pub(super) fn recognise(file: &File) -> Option<Foreign> {
    let begin = file.begin(BEGIN).ok()?;
    let path = file.path().display();
    let name = file.last_name().to_lowercase();
    let ends = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(&format!(".{ending}")));
    let starts = |bytes: &[u8]| begin.starts_with(bytes);
    let at = |place: usize, bytes: &[u8]| begin.get(place..).is_some_and(|rest| rest.starts_with(bytes));
    let python = |lines: [&str; 2]| {
        let [first, second] = lines.map(|line| line.replace("FILE", &path.to_string()));
        format!("convert it, in Python:\n    {first}\n    {second}\n  and give images.npz")
    };
    let shell = |line: &str| {
        format!("unpack it, and give the folder:\n    {}", line.replace("FILE", &path.to_string()))
    };
    let text = String::from_utf8_lossy(&begin[..begin.len().min(256)]).trim_start().to_lowercase();

    let (what, how) = if starts(b"\x89HDF\r\n\x1a\n") || starts(b"MATLAB 7.3 MAT-file") {
        let lines = [
            "import h5py, numpy; file = h5py.File('FILE'); print(list(file))",
            "numpy.savez('images.npz', images=file['NAME OF THE IMAGES'][:])",
        ];
        ("an HDF5 file", python(lines))
    } else if starts(b"MATLAB 5.0 MAT-file") || ends(&["mat"]) {
        let lines = [
            "import numpy, scipy.io; file = scipy.io.loadmat('FILE'); print(list(file))",
            "numpy.savez('images.npz', images=file['NAME OF THE IMAGES'])",
        ];
        ("a file of MATLAB", python(lines))
    } else if starts(b"PAR1") || starts(b"ARROW1") || ends(&["parquet", "arrow"]) {
        let reader = if starts(b"ARROW1") || ends(&["arrow"]) { "read_feather" } else { "read_parquet" };
        let table = format!("import os, pandas; os.makedirs('pictures'); table = pandas.{reader}('{path}')");
        let lines =
            "for i, it in enumerate(table['image']): open(f'pictures/{i:06}.png', 'wb').write(it['bytes'])";
        let how = format!("convert it, in Python:\n    {table}\n    {lines}\n  and give the folder pictures");
        ("a table of Parquet or Arrow", how)
    } else if text.starts_with("<!doctype html") || text.starts_with("<html") {
        (
            "a web page: the download failed",
            "open its address in a browser, and download the file again".into(),
        )
    } else if (starts(b"\x80") && begin.get(1).is_some_and(|version| (2..=5).contains(version)))
        || ends(&["pkl", "pickle"])
    {
        let lines = [
            "import numpy, pickle; it = pickle.load(open('FILE', 'rb'), encoding='bytes'); print(it.keys())",
            // The batches of CIFAR hold a row of planes for each image.
            if ends(&["pkl", "pickle"]) {
                "numpy.savez('images.npz', images=it['NAME OF THE IMAGES'])"
            } else {
                "numpy.savez('images.npz', images=it[b'data'].reshape(-1, 3, 32, 32), labels=it[b'labels'])"
            },
        ];
        ("a pickle of Python", python(lines))
    } else if ends(&["heic", "heif", "avif"])
        || at(4, b"ftypheic")
        || at(4, b"ftypmif1")
        || at(4, b"ftypavif")
    {
        let how = "convert all of them, with ImageMagick:\n    magick mogrify -format png *.heic";
        ("a picture in HEIF or AVIF", how.into())
    } else if at(4, b"ftyp")
        || (starts(b"RIFF") && at(8, b"AVI "))
        || starts(b"\x1aE\xdf\xa3")
        || starts(b"FLV\x01")
        || ends(&["mp4", "m4v", "mov", "avi", "mkv", "webm", "mpg", "mpeg", "wmv"])
    {
        let how = format!(
            "take pictures out of it, with ffmpeg:\n    mkdir pictures\n    ffmpeg -i {path} -vf fps=5 pictures/%06d.png\n  and give the folder pictures"
        );
        ("a video", how)
    } else if starts(b"7z\xbc\xaf\x27\x1c") {
        ("an archive of 7-Zip", shell("7z x FILE -opictures"))
    } else if starts(b"Rar!\x1a\x07") {
        ("a RAR archive", shell("7z x FILE -opictures"))
    } else if starts(b"\xfd7zXZ\0") || starts(b"\x28\xb5\x2f\xfd") || starts(b"BZh") {
        ("a file packed by xz, zstd or bzip2", shell("mkdir pictures\n    tar -xf FILE -C pictures"))
    } else if at(8, b"{\"") && ends(&["safetensors"]) {
        ("a file of weights (safetensors)", "give the images; weights are given with --from RUN".into())
    } else if ends(&["pt", "pth", "ckpt"]) {
        let lines = [
            "import numpy, torch; it = torch.load('FILE'); print(type(it))",
            "numpy.savez('images.npz', images=it)",
        ];
        ("a file of PyTorch", python(lines))
    } else if ends(&["tfrecord", "tfrecords"]) {
        let lines = [
            "import numpy, tensorflow_datasets as tfds; it = tfds.load('NAME', split='train', batch_size=-1)",
            "numpy.savez('images.npz', images=tfds.as_numpy(it)['image'])",
        ];
        ("a file of TensorFlow", python(lines))
    } else {
        return None;
    };
    Some(Foreign { what, how })
}

#[cfg(test)]
mod tests {
    use super::super::{Options, open};

    #[test]
    fn what_is_not_read_is_named_with_a_way_to_convert_it() {
        let place = tempfile::tempdir().unwrap();
        for (name, bytes, what, how) in [
            ("a.h5", &b"\x89HDF\r\n\x1a\nrest"[..], "an HDF5 file", "h5py.File"),
            ("b.parquet", b"PAR1\x15\x04", "Parquet", "read_parquet"),
            ("c.zip", b"  <!DOCTYPE html><html>404", "a web page", "download"),
            ("data_batch_1", b"\x80\x04\x95", "a pickle", "pickle.load"),
            ("d.mp4", b"\0\0\0\x20ftypisom", "a video", "ffmpeg -i"),
            ("e.avi", b"RIFF\0\0\0\0AVI LIST", "a video", "ffmpeg"),
            ("f.mkv", b"\x1aE\xdf\xa3\0", "a video", "ffmpeg"),
            ("g.7z", b"7z\xbc\xaf\x27\x1c", "7-Zip", "7z x"),
            ("h.tar.xz", b"\xfd7zXZ\0", "packed by xz", "tar -xf"),
            ("i.mat", b"MATLAB 5.0 MAT-file, Platform", "MATLAB", "loadmat"),
            ("j.safetensors", b"\x08\0\0\0\0\0\0\0{\"a\":", "weights", "--from"),
            ("k.pt", b"\x00", "PyTorch", "torch.load"),
            ("l.heic", b"\0\0\0\x18ftypheic", "HEIF", "magick"),
        ] {
            let folder = place.path().join(format!("in {name}"));
            std::fs::create_dir(&folder).unwrap();
            let path = folder.join(name);
            std::fs::write(&path, bytes).unwrap();
            for dataset in [&path, &folder] {
                let problem = open(dataset.to_str().unwrap(), &Options::default()).unwrap_err().to_string();
                for part in [name, what, how] {
                    assert!(problem.contains(part), "{part:?} is missing in:\n{problem}");
                }
            }
        }
    }
}
