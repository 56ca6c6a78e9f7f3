//! Connections: a thread each, one lock around the keys.

use std::io::{self, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::command::{pop, run};
use super::pattern::matches;
use super::resp::{Reply, read_command};
use super::store::{Bytes, Store, Value};
use crate::demo::clock;

/// The most clients at a time, and the most commands of a transaction.
const CLIENTS: usize = 256;
const QUEUED: usize = 1000;
/// How long a client may take to read what it is sent.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often a client that waits is looked at: it may have gone.
const LOOK: Duration = Duration::from_millis(100);

/// What all connections share.
#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// Something was pushed to a list.
    pushed: Condvar,
    clients: AtomicUsize,
}

#[derive(Default)]
struct State {
    store: Store,
    subscribers: Vec<Subscriber>,
    /// What is to be told once the lock is given back.
    outbox: Vec<(Arc<Output>, Reply)>,
}

struct Subscriber {
    channel: Bytes,
    is_pattern: bool,
    output: Arc<Output>,
}

/// Where a client is told things: by its own thread, and by those that publish.
struct Output {
    stream: Mutex<(TcpStream, u8)>,
}

impl Output {
    fn say(&self, replies: &[Reply]) -> io::Result<()> {
        let mut stream = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        let mut bytes = Vec::new();
        replies.iter().try_for_each(|reply| reply.write(&mut bytes, stream.1))?;
        stream.0.write_all(&bytes)
    }
}

/// Serves on a free port of the loopback until the process ends; `listening`
/// hears the port.
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
            // A client that goes away, or speaks something else, is no concern.
            let _ = Client::new(&shared, stream).and_then(|(mut client, input)| client.attend(input));
            shared.clients.fetch_sub(1, Ordering::Relaxed);
        });
    }
    Ok(())
}

/// A connection.
struct Client<'s> {
    shared: &'s Shared,
    output: Arc<Output>,
    peer: TcpStream,
    /// The commands of a transaction.
    queued: Option<Vec<Vec<Bytes>>>,
    /// Keys that must not have changed when the transaction is done.
    watched: Vec<(Bytes, Option<Value>)>,
    subscriptions: usize,
}

impl Drop for Client<'_> {
    fn drop(&mut self) {
        let output = &self.output;
        lock(&self.shared.state).subscribers.retain(|other| !Arc::ptr_eq(&other.output, output));
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    state.store.at(clock::now());
    state
}

impl<'s> Client<'s> {
    fn new(shared: &'s Shared, stream: TcpStream) -> io::Result<(Self, BufReader<TcpStream>)> {
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let (input, peer) = (BufReader::new(stream.try_clone()?), stream.try_clone()?);
        let output = Arc::new(Output { stream: Mutex::new((stream, 2)) });
        let client = Self { shared, output, peer, queued: None, watched: Vec::new(), subscriptions: 0 };
        Ok((client, input))
    }

    fn attend(&mut self, mut input: BufReader<TcpStream>) -> io::Result<()> {
        loop {
            let words = match read_command(&mut input) {
                Ok(Some(words)) => words,
                Ok(None) => return Ok(()),
                Err(error) => {
                    if error.kind() == io::ErrorKind::InvalidData {
                        self.output.say(&[Reply::Error(format!("ERR Protocol error: {error}"))])?;
                    }
                    return Err(error);
                }
            };
            let name = words.first().map(|name| name.to_ascii_uppercase()).unwrap_or_default();
            if name == b"QUIT" {
                return self.output.say(&[Reply::OK]);
            }
            let replies = self.answer(&name, words);
            self.output.say(&replies)?;
        }
    }

