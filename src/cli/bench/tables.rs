//! The tables of `vae bench`, for a terminal and for a page.

use vae::bench::{Ceilings, DeviceDescription, KernelRow, MatmulRow, Spread, StepRow};
use vae::text::{human_bytes, table, thousands};

/// A table under its title.
pub(super) struct Section {
    title: String,
    note: String,
    text: String,
    markdown: String,
}

impl Section {
    /// `None` where there are no rows.
    fn of<const N: usize>(
        title: &str,
        note: impl Into<String>,
        head: [&str; N],
        rows: &[[String; N]],
    ) -> Option<Self> {
        (!rows.is_empty()).then(|| Self {
            title: title.to_string(),
            note: note.into(),
            text: table(head, rows),
            markdown: markdown(head, rows),
        })
    }

    /// For a terminal.
    pub(super) fn text(&self) -> String {
        let Self { title, note, text, .. } = self;
        let colon = if note.is_empty() { "" } else { ": " };
        format!("\n{title}{colon}{note}\n\n{text}")
    }

    /// For a page.
    pub(super) fn markdown(&self) -> String {
        let Self { title, note, markdown, .. } = self;
        let note = if note.is_empty() { String::new() } else { format!("{}.\n\n", capitalised(note)) };
        format!("\n## {title}\n\n{note}{markdown}")
    }
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().collect::<String>() + letters.as_str())
}

/// A table in Markdown; `head` is that of [`table`].
pub(super) fn markdown<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    let line = |entries: &[String]| format!("| {} |\n", entries.join(" | "));
    let names = head.map(|name| name.trim_start_matches('>').to_string());
    let rule = head.map(|name| if name.starts_with('>') { "--:" } else { "---" }.to_string());
    let rows = rows.iter().map(|row| line(&row.each_ref().map(|entry| entry.replace('|', "\\|"))));
    line(&names) + &line(&rule) + &rows.collect::<String>()
}

/// Facts of the device: names and values.
pub(super) fn device(device: &DeviceDescription) -> Vec<[String; 2]> {
    let mut facts = vec![["device", &format!("{}, {}", device.name, device.kind)].map(String::from)];
    if !device.driver.is_empty() {
        let [least, most] = device.subgroup_size;
        let subgroups = if least == most { least.to_string() } else { format!("{least} to {most}") };
        let features: Vec<String> =
            device.features.iter().cloned().chain([format!("subgroups of {subgroups}")]).collect();
        facts.push(["driver".into(), format!("{}, {}", device.backend, device.driver)]);
        facts.push(["features".into(), features.join(", ")]);
    }
    facts.push(["timing".into(), format!("kernels by {}, training steps by wall clock", device.timing)]);
    facts
}

pub(super) fn ceilings(ceilings: &Ceilings) -> Vec<Section> {
    let Ceilings { gflops, gigabytes_per_second, dispatch_microseconds, submit_microseconds, .. } = ceilings;
    let largest = ceilings.bandwidths.last().map_or(0, |row| row.bytes);
    let rows = [
        ["multiply-add", &format!("{} GFLOP/s", figures(*gflops)), &ceilings.gflops_of],
        [
            "memory",
            &format!("{} GB/s", figures(*gigabytes_per_second)),
            &format!("buffers of {} together", human_bytes(largest)),
        ],
        ["dispatch", &format!("{dispatch_microseconds:.2} us"), "one more in a submit, after the one before"],
        ["submit", &format!("{submit_microseconds:.1} us"), "until the host knows that it is done"],
    ]
    .map(|row| row.map(String::from));
    let sizes: Vec<[String; 3]> = (ceilings.bandwidths.iter())
        .map(|row| [human_bytes(row.bytes), figures(row.copied), figures(row.read)])
        .collect();
    let head = ["ceiling", ">value", "of"];
    let first = Section::of("Ceilings", "each is the best of many runs", head, &rows);
    let note = "small buffers stay in caches; a copy reads one half of them and writes the other";
    let head = [">buffers", ">copied, GB/s", ">read, GB/s"];
    first.into_iter().chain(Section::of("Bandwidth", note, head, &sizes)).collect()
}

/// Three figures or more.
fn figures(value: f64) -> String {
    match value {
        v if v >= 1000.0 => thousands(v.round() as usize),
        v if v >= 100.0 => format!("{v:.0}"),
        v if v >= 10.0 => format!("{v:.1}"),
        v => format!("{v:.2}"),
    }
}

/// The median and the quartiles, in one unit.
fn time(time: Option<Spread>) -> [String; 2] {
    let Some(spread) = time else { return ["-".into(), String::new()] };
    let (factor, unit) = if spread.ms < 1.0 { (1e3, "us") } else { (1.0, "ms") };
    let [low, high] = [spread.ms_low, spread.ms_high].map(|ms| figures(ms * factor));
    [format!("{} {unit}", figures(spread.ms * factor)), format!("{low} .. {high}")]
}

fn rate(value: Option<f64>) -> String {
    value.map_or_else(|| "-".into(), figures)
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "-".into(), |share| format!("{:.0}%", 100.0 * share))
}

