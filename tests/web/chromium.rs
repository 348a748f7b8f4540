//! Chromium, driven by the DevTools protocol over a pipe: null-terminated JSON on its file descriptors 3 and 4.

use crate::process::{Process, find};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

/// The first four give WebGPU and its canvas on SwiftShader. The others keep it from asking other machines.
const FLAGS: [&str; 18] = [
    "--enable-unsafe-webgpu",
    "--enable-features=Vulkan",
    "--use-vulkan=swiftshader",
    "--use-angle=swiftshader",
    "--headless=new",
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--disable-quic",
    "--no-first-run",
    "--no-default-browser-check",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
    "about:blank",
];

/// How long the browser may take to answer.
const PATIENCE: Duration = Duration::from_secs(120);

/// A running Chromium.
pub(crate) struct Chromium {
    process: Mutex<Process>,
    input: Mutex<ChildStdin>,
    shared: Arc<Shared>,
    next: AtomicU64,
}

#[derive(Default)]
struct Shared {
    waiting: Mutex<BTreeMap<u64, Sender<Value>>>,
    /// Events that tabs have not asked for yet, by session.
    events: Mutex<BTreeMap<String, Vec<Value>>>,
}

/// The browser that the tests of this process share, while one of them uses it.
static RUNNING: Mutex<Weak<Chromium>> = Mutex::new(Weak::new());

impl Chromium {
    /// The Chromium of this process. Without one prints SKIPPED and returns `None`; with VAE_REQUIRE_BROWSER=1 fails.
    pub(crate) fn get() -> Option<Arc<Self>> {
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(browser) = running.upgrade() {
            return Some(browser);
        }
        let Some(program) = program() else {
            let required = std::env::var_os("VAE_REQUIRE_BROWSER").is_some_and(|value| value == "1");
            assert!(!required, "no Chromium, but VAE_REQUIRE_BROWSER=1");
            println!("SKIPPED: no Chromium");
            return None;
        };
        let browser = Arc::new(Self::start(program));
        *running = Arc::downgrade(&browser);
        Some(browser)
    }

    fn start(program: PathBuf) -> Self {
        let profile = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", r#"exec "$0" "$@" 3<&0 4>&1 </dev/null >/dev/null"#]).arg(program);
        command.args(FLAGS).arg(format!("--user-data-dir={}", profile.path().display()));
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = Process::start(&mut command, profile);
        let input = process.child().stdin.take().unwrap();
        let output = BufReader::new(process.child().stdout.take().unwrap());
        let shared = Arc::new(Shared::default());
        let listening = Arc::clone(&shared);
        std::thread::spawn(move || listen(output, &listening));
        Self { process: Mutex::new(process), input: Mutex::new(input), shared, next: AtomicU64::new(1) }
    }

    /// Call a method of the protocol, of the tab with `session` or of the browser.
    fn call(&self, session: &str, method: &str, params: Value) -> Result<Value, String> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, answer) = channel();
        self.shared.waiting.lock().unwrap().insert(id, sender);
        let mut message = json!({"id": id, "method": method, "params": params});
        if !session.is_empty() {
            message["sessionId"] = json!(session);
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        self.input.lock().unwrap().write_all(&bytes).map_err(|error| format!("{method}: {error}"))?;
        let mut answer =
            answer.recv_timeout(PATIENCE).map_err(|_| format!("{method}: Chromium does not answer"))?;
        match answer.get("error") {
            Some(error) => Err(format!("{method}: {error}")),
            None => Ok(answer["result"].take()),
        }
    }

    /// A new tab with the page at `url`.
    pub(crate) fn open(self: &Arc<Self>, url: &str) -> Tab {
        let target = self.call("", "Target.createTarget", json!({"url": "about:blank"})).unwrap();
        let target = target["targetId"].as_str().unwrap().to_string();
        let attached = self.call("", "Target.attachToTarget", json!({"targetId": target, "flatten": true}));
        let session = attached.unwrap()["sessionId"].as_str().unwrap().to_string();
        let tab = Tab { browser: Arc::clone(self), target, session };
        for domain in ["Runtime", "Page", "Log"] {
            tab.call(&format!("{domain}.enable"), json!({}));
        }
        tab.call("Page.navigate", json!({"url": url}));
        tab
    }
}

impl Drop for Chromium {
    /// It is asked to end, so that nothing of its profile is left, and killed if it does not.
    fn drop(&mut self) {
        let close = br#"{"id":0,"method":"Browser.close"}"#;
        drop(
            self.input.lock().unwrap_or_else(PoisonError::into_inner).write_all(&[close, &[0][..]].concat()),
        );
        self.process.lock().unwrap_or_else(PoisonError::into_inner).wait(Duration::from_secs(3));
    }
}

fn program() -> Option<PathBuf> {
    let chosen = std::env::var_os("VAE_CHROMIUM").map(PathBuf::from);
    chosen.or_else(|| find(&["chromium", "chromium-browser", "google-chrome"])).filter(|_| cfg!(unix))
}

