//! A client that sends requests byte by byte, as no library would send them.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

pub struct Answer {
    pub status: u16,
    /// In lower case.
    pub head: String,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}{}", self.head, self.body))
    }

    pub fn error(&self) -> String {
        self.json()["error"].as_str().expect("a reason").to_owned()
    }

    /// A header by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
    }
}

/// Sends bytes, and reads what comes until the connection is closed.
pub fn sent(port: u16, request: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a time");
    // It may refuse a request before it has read all of it.
    let _ = stream.write_all(request);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let text = String::from_utf8(answer).expect("UTF-8");
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    Answer { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
}

/// Sends what `curl -X METHOD [-H HEADER]... http://127.0.0.1:PORT/PATH` sends.
pub fn asked(port: u16, method: &str, path: &str, headers: &[&str]) -> Answer {
    let more = headers.iter().fold(String::new(), |more, header| more + header + "\r\n");
    let host = if more.to_ascii_lowercase().contains("host:") {
        String::new()
    } else {
        format!("Host: 127.0.0.1:{port}\r\n")
    };
    let head =
        format!("{method} {path} HTTP/1.1\r\n{host}User-Agent: curl/8.5.0\r\nAccept: */*\r\n{more}\r\n");
    sent(port, head.as_bytes())
}

pub fn get(port: u16, path: &str) -> Answer {
    asked(port, "GET", path, &[])
}
