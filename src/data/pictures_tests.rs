//! Tests of [`super`] on small files: formats, damage, sizes, colours, transparency and depth.

use super::super::Fit;
use super::super::folder::tests::{folder_of, grey, open_with, opened};
use super::*;
use image::{DynamicImage, GrayImage, ImageBuffer, ImageFormat, Luma, Rgb, RgbImage, Rgba, RgbaImage};
use tempfile::TempDir;

fn rgb(width: u32, height: u32, value: [u8; 3]) -> DynamicImage {
    DynamicImage::ImageRgb8(RgbImage::from_pixel(width, height, Rgb(value)))
}

/// A picture with detail in every block.
fn detailed(width: u32, height: u32) -> DynamicImage {
    let value = |x: u32, y: u32| (x * x * 7 + y * y * 13 + x * y) as u8;
    DynamicImage::ImageLuma8(GrayImage::from_fn(width, height, |x, y| Luma([value(x, y)])))
}

/// All pixels, training first, and all notes.
fn read_all(folder: &TempDir, options: &Options) -> (ImageShape, Vec<u8>, String) {
    let data = open_with(folder, options).unwrap();
    (data.shape, [data.train.pixels(), data.test.pixels()].concat(), data.found.notes.join("\n"))
}

#[track_caller]
fn assert_error(folder: &TempDir, options: &Options, parts: &[&str]) {
    let message = open_with(folder, options).unwrap_err().to_string();
    for part in parts {
        assert!(message.contains(part), "'{part}' is missing in: {message}");
    }
}

fn skipping() -> Options {
    Options { skip_unreadable: true, ..Options::default() }
}

