//! A small HTTP server on this machine: files of some folders, bodies that pages post, and lines of commands to pages.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// How long a page's request for commands is held open. Browsers and Node give up after minutes.
const HELD: Duration = Duration::from_secs(20);

#[derive(Default)]
struct State {
    /// Folders by the first part of their path.
    folders: BTreeMap<String, PathBuf>,
    /// Files that exist only here, by path.
    texts: BTreeMap<String, Vec<u8>>,
    /// What was posted to `/post/NAME`.
    posted: BTreeMap<String, VecDeque<Vec<u8>>>,
    /// What the page at line `NAME` is to do, and what it has answered.
    commands: BTreeMap<String, VecDeque<Vec<u8>>>,
    answers: BTreeMap<String, VecDeque<Vec<u8>>>,
    /// Lines that a page has asked for commands, and those that end.
    known: BTreeMap<String, bool>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    stopped: AtomicBool,
}

impl Shared {
    /// What `take` finds in the state, waiting for it; `None` after `limit` or when the server stops.
    fn wait<T>(&self, limit: Duration, mut take: impl FnMut(&mut State) -> Option<T>) -> Option<T> {
        let end = Instant::now() + limit;
        let mut state = self.state.lock().unwrap();
        loop {
            if let Some(found) = take(&mut state) {
                return Some(found);
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || self.stopped.load(Ordering::Relaxed) {
                return None;
            }
            state = self.changed.wait_timeout(state, left).unwrap().0;
        }
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap());
        self.changed.notify_all();
    }
}

/// The server. It stops when it is dropped.
pub(crate) struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl Server {
    /// Serves `web/` and `tests/web/` of this repository under these paths.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            changed: Condvar::new(),
            stopped: AtomicBool::new(false),
        });
        let server = Self { address, shared: Arc::clone(&shared) };
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if shared.stopped.load(Ordering::Relaxed) {
                    return;
                }
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || serve(stream, &shared));
            }
        });
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        server.folder("web", &root.join("web"));
        server.folder("tests", &root.join("tests"));
        server
    }

    /// Serve the files of `folder` under `/name/`.
    pub(crate) fn folder(&self, name: &str, folder: &Path) {
        self.shared.change(|state| {
            state.folders.insert(name.into(), folder.into());
        });
    }

    /// Serve `content` at `path`, which begins with `/`.
    pub(crate) fn text(&self, path: &str, content: impl Into<Vec<u8>>) {
        self.shared.change(|state| {
            state.texts.insert(path.into(), content.into());
        });
    }

    /// The address of `path`, which begins with `/`.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The next body posted to `/post/name`.
    pub(crate) fn posted(&self, name: &str, limit: Duration) -> Option<Vec<u8>> {
        self.shared.wait(limit, |state| state.posted.get_mut(name)?.pop_front())
    }

    /// The line `name` of commands to a page.
    pub(crate) fn line(&self, name: &str) -> Line {
        Line { name: name.into(), shared: Arc::clone(&self.shared) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        self.shared.changed.notify_all();
        // Wakes the thread that accepts.
        drop(TcpStream::connect(self.address));
    }
}

/// A line of commands to a page, which asks for the next with the answer to the last: `POST /line/NAME`.
pub(crate) struct Line {
    name: String,
    shared: Arc<Shared>,
}

impl Line {
    /// Give the page `command`.
    pub(crate) fn send(&self, command: Vec<u8>) {
        self.shared.change(|state| state.commands.entry(self.name.clone()).or_default().push_back(command));
    }

    /// The next answer of the page.
    pub(crate) fn answer(&self, limit: Duration) -> Option<Vec<u8>> {
        self.shared.wait(limit, |state| state.answers.get_mut(&self.name)?.pop_front())
    }
}

impl Drop for Line {
    /// The page is told to end.
    fn drop(&mut self) {
        self.shared.change(|state| {
            state.known.insert(self.name.clone(), false);
        });
    }
}

struct Request {
    method: String,
    path: String,
    body: Vec<u8>,
}

fn read(stream: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut first = String::new();
    if stream.read_line(&mut first).ok()? == 0 {
        return None;
    }
    let mut words = first.split_whitespace();
    let (method, target) = (words.next()?.to_string(), words.next()?);
    let path = target.split(['?', '#']).next()?.to_string();
    let mut length = 0;
    loop {
        let mut header = String::new();
        stream.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim().split_once(':') else { break };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some(Request { method, path, body })
}

fn serve(stream: TcpStream, shared: &Shared) {
    drop(stream.set_nodelay(true));
    let Ok(mut output) = stream.try_clone() else { return };
    let mut input = BufReader::new(stream);
    while let Some(request) = read(&mut input) {
        let answer = answer(request, shared);
        let head = format!(
            "HTTP/1.1 {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nCache-Control: no-store\r\n\r\n",
            answer.status,
            answer.kind,
            answer.body.len()
        );
        if output.write_all(&[head.as_bytes(), &answer.body].concat()).is_err() {
            return;
        }
    }
}

struct Answer {
    status: &'static str,
    kind: &'static str,
    body: Vec<u8>,
}

impl Answer {
    fn new(status: &'static str, kind: &'static str, body: Vec<u8>) -> Self {
        Self { status, kind, body }
    }
}

fn answer(request: Request, shared: &Shared) -> Answer {
    let Request { method, path, body } = request;
    let bytes = "application/octet-stream";
    if method == "POST" {
        if let Some(name) = path.strip_prefix("/post/") {
            shared.change(|state| state.posted.entry(name.into()).or_default().push_back(body));
            return Answer::new("204 No Content", bytes, Vec::new());
        }
        let Some(name) = path.strip_prefix("/line/") else {
            return Answer::new("404 Not Found", "text/plain", Vec::new());
        };
        shared.change(|state| {
            state.known.entry(name.into()).or_insert(true);
            if !body.is_empty() {
                state.answers.entry(name.into()).or_default().push_back(body);
            }
        });
        let next =
            shared.wait(HELD, |state| match state.commands.get_mut(name).and_then(VecDeque::pop_front) {
                None if state.known.get(name) == Some(&false) => Some(None),
                None => None,
                command => Some(command),
            });
        return match next {
            Some(Some(command)) => Answer::new("200 OK", bytes, command),
            // The page ends.
            Some(None) => Answer::new("410 Gone", bytes, Vec::new()),
            // It asks again.
            None => Answer::new("204 No Content", bytes, Vec::new()),
        };
    }
    if path == "/favicon.ico" {
        return Answer::new("204 No Content", bytes, Vec::new());
    }
    if let Some(text) = shared.state.lock().unwrap().texts.get(&path) {
        return Answer::new("200 OK", kind(&path), text.clone());
    }
    let mut parts = path.trim_start_matches('/').splitn(2, '/');
    let name = parts.next().unwrap_or_default();
    let rest = parts.next().unwrap_or_default();
    let rest = if rest.is_empty() || rest.ends_with('/') { format!("{rest}index.html") } else { rest.into() };
    let folder = shared.state.lock().unwrap().folders.get(name).cloned();
    let found =
        folder.filter(|_| !rest.contains("..")).and_then(|folder| std::fs::read(folder.join(&rest)).ok());
    match found {
        Some(body) => Answer::new("200 OK", kind(&rest), body),
        None => Answer::new("404 Not Found", "text/plain", path.into_bytes()),
    }
}

/// The content type of a file.
fn kind(name: &str) -> &'static str {
    match Path::new(name).extension().and_then(|ending| ending.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("json") => "application/json",
        Some("wasm") => "application/wasm",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("wgsl") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