/// Hand out the messages of `output`.
fn listen(mut output: impl BufRead, shared: &Shared) {
    let mut bytes = Vec::new();
    while output.read_until(0, &mut bytes).is_ok_and(|length| length > 0) {
        let message: Value = serde_json::from_slice(&bytes[..bytes.len() - 1]).unwrap_or_default();
        if let Some(id) = message["id"].as_u64() {
            if let Some(sender) = shared.waiting.lock().unwrap().remove(&id) {
                drop(sender.send(message));
            }
        } else if let Some(session) = message["sessionId"].as_str() {
            shared.events.lock().unwrap().entry(session.into()).or_default().push(message);
        }
        bytes.clear();
    }
    // Dropping the senders ends every wait for a browser that has ended.
    shared.waiting.lock().unwrap().clear();
}

/// A page in a tab, closed when it is dropped.
pub(crate) struct Tab {
    browser: Arc<Chromium>,
    target: String,
    session: String,
}

impl Tab {
    /// Call a method of the protocol.
    pub(crate) fn call(&self, method: &str, params: Value) -> Value {
        self.browser.call(&self.session, method, params).unwrap()
    }

    /// The value of a JavaScript expression, or of the promise that it is.
    pub(crate) fn evaluate(&self, expression: &str) -> Value {
        let wanted = json!({
            "expression": expression, "awaitPromise": true, "returnByValue": true, "userGesture": true,
        });
        let mut answer = self.call("Runtime.evaluate", wanted);
        let problem = &answer["exceptionDetails"];
        let text = problem["exception"]["description"].as_str().or(problem["text"].as_str());
        assert!(problem.is_null(), "{expression}: {}", text.unwrap_or_default());
        answer["result"]["value"].take()
    }

    /// Wait until `expression` is true.
    pub(crate) fn wait(&self, expression: &str, limit: Duration) {
        let end = Instant::now() + limit;
        while self.evaluate(&format!("Boolean({expression})")) != json!(true) {
            assert!(
                Instant::now() < end,
                "{expression} is not true; the page's messages: {:?}",
                self.messages()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Errors, warnings and exceptions of the page since the last call.
    pub(crate) fn messages(&self) -> Vec<String> {
        let events = self.browser.shared.events.lock().unwrap().remove(&self.session).unwrap_or_default();
        events.iter().filter_map(problem).collect()
    }

    /// A picture of what the tab shows, as a PNG file.
    pub(crate) fn screenshot(&self) -> Vec<u8> {
        let answer = self.call("Page.captureScreenshot", json!({"format": "png"}));
        decode_base64(answer["data"].as_str().unwrap())
    }

    /// Press and release a key, such as `ArrowLeft` or `a`.
    pub(crate) fn key(&self, key: &str) {
        // The page sees `key` and `code`; native controls act on the number.
        let number = match key {
            "Tab" => 9,
            "Enter" => 13,
            " " => 32,
            "PageUp" => 33,
            "PageDown" => 34,
            "End" => 35,
            "Home" => 36,
            "ArrowLeft" => 37,
            "ArrowUp" => 38,
            "ArrowRight" => 39,
            "ArrowDown" => 40,
            _ => u32::from(key.to_ascii_uppercase().as_bytes()[0]),
        };
        let mut event = json!({"type": "rawKeyDown", "key": key, "windowsVirtualKeyCode": number});
        event["code"] = match key {
            " " => json!("Space"),
            _ if key.len() == 1 => json!(format!("Key{}", key.to_ascii_uppercase())),
            _ => json!(key),
        };
        if key.len() == 1 {
            event["type"] = json!("keyDown");
            event["text"] = json!(key);
        }
        self.call("Input.dispatchKeyEvent", event.clone());
        event["type"] = json!("keyUp");
        self.call("Input.dispatchKeyEvent", event);
    }
}

impl Drop for Tab {
    fn drop(&mut self) {
        drop(self.browser.call("", "Target.closeTarget", json!({"targetId": self.target})));
    }
}

/// What an event says that is wrong.
fn problem(event: &Value) -> Option<String> {
    let params = &event["params"];
    match event["method"].as_str()? {
        "Runtime.exceptionThrown" => {
            let details = &params["exceptionDetails"];
            Some(format!("{} {}", details["text"], details["exception"]["description"]))
        }
        "Runtime.consoleAPICalled" if params["type"] == "error" || params["type"] == "warning" => {
            let words = params["args"].as_array()?.iter().map(|word| match word.get("value") {
                Some(value) => value.to_string(),
                None => word["description"].to_string(),
            });
            Some(words.collect::<Vec<_>>().join(" "))
        }
        "Log.entryAdded" if params["entry"]["level"] == "error" => {
            Some(format!("{} {}", params["entry"]["text"], params["entry"]["url"]))
        }
        _ => None,
    }
}

/// The bytes that `text` is in base 64.
fn decode_base64(text: &str) -> Vec<u8> {
    let digits = text.bytes().filter_map(|letter| match letter {
        b'A'..=b'Z' => Some(letter - b'A'),
        b'a'..=b'z' => Some(letter - b'a' + 26),
        b'0'..=b'9' => Some(letter - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    });
    let (mut bytes, mut held, mut bits) = (Vec::new(), 0_u32, 0);
    for digit in digits {
        held = held << 6 | u32::from(digit);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((held >> bits) as u8);
            held &= (1 << bits) - 1;
        }
    }
    bytes
}
