use super::super::canvas::tests::dark;
use super::super::manifold_axis;
use super::*;

const GREY: ImageShape = ImageShape { width: 28, height: 28, channels: 1 };
const COLOUR: ImageShape = ImageShape { width: 64, height: 48, channels: 3 };

#[test]
fn titles_are_drawn() {
    let images = vec![1.0; 40 * GREY.pixels()];
    for picture in [
        samples(&images, GREY, 8, "samples"),
        interpolation(&images, GREY, 5, 8, "interpolation"),
        reconstructions(&vec![255; 40 * GREY.pixels()], &images, GREY, "reconstructions"),
        manifold(&images, GREY, 6, &manifold_axis(6), "manifold"),
    ] {
        assert!(dark(&picture, (0, picture.width()), (0, HEADER)) > 150);
    }
}

#[test]
fn the_manifold_has_ticks_on_both_axes() {
    let picture = manifold(&vec![1.0; 36 * GREY.pixels()], GREY, 6, &manifold_axis(6), "");
    let (width, height) = picture.dimensions();
    assert!(dark(&picture, (0, MARGIN + 76), (HEADER, height - 80)) > 50);
    assert!(dark(&picture, (MARGIN + 76, width), (height - 80, height)) > 50);
}

#[test]
fn each_value_lands_on_its_pixel() {
    // Two images of 2x1: clamped floats, and colour channels in their order.
    let shape = ImageShape { width: 2, height: 1, channels: 3 };
    let values = [0.0, 0.5, 1.0, -3.0, 7.0, f32::NAN, 1.0, 0.0, 0.0, 0.2, 0.4, 0.6];
    let picture = samples(&values, shape, 2, "");
    let layout = Layout::new(2, 1, shape, (3, 3), (0, 0));
    let (_, corner) = layout.picture(0, 0);
    assert_eq!((layout.width, layout.height), (16, 8));
    let at = |x, y| picture.get_pixel(corner.0 + x, corner.1 + y).0;
    assert_eq!(at(0, 0), [0, 128, 255]);
    assert_eq!(at(7, 7), [0, 128, 255]);
    assert_eq!(at(8, 0), [0, 255, 0]);
    assert_eq!(at(17, 3), [255; 3]);
    assert_eq!(at(19, 0), [255, 0, 0]);
    assert_eq!(at(34, 7), [51, 102, 153]);
}

#[test]
fn a_reconstruction_is_under_its_original() {
    let shape = ImageShape { width: 20, height: 20, channels: 1 };
    let originals: Vec<u8> = (0..24).flat_map(|i| [i * 10; 400]).collect();
    let rebuilt: Vec<f32> = originals.iter().map(|&v| f32::from(v) / 255.0).collect();
    let picture = reconstructions(&originals, &rebuilt, shape, "");
    let layout = Layout::new(12, 4, shape, (3, 2), (2, 14));
    let (_, corner) = layout.picture(text_width("reconstruction", LABEL, false) + 12, 0);
    for index in 0..24 {
        let (x, row) = (corner.0 + layout.x(index % 12) + 1, 2 * (index / 12));
        for row in [row, row + 1] {
            let value = picture.get_pixel(x, corner.1 + layout.y(row) + 1).0;
            assert_eq!(value, [index as u8 * 10; 3], "{index}");
        }
    }
}

#[test]
fn sizes_are_comfortable_and_bounded() {
    let width = |shape: ImageShape, columns| Layout::new(columns, 10, shape, (3, 3), (0, 0)).size().0;
    for columns in 8..=40 {
        assert!((560..=1250).contains(&width(GREY, columns)), "{columns}: {}", width(GREY, columns));
    }
    let large = ImageShape { width: 256, height: 256, channels: 3 };
    for (columns, rows) in [(1, 1), (40, 40), (1, 5000), (5000, 1), (3700, 3700), (10, 1000)] {
        for (shape, group) in [(GREY, (0, 0)), (COLOUR, (2, 14)), (large, (2, 14))] {
            let layout = Layout::new(columns, rows, shape, (3, 3), group);
            let (picture, _) = layout.picture(110, 60);
            assert!(picture.width() <= 4000 && picture.height() <= 4000, "{layout:?}");
        }
    }
}

#[test]
fn nothing_and_one_image_make_a_picture() {
    let none = ImageShape { width: 0, height: 0, channels: 0 };
    for (shape, count) in [(GREY, 0), (GREY, 1), (COLOUR, 0), (COLOUR, 1), (none, 0)] {
        let floats = vec![0.5; count * shape.pixels()];
        let bytes = vec![5; count * shape.pixels()];
        for picture in [
            samples(&floats, shape, 0, "samples"),
            samples(&floats, shape, 10, ""),
            interpolation(&floats, shape, 0, 0, "interpolation"),
            interpolation(&floats, shape, 3, 4, "more rows than images"),
            reconstructions(&bytes, &floats, shape, "reconstructions"),
            reconstructions(&bytes, &[], shape, "reconstructions"),
            manifold(&floats, shape, 0, &[], "manifold"),
            manifold(&floats, shape, 1, &[0.0], "manifold"),
            manifold(&floats, shape, 5, &[0.0, 1.0], "manifold"),
        ] {
            assert!(picture.width() >= NARROWEST && picture.height() > HEADER);
        }
    }
}

#[test]
fn ticks_spread_evenly() {
    assert_eq!(spread(20, 9), [0, 3, 5, 8, 11, 14, 16, 19]);
    assert_eq!(spread(21, 9), [0, 4, 8, 12, 16, 20]);
    assert_eq!(spread(5, 9), [0, 1, 2, 3, 4]);
    assert_eq!(spread(2, 9), [0, 1]);
    assert_eq!(spread(1, 9), [0]);
    assert_eq!(spread(7, 1), [3]);
    assert!(spread(0, 9).is_empty());
    for (count, most) in (1..60).flat_map(|count| (2..10).map(move |most| (count, most))) {
        let ticks = spread(count, most);
        assert!(ticks.len() <= most && ticks.windows(2).all(|pair| pair[0] < pair[1]), "{count}, {most}");
        assert!(count == 1 || (ticks[0] == 0 && ticks.last() == Some(&(count - 1))), "{count}, {most}");
    }
}