/// What is wrong with a row, in a word: one that has a time is faster than a ceiling.
fn wrong(time: Option<Spread>) -> String {
    if time.is_some() { "TOO FAST" } else { "WRONG" }.to_string()
}

pub(super) fn kernels(rows: &[KernelRow]) -> Option<Section> {
    let lines: Vec<[String; 8]> = rows
        .iter()
        .map(|row| {
            let [median, quartiles] = time(row.time);
            let ceiling = row.ceiling.unwrap_or("").to_string();
            [
                row.kernel.clone(),
                row.label.clone(),
                median,
                quartiles,
                rate(row.gflops),
                rate(row.gigabytes_per_second),
                percent(row.share),
                if row.problem.is_some() { wrong(row.time) } else { ceiling },
            ]
        })
        .collect();
    let head = ["kernel", "computes", ">time", ">quartiles", ">GFLOP/s", ">GB/s", ">of ceiling", ""];
    let note = "a whole training step of 784-500-20-tanh at batch 128, then those that other models use. The share is of the \
                nearer ceiling: multiply-adds, or the bandwidth of buffers that are no larger than the operands";
    Section::of("Kernels", note, head, &lines)
}

pub(super) fn products(rows: &[MatmulRow]) -> Option<Section> {
    let lines: Vec<[String; 8]> = rows
        .iter()
        .map(|row| {
            let [variant, median, quartiles, gflops, share, remark] = of_product(row);
            let size = format!("{}x{}x{}", row.m, row.n, row.k);
            [row.layout.name().to_string(), size, variant, median, quartiles, gflops, share, remark]
        })
        .collect();
    let head = ["layout", ">m x n x k", "variant", ">time", ">quartiles", ">GFLOP/s", ">of ceiling", ""];
    Section::of("Matrix products", "all variants; a plan uses those with *", head, &lines)
}

pub(super) fn convolutions(rows: &[MatmulRow]) -> Option<Section> {
    let lines: Vec<[String; 9]> = rows
        .iter()
        .map(|row| {
            let [variant, median, quartiles, gflops, share, remark] = of_product(row);
            let model = row.model.unwrap_or_default().to_string();
            let (window, layout) = (row.window.clone().unwrap_or_default(), row.layout.name().to_string());
            [model, window, layout, variant, median, quartiles, gflops, share, remark]
        })
        .collect();
    let head =
        ["preset", "convolution", "layout", "variant", ">time", ">quartiles", ">GFLOP/s", ">of ceiling", ""];
    let note = "items x small maps - large maps - window; nt computes the small maps, nn the large ones, tn the weights";
    Section::of("Convolutions", note, head, &lines)
}

/// Variant, time, quartiles, rate, share and remark.
fn of_product(row: &MatmulRow) -> [String; 6] {
    let [median, quartiles] = time(row.time);
    let chosen = if row.chosen { "*" } else { "" };
    let remark = match (&row.problem, &row.skipped) {
        (Some(_), _) => wrong(row.time),
        (_, Some(reason)) => format!("skipped: {reason}"),
        _ => String::new(),
    };
    [format!("{}{chosen}", row.variant), median, quartiles, rate(row.gflops), percent(row.share), remark]
}

pub(super) fn steps(rows: &[StepRow]) -> Option<Section> {
    let lines: Vec<[String; 7]> = rows
        .iter()
        .map(|row| {
            let [median, quartiles] = time(row.time);
            let speed = row.images_per_second.map(|speed| thousands(speed.round() as usize));
            [
                row.model.clone(),
                row.batch.to_string(),
                speed.unwrap_or_else(|| "WRONG".into()),
                median,
                quartiles,
                row.dispatches.to_string(),
                human_bytes(row.device_bytes),
            ]
        })
        .collect();
    let head = ["model", ">batch", ">images/s", ">step", ">quartiles", ">dispatches", ">device memory"];
    let note = "Adam; multilayer perceptrons with dynamic binarisation, presets with grey or coloured pixels; memory without \
                the images";
    Section::of("Training steps", note, head, &lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_few() {
        assert_eq!([0.5, 12.34, 345.6, 12_345.6].map(figures), ["0.50", "12.3", "346", "12,346"]);
        let spread = Spread { ms: 0.5, ms_low: 0.25, ms_high: 2.0, samples: 3 };
        assert_eq!(time(Some(spread)), ["500 us", "250 .. 2,000"].map(String::from));
        assert_eq!(time(None)[0], "-");
    }

    #[test]
    fn a_section_is_text_and_a_page() {
        let rows = [["a|b", "1"].map(String::from)];
        let section = Section::of("Title", "what it is", ["name", ">number"], &rows).unwrap();
        assert_eq!(section.text(), "\nTitle: what it is\n\nname  number\n────  ──────\na|b        1\n");
        assert_eq!(
            section.markdown(),
            "\n## Title\n\nWhat it is.\n\n| name | number |\n| --- | --: |\n| a\\|b | 1 |\n"
        );
        assert!(Section::of("Title", "", ["name"], &[]).is_none());
    }
}
