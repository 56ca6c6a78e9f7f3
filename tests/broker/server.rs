//! A private Redis server: its own port, socket and folder, gone with the test.

#![allow(clippy::disallowed_methods, reason = "a test waits for a real server")]

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A server that keeps nothing on disk, killed when dropped.
pub struct RedisServer {
    child: Child,
    pub dir: TempDir,
    pub port: u16,
}

impl RedisServer {
    /// Starts a server with these arguments more, and waits until it listens on
    /// its port (which speaks TLS where the arguments say so) and its socket.
    pub fn start(arguments: &[&str]) -> Self {
        Self::start_in(tempfile::tempdir().expect("a temporary folder"), arguments)
    }

    /// The same in a folder that holds what the arguments name.
    pub fn start_in(dir: TempDir, arguments: &[&str]) -> Self {
        Self::start_at(free_port(), dir, arguments)
    }

    /// The same at a port where another one was.
    pub fn start_at(port: u16, dir: TempDir, arguments: &[&str]) -> Self {
        Self::start_program(Path::new("redis-server"), port, dir, arguments)
    }

    /// The same of another program that takes the same arguments.
    pub fn start_of(program: &Path, arguments: &[&str]) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        Self::start_program(program, free_port(), dir, arguments)
    }

    fn start_program(program: &Path, port: u16, dir: TempDir, arguments: &[&str]) -> Self {
        let port_option = if arguments.contains(&"--tls-cert-file") { "--tls-port" } else { "--port" };
        let mut command = Command::new(program);
        // A sentinel keeps its state in a file; a server does without one.
        if arguments.contains(&"--sentinel") {
            command.arg(dir.path().join("sentinel.conf"));
        }
        command.args(["--port", "0", port_option, &port.to_string(), "--bind", "127.0.0.1"]);
        command.args(["--dir", "."]).args(arguments).current_dir(dir.path());
        if !arguments.contains(&"--sentinel") {
            command.args(["--save", "", "--appendonly", "no", "--unixsocket", "redis.sock"]);
        }
        let log = File::create(dir.path().join("log")).expect("the folder is ours");
        command.stdin(Stdio::null()).stdout(log).stderr(Stdio::null());
        let child = command.spawn().unwrap_or_else(|error| {
            panic!(
                "{program} cannot be started ({error}): install it (Debian: apt-get install redis-server)",
                program = program.display(),
            )
        });
        let server = Self { child, dir, port };
        server.wait(!arguments.contains(&"--sentinel"));
        server
    }

    fn wait(&self, has_socket: bool) {
        let deadline = Instant::now() + Duration::from_secs(10);
        // The socket is there a moment after the port.
        let is_up = || {
            std::net::TcpStream::connect(("127.0.0.1", self.port)).is_ok()
                && (!has_socket || std::os::unix::net::UnixStream::connect(self.socket()).is_ok())
        };
        while !is_up() {
            let log = || std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
            assert!(Instant::now() < deadline, "redis-server does not listen:\n{}", log());
            sleep(Duration::from_millis(10));
        }
    }

    /// From now on it answers nobody, as a machine that is suspended.
    pub fn pause(&self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::STOP).expect("it runs");
    }

    /// Its URL, as Celery writes it.
    pub fn url(&self, db: u32) -> String {
        format!("redis://127.0.0.1:{}/{db}", self.port)
    }

    pub fn socket(&self) -> PathBuf {
        self.dir.path().join("redis.sock")
    }

    /// A connection that may do anything.
    pub fn connection(&self) -> redis::Connection {
        let client = redis::Client::open(self.url(0)).expect("its URL is valid");
        client.get_connection().expect("it listens")
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that no one listened on a moment ago.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("it is bound").port()
}
