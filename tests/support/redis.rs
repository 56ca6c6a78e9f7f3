//! A Redis of the test's own, on a free port of the loopback, gone with it.

#![allow(clippy::disallowed_methods, reason = "a test waits for a real server")]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

pub struct RedisServer {
    process: Child,
    pub port: u16,
    folder: tempfile::TempDir,
}

impl RedisServer {
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts it with more arguments, such as `--requirepass`.
    pub fn start_with(args: &[&str]) -> Self {
        // A free port may be taken by somebody else before Redis binds it.
        const TRIES: usize = 5;
        (0..TRIES).find_map(|_| Self::try_start(args)).expect("redis-server did not start")
    }

    fn try_start(args: &[&str]) -> Option<Self> {
        let port = free_port();
        let folder = tempfile::tempdir().expect("a folder");
        let socket = folder.path().join("redis.sock");
        let mut process = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .args(["--unixsocket", socket.to_str().expect("UTF-8")])
            .args(args)
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is needed for this test: apt-get install redis-server");
        let deadline = Instant::now() + Duration::from_secs(10);
        // Its socket is its own: whoever answers at the port may be another.
        while !socket.exists() || TcpStream::connect(("127.0.0.1", port)).is_err() {
            if process.try_wait().expect("its state").is_some() || Instant::now() > deadline {
                let _ = process.kill();
                return None;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Some(Self { process, port, folder })
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    pub fn socket(&self) -> std::path::PathBuf {
        self.folder.path().join("redis.sock")
    }

    /// Sends one command, and returns the raw answer's first reply, as text or
    /// as many bytes as a bulk string says.
    pub fn ask(&self, command: &[&[u8]]) -> Vec<u8> {
        Wire::connect(self.port).ask(command)
    }

    /// Loads a broker snapshot of the corpus.
    pub fn load(&self, snapshot: &Path) {
        let mut wire = Wire::connect(self.port);
        commands(snapshot).iter().for_each(|command| drop(wire.ask_with(command)));
    }

    /// Makes a broker snapshot of the corpus all that there is, between two
    /// commands of anybody else: nobody sees a moment at which nothing is there.
    pub fn become_snapshot(&self, snapshot: &Path) {
        let mut wire = Wire::connect(self.port);
        wire.ask(&[b"MULTI"]);
        wire.ask(&[b"FLUSHALL"]);
        commands(snapshot).iter().for_each(|command| drop(wire.ask_with(command)));
        wire.send(&[b"EXEC"]);
        let answers = wire.line();
        assert!(answers.starts_with('*'), "{answers}");
        for answer in (0..answers[1..].parse().expect("a count")).map(|_| wire.line()) {
            assert!(!answer.starts_with('-'), "{}: {answer}", snapshot.display());
        }
    }

    /// Every key with its `DUMP`, to see that nothing changed.
    pub fn dump(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut wire = Wire::connect(self.port);
        let mut keys = wire.list(&[b"KEYS", b"*"]);
        keys.sort();
        keys.into_iter().map(|key| (wire.ask(&[b"DUMP", &key]), key)).map(|(dump, key)| (key, dump)).collect()
    }
}

/// The commands that write a broker snapshot of the corpus.
fn commands(snapshot: &Path) -> Vec<Vec<Vec<u8>>> {
    let bytes = |value: &serde_json::Value| -> Vec<u8> {
        use base64::Engine;
        match value.get("b64") {
            Some(text) => base64::engine::general_purpose::STANDARD
                .decode(text.as_str().expect("text"))
                .expect("Base64"),
            None => value.as_str().map_or_else(|| value.to_string(), str::to_owned).into_bytes(),
        }
    };
    let mut commands = Vec::new();
    for line in std::fs::read_to_string(snapshot).expect("readable").lines().skip(1) {
        let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let (key, entries) = (bytes(&line["key"]), &line["entries"]);
        let mut push = |command: &[&[u8]]| commands.push(command.iter().map(|part| part.to_vec()).collect());
        push(&[b"SELECT", line["db"].to_string().as_bytes()]);
        let list = || entries.as_array().into_iter().flatten();
        match line["type"].as_str().expect("a type") {
            "list" => list().for_each(|entry| push(&[b"RPUSH", &key, &bytes(entry)])),
            "set" => list().for_each(|entry| push(&[b"SADD", &key, &bytes(entry)])),
            "zset" => list()
                .for_each(|pair| push(&[b"ZADD", &key, pair[1].to_string().as_bytes(), &bytes(&pair[0])])),
            "hash" => entries
                .as_object()
                .into_iter()
                .flatten()
                .for_each(|(field, value)| push(&[b"HSET", &key, field.as_bytes(), &bytes(value)])),
            _ => push(&[b"SET", &key, &bytes(entries)]),
        }
    }
    commands
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Ports that a test of this process was given: the kernel may offer one again
/// before a server has taken it.
static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// A port that was free a moment ago, and that no other test has.
pub fn free_port() -> u16 {
    loop {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        if GIVEN.lock().unwrap_or_else(PoisonError::into_inner).insert(port) {
            return port;
        }
    }
}

/// Redis' protocol in a few lines: tests must not share the driver that they test.
pub struct Wire {
    reader: BufReader<TcpStream>,
}

impl Wire {
    pub fn connect(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("Redis listens");
        Self { reader: BufReader::new(stream) }
    }

    pub fn send(&mut self, command: &[&[u8]]) {
        let mut bytes = format!("*{}\r\n", command.len()).into_bytes();
        for part in command {
            bytes.extend_from_slice(format!("${}\r\n", part.len()).as_bytes());
            bytes.extend_from_slice(part);
            bytes.extend_from_slice(b"\r\n");
        }
        self.reader.get_mut().write_all(&bytes).expect("Redis reads");
    }

    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.reader.read_line(&mut line).expect("Redis answers");
        line.trim_end().to_owned()
    }

    fn reply(&mut self) -> Vec<u8> {
        let line = self.line();
        match line.strip_prefix('$') {
            Some("-1") => Vec::new(),
            Some(length) => {
                let mut bytes = vec![0; length.parse::<usize>().expect("a length") + 2];
                self.reader.read_exact(&mut bytes).expect("Redis answers");
                bytes.truncate(bytes.len() - 2);
                bytes
            }
            None => line.into_bytes(),
        }
    }

    pub fn ask(&mut self, command: &[&[u8]]) -> Vec<u8> {
        self.send(command);
        self.reply()
    }

    pub fn ask_with(&mut self, command: &[Vec<u8>]) -> Vec<u8> {
        self.ask(&command.iter().map(Vec::as_slice).collect::<Vec<_>>())
    }

    pub fn list(&mut self, command: &[&[u8]]) -> Vec<Vec<u8>> {
        self.send(command);
        let count = self.line().strip_prefix('*').and_then(|count| count.parse().ok()).unwrap_or(0);
        (0..count).map(|_| self.reply()).collect()
    }
}
