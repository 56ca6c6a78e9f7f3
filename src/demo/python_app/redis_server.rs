//! A real `redis-server` of the run's own, which keeps nothing on disk.

use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use redis::cmd;

use super::ports;
use super::process::{Process, SharedReaper};
use crate::demo::clock;
use crate::demo::error::DemoError;
use crate::demo::redis_connection::RedisConnection;

const NAME: &str = "redis-server";
/// How long it may take to answer.
const START: Duration = Duration::from_secs(10);

/// It ends with its owner.
pub struct RedisServer {
    _process: Process,
    pub url: String,
}

impl RedisServer {
    /// Starts it on a free port of the loopback; it answers when this returns.
    ///
    /// # Errors
    ///
    /// Where it does not run, with what it said.
    pub fn start(binary: &Path, folder: &Path, reaper: &SharedReaper) -> Result<Self, DemoError> {
        // A free port may be taken by somebody else before Redis binds it.
        const TRIES: usize = 5;
        let mut why = String::new();
        for _ in 0..TRIES {
            let port = ports::free()?;
            let mut command = Command::new(binary);
            command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--daemonize", "no"]);
            command.args(["--save", "", "--appendonly", "no", "--dir"]).arg(folder);
            let process = Process::start(command, reaper, |_| {})?;
            let url = format!("redis://127.0.0.1:{port}/0");
            let deadline = clock::now() + START;
            while process.ended()?.is_none() && clock::now() < deadline {
                if pid_at(&url) == Some(process.id()) {
                    return Ok(Self { _process: process, url });
                }
                thread::sleep(Duration::from_millis(10));
            }
            why = process.last_words();
        }
        Err(DemoError::Python { who: NAME.to_owned(), why })
    }
}

/// The process id of the Redis that answers there: another's may have taken the port.
fn pid_at(url: &str) -> Option<u32> {
    let info: String = RedisConnection::open(url).ok()?.once(cmd("INFO").arg("server")).ok()?;
    info.lines().find_map(|line| line.strip_prefix("process_id:"))?.trim().parse().ok()
}
