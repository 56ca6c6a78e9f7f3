//! A page that follows the events, as `EventSource` reads them.

#![allow(clippy::disallowed_methods, reason = "a test waits for events, and not for ever")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// One event.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Event {
    pub name: String,
    pub data: String,
    /// The last id at that time.
    pub id: String,
}

pub struct Stream {
    lines: BufReader<TcpStream>,
    /// Of the last event with one.
    pub id: String,
}

impl Stream {
    /// Opens it, and reads its head.
    pub fn open(port: u16, path: &str, headers: &[&str]) -> Self {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a time");
        // Version 1.0 has no chunks.
        let headers = headers.iter().fold(String::new(), |all, header| all + header + "\r\n");
        let head = format!("GET {path} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\n{headers}\r\n");
        stream.write_all(head.as_bytes()).expect("it reads");
        let mut lines = BufReader::new(stream);
        let mut line = String::new();
        lines.read_line(&mut line).expect("it answers");
        assert!(line.contains(" 200 "), "{line}");
        while line.trim() != "" {
            line.clear();
            lines.read_line(&mut line).expect("a head");
        }
        Self { lines, id: String::new() }
    }

    /// The next event; `None` once the stream was closed.
    pub fn next(&mut self) -> Option<Event> {
        let (mut name, mut data) = (String::new(), Vec::new());
        loop {
            let mut line = String::new();
            if self.lines.read_line(&mut line).expect("an event within the time") == 0 {
                return None;
            }
            match line.trim_end_matches('\n').split_once(": ") {
                Some(("event", value)) => value.clone_into(&mut name),
                Some(("data", value)) => data.push(value.to_owned()),
                Some(("id", value)) => value.clone_into(&mut self.id),
                Some(("", _)) => {}
                None if line == "\n" && !data.is_empty() => {
                    return Some(Event { name, data: data.join("\n"), id: self.id.clone() });
                }
                None if line == "\n" => name.clear(),
                _ => panic!("no field of an event: {line:?}"),
            }
        }
    }

    /// All events up to the first of which it is so.
    pub fn until(&mut self, is_so: impl Fn(&Event) -> bool) -> Vec<Event> {
        let deadline = Instant::now() + Duration::from_secs(20);
        let mut events = Vec::new();
        loop {
            assert!(Instant::now() < deadline, "{events:#?}");
            let event = self.next().unwrap_or_else(|| panic!("it was closed: {events:#?}"));
            let is_last = is_so(&event);
            events.push(event);
            if is_last {
                return events;
            }
        }
    }

    /// Reads until the text that is sent together has ended, and so its number is known.
    pub fn until_numbered(&mut self) {
        let before = self.id.clone();
        while self.id == before {
            let mut line = String::new();
            assert_ne!(self.lines.read_line(&mut line).expect("more within the time"), 0);
            if let Some(id) = line.strip_prefix("id: ") {
                id.trim_end().clone_into(&mut self.id);
            }
        }
    }

    /// Everything up to the end.
    pub fn rest(mut self) -> String {
        let mut rest = String::new();
        self.lines.read_to_string(&mut rest).expect("UTF-8");
        rest
    }
}
