//! Tests with small servers in shell, and with the server in Python on a stand-in for gymnasium.

use super::*;
use crate::world::frame::{FRAME_BYTES, RAW_BYTES};
use std::path::Path;
use std::time::Instant;
use tempfile::TempDir;

/// Limits under which a silent process is given up at once.
const SHORT: Limits = Limits { start: Duration::from_secs(20), reply: Duration::from_millis(200) };

/// A header of pictures of 64 by 64 pixels.
const HEADER: &str = r#"printf '{"protocol":1,"observation":[64,64,3],"actions":3,"low":[-1,0,0],"high":[1,1,1],"envs":2,"version":"test 1"}\n'"#;

/// Whether `program` can be run; if not, the test is skipped.
fn runs(program: &str) -> bool {
    let found =
        std::process::Command::new(program).args(["-c", ""]).status().is_ok_and(|status| status.success());
    if !found {
        println!("SKIPPED: no {program}");
    }
    found
}

/// A server of these lines of shell in a folder, and the command that runs it.
fn shell(lines: &[&str]) -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("server.sh");
    std::fs::write(&path, lines.join("\n")).unwrap();
    let command = format!("sh '{}' '{}'", path.display(), folder.path().display());
    (folder, command)
}

/// Whether the process with this number, which `path` holds, runs.
fn alive(path: &Path) -> bool {
    let number = std::fs::read_to_string(path).unwrap();
    let asked = std::process::Command::new("sh").args(["-c", &format!("kill -0 {}", number.trim())]).output();
    asked.unwrap().status.success()
}

#[test]
fn requests_and_replies_have_the_bytes_of_the_protocol() {
    if cfg!(windows) || !runs("sh") {
        return;
    }
    let (folder, command) = shell(&[
        HEADER,
        "cd \"$1\"; mkdir $$; cd $$; echo $$ > pid",
        // A reset of environment 1 (number 3 of all): reward 0.
        "head -c 13 > reset",
        r"printf '\001\0\0\0\0\0\0\0\0\0\0\0\0\0\0\060\0\0'; head -c 12288 /dev/zero",
        // A step: reward 1.5, terminated.
        "head -c 21 > step",
        r"printf '\001\0\0\0\0\0\0\0\0\0\370\077\001\0\0\060\0\0'; head -c 12288 /dev/zero | tr '\0' '\7'",
        "head -c 1 > close",
    ]);
    let mut children = Children::start(&command, 2, Limits::default()).unwrap();
    assert_eq!((children.count(), children.version()), (4, "test 1"));
    let number = 3;
    let view =
        View { number, reward: 0.0, terminated: false, truncated: false, pixels: vec![0; FRAME_BYTES] };
    assert_eq!(children.reset(&[(number, 0x0102_0304_0506_0708)]).unwrap(), std::slice::from_ref(&view));
    let view = View { reward: 1.5, terminated: true, pixels: vec![7; FRAME_BYTES], ..view };
    let views = children.step(&[(number, [-1.0, 0.5, 1.0])]).unwrap();
    assert!(views == [view.clone()] && view.done() && view.frame() == view.pixels);
    assert!(children.step(&[(4, [0.0; 3])]).unwrap_err().to_string().contains("environment 4 of 4"));
    drop(children);
    // The folder of the second process, which was asked.
    let folders = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
    let folder = folders
        .filter(|folder| folder.join("step").exists())
        .find(|folder| std::fs::read(folder.join("reset")).unwrap().len() == 13);
    let folder = folder.unwrap();
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    assert_eq!(read("reset"), [1, 1, 0, 0, 0, 8, 7, 6, 5, 4, 3, 2, 1]);
    let action = [0, 0, 128, 191, 0, 0, 0, 63, 0, 0, 128, 63];
    assert_eq!(read("step"), [&[2, 1, 0, 0, 0, 1, 0, 0, 0][..], &action].concat());
    assert_eq!(read("close"), [3]);
    assert!(!alive(&folder.join("pid")));
}

#[test]
fn headers_that_do_not_fit_are_refused() {
    if cfg!(windows) || !runs("sh") {
        return;
    }
    let with = |from: &str, to: &str| HEADER.replace(from, to);
    for (header, problem) in [
        ("echo hello".to_string(), "its first line is not the header of the protocol"),
        (with("protocol\":1", "protocol\":2"), "it speaks protocol 2, and this version of vae protocol 1"),
        (with("[64,64,3]", "[84,84,1]"), "its observation is [84, 84, 1], not [96, 96, 3] or [64, 64, 3]"),
        (
            with("\"low\":[-1", "\"low\":[0"),
            "it takes 3 actions from [0.0, 0.0, 0.0] to [1.0, 1.0, 1.0], not 3 from",
        ),
        (with("\"envs\":2", "\"envs\":0"), "it has 0 environments"),
    ] {
        let (_folder, command) = shell(&[&header, "exec cat"]);
        let error = Children::start(&command, 1, SHORT).unwrap_err().to_string();
        assert!(error.contains(problem), "{error}");
    }
}