    fn answer(&mut self, name: &[u8], words: Vec<Bytes>) -> Vec<Reply> {
        if let Some(queued) = &mut self.queued
            && !matches!(name, b"EXEC" | b"DISCARD" | b"MULTI" | b"WATCH")
        {
            if queued.len() >= QUEUED {
                return vec![Reply::Error("ERR too many commands in a transaction".into())];
            }
            queued.push(words);
            return vec![Reply::Simple("QUEUED")];
        }
        let args = words.get(1..).unwrap_or_default();
        vec![match (name, args) {
            (b"PING", []) if self.subscriptions > 0 => {
                Reply::List(vec![Reply::bulk("pong"), Reply::bulk("")])
            }
            (b"PING", []) => Reply::Simple("PONG"),
            (b"PING" | b"ECHO", [text]) => Reply::bulk(text.clone()),
            (b"HELLO", args) => self.hello(args),
            (b"AUTH", _) => Reply::Error(
                "ERR AUTH <password> called without any password configured for the default user.".into(),
            ),
            (b"SELECT", [db]) if db == b"0" => Reply::OK,
            (b"SELECT", [_]) => Reply::Error("ERR DB index is out of range: there is one".into()),
            (b"CLIENT", [..]) => Reply::OK,
            (b"MULTI", []) if self.queued.is_some() => {
                Reply::Error("ERR MULTI calls can not be nested".into())
            }
            (b"MULTI", []) => {
                self.queued = Some(Vec::new());
                Reply::OK
            }
            (b"DISCARD", []) => {
                self.watched.clear();
                self.queued
                    .take()
                    .map_or_else(|| Reply::Error("ERR DISCARD without MULTI".into()), |_| Reply::OK)
            }
            (b"EXEC", []) => self.execute(),
            (b"WATCH", keys) => {
                let state = lock(&self.shared.state);
                self.watched.extend(keys.iter().map(|key| (key.clone(), state.store.value(key).cloned())));
                Reply::OK
            }
            (b"UNWATCH", []) => {
                self.watched.clear();
                Reply::OK
            }
            (b"SUBSCRIBE" | b"PSUBSCRIBE", channels) => return self.subscribe(name, channels),
            (b"UNSUBSCRIBE" | b"PUNSUBSCRIBE", channels) => return self.unsubscribe(name, channels),
            (b"BRPOP" | b"BLPOP", [keys @ .., timeout]) if !keys.is_empty() => {
                self.pop_or_wait(keys, timeout, name == b"BLPOP")
            }
            _ => self.with_state(|state| one(state, &words)),
        }]
    }

    /// Does something under the lock, then tells those whom it concerns.
    fn with_state<R>(&self, act: impl FnOnce(&mut State) -> R) -> R {
        let (result, outbox, has_grown) = {
            let mut state = lock(&self.shared.state);
            (act(&mut state), std::mem::take(&mut state.outbox), state.store.take_growth())
        };
        if has_grown {
            self.shared.pushed.notify_all();
        }
        for (output, message) in outbox {
            // Whoever does not listen any more misses it.
            let _ = output.say(&[message]);
        }
        result
    }

    fn hello(&self, args: &[Bytes]) -> Reply {
        let version = match args.first().map(Vec::as_slice) {
            None => None,
            Some(b"2") => Some(2),
            Some(b"3") => Some(3),
            Some(_) => return Reply::Error("NOPROTO unsupported protocol version".into()),
        };
        let mut stream = self.output.stream.lock().unwrap_or_else(PoisonError::into_inner);
        stream.1 = version.unwrap_or(stream.1);
        let text = |text: &str| Reply::bulk(text);
        Reply::Map(vec![
            text("server"),
            text("redis"),
            text("version"),
            text("7.0.0"),
            text("proto"),
            Reply::Int(stream.1.into()),
            text("mode"),
            text("standalone"),
            text("role"),
            text("master"),
            text("modules"),
            Reply::List(Vec::new()),
        ])
    }

    fn execute(&mut self) -> Reply {
        let Some(queued) = self.queued.take() else { return Reply::Error("ERR EXEC without MULTI".into()) };
        let watched = std::mem::take(&mut self.watched);
        self.with_state(|state| {
            if watched.iter().any(|(key, value)| state.store.value(key) != value.as_ref()) {
                return Reply::NilList;
            }
            Reply::List(queued.iter().map(|words| one(state, words)).collect())
        })
    }

