//! The report of `vae bench`: a page and a JSON file that can be sent to others. They name the device and the system, and
//! neither host, user nor path.

use super::super::output;
use super::tables;
use serde::Serialize;
use std::path::Path;
use std::process::Command;
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use vae::bench::Report;
use vae::device::OpenDevice;
use vae::{Error, Result, selftest};

/// All that is known of a run.
#[derive(Serialize)]
pub(super) struct Record<'a> {
    pub(super) about: About,
    pub(super) selftest: Selftest,
    #[serde(flatten)]
    pub(super) report: &'a Report,
}

/// When, where and how.
#[derive(Clone, Debug, Serialize)]
pub(super) struct About {
    /// `2026-11-27 18:05 UTC`
    date: String,
    /// The command, without its paths.
    command: String,
    /// Version of the program.
    version: &'static str,
    /// The commit it was built from, where its folder is still there.
    commit: Option<String>,
    /// Name and version of the operating system, and the kind of processor.
    system: String,
    processor: String,
    cores: usize,
}

/// What the self-test found.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Selftest {
    kernels: usize,
    values: usize,
    seconds: f64,
    /// Names of the kernels that are wrong, each with its worst failure.
    failures: Vec<String>,
}

impl Selftest {
    /// Test all kernels of `device`.
    ///
    /// # Errors
    /// If the device fails.
    pub(super) fn of(device: &OpenDevice) -> Result<Self> {
        let start = Instant::now();
        let reports = selftest::run(device)?;
        let failed = reports.iter().filter(|(_, report)| report.failures > 0);
        let failures = failed
            .map(|(kernel, report)| report.worst_failure.clone().unwrap_or_else(|| (*kernel).to_string()));
        Ok(Self {
            kernels: reports.len(),
            values: reports.values().map(|report| report.values).sum(),
            failures: failures.collect(),
            seconds: start.elapsed().as_secs_f64(),
        })
    }

    pub(super) fn failures(&self) -> &[String] {
        &self.failures
    }

    /// The result in a sentence.
    pub(super) fn text(&self) -> String {
        let Self { kernels, seconds, failures, .. } = self;
        match failures.len() {
            0 => format!("all {kernels} kernels are right ({seconds:.1} s)"),
            failed => format!("{failed} of {kernels} kernels FAILED: {}", failures.join("; ")),
        }
    }
}

impl About {
    /// The run of `command` that begins now.
    pub(super) fn new(command: String) -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        Self {
            date: date(since),
            command,
            version: env!("CARGO_PKG_VERSION"),
            commit: commit(),
            system: format!("{}, {}", system(), std::env::consts::ARCH),
            processor: processor(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }
}

/// `2026-11-27 18:05 UTC` for seconds since 1970 (the civil calendar of Howard Hinnant's `civil_from_days`).
fn date(seconds: u64) -> String {
    let (days, minutes) = (seconds / 86_400 + 719_468, seconds % 86_400 / 60);
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year + 400 * era + u64::from(month <= 2);
    format!("{year}-{month:02}-{day:02} {:02}:{:02} UTC", minutes / 60, minutes % 60)
}

/// The first line that `command` prints.
fn first_line(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.lines().next().map(|line| line.trim().to_string()).filter(|line| !line.is_empty())
}

/// The commit of the folder that the program was built in, marked where files differ from it.
fn commit() -> Option<String> {
    let describe = ["describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"];
    first_line(Command::new("git").args(["-C", env!("CARGO_MANIFEST_DIR")]).args(describe))
}

/// The value of the first line `NAME separator value` of a file.
fn value_in(path: &str, name: &str, separator: char) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    text.lines().find_map(|line| {
        let (own, value) = line.split_once(separator)?;
        (own.trim() == name).then(|| value.trim().trim_matches('"').to_string())
    })
}

fn system() -> String {
    let named = match std::env::consts::OS {
        "linux" => value_in("/etc/os-release", "PRETTY_NAME", '=').map(|name| format!("{name} (Linux)")),
        "macos" => first_line(Command::new("sw_vers").arg("-productVersion"))
            .map(|version| format!("macOS {version}")),
        _ => None,
    };
    named.unwrap_or_else(|| std::env::consts::OS.to_string())
}

fn processor() -> String {
    let named = match std::env::consts::OS {
        "linux" => value_in("/proc/cpuinfo", "model name", ':'),
        "macos" => first_line(Command::new("sysctl").args(["-n", "machdep.cpu.brand_string"])),
        _ => std::env::var("PROCESSOR_IDENTIFIER").ok(),
    };
    named.unwrap_or_else(|| std::env::consts::ARCH.to_string())
}

