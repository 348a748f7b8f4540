//! The progress display: a bar on terminals, lines in log files.

use std::io::Write;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::EpochRecord;
use crate::text::thousands;

/// Without a terminal, shortest time between the lines of two epochs.
const EPOCH_LINES: Duration = Duration::from_secs(1);
/// Lines of epochs between two that name their columns.
const LINES: usize = 30;
/// Without a terminal, longest time without a line during an epoch.
const STEP_LINES: Duration = Duration::from_secs(10);

/// The state of training. ELBO and its terms are recent means in nats per image.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// The epoch that is running, counted from 1.
    pub epoch: u64,
    /// Number of epochs in all, if known.
    pub epochs: Option<u64>,
    /// The evidence lower bound.
    pub elbo: f64,
    /// Its reconstruction term.
    pub reconstruction: f64,
    /// Its KL divergence.
    pub kl: f64,
    /// Throughput.
    pub images_per_second: f64,
    /// Seconds until the end, if known.
    pub seconds_left: Option<f64>,
}

/// The use of latent units after an epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Units {
    /// Units in use.
    pub active: usize,
    /// All units.
    pub all: usize,
    /// Importance samples, and the bound L_K with them, where that is the objective.
    pub bound: Option<(usize, f64)>,
}

/// Shows the progress of training.
pub struct Progress {
    total_steps: Option<u64>,
    steps_per_epoch: u64,
    bar: Option<ProgressBar>,
    output: Box<dyn Write + Send>,
    last: Snapshot,
    /// The line of an epoch that ended too soon after the line before it.
    held_back: Option<String>,
    /// Whether the model has a loss and no bound on the evidence.
    has_loss: bool,
    /// What the next epoch's line says of the latent units.
    units: Units,
    /// Lines of epochs that were written.
    lines: usize,
    written: Option<Instant>,
}

impl std::fmt::Debug for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Progress").field("total_steps", &self.total_steps).finish_non_exhaustive()
    }
}

impl Progress {
    /// A display for `total_steps` training steps (`None` if unlimited), with `steps_per_epoch` steps in an epoch.
    /// With `terminal` a bar is drawn on standard error; without, lines are written to `output`.
    pub fn new(
        total_steps: Option<u64>,
        steps_per_epoch: u64,
        terminal: bool,
        output: Box<dyn Write + Send>,
    ) -> Self {
        let target = terminal.then(ProgressDrawTarget::stderr);
        Self::on(total_steps, steps_per_epoch, target, output)
    }

    fn on(
        total_steps: Option<u64>,
        steps_per_epoch: u64,
        target: Option<ProgressDrawTarget>,
        output: Box<dyn Write + Send>,
    ) -> Self {
        let bar = target.map(|target| {
            let bar = ProgressBar::with_draw_target(total_steps, target);
            let template = if total_steps.is_some() {
                "{bar:12.cyan/237} {wide_msg}"
            } else {
                "{spinner:.cyan} {wide_msg}"
            };
            // The template is a constant that a test draws; without it the plain bar serves.
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style.progress_chars("━╸─"));
            }
            bar
        });
        let steps_per_epoch = steps_per_epoch.max(1);
        Self {
            total_steps,
            steps_per_epoch,
            bar,
            output,
            last: Snapshot::default(),
            held_back: None,
            has_loss: false,
            units: Units::default(),
            lines: 0,
            written: None,
        }
    }

    /// Show the loss of a deterministic autoencoder, and no ELBO and KL divergence.
    pub fn names_a_loss(&mut self) {
        self.has_loss = true;
    }

    /// Report that step `step` (counted from 1 over the whole run) is done.
    pub fn update(&mut self, step: u64, snapshot: &Snapshot) {
        self.last = *snapshot;
        let text = self.step_text(step);
        if let Some(bar) = &self.bar {
            bar.set_position(step);
            bar.set_message(text);
            return;
        }
        // The clock of the first line starts here.
        let since = *self.written.get_or_insert_with(Instant::now);
        if since.elapsed() >= STEP_LINES {
            self.write(&text);
        }
    }

    fn step_text(&self, step: u64) -> String {
        let s = &self.last;
        let within = 100 * (step.saturating_sub(1) % self.steps_per_epoch + 1) / self.steps_per_epoch;
        let left = s.seconds_left.map_or(String::new(), |left| format!("  {} left", human_duration(left)));
        let (name, value) = if self.has_loss { ("loss", -s.elbo) } else { ("ELBO", s.elbo) };
        format!(
            "epoch {} {within:>3}%  {name} {}  {} images/s{left}",
            epoch_name(s.epoch, s.epochs),
            nats(value, 10),
            speed(s.images_per_second),
        )
    }

    /// Report the end of an epoch by one line, above the bar if there is one. Without a bar, lines that follow within a
    /// second are left out, except the last.
    pub fn epoch_done(&mut self, record: &EpochRecord) {
        let left = if Some(record.step) == self.total_steps { None } else { self.last.seconds_left };
        let mut row = epoch_row(record, self.last.epochs, left, self.units);
        if self.has_loss {
            row[1] = ("loss".to_string(), 11, nats(-record.test_elbo, 10));
            row[3] = match record.others.contains_key("test_penalty") {
                true => ("penalty".to_string(), 9, nats(record.penalty("test"), 8)),
                false => (String::new(), 0, String::new()),
            };
        }
        let mut line = columns(&row.each_ref().map(|(_, width, text)| (*width, text.as_str())));
        if self.lines.is_multiple_of(LINES) {
            line = format!(
                "{}\n{line}",
                columns(&row.each_ref().map(|(head, width, _)| (*width, head.as_str())))
            );
        }
        if let Some(bar) = &self.bar {
            self.lines += 1;
            bar.println(line);
        } else if self.written.is_some_and(|at| at.elapsed() < EPOCH_LINES)
            && Some(record.step) != self.total_steps
        {
            self.held_back = Some(line);
        } else {
            self.held_back = None;
            self.lines += 1;
            self.write(&line);
        }
    }

    /// What the next epoch's line says of the latent units.
    pub fn units(&mut self, units: Units) {
        self.units = units;
    }

    /// Print a message between the lines of progress.
    pub fn message(&mut self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(text),
            None => self.write(text),
        }
    }

    /// Removes the bar, and writes the last epoch's line if it was held back.
    pub fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        if let Some(line) = self.held_back.take() {
            self.write(&line);
        }
    }

    fn write(&mut self, line: &str) {
        self.written = Some(Instant::now());
        // Training continues even if progress can no longer be written (a closed pipe).
        let _ = writeln!(self.output, "{line}").and_then(|()| self.output.flush());
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.finish();
    }
}