    /// Takes the first entry of the first list that has one, and waits for one
    /// where none has.
    fn pop_or_wait(&self, keys: &[Bytes], timeout: &[u8], first: bool) -> Reply {
        let seconds = std::str::from_utf8(timeout).ok().and_then(|text| text.parse::<f64>().ok());
        let Some(patience) = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()) else {
            return Reply::Error("ERR timeout is not a float or out of range".into());
        };
        let deadline = (!patience.is_zero()).then(|| clock::now() + patience);
        let mut state = lock(&self.shared.state);
        let mut has_waited = false;
        loop {
            let has_some = keys.iter().any(|key| state.store.value(key).is_some());
            // Nothing is taken for one that went away while it waited.
            if has_waited && has_some && self.is_gone() {
                return Reply::NilList;
            }
            for key in keys {
                match pop(&mut state.store, key, first) {
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
            let waited = self.shared.pushed.wait_timeout(state, left.min(LOOK));
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            state.store.at(clock::now());
            has_waited = true;
        }
    }

    /// Whether the client has closed the connection, so that nothing is taken
    /// for it and lost.
    fn is_gone(&self) -> bool {
        let look = || -> io::Result<bool> {
            self.peer.set_read_timeout(Some(Duration::from_millis(1)))?;
            let seen = self.peer.peek(&mut [0]);
            self.peer.set_read_timeout(None)?;
            Ok(matches!(seen, Ok(0)))
        };
        look().unwrap_or(true)
    }

    fn subscribe(&mut self, name: &[u8], channels: &[Bytes]) -> Vec<Reply> {
        let is_pattern = name.starts_with(b"P");
        let mut replies = Vec::new();
        for channel in channels {
            let subscriber =
                Subscriber { channel: channel.clone(), is_pattern, output: Arc::clone(&self.output) };
            self.with_state(|state| state.subscribers.push(subscriber));
            self.subscriptions += 1;
            replies.push(told(name, channel.clone(), self.subscriptions));
        }
        replies
    }

    fn unsubscribe(&mut self, name: &[u8], channels: &[Bytes]) -> Vec<Reply> {
        let is_pattern = name.starts_with(b"P");
        let mut gone = Vec::new();
        let output = Arc::clone(&self.output);
        self.with_state(|state| {
            state.subscribers.retain(|other| {
                let goes = Arc::ptr_eq(&other.output, &output)
                    && other.is_pattern == is_pattern
                    && (channels.is_empty() || channels.contains(&other.channel));
                if goes {
                    gone.push(other.channel.clone());
                }
                !goes
            });
        });
        let mut replies = Vec::new();
        for channel in gone {
            self.subscriptions = self.subscriptions.saturating_sub(1);
            replies.push(told(name, channel, self.subscriptions));
        }
        if replies.is_empty() {
            replies.push(told(name, channels.first().cloned().unwrap_or_default(), self.subscriptions));
        }
        replies
    }
}

fn told(name: &[u8], channel: Bytes, count: usize) -> Reply {
    Reply::Push(vec![Reply::Bulk(name.to_ascii_lowercase()), Reply::Bulk(channel), Reply::count(count)])
}

/// One command that needs no connection.
fn one(state: &mut State, words: &[Bytes]) -> Reply {
    match words {
        [name, channel, message] if name.eq_ignore_ascii_case(b"PUBLISH") => {
            let mut heard = Vec::new();
            for subscriber in &state.subscribers {
                let is_meant = if subscriber.is_pattern {
                    matches(&subscriber.channel, channel)
                } else {
                    subscriber.channel == *channel
                };
                if is_meant {
                    let mut parts =
                        vec![Reply::bulk(if subscriber.is_pattern { "pmessage" } else { "message" })];
                    parts.extend(subscriber.is_pattern.then(|| Reply::bulk(subscriber.channel.clone())));
                    parts.extend([Reply::bulk(channel.clone()), Reply::bulk(message.clone())]);
                    heard.push((Arc::clone(&subscriber.output), Reply::Push(parts)));
                }
            }
            let count = heard.len();
            state.outbox.extend(heard);
            Reply::count(count)
        }
        [name] if name.eq_ignore_ascii_case(b"PING") => Reply::Simple("PONG"),
        words => run(&mut state.store, words),
    }
}