/// The bytes of `picture` in `format`.
fn encoded(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

const FORMATS: [(&str, ImageFormat); 6] = [
    ("png", ImageFormat::Png),
    ("jpg", ImageFormat::Jpeg),
    ("webp", ImageFormat::WebP),
    ("bmp", ImageFormat::Bmp),
    ("tiff", ImageFormat::Tiff),
    ("gif", ImageFormat::Gif),
];

#[test]
fn every_format_is_read_whatever_its_name() {
    for (name, format) in FORMATS {
        let folder = tempfile::tempdir().unwrap();
        let picture = if format == ImageFormat::Gif { rgb(8, 6, [99; 3]) } else { grey(8, 6, 99) };
        for file in [format!("a.{name}"), "b.png".into()] {
            std::fs::write(folder.path().join(file), encoded(&picture, format)).unwrap();
        }
        let (shape, pixels, _) = read_all(&folder, &Options::default());
        assert_eq!(shape, ImageShape { width: 8, height: 6, channels: 1 }, "{name}");
        assert!(pixels.iter().all(|&pixel| pixel.abs_diff(99) <= 1), "{name}: {pixels:?}");
    }
}

#[test]
fn a_cut_file_is_refused_in_every_format() {
    let picture = detailed(64, 48);
    for (name, format) in FORMATS {
        let picture = match format {
            ImageFormat::Gif | ImageFormat::WebP => DynamicImage::ImageRgb8(picture.to_rgb8()),
            _ => picture.clone(),
        };
        let whole = encoded(&picture, format);
        for percent in [5, 25, 50, 75, 90, 98] {
            let folder = folder_of(&[("a.png", grey(64, 48, 1)), ("b.png", grey(64, 48, 2))]);
            std::fs::write(folder.path().join("cut.png"), &whole[..whole.len() * percent / 100]).unwrap();
            let error = open_with(&folder, &Options::default());
            let message = error.err().unwrap_or_else(|| panic!("{name} cut to {percent} %")).to_string();
            assert!(message.contains("cut.png: the picture cannot be read: "), "{message}");
            assert_eq!(open_with(&folder, &skipping()).unwrap().found.files, 2);
        }
    }
}

#[test]
fn a_cut_jpeg_is_named_as_such_and_padding_is_not_minded() {
    let whole = encoded(&detailed(40, 24), ImageFormat::Jpeg);
    let folder = folder_of(&[("a.jpg", detailed(40, 24)), ("b.jpg", detailed(40, 24))]);
    let write = |bytes: &[u8]| std::fs::write(folder.path().join("c.jpg"), bytes).unwrap();
    for length in [whole.len() / 2, whole.len() - 1, whole.len() - 2] {
        write(&whole[..length]);
        assert_error(&folder, &Options::default(), &["c.jpg: ", "it is cut short", "--skip-unreadable"]);
        write(&[&whole[..length], &[0; 50]].concat());
        assert_error(&folder, &Options::default(), &["c.jpg: ", "it is cut short"]);
    }
    write(&[&whole[..], &[0; 37]].concat());
    assert_eq!(opened(&folder).found.files, 3);
}

#[test]
fn all_bad_files_are_named_at_once() {
    let folder = folder_of(&[("a.png", grey(8, 8, 1)), ("y.png", grey(8, 8, 2)), ("z.png", grey(8, 8, 3))]);
    let whole = encoded(&detailed(8, 8), ImageFormat::Png);
    let bad: [(&str, &[u8], &str); 5] = [
        ("b.png", b"", "it is empty"),
        ("c.jpg", b"<!DOCTYPE html><html>404</html>", "it is a web page"),
        ("d.png", b"no picture", "it is no png, jpeg"),
        ("e.png", &whole[..20], "it is cut short"),
        ("f.png", &whole[..whole.len() - 20], "cut short"),
    ];
    for (name, bytes, _) in bad {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    let message = open_with(&folder, &Options::default()).unwrap_err().to_string();
    assert!(message.contains("5 of 8 pictures cannot be read:"), "{message}");
    for (name, _, why) in bad {
        let line = message.lines().find(|line| line.trim().starts_with(&format!("{name}: ")));
        assert!(line.is_some_and(|line| line.contains(why)), "{name}: {why} is missing in: {message}");
    }
    assert!(message.contains("take them out of the folder") && message.contains("--skip-unreadable"));

    let data = open_with(&folder, &skipping()).unwrap();
    assert_eq!((data.found.files, data.found.passed_over.len()), (3, 5));
    assert_eq!(data.found.passed_over[1].name, "c.jpg");
    assert!(data.found.notes[0].contains("5 of 8 pictures cannot be read, and are passed over"));
    let mut named: Vec<(String, u8)> = Vec::new();
    for part in [&data.train, &data.test] {
        named.extend(part.names.iter().cloned().zip((0..part.count).map(|index| part.image(index)[0])));
    }
    named.sort();
    let names: Vec<(&str, u8)> = named.iter().map(|(name, value)| (&**name, *value)).collect();
    assert_eq!(names, [("a.png", 1), ("y.png", 2), ("z.png", 3)]);

    for index in 0..12 {
        std::fs::write(folder.path().join(format!("bad{index:02}.png")), "").unwrap();
    }
    assert_error(&folder, &Options::default(), &["17 of 20 pictures", "bad08.png", "and 7 more"]);
}

#[test]
fn without_bad_files_labels_stay_in_step() {
    let folder = folder_of(&[
        ("train/a/1.png", grey(2, 2, 10)),
        ("train/b/3.png", grey(2, 2, 11)),
        ("test/a/1.png", grey(2, 2, 20)),
        ("test/b/2.png", grey(2, 2, 21)),
    ]);
    std::fs::write(folder.path().join("train/a/2.png"), "").unwrap();
    // Its header is whole and its size another: it must not decide.
    let cut = encoded(&detailed(90, 90), ImageFormat::Png);
    std::fs::write(folder.path().join("test/a/2.png"), &cut[..cut.len() / 2]).unwrap();
    let data = open_with(&folder, &skipping()).unwrap();
    assert_eq!(data.shape, ImageShape { width: 2, height: 2, channels: 1 });
    assert_eq!((data.train.names.join(" "), data.test.names.join(" ")).0, "train/a/1.png train/b/3.png");
    assert_eq!(*data.train.pixels(), [[10; 4], [11; 4]].concat());
    assert_eq!(*data.test.pixels(), [[20; 4], [21; 4]].concat());
    assert_eq!((data.train.labels().unwrap(), data.test.labels().unwrap()), (&[0, 1][..], &[0, 1][..]));
    for name in ["test/a/1.png", "test/b/2.png"] {
        std::fs::write(folder.path().join(name), "").unwrap();
    }
    assert_error(&folder, &skipping(), &["no picture of the part 'test' can be read"]);
}

#[test]
fn grey_pictures_that_are_stored_in_colour_are_grey() {
    let palette_like = rgb(4, 4, [200; 3]);
    let alpha = DynamicImage::ImageRgba8(grey(4, 4, 9).to_rgba8());
    for second in [palette_like, alpha, DynamicImage::ImageLuma16(grey(4, 4, 9).to_luma16())] {
        let folder = folder_of(&[("a.png", grey(4, 4, 7)), ("b.png", second.clone())]);
        let (shape, pixels, notes) = read_all(&folder, &Options::default());
        assert_eq!((shape.channels, pixels.len()), (1, 32));
        assert_eq!(notes.contains("--color rgb"), second.color().has_color(), "{notes}");
        let options = Options { colour: Some(Colour::Rgb), ..Options::default() };
        assert_eq!(read_all(&folder, &options).0.channels, 3);
    }
    // Of a JPEG too, and one pixel of another colour is enough to keep colours.
    let folder = folder_of(&[("a.jpg", DynamicImage::ImageRgb8(detailed(16, 16).to_rgb8()))]);
    std::fs::copy(folder.path().join("a.jpg"), folder.path().join("b.jpg")).unwrap();
    assert_eq!(opened(&folder).shape.channels, 1);
    let mut coloured = detailed(16, 16).to_rgb8();
    coloured.put_pixel(9, 9, Rgb([8, 8, 9]));
    coloured.save(folder.path().join("c.png")).unwrap();
    let (shape, _, notes) = read_all(&folder, &Options::default());
    assert_eq!((shape.channels, notes.as_str()), (3, ""));
}

#[test]
fn several_or_large_sizes_need_no_flag() {
    let folder =
        folder_of(&[("a.png", grey(40, 20, 9)), ("b.png", grey(20, 44, 9)), ("c.png", grey(60, 60, 9))]);
    let (shape, pixels, notes) = read_all(&folder, &Options::default());
    assert_eq!((shape.width, shape.height), (16, 16));
    assert!(pixels.iter().all(|&pixel| pixel == 9));
    assert!(notes.contains("from 40x20 to 60x60, and are read as 16x16; --image-size changes it"), "{notes}");
    let options = Options { image_size: Some((5, 3)), ..Options::default() };
    let (shape, _, notes) = read_all(&folder, &options);
    assert_eq!((shape.width, shape.height, notes.as_str()), (5, 3, ""));
    let large = folder_of(&[("a.png", grey(70, 90, 9)), ("b.png", grey(70, 90, 9))]);
    assert_eq!(opened(&large).shape.width, 64);
}

#[test]
fn pads_are_background() {
    let folder = folder_of(&[("a.png", grey(8, 4, 240)), ("b.png", grey(8, 4, 240))]);
    let options = Options { image_size: Some((4, 4)), fit: Fit::Pad, ..Options::default() };
    let (_, pixels, notes) = read_all(&folder, &options);
    assert_eq!(pixels[..8], [255, 255, 255, 255, 240, 240, 240, 240]);
    assert!(notes.contains("padded with white"), "{notes}");
    let options = Options { background: Some(Background([50; 3])), ..options };
    let (_, pixels, notes) = read_all(&folder, &options);
    assert_eq!((&pixels[..4], notes.as_str()), (&[50; 4][..], ""));
}

/// Ink of this value on the left, nothing on the right.
fn logo(ink: [u8; 3]) -> DynamicImage {
    let [r, g, b] = ink;
    DynamicImage::ImageRgba8(RgbaImage::from_fn(4, 2, |x, _| Rgba([r, g, b, if x < 2 { 255 } else { 0 }])))
}

#[test]
fn transparent_pictures_show_their_ink() {
    for (ink, background, word) in [(0, 255, "over white"), (250, 0, "over black")] {
        let folder = folder_of(&[("a.png", logo([ink; 3])), ("b.png", grey(4, 2, 130))]);
        let options = Options { test_fraction: 0.5, ..Options::default() };
        let data = open_with(&folder, &options).unwrap();
        let part = if data.train.names == ["a.png"] { &data.train } else { &data.test };
        assert_eq!(data.shape.channels, 1);
        assert_eq!(part.pixels()[..4], [ink, ink, background, background]);
        assert!(data.found.notes.iter().any(|note| note.contains(word)), "{:?}", data.found.notes);
        assert_eq!(data.found.look.unwrap().background, Some(Background([background; 3])));
    }
    // A coloured background colours grey ink.
    let folder = folder_of(&[("a.png", logo([9; 3])), ("b.png", logo([9; 3]))]);
    let options = Options { background: Some(Background([1, 2, 200])), ..Options::default() };
    let (shape, pixels, notes) = read_all(&folder, &options);
    assert_eq!((shape.channels, notes.as_str()), (3, ""));
    assert_eq!(pixels[..12], [9, 9, 9, 9, 9, 9, 1, 2, 200, 1, 2, 200]);
    // Opaque pictures with an alpha channel need no background.
    let opaque = DynamicImage::ImageRgba8(rgb(4, 2, [10, 20, 30]).to_rgba8());
    let folder = folder_of(&[("a.png", opaque.clone()), ("b.png", opaque)]);
    let data = opened(&folder);
    assert_eq!(*data.train.pixels(), [10, 20, 30].repeat(8));
    assert_eq!((data.found.notes.len(), data.found.look.unwrap().background), (0, None));
}

#[test]
fn deep_pictures_are_stretched_when_asked() {
    let deep =
        |values: [u16; 4]| DynamicImage::ImageLuma16(ImageBuffer::from_raw(2, 2, values.to_vec()).unwrap());
    let folder = folder_of(&[("a.png", deep([100, 2000, 4095, 100])), ("b.png", deep([500; 4]))]);
    let (_, pixels, notes) = read_all(&folder, &Options::default());
    assert!(pixels.iter().all(|&pixel| pixel <= 16));
    assert!(notes.contains("4095 of 65535") && notes.contains("--stretch"), "{notes}");
    let options = Options { stretch: true, ..Options::default() };
    let data = open_with(&folder, &options).unwrap();
    assert_eq!(data.found.look.unwrap().range, Some([100, 4095]));
    let pixels = [data.train.pixels(), data.test.pixels()].concat();
    assert_eq!((pixels.iter().min(), pixels.iter().max()), (Some(&0), Some(&255)));
    assert!(data.found.notes.is_empty());
    // With the range that was found, another picture is read in the same way.
    let one = [folder.path().join("b.png")];
    let part = read_pictures(&one, data.shape, &data.found.look.unwrap()).unwrap();
    assert_eq!(*part.pixels(), [26; 4]);
    let full = folder_of(&[("a.png", deep([0, 1, 2, 65535])), ("b.png", deep([7; 4]))]);
    assert!(opened(&full).found.notes.is_empty());
}

#[test]
fn pictures_of_a_run_are_named_when_they_cannot_be_read() {
    let folder = folder_of(&[("a.png", grey(9, 5, 3))]);
    let shape = ImageShape { width: 4, height: 4, channels: 3 };
    let paths =
        |names: &[&str]| -> Vec<PathBuf> { names.iter().map(|name| folder.path().join(name)).collect() };
    let read = |names: &[&str]| read_pictures(&paths(names), shape, &Look::default());
    let part = read(&["a.png", "a.png"]).unwrap();
    assert_eq!((part.count, part.pixels().len()), (2, 2 * 48));
    std::fs::write(folder.path().join("page.png"), "<html></html>").unwrap();
    for (names, parts) in [
        (&["a.png", "missing.png"][..], &["missing.png: ", "there is no such file", "give the paths"][..]),
        (&["page.png"], &["page.png: ", "it is a web page"]),
        (&["page.png", "a.png", "missing.png"], &["2 of 3 pictures", "page.png", "missing.png: there is no"]),
    ] {
        let message = read(names).unwrap_err().to_string();
        for part in parts {
            assert!(message.contains(part), "{message}");
        }
        assert!(!message.contains("--skip-unreadable"), "{message}");
    }
}

#[test]
fn headers_that_announce_too_much_are_refused() {
    let folder = folder_of(&[("a.jpg", detailed(8, 8)), ("b.jpg", detailed(8, 8))]);
    let path = folder.path().join("a.jpg");
    let mut bytes = std::fs::read(&path).unwrap();
    let frame = bytes.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
    bytes[frame + 5..frame + 9].copy_from_slice(&[0x20, 0, 0x20, 0]);
    std::fs::write(&path, bytes).unwrap();
    assert_error(&folder, &Options::default(), &["a.jpg: ", "fewer bytes than its pixels need"]);
}

#[test]
fn arrays_are_stretched_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("images-idx3-ubyte");
    let shape = ImageShape { width: 2, height: 1, channels: 1 };
    super::super::idx::write_images(&path, shape, &[10, 20, 20, 30]).unwrap();
    let options = Options { stretch: true, test_fraction: 0.5, ..Options::default() };
    let data = open_with(&folder, &options).unwrap();
    let mut all = [data.train.pixels(), data.test.pixels()].concat();
    all.sort_unstable();
    assert_eq!(all, [0, 128, 128, 255]);
    let range = Some([10 * 257, 30 * 257]);
    assert_eq!(data.found.look.unwrap().range, range);
    let again = Options { stretch: false, range, ..options };
    assert_eq!(open_with(&folder, &again).unwrap().train, data.train);
}