fn epoch_name(epoch: u64, epochs: Option<u64>) -> String {
    match epochs {
        Some(epochs) => {
            let width = epochs.to_string().len();
            format!("{epoch:>width$}/{epochs}")
        }
        None => epoch.to_string(),
    }
}

/// Nats per image in at most `width` letters, seven at least.
fn nats(value: f64, width: usize) -> String {
    let texts =
        [format!("{value:.2}"), format!("{value:.0}"), format!("{value:.1e}"), format!("{value:.0e}")];
    let [.., last] = texts.clone();
    texts.into_iter().find(|text| text.chars().count() <= width).unwrap_or(last)
}

fn speed(images_per_second: f64) -> String {
    thousands(images_per_second.max(0.0).round() as usize)
}

/// The entries of an epoch's line: the name of each column, its width, and its text. They take 80 letters at most.
fn epoch_row(
    record: &EpochRecord,
    epochs: Option<u64>,
    left: Option<f64>,
    units: Units,
) -> [(String, usize, String); 8] {
    let entry = |head: &str, width, text| (head.to_string(), width, text);
    let active = match units.all {
        0 => String::new(),
        all @ 1..1000 => format!("{}/{all}", units.active),
        _ => thousands(units.active),
    };
    let bound = match units.bound {
        Some((samples, bound)) => (format!("L_{samples}"), 10, nats(bound, 9)),
        None => (String::new(), 0, String::new()),
    };
    [
        entry("epoch", 10, epoch_name(record.epoch, epochs)),
        entry("ELBO", 11, nats(record.test_elbo, 10)),
        entry("reconstruction", 15, nats(record.test_reconstruction, 14)),
        entry("KL", 9, nats(record.test_kl, 8)),
        bound,
        entry("active", 8, active),
        entry("images/s", 9, speed(record.images_per_second)),
        entry("left", 8, left.map_or(String::new(), human_duration)),
    ]
}

/// Texts on one line, each at the right end of its column.
fn columns<const N: usize>(entries: &[(usize, &str); N]) -> String {
    let line: String = entries
        .iter()
        .filter(|(width, _)| *width > 0)
        // A text that is as wide as its column is set off from the one before.
        .map(|(width, text)| format!(" {text:>width$}", width = width - 1))
        .collect();
    line.trim_end().to_string()
}

