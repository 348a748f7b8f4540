//! Firefox, which is given one page when it starts.

use crate::process::{Process, find};
use std::process::{Command, Stdio};

/// WebGPU is off by default on Linux, and software adapters are refused. The rest keeps it from asking others.
const PREFERENCES: &str = r#"
user_pref("dom.webgpu.enabled", true);
user_pref("gfx.webgpu.ignore-blocklist", true);
user_pref("app.update.enabled", false);
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("browser.startup.homepage_override.mstone", "ignore");
user_pref("browser.aboutwelcome.enabled", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("datareporting.healthreport.uploadEnabled", false);
user_pref("toolkit.telemetry.enabled", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("browser.safebrowsing.malware.enabled", false);
user_pref("browser.safebrowsing.phishing.enabled", false);
user_pref("extensions.getAddons.cache.enabled", false);
user_pref("services.settings.server", "data:,");
user_pref("network.prefetch-next", false);
"#;

/// A running Firefox.
pub(crate) struct Firefox {
    _process: Process,
}

impl Firefox {
    /// Firefox with the page at `url`. Where it is not installed, prints SKIPPED and returns `None`.
    pub(crate) fn start(url: &str) -> Option<Self> {
        let chosen = std::env::var_os("VAE_FIREFOX").map(Into::into);
        let Some(program) = chosen.or_else(|| find(&["firefox-esr", "firefox"])) else {
            println!("SKIPPED: no Firefox");
            return None;
        };
        let profile = tempfile::tempdir().unwrap();
        std::fs::write(profile.path().join("user.js"), PREFERENCES).unwrap();
        let mut command = Command::new(program);
        command.args(["--headless", "--no-remote", "--profile"]).arg(profile.path()).arg(url);
        command.env("MOZ_CRASHREPORTER_DISABLE", "1").stdin(Stdio::null()).stdout(Stdio::null());
        Some(Self { _process: Process::start(&mut command, profile) })
    }
}