/// `nvidia-geforce-rtx-4090` for a name, at most 60 letters.
fn slug(name: &str) -> String {
    let name = name.to_lowercase();
    let words = name.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let mut slug = String::new();
    for word in words {
        if slug.len() + word.len() > 60 {
            break;
        }
        slug = if slug.is_empty() { word.to_string() } else { format!("{slug}-{word}") };
    }
    slug
}

/// Make `folder`, and see that files can be written there: the measurement takes minutes.
///
/// # Errors
/// [`Error::Setting`] if not.
pub(super) fn check(folder: &Path) -> Result<()> {
    let probe = folder.join(format!(".vae-report-{}", std::process::id()));
    let made = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&probe, []));
    made.and_then(|()| std::fs::remove_file(&probe)).map_err(|problem| {
        let problem = format!("nothing can be written into {}: {problem}", folder.display());
        Error::setting("--report", problem, "name a folder that you may write to; a new one is created")
    })
}

impl Record<'_> {
    /// Device and time.
    fn stem(&self) -> String {
        let device = &self.report.device;
        let name = if device.backend == "none" {
            format!("cpu {}", self.about.processor)
        } else {
            device.name.clone()
        };
        let date = self.about.date.replace(':', "");
        format!("{}-{}", slug(&name), date.trim_end_matches(" UTC").replace(' ', "-"))
    }

    fn page(&self) -> String {
        let (about, report) = (&self.about, self.report);
        let fact = |name: &str, value: &str| [name.to_string(), value.to_string()];
        let commit = about.commit.as_ref().map_or_else(String::new, |commit| format!(", commit {commit}"));
        let mut facts = tables::device(&report.device);
        facts.extend([
            fact("processor", &format!("{}, {} cores", about.processor, about.cores)),
            fact("system", &about.system),
            fact("program", &format!("vae {}{commit}", about.version)),
            fact("command", &format!("`{}`", about.command)),
            fact("selftest", &self.selftest.text()),
        ]);
        let failures: Vec<[String; 1]> = report.failures().map(|failure| [failure.to_string()]).collect();
        let ceilings = report.ceilings.as_ref().map(tables::ceilings).unwrap_or_default();
        let tables = [
            tables::steps(&report.train_step),
            tables::products(&report.matmul),
            tables::convolutions(&report.convolution),
            tables::kernels(&report.kernels),
        ];
        let mut page = format!("# {}\n\nMeasured by `vae bench` on {}.\n\n", report.device.name, about.date);
        page += &tables::markdown(["", ""], &facts);
        if !failures.is_empty() {
            page += &format!("\n{}", tables::markdown(["failure"], &failures));
        }
        for section in ceilings.iter().chain(tables.iter().flatten()) {
            page += &section.markdown();
        }
        page
    }

    /// Write both files into `folder`, and return their names.
    ///
    /// # Errors
    /// If that fails.
    pub(super) fn write(&self, folder: &Path) -> Result<[String; 2]> {
        let stem = self.stem();
        let free = |stem: &String| !folder.join(format!("{stem}.json")).exists();
        let numbered = (2..).map(|number| format!("{stem}-{number}"));
        let stem = std::iter::once(stem.clone()).chain(numbered).find(free).unwrap_or_default();
        let [page, json] = ["md", "json"].map(|ending| format!("{stem}.{ending}"));
        let path = folder.join(&page);
        std::fs::write(&path, self.page()).map_err(|problem| Error::io(path, problem))?;
        output::write_json(self, &folder.join(&json))?;
        Ok([page, json])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(date(0), "1970-01-01 00:00 UTC");
        assert_eq!(date(951_782_400), "2000-02-29 00:00 UTC");
        assert_eq!(date(1_795_802_700), "2026-11-27 18:05 UTC");
        assert_eq!(date(1_767_225_599), "2025-12-31 23:59 UTC");
    }

    #[test]
    fn names_become_names_of_files() {
        assert_eq!(slug("NVIDIA GeForce RTX 4090/PCIe/SSE2"), "nvidia-geforce-rtx-4090-pcie-sse2");
        assert_eq!(slug("llvmpipe (LLVM 19.1.7, 256 bits)"), "llvmpipe-llvm-19-1-7-256-bits");
        assert!(slug(&"word ".repeat(40)).len() <= 60);
    }

    #[test]
    fn a_report_names_no_path() {
        let about = About::new("vae bench".into());
        let json = serde_json::to_string(&about).unwrap();
        assert!(!json.contains(env!("CARGO_MANIFEST_DIR")), "{json}");
    }
}