/// `80.0` as `1m 20s`; two units at most.
pub fn human_duration(seconds: f64) -> String {
    if !seconds.is_finite() {
        return "?".to_string();
    }
    let seconds = seconds.max(0.0).round() as u64;
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{minutes}m {:02}s", seconds % 60),
        3600..86_400 => format!("{hours}h {:02}m", minutes % 60),
        _ => format!("{days}d {:02}h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::super::metrics::tests::record;
    use super::*;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl Log {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    fn snapshot() -> Snapshot {
        Snapshot {
            epoch: 1,
            epochs: Some(50),
            elbo: -104.256,
            reconstruction: -80.5,
            kl: 23.75,
            images_per_second: 12_345.4,
            seconds_left: Some(80.2),
        }
    }

    #[test]
    fn lines_hold_the_numbers() {
        let log = Log::default();
        let mut progress = Progress::new(Some(50 * 469), 469, false, Box::new(log.clone()));
        progress.message("MNIST, 60,000 images");
        progress.written = None;
        progress.update(469, &snapshot());
        progress.written = None;
        progress.units(Units { active: 3, all: 20, bound: Some((50, -123.4)) });
        progress.epoch_done(&record(1));
        let text = log.text();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3, "{text}");
        assert_eq!(lines[0], "MNIST, 60,000 images");
        let words = |line: &str| line.split_whitespace().map(str::to_string).collect::<Vec<_>>();
        let heads = ["epoch", "ELBO", "reconstruction", "KL", "L_50", "active", "images/s", "left"];
        assert_eq!(words(lines[1]), heads);
        let values = ["1/50", "-225.80", "-211.70", "14.10", "-123.40", "3/20", "18,182", "1m", "20s"];
        assert_eq!(words(lines[2]), values);
        // Every text ends where the name of its column does.
        for (head, value) in heads.iter().zip(&values[..7]) {
            let end = |line: &str, text: &str| line.find(text).unwrap() + text.len();
            assert_eq!(end(lines[1], head), end(lines[2], value), "{text}");
        }
    }

    #[test]
    fn lines_fit_a_terminal() {
        let mut large = record(1000);
        (large.test_elbo, large.test_reconstruction, large.test_kl) = (-123_456_789.0, 987_654.21, 1e5);
        large.images_per_second = 123_456.7;
        let units = Units { active: 999, all: 999, bound: Some((5000, -3.4e38)) };
        let row = epoch_row(&large, Some(1000), Some(86_399.0), units);
        let texts = row.each_ref().map(|(_, width, text)| (*width, text.as_str()));
        let heads = row.each_ref().map(|(head, width, _)| (*width, head.as_str()));
        for line in [columns(&texts), columns(&heads)] {
            assert_eq!(line.chars().count(), 80, "{line}");
        }
        let mut progress = Progress::new(Some(1000), 1, false, Box::new(Log::default()));
        progress.last = Snapshot { epoch: 1000, epochs: Some(1000), elbo: -123_456.78, ..snapshot() };
        assert!(progress.step_text(1000).chars().count() + 13 <= 80, "{}", progress.step_text(1000));
    }

    #[test]
    fn short_epochs_are_thinned_but_the_last_is_written() {
        for total in [Some(200 * 469), None] {
            let log = Log::default();
            let mut progress = Progress::new(total, 469, false, Box::new(log.clone()));
            for epoch in 1..=200 {
                progress.update(epoch * 469, &Snapshot { epoch, ..Snapshot::default() });
                progress.epoch_done(&record(epoch));
            }
            progress.finish();
            drop(progress);
            let text = log.text();
            assert!(text.lines().count() < 20, "{text}");
            assert_eq!(
                text.lines().filter(|line| line.trim_start().starts_with("200 ")).count(),
                1,
                "{text}"
            );
        }
    }

    #[test]
    fn a_long_epoch_says_that_it_is_alive() {
        let log = Log::default();
        let mut progress = Progress::new(None, 1000, false, Box::new(log.clone()));
        let Some(past) = Instant::now().checked_sub(STEP_LINES) else { return };
        progress.written = Some(past);
        progress.update(500, &snapshot());
        progress.update(501, &snapshot());
        let text = log.text();
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.contains(" 50%") && text.contains("ELBO -104.26"), "{text}");
    }

    #[test]
    fn a_bar_writes_nothing_to_the_log() {
        for total in [Some(10), None] {
            let log = Log::default();
            let target = ProgressDrawTarget::hidden();
            let mut progress = Progress::on(total, 0, Some(target), Box::new(log.clone()));
            progress.update(3, &snapshot());
            progress.epoch_done(&record(1));
            progress.message("hello");
            progress.finish();
            assert_eq!(log.text(), "");
        }
        for template in ["{bar:12.cyan/237} {wide_msg}", "{spinner:.cyan} {wide_msg}"] {
            assert!(ProgressStyle::with_template(template).is_ok());
        }
    }

    #[test]
    fn durations_read_well() {
        let all = [0.2, 59.4, 59.6, 80.0, 3599.0, 3600.0, 90_000.0, -5.0, f64::INFINITY].map(human_duration);
        assert_eq!(all, ["0s", "59s", "1m 00s", "1m 20s", "59m 59s", "1h 00m", "1d 01h", "0s", "?"]);
    }
}
