//! The curves of a recipe: lower bound by images seen, as in figure 2 of Kingma and Welling.

use crate::report::EpochRecord;
use crate::report::frame::{Frame, heading, label};
use crate::report::scene::{Anchor, Colour, Scene};
use image::RgbImage;

/// The ELBO of held-out images (solid) and of training images (dashed) against the number of training images seen, with
/// one colour for each variant. `runs` are names and histories.
pub fn curves(runs: &[(String, Vec<EpochRecord>)], title: &str) -> RgbImage {
    let mut scene = Scene::new(960.0, 560.0);
    scene.text((470.0, 24.0), title, heading(Anchor::Middle));
    let records = || runs.iter().flat_map(|(_, history)| history);
    let seen = |pick: fn(f64, f64) -> f64, start| {
        records().map(|record| record.images as f64).filter(|images| *images > 0.0).fold(start, pick)
    };
    let (first, last) = (seen(f64::min, f64::INFINITY), seen(f64::max, 0.0));
    let finals: Vec<f64> = runs
        .iter()
        .filter_map(|(_, history)| Some(history.last()?.test_elbo))
        .filter(|v| v.is_finite())
        .collect();
    if finals.is_empty() || last <= 0.0 {
        scene.text((470.0, 260.0), "no epochs yet", label(Colour::Soft, Anchor::Middle));
        return scene.to_png();
    }
    let bounds = || records().flat_map(|r| [r.test_elbo, r.train_elbo]).filter(|v| v.is_finite());
    let highest = bounds().fold(f64::NEG_INFINITY, f64::max);
    // The first epochs lie far below. The worst final value decides how much of them is shown, unless all final values
    // are close together.
    let worst = finals.iter().copied().fold(f64::INFINITY, f64::min);
    let rise = (highest - bounds().fold(f64::INFINITY, f64::min)).min(0.5 * highest.abs());
    let span = (highest - worst).max(0.4 * rise).max(1e-3 * worst.abs()).max(1e-6);
    let x = (first.min(last / 2.0) / 1.15, last * 1.15);
    let mut frame = Frame::new((90.0, 56.0), (660.0, 430.0), x, (worst - 1.2 * span, highest + 0.1 * span));
    frame.log_x = true;
    frame.axes(&mut scene, "", ["training images seen", "ELBO, nats per image"], [8, 9]);
    for (i, (name, history)) in runs.iter().enumerate() {
        let colour = Colour::Series(i);
        let line = |of: fn(&EpochRecord) -> f64| -> Vec<(f64, f64)> {
            history.iter().map(|record| (record.images as f64, of(record))).collect()
        };
        let held_out = line(|record| record.test_elbo);
        frame.dashes(&mut scene, &line(|record| record.train_elbo), colour, 1.4);
        frame.line(&mut scene, &held_out, colour, 2.2);
        if held_out.len() <= 40 {
            frame.dots(&mut scene, &held_out, 3.2, colour, 1.0);
        }
        let y = 70.0 + 26.0 * i as f64;
        scene.line(&[(770.0, y), (796.0, y)], colour, 2.6);
        scene.text((804.0, y), name.clone(), label(Colour::Ink, Anchor::Start));
    }
    let y = 78.0 + 26.0 * runs.len() as f64;
    for (line, text) in ["solid: held out", "dashed: trained on"].into_iter().enumerate() {
        scene.text((770.0, y + 22.0 * line as f64), text, label(Colour::Soft, Anchor::Start));
    }
    scene.to_png()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(images: u64, elbo: f64) -> EpochRecord {
        EpochRecord {
            epoch: 1,
            step: 1,
            images,
            train_elbo: elbo + 1.0,
            test_elbo: elbo,
            ..EpochRecord::default()
        }
    }

    #[test]
    fn every_variant_is_drawn_in_its_colour() {
        let runs: Vec<(String, Vec<EpochRecord>)> = (0..3)
            .map(|i| {
                let history =
                    (1..20).map(|e| record(600 * e, -130.0 + f64::from(i) - 90.0 / e as f64)).collect();
                (format!("variant {i}"), history)
            })
            .collect();
        let picture = curves(&runs, "title");
        for i in 0..3 {
            let colour = Colour::Series(i).bytes();
            let count = picture.pixels().filter(|pixel| pixel.0 == colour).count();
            assert!(count > 300, "{i}: {count}");
        }
    }

    /// With one variant there are no other final values to scale by; its curve must be visible all the same.
    #[test]
    fn a_variant_alone_shows_how_it_rises() {
        let history: Vec<EpochRecord> = (1..6).map(|e| record(600 * e, -140.0 - 60.0 / e as f64)).collect();
        let picture = curves(&[("alone".into(), history)], "title");
        let colour = Colour::Series(0).bytes();
        let across = picture.enumerate_pixels().filter(|(x, _, pixel)| *x < 700 && pixel.0 == colour);
        let (first, last) = across.fold((u32::MAX, 0), |(a, b), (x, _, _)| (a.min(x), b.max(x)));
        assert!(last > first + 300, "{first} {last}");
    }

    #[test]
    fn any_history_makes_a_picture() {
        for history in [vec![], vec![record(0, -1.0)], vec![record(5, f64::NAN)], vec![record(5, -1e9); 2]] {
            assert_eq!(curves(&[("a".into(), history)], "").dimensions(), (960, 560));
        }
    }
}
