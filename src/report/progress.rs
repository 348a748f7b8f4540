//! The progress display: a bar on terminals, lines in log files.

use std::io::Write;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::EpochRecord;
use crate::text::thousands;

/// Lines of short epochs are at least this far apart where there is no terminal.
const EPOCH_LINES: Duration = Duration::from_secs(1);
/// So often a long epoch says that it is alive where there is no terminal.
const STEP_LINES: Duration = Duration::from_secs(10);

/// Where training stands. ELBO and its terms are recent means in nats per image.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// The epoch that is running, counted from 1.
    pub epoch: u64,
    /// How many there will be, where that is known.
    pub epochs: Option<u64>,
    /// The evidence lower bound.
    pub elbo: f64,
    /// Its reconstruction term.
    pub reconstruction: f64,
    /// Its KL divergence.
    pub kl: f64,
    /// Throughput.
    pub images_per_second: f64,
    /// Time to the end, where that is known.
    pub seconds_left: Option<f64>,
}

/// Shows how far training is.
pub struct Progress {
    total_steps: Option<u64>,
    steps_per_epoch: u64,
    bar: Option<ProgressBar>,
    output: Box<dyn Write + Send>,
    last: Snapshot,
    /// An epoch's line that came too soon after the one before it.
    held_back: Option<String>,
    /// What the next epoch's line ends with.
    aside: String,
    written: Option<Instant>,
}

impl std::fmt::Debug for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Progress").field("total_steps", &self.total_steps).finish_non_exhaustive()
    }
}

impl Progress {
    /// A display for `total_steps` training steps (`None` where there is no end), `steps_per_epoch` to the epoch.
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
            let template =
                if total_steps.is_some() { "{bar:24.cyan/237} {msg}" } else { "{spinner:.cyan} {msg}" };
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
            aside: String::new(),
            written: None,
        }
    }

    /// Step `step` (counted from 1 over the whole run) is done.
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
        format!(
            "{}, {within:>3}%  {}",
            epoch_name(s.epoch, s.epochs),
            numbers(s.elbo, s.reconstruction, s.kl, s.images_per_second, s.seconds_left)
        )
    }

    /// An epoch is done: one line, above the bar where there is one. Elsewhere lines that come faster than one a
    /// second are left out, except the last.
    pub fn epoch_done(&mut self, record: &EpochRecord) {
        let left = if Some(record.step) == self.total_steps { None } else { self.last.seconds_left };
        let line = format!(
            "{}  held out: {}{}",
            epoch_name(record.epoch, self.last.epochs),
            numbers(
                record.test_elbo,
                record.test_reconstruction,
                record.test_kl,
                record.images_per_second,
                left
            ),
            std::mem::take(&mut self.aside),
        );
        if let Some(bar) = &self.bar {
            bar.println(line);
        } else if self.written.is_some_and(|at| at.elapsed() < EPOCH_LINES)
            && Some(record.step) != self.total_steps
        {
            self.held_back = Some(line);
        } else {
            self.held_back = None;
            self.write(&line);
        }
    }

    /// The next epoch's line is to end with `text`.
    pub fn aside(&mut self, text: String) {
        self.aside = text;
    }

    /// Says something in between.
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
        // Training goes on when nobody can read its progress any more (a closed pipe).
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
            format!("epoch {epoch:>width$}/{epochs}")
        }
        None => format!("epoch {epoch}"),
    }
}

fn numbers(elbo: f64, reconstruction: f64, kl: f64, speed: f64, left: Option<f64>) -> String {
    let speed = thousands(speed.max(0.0).round() as usize);
    let left = left.map_or(String::new(), |left| format!(", {} left", human_duration(left)));
    format!(
        "ELBO {elbo:.2} nats/image (reconstruction {reconstruction:.2}, KL {kl:.2}), {speed} images/s{left}"
    )
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
        progress.aside(", 3 of 20 units active".to_string());
        progress.epoch_done(&record(1));
        let text = log.text();
        assert_eq!(text.lines().count(), 2, "{text}");
        for expected in [
            "MNIST, 60,000 images\n",
            "epoch  1/50",
            "ELBO -225.80 nats/image",
            "reconstruction -211.70",
            "KL 14.10",
            "18,182 images/s",
            "1m 20s left, 3 of 20 units active",
        ] {
            assert!(text.contains(expected), "{expected:?} is not in {text:?}");
        }
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
            assert_eq!(text.matches("epoch 200 ").count(), 1, "{text}");
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
        for template in ["{bar:24.cyan/237} {msg}", "{spinner:.cyan} {msg}"] {
            assert!(ProgressStyle::with_template(template).is_ok());
        }
    }

    #[test]
    fn durations_read_well() {
        let all = [0.2, 59.4, 59.6, 80.0, 3599.0, 3600.0, 90_000.0, -5.0, f64::INFINITY].map(human_duration);
        assert_eq!(all, ["0s", "59s", "1m 00s", "1m 20s", "59m 59s", "1h 00m", "1d 01h", "0s", "?"]);
    }
}
