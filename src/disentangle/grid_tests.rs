//! The factors of dSprites, all 737,280 combinations, and classifiers beside those of scikit-learn.

use super::boosting::{Boosting, Features};
use super::logistic::Logistic;
use super::svm::Svm;
use super::*;

const SIZES: [usize; 5] = [3, 6, 40, 32, 32];

/// `count` items of the grid, drawn with five exact codes and five of noise.
fn grid(count: usize) -> Items {
    let mut random = Random::new(1, 99);
    let (mut codes, mut classes) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let row = SIZES.map(|size| random.below(size) as u32);
        codes.extend(row.map(f64::from));
        codes.extend((0..5).map(|_| random.normal()));
        classes.extend(row);
    }
    Items::new(codes, 10, classes, SIZES.to_vec()).unwrap()
}

/// 20 bins do not fit 40 and 32 values: even exact codes have no gap of one.
#[test]
fn exact_codes_of_dsprites_have_gaps_below_one() {
    let items = grid(10_000);
    let gaps = mig(&items, 20);
    assert!((gaps.mean - 0.895).abs() < 0.004, "{gaps:?}");
    for (gap, expected) in gaps.per_factor.iter().zip([0.998, 0.996, 0.802, 0.840, 0.841]) {
        assert!((gap - expected).abs() < 0.006, "{gap} {expected}");
    }
    let modularity = modularity(&gaps.information).unwrap();
    // Codes of noise know a little of each factor, by chance: 0.832 with a deviation of 0.010 from draw to draw, in NumPy.
    assert!((modularity - 0.832).abs() < 0.03, "{modularity}");
}

/// 113 classes on 10,000 items with ten codes: 11,300 trees.
#[test]
#[ignore = "a measurement of time, for an optimised build"]
fn all_metrics_of_dsprites_in_time() {
    let items = grid(15_000);
    // Codes that each follow several factors, and noise: nodes never become pure.
    let mixed = (0..items.count()).flat_map(|item| {
        let code = items.code(item);
        (0..10).map(move |i| {
            code[i % 5] / SIZES[i % 5] as f64 + 0.2 * code[5 + i % 5] + 0.3 * code[(i + 1) % 5] / 20.0
        })
    });
    let labels = (0..items.count()).flat_map(|item| (0..5).map(move |factor| (item, factor)));
    let labels = labels.map(|(item, factor)| items.class(item, factor)).collect();
    let mixed = Items::new(mixed.collect(), 10, labels, SIZES.to_vec()).unwrap();
    for items in [&items, &mixed] {
        let [train, test] = items.split(10_000, 5_000, &mut Random::new(0, 0));
        let start = std::time::Instant::now();
        let found = dci(&train, &test, 100, 0);
        let seconds = start.elapsed().as_secs_f64();
        eprintln!("DCI in {seconds:.1} s: {:?}", found.accuracies);
        assert!(seconds < 15.0);
    }
    let start = std::time::Instant::now();
    let scores = Scores::of(&items, &Settings::default()).unwrap();
    eprintln!("all in {:.1} s: {scores:?}", start.elapsed().as_secs_f64());
}

/// 90 items of three features, with labels of three and of two classes.
fn fixture() -> (Items, Vec<u32>, Vec<u32>) {
    let mut state = 1_u64;
    let mut draw = |bound: u64| {
        state = (state * 1_103_515_245 + 12345) % (1 << 31);
        ((state >> 16) % bound) as f64 / 1024.0
    };
    let (mut codes, mut three, mut two) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..90 {
        let row = [draw(1024), draw(1024), draw(1024)];
        let sum = row[0] + 0.5 * row[1] + draw(256);
        three.push(u32::from(sum >= 0.6) + u32::from(sum >= 1.1));
        two.push(u32::from(row[2] + draw(512) > 0.8));
        codes.extend(row);
    }
    (Items::new(codes, 3, three.clone(), vec![3]).unwrap(), three, two)
}

fn close(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (a, b) in found.iter().zip(expected) {
        assert!((a - b).abs() <= tolerance, "{found:?} {expected:?}");
    }
}

/// scikit-learn 1.9.1 on these items: `GradientBoostingClassifier(n_estimators=25)`. Equally good features stand in another
/// order there, which moves importances by up to 0.006 from seed to seed.
#[test]
fn boosting_agrees_with_that_of_scikit_learn() {
    let (items, three, two) = fixture();
    let features = Features::of(&items);
    let model = Boosting::fit(&features, &three, 25, 0);
    close(&model.importance, &[0.5354, 0.3588, 0.1058], 0.004);
    assert_eq!(model.accuracy(&items, &three), 1.0);
    let model = Boosting::fit(&features, &two, 25, 0);
    close(&model.importance, &[0.1010, 0.0906, 0.8084], 0.01);
    assert_eq!(model.accuracy(&items, &two), 1.0);
    let model = Boosting::fit(&features, &vec![7; 90], 25, 0);
    assert_eq!((model.accuracy(&items, &vec![7; 90]), model.importance), (1.0, vec![0.0; 3]));
}

/// `LinearSVC(C=0.01, class_weight="balanced", dual=False, tol=1e-12)` of scikit-learn 1.9.1.
#[test]
fn support_vector_machines_agree_with_those_of_scikit_learn() {
    let (items, three, two) = fixture();
    let model = Svm::fit(&items.column(0), &three);
    let slopes = [-0.32391885790784364, -0.06223835572414273, 0.13883125783270198];
    let intercepts = [-0.16452994735923415, -0.07981402129779193, -0.3049003915116544];
    close(&model.lines.iter().map(|line| line[0]).collect::<Vec<_>>(), &slopes, 1e-7);
    close(&model.lines.iter().map(|line| line[1]).collect::<Vec<_>>(), &intercepts, 1e-7);
    close(&[model.accuracy(&items.column(0), &three)], &[0.5333333333333333], 1e-12);
    let model = Svm::fit(&items.column(2), &two);
    close(&model.lines[1], &[0.30971483395939015, -0.0988166333487216], 1e-7);
    close(&[model.accuracy(&items.column(2), &two)], &[0.7777777777777778], 1e-12);
}

/// `LogisticRegression(tol=1e-10)` of scikit-learn 1.9.1, and `roc_auc_score`.
#[test]
fn logistic_regression_agrees_with_that_of_scikit_learn() {
    let (items, three, two) = fixture();
    let rows: Vec<f64> = (0..90).flat_map(|item| items.code(item).to_vec()).collect();
    let expected = [
        [-2.642360360788967, -1.791111720898597, 0.8023916317770703, 1.4788977350206032],
        [-0.19858964365234935, 0.10945626142888233, -0.5912691463374491, 1.0662552574854574],
        [2.8409500044413183, 1.6816554594697148, -0.21112248543962112, -2.5451529925060683],
    ];
    close(&Logistic::fit(&rows, 3, &three).weights, expected.as_flattened(), 2e-4);
    let first = &Logistic::fit(&rows, 3, &two).probabilities(&rows)[0];
    close(first, &[0.2441702584, 0.7558297416], 1e-4);
    close(&[explicitness(&items, &items).0], &[0.9837919460713579], 1e-3);
}
