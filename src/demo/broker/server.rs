//! Connections: a thread each, one lock around the keys.

use std::io::{self, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::command::{pop, run};
use super::resp::{Reply, read_command};
use super::store::{Bytes, Store};
use crate::demo::clock;

/// The most clients at a time, and the most commands of a transaction.
const CLIENTS: usize = 256;
const QUEUED: usize = 1000;
/// How long a client may take to read what it is sent.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);
/// How often a waiting client is checked: it may be gone.
const LOOK: Duration = Duration::from_millis(100);

/// What all connections share.
#[derive(Default)]
struct Shared {
    store: Mutex<Store>,
    /// Something was pushed to a list.
    pushed: Condvar,
    clients: AtomicUsize,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Store> {
        let mut store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        store.at(clock::now());
        store
    }
}

/// Serves on a free port of the loopback until the process ends. `listening` is called with
/// the port.
///
/// # Errors
///
/// Where no port is free.
pub fn serve(listening: impl FnOnce(u16)) -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listening(listener.local_addr()?.port());
    let shared = Arc::new(Shared::default());
    for stream in listener.incoming().flatten() {
        if shared.clients.fetch_add(1, Ordering::Relaxed) >= CLIENTS {
            shared.clients.fetch_sub(1, Ordering::Relaxed);
            let _ = (&stream).write_all(b"-ERR max number of clients reached\r\n");
            continue;
        }
        let shared = Arc::clone(&shared);
        thread::spawn(move || {
            // A client that goes away, or speaks another protocol, does not matter.
            let _ = Client { shared: &shared, stream, transaction: None }.attend();
            shared.clients.fetch_sub(1, Ordering::Relaxed);
        });
    }
    Ok(())
}

/// A connection.
struct Client<'s> {
    shared: &'s Shared,
    stream: TcpStream,
    /// The commands since `MULTI`.
    transaction: Option<Vec<Vec<Bytes>>>,
}

impl Client<'_> {
    fn attend(&mut self) -> io::Result<()> {
        self.stream.set_nodelay(true)?;
        self.stream.set_write_timeout(Some(WRITE_TIMEOUT))?;
        let mut input = BufReader::new(self.stream.try_clone()?);
        loop {
            let words = match read_command(&mut input) {
                Ok(Some(words)) => words,
                Ok(None) => return Ok(()),
                Err(error) => {
                    if error.kind() == io::ErrorKind::InvalidData {
                        self.send(&Reply::Error(format!("ERR Protocol error: {error}")))?;
                    }
                    return Err(error);
                }
            };
            let reply = self.answer(words);
            self.send(&reply)?;
        }
    }

    fn send(&mut self, reply: &Reply) -> io::Result<()> {
        let mut bytes = Vec::new();
        reply.write(&mut bytes)?;
        self.stream.write_all(&bytes)
    }

    fn answer(&mut self, words: Vec<Bytes>) -> Reply {
        let name = words.first().map(|name| name.to_ascii_uppercase()).unwrap_or_default();
        if let Some(transaction) = &mut self.transaction
            && !matches!(&*name, b"EXEC" | b"MULTI")
        {
            if transaction.len() >= QUEUED {
                return Reply::Error("ERR too many commands in a transaction".into());
            }
            transaction.push(words);
            return Reply::Simple("QUEUED");
        }
        match (&*name, words.get(1..).unwrap_or_default()) {
            (b"AUTH", _) => Reply::Error(
                "ERR AUTH <password> called without any password configured for the default user.".into(),
            ),
            (b"SELECT", [db]) if db == b"0" => Reply::OK,
            (b"SELECT", [_]) => Reply::Error("ERR DB index is out of range: there is one".into()),
            // The driver names itself and its version.
            (b"CLIENT", _) => Reply::OK,
            (b"MULTI", []) if self.transaction.is_some() => {
                Reply::Error("ERR MULTI calls can not be nested".into())
            }
            (b"MULTI", []) => {
                self.transaction = Some(Vec::new());
                Reply::OK
            }
            (b"EXEC", []) => match self.transaction.take() {
                Some(transaction) => Reply::List(self.run_all(&transaction)),
                None => Reply::Error("ERR EXEC without MULTI".into()),
            },
            (b"BRPOP", [keys @ .., timeout]) if !keys.is_empty() => self.pop_or_wait(keys, timeout),
            _ => self.run_all(&[words]).pop().unwrap_or(Reply::Nil),
        }
    }

    /// Runs commands without any others in between.
    fn run_all(&self, commands: &[Vec<Bytes>]) -> Vec<Reply> {
        let is_push = |words: &Vec<Bytes>| {
            words.first().is_some_and(|name| name.to_ascii_uppercase().ends_with(b"PUSH"))
        };
        let mut store = self.shared.lock();
        let replies = commands.iter().map(|words| run(&mut store, words)).collect();
        drop(store);
        if commands.iter().any(is_push) {
            self.shared.pushed.notify_all();
        }
        replies
    }

    /// Takes the last entry of the first list that has one, and waits if none has.
    fn pop_or_wait(&self, keys: &[Bytes], timeout: &[u8]) -> Reply {
        let seconds = std::str::from_utf8(timeout).ok().and_then(|text| text.parse::<f64>().ok());
        let Some(timeout) = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()) else {
            return Reply::Error("ERR timeout is not a float or out of range".into());
        };
        let deadline = (!timeout.is_zero()).then(|| clock::now() + timeout);
        let mut store = self.shared.lock();
        let mut has_waited = false;
        loop {
            let has_some = keys.iter().any(|key| store.has(key));
            // Nothing is taken for a client that went away while it waited.
            if has_waited && has_some && self.is_gone() {
                return Reply::NilList;
            }
            for key in keys {
                match pop(&mut store, key) {
                    Ok(Some(entry)) => return Reply::list([key.clone(), entry]),
                    Ok(None) => {}
                    Err(_) => {
                        let text = "WRONGTYPE Operation against a key holding the wrong kind of value";
                        return Reply::Error(text.into());
                    }
                }
            }
            let left = deadline.map_or(LOOK, |deadline| deadline.saturating_sub(clock::now()));
            if left.is_zero() || (has_waited && self.is_gone()) {
                return Reply::NilList;
            }
            let waited = self.shared.pushed.wait_timeout(store, left.min(LOOK));
            store = waited.unwrap_or_else(PoisonError::into_inner).0;
            store.at(clock::now());
            has_waited = true;
        }
    }

    /// Whether the client has closed the connection. Then nothing is taken, as it would be
    /// lost.
    fn is_gone(&self) -> bool {
        let look = || -> io::Result<bool> {
            self.stream.set_read_timeout(Some(Duration::from_millis(1)))?;
            let seen = self.stream.peek(&mut [0]);
            self.stream.set_read_timeout(None)?;
            Ok(matches!(seen, Ok(0)))
        };
        look().unwrap_or(true)
    }
}
