//! One child process that serves environments.

use super::Limits;
use super::protocol::{self, CLOSE, Header, MOST};
use crate::world::environment::View;
use crate::{Error, Result};
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Lines of standard error that an error quotes.
const QUOTED: usize = 10;
/// How long a process may take to end when it is asked to, and its last lines to arrive.
const FAREWELL: Duration = Duration::from_millis(500);
/// What to do if a process does not serve.
const HINT: &str = "run the command by itself to see what it lacks; `vae world env-server` prints a server of gymnasium's CarRacing-v3";

/// What a process wrote.
enum Message {
    Header(Header),
    View(View),
    Broken(String),
}

/// A process, its pipes, and the threads that read them. It is ended when this is dropped.
#[derive(Debug)]
pub(super) struct Server {
    command: String,
    limits: Limits,
    child: Child,
    input: Option<ChildStdin>,
    messages: Receiver<Message>,
    /// The last lines of standard error.
    said: Arc<Mutex<VecDeque<String>>>,
    /// Closed when standard error ends.
    silence: Receiver<()>,
}

impl Server {
    /// Start `words`; `command` names it in errors.
    pub(super) fn spawn(command: &str, words: &[String], limits: Limits) -> Result<Self> {
        let failed = |problem: String| Error::Environment {
            command: command.into(),
            problem,
            said: Vec::new(),
            hint: "give a program that can be found, and its arguments".into(),
        };
        let mut child = Command::new(&words[0])
            .args(&words[1..])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|problem| failed(format!("{} cannot be started: {problem}", words[0])))?;
        let (sender, messages) = sync_channel(MOST);
        let (alive, silence) = channel();
        let said = Arc::new(Mutex::new(VecDeque::new()));
        if let Some(output) = child.stdout.take() {
            std::thread::spawn(move || listen(output, &sender));
        }
        if let Some(errors) = child.stderr.take() {
            let said = said.clone();
            std::thread::spawn(move || {
                pass_on(errors, &said);
                drop(alive);
            });
        }
        let input = child.stdin.take();
        Ok(Self { command: command.into(), limits, child, input, messages, said, silence })
    }

    /// The header.
    pub(super) fn header(&mut self) -> Result<Header> {
        match self.messages.recv_timeout(self.limits.start) {
            Ok(Message::Header(header)) => Ok(header),
            Ok(Message::Broken(problem)) => Err(self.fail(&problem)),
            Ok(Message::View(_)) => Err(self.fail("a reply came before the header")),
            Err(silent) => Err(self.silent(silent, "its header", self.limits.start)),
        }
    }

    /// Send a request.
    pub(super) fn send(&mut self, request: &[u8]) -> Result<()> {
        let input = self.input.as_mut();
        let sent = input.map(|input| input.write_all(request).and_then(|()| input.flush()));
        match sent {
            Some(Ok(())) => Ok(()),
            _ => Err(self.silent(RecvTimeoutError::Disconnected, "a request", self.limits.reply)),
        }
    }

    /// The next reply, which must be of environment `number`.
    pub(super) fn receive(&mut self, number: usize) -> Result<View> {
        match self.messages.recv_timeout(self.limits.reply) {
            Ok(Message::View(view)) if view.number == number => Ok(view),
            Ok(Message::View(view)) => {
                Err(self.fail(&format!("environment {number} was asked, and {} replied", view.number)))
            }
            Ok(Message::Broken(problem)) => Err(self.fail(&problem)),
            Ok(Message::Header(_)) => Err(self.fail("a second header came")),
            Err(silent) => Err(self.silent(silent, "a reply", self.limits.reply)),
        }
    }

    /// The error of a process that did not give `what` within `limit`, or has ended.
    fn silent(&mut self, silent: RecvTimeoutError, what: &str, limit: Duration) -> Error {
        if silent == RecvTimeoutError::Timeout {
            return self.fail(&format!("it did not send {what} within {} s", limit.as_secs_f64()));
        }
        match self.ended(FAREWELL) {
            Some(status) => self.fail(&format!("it ended ({status})")),
            None => self.fail("it closed its standard output"),
        }
    }

    /// End the process, and quote its last lines.
    fn fail(&mut self, problem: &str) -> Error {
        self.end();
        // Lines that are on their way; a process that the child has started may keep the pipe open.
        let _ = self.silence.recv_timeout(FAREWELL);
        let said = self.said.lock().map(|said| said.iter().cloned().collect()).unwrap_or_default();
        Error::Environment { command: self.command.clone(), problem: problem.into(), said, hint: HINT.into() }
    }

    /// The status of the process, if it ends within `limit`.
    fn ended(&mut self, limit: Duration) -> Option<ExitStatus> {
        let start = Instant::now();
        loop {
            match self.child.try_wait() {
                Ok(None) if start.elapsed() < limit => std::thread::sleep(Duration::from_millis(5)),
                Ok(status) => return status,
                Err(_) => return None,
            }
        }
    }

    /// Ask the process to end.
    pub(super) fn close(&mut self) {
        if let Some(mut input) = self.input.take() {
            // It may have ended already.
            let _ = input.write_all(&CLOSE);
        }
    }

    /// End the process, at once.
    fn end(&mut self) {
        self.input = None;
        // Both fail if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.close();
        if self.ended(FAREWELL).is_none() {
            self.end();
        }
    }
}

/// Send what the process writes, until it ends or breaks the protocol.
fn listen(output: ChildStdout, sender: &SyncSender<Message>) {
    let mut output = BufReader::with_capacity(1 << 16, output);
    let header = match Header::read(&mut output) {
        Ok(Some(header)) => header,
        Ok(None) => return,
        Err(problem) => return drop(sender.send(Message::Broken(problem))),
    };
    let bytes = header.bytes();
    let mut message = Some(Message::Header(header));
    while let Some(next) = message.take() {
        let broken = matches!(next, Message::Broken(_));
        // Whoever asked may have gone.
        if sender.send(next).is_err() || broken {
            return;
        }
        message = match protocol::reply(&mut output, bytes) {
            Ok(view) => view.map(Message::View),
            Err(problem) => Some(Message::Broken(problem)),
        };
    }
}

/// Write lines of standard error to ours, and keep the last of them.
fn pass_on(errors: ChildStderr, said: &Mutex<VecDeque<String>>) {
    /// Longest piece of a line.
    const LONGEST: u64 = 4096;
    let mut errors = BufReader::new(errors);
    let mut line = Vec::new();
    while matches!(errors.by_ref().take(LONGEST).read_until(b'\n', &mut line), Ok(1..)) {
        // Our standard error may be closed.
        let _ = std::io::stderr().write_all(&line);
        if let Ok(mut said) = said.lock() {
            if said.len() == QUOTED {
                said.pop_front();
            }
            said.push_back(String::from_utf8_lossy(&line).trim_end().to_string());
        }
        line.clear();
    }
}
