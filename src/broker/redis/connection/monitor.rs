//! A connection that only listens: it sends `MONITOR`, and reads lines.
//!
//! A timeout may cut a line here, and the next read continues it. A
//! [`RawConnection`](super::raw::RawConnection) loses a reply that is cut, so this type
//! has its own socket. It sends `AUTH` where the URL has a login, then `MONITOR`, and
//! nothing else.

use std::io::{self, BufRead, BufReader, Write};
use std::time::Duration;

use super::command::pack;
use super::dial;
use super::reply::Reply;
use super::socket::Socket;
use super::timeout::ANSWER;
use crate::broker::redis::error::BrokerError;
use crate::broker::redis::url::{Address, BrokerUrl};

/// The longest line that is kept, in bytes as `MONITOR` writes it: a message of about a
/// megabyte. A longer line is only counted.
const LONGEST: usize = 4 << 20;
/// How many bytes are read from the socket at a time.
const BUFFER: usize = 1 << 16;

/// A line, or why there is none.
#[derive(PartialEq, Eq, Debug)]
pub enum MonitorLine<'t> {
    Whole(&'t [u8]),
    /// The line was too long to keep.
    TooLong,
    /// Nothing came within the timeout.
    Silence,
}

/// A connection that listens.
pub struct MonitorConnection {
    reader: BufReader<Socket>,
    shown: String,
    line: Vec<u8>,
    /// Whether the line is too long, so that its rest is skipped.
    is_skipping: bool,
    /// Whether the caller has had the line.
    is_told: bool,
}

fn connect(url: &BrokerUrl, shown: &str) -> Result<Socket, BrokerError> {
    let failed = |error: io::Error| BrokerError::unreachable(shown, &error);
    let socket = match &url.address {
        Address::Unix(path) => Socket::unix(path).map_err(failed)?,
        _ if url.tls.is_some() => return Err(BrokerError::MonitorOverTls { broker: shown.to_owned() }),
        Address::Tcp(host) => Socket::tcp(host).map_err(failed)?,
        Address::Sentinels { sentinels, master, login } => {
            let master = master.as_deref().ok_or(BrokerError::MasterUnnamed)?;
            Socket::tcp(&dial::find_master(sentinels, master, login)?).map_err(failed)?
        }
    };
    socket.set_timeout(ANSWER).map_err(failed)?;
    Ok(socket)
}

impl MonitorConnection {
    /// Connects, logs in and begins to listen.
    pub fn open(url: &BrokerUrl) -> Result<Self, BrokerError> {
        let shown = url.to_string();
        let socket = connect(url, &shown)?;
        let reader = BufReader::with_capacity(BUFFER, socket);
        let mut tap = Self { reader, shown, line: Vec::new(), is_skipping: false, is_told: false };
        match (&url.login.user, &url.login.password) {
            (Some(user), Some(password)) => tap.say("AUTH", &[user, password])?,
            (None, Some(password)) => tap.say("AUTH", &[password])?,
            (_, None) => {}
        }
        tap.say("MONITOR", &[])?;
        Ok(tap)
    }

    fn say(&mut self, command: &'static str, arguments: &[&str]) -> Result<(), BrokerError> {
        let mut packed = Vec::new();
        pack(&[&[command], arguments].concat(), &mut packed);
        let broker = || self.shown.clone();
        self.reader.get_mut().write_all(&packed).map_err(|error| BrokerError::Lost {
            broker: broker(),
            command,
            why: error.to_string(),
        })?;
        let answer = match self.next(ANSWER)? {
            MonitorLine::Whole(line) => Reply::of_line(line),
            MonitorLine::Silence => return Err(BrokerError::Timeout { broker: self.shown.clone(), command }),
            MonitorLine::TooLong => return Err(BrokerError::NotRedis { broker: self.shown.clone() }),
        };
        match answer {
            Some(Reply::Status(text)) if text == "OK" => Ok(()),
            Some(Reply::Error(error)) => Err(BrokerError::refused(&self.shown, command, None, "", &error)),
            _ => Err(BrokerError::NotRedis { broker: self.shown.clone() }),
        }
    }

    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// The next line, without its end. Waits for as long as `timeout`. The beginning of a
    /// line whose end has not come is kept for the next call.
    pub fn next(&mut self, timeout: Duration) -> Result<MonitorLine<'_>, BrokerError> {
        if std::mem::take(&mut self.is_told) {
            self.line.clear();
        }
        let lost = |shown: &str, why: String| BrokerError::Lost {
            broker: shown.to_owned(),
            command: "MONITOR",
            why,
        };
        if self.reader.buffer().is_empty() {
            let set = self.reader.get_ref().set_timeout(timeout);
            set.map_err(|error| lost(&self.shown, error.to_string()))?;
        }
        loop {
            let buffer = match self.reader.fill_buf() {
                Ok([]) => return Err(lost(&self.shown, "the server closed it".to_owned())),
                Ok(buffer) => buffer,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    return Ok(MonitorLine::Silence);
                }
                Err(error) => return Err(lost(&self.shown, error.to_string())),
            };
            let end = memchr::memchr(b'\n', buffer);
            let piece = &buffer[..end.unwrap_or(buffer.len())];
            if !self.is_skipping && self.line.len() + piece.len() <= LONGEST {
                self.line.extend_from_slice(piece);
            } else {
                self.is_skipping = true;
                self.line.clear();
            }
            let passed = piece.len() + usize::from(end.is_some());
            self.reader.consume(passed);
            if end.is_none() {
                continue;
            }
            if std::mem::take(&mut self.is_skipping) {
                return Ok(MonitorLine::TooLong);
            }
            self.is_told = true;
            // Do not keep a buffer for ever that one long line has grown.
            self.line.shrink_to(LONGEST / 4);
            return Ok(MonitorLine::Whole(self.line.strip_suffix(b"\r").unwrap_or(&self.line)));
        }
    }
}