#[test]
fn a_silent_process_is_ended() {
    if cfg!(windows) || !runs("sh") {
        return;
    }
    let (folder, command) = shell(&["echo $$ > \"$1/pid\"", HEADER, "exec sleep 60"]);
    let mut children = Children::start(&command, 1, SHORT).unwrap();
    let start = Instant::now();
    let error = children.reset(&[(0, 1)]).unwrap_err().to_string();
    assert!(error.contains("it did not send a reply within 0.2 s\n"), "{error}");
    assert!(start.elapsed() < Duration::from_secs(10) && !alive(&folder.path().join("pid")));
    // It stays ended.
    assert!(children.step(&[(0, [0.0; 3])]).is_err());

    let (_folder, command) = shell(&["exec sleep 60"]);
    let limits = Limits { start: Duration::from_millis(100), ..SHORT };
    let error = Children::start(&command, 1, limits).unwrap_err().to_string();
    assert!(error.contains("it did not send its header within 0.1 s\n"), "{error}");
}

#[test]
fn the_last_lines_of_a_process_that_ends_are_quoted() {
    if cfg!(windows) || !runs("sh") {
        return;
    }
    let lines = "for i in 1 2 3 4 5 6 7 8 9 10 11; do echo line $i >&2; done; exit 3";
    let (_folder, command) = shell(&[HEADER, "head -c 13 > /dev/null", lines]);
    let error =
        Children::start(&command, 1, Limits::default()).unwrap().reset(&[(0, 1)]).unwrap_err().to_string();
    assert!(error.contains("it ended (exit status: 3); its last lines:\n    line 2\n"), "{error}");
    assert!(error.contains("    line 11\n  run the command by itself"), "{error}");

    let (_folder, command) = shell(&["exit 4"]);
    let error = Children::start(&command, 1, SHORT).unwrap_err().to_string();
    assert!(error.contains("it ended (exit status: 4)\n"), "{error}");
    let error = Children::start("no-such-program-of-vae 1", 1, SHORT).unwrap_err().to_string();
    assert!(error.contains("no-such-program-of-vae cannot be started"), "{error}");
}

#[test]
fn replies_that_break_the_protocol_are_refused() {
    if cfg!(windows) || !runs("sh") {
        return;
    }
    for (reply, problem) in [
        (
            r"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\014\0\0\0",
            "a reply has 12 bytes of observation, and its header promises 12288",
        ),
        (r"\0\0\0\0\0\0\0\0\0\0\360\177\0\0\0\060\0\0", "a reply has the reward inf"),
        (r"\001\0\0\0\0\0\0\0\0\0\0\0\0\0\0\060\0\0", "environment 0 was asked, and 1 replied"),
    ] {
        let reply = format!("printf '{reply}'; head -c 12288 /dev/zero");
        let (_folder, command) = shell(&[HEADER, "head -c 13 > /dev/null", &reply, "exec cat"]);
        let mut children = Children::start(&command, 1, Limits::default()).unwrap();
        let error = children.reset(&[(0, 1)]).unwrap_err().to_string();
        assert!(error.contains(problem), "{error}");
    }
}

/// The server with a module in gymnasium's place, whose frames hold the seed or the brake, and whose reward is the gas.
#[test]
fn the_server_in_python_speaks_the_protocol() {
    if !runs("python3") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    std::fs::write(file("server.py"), GYMNASIUM_SERVER).unwrap();
    std::fs::write(file("numpy.py"), "float32 = list").unwrap();
    let gymnasium = "
__version__ = '0'
print('a message on standard output')
class Frame(bytes):
    def tobytes(self):
        return bytes(self)
class make:
    def __init__(self, name):
        assert name == 'CarRacing-v3'
    def reset(self, seed):
        return Frame([seed] * 27648), {}
    def step(self, action):
        return Frame([int(action[2] * 100)] * 27648), action[1], action[0] < 0, action[0] > 0, {}
";
    std::fs::write(file("gymnasium.py"), gymnasium).unwrap();
    let command = format!("python3 -B '{}' 2", file("server.py").display());
    let mut children = Children::start(&command, 1, Limits::default()).unwrap();
    assert_eq!((children.count(), children.version()), (2, "gymnasium 0 CarRacing-v3"));
    let view = |number, reward, terminated, truncated, value| View {
        number,
        reward,
        terminated,
        truncated,
        pixels: vec![value; RAW_BYTES],
    };
    let views = children.reset(&[(1, 201), (0, 7)]).unwrap();
    assert!(views == [view(1, 0.0, false, false, 201), view(0, 0.0, false, false, 7)]);
    assert!(views[0].frame() == [201; FRAME_BYTES]);
    let views = children.step(&[(1, [0.25, 0.5, 0.25]), (0, [-1.0, 0.75, 0.5])]).unwrap();
    assert!(views == [view(1, 0.5, false, true, 25), view(0, 0.75, true, false, 50)]);
}
