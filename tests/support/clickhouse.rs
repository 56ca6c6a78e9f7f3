//! ClickHouse's HTTP interface over its own engine (`tests/python/clickhouse/shim.py`), which
//! ends with the test.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::asking::{Answer, sent};
use super::python;

/// The tables of one exporter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// The Collector's `otel_traces`.
    Map,
    /// The same as the Collector made it in 2024, with its words of then.
    MapBefore,
    /// The Collector's `otel_traces` with columns of JSON.
    Json,
    /// SigNoz's `signoz_index_v3`.
    SigNoz,
}

impl Layout {
    pub const ALL: [Self; 4] = [Self::Map, Self::MapBefore, Self::Json, Self::SigNoz];

    pub fn name(self) -> &'static str {
        match self {
            Self::Map => "map",
            Self::MapBefore => "map-before",
            Self::Json => "json",
            Self::SigNoz => "signoz",
        }
    }
}

pub struct ClickHouse {
    process: Child,
    pub port: u16,
}

impl ClickHouse {
    pub const USER: &str = "reader";
    pub const PASSWORD: &str = "s3cret:w0rd";

    pub fn start() -> Self {
        let shim = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/clickhouse/shim.py");
        let mut process = Command::new(python::interpreter("clickhouse"))
            .arg(shim)
            .args(["--user", Self::USER, "--password", Self::PASSWORD])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Python runs");
        let mut url = String::new();
        let mut stdout = BufReader::new(process.stdout.take().expect("piped"));
        stdout.read_line(&mut url).expect("UTF-8");
        let port = url.trim().rsplit(':').next().and_then(|port| port.parse().ok());
        Self { process, port: port.unwrap_or_else(|| panic!("the shim did not start: {url:?}")) }
    }

    /// What a user types, with the right password.
    pub fn url(&self, database: &str) -> String {
        let password = Self::PASSWORD.replace(':', "%3A");
        format!("clickhouse://{}:{password}@127.0.0.1:{}/{database}", Self::USER, self.port)
    }

    /// Writes OTLP/JSON, a request a line, as an exporter writes it. The tables are made when a
    /// database is first named. All times are moved so that the last span ends at `ending_at`
    /// (seconds since 1970). Returns the number of spans.
    pub fn load(&self, layout: Layout, database: &str, lines: &str, ending_at: Option<f64>) -> usize {
        let ending_at = ending_at.map_or_else(String::new, |at| format!("&ending_at={at}"));
        let path = format!("/load?layout={}&database={database}{ending_at}", layout.name());
        Self::number(&self.post(&path, &[], lines.as_bytes()))
    }

    /// Makes spans in the engine, spread over the last 24 hours (`fill.py`).
    pub fn fill(&self, layout: Layout, database: &str, spans: usize) -> usize {
        let path = format!("/fill?layout={}&database={database}&spans={spans}", layout.name());
        Self::number(&self.post(&path, &[], b""))
    }

    fn number(answer: &Answer) -> usize {
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body.trim().parse().expect("a number")
    }

    /// Asks as the user. The parameters are added to the URL as they are.
    pub fn ask(&self, query: &str, parameters: &str) -> Answer {
        let (user, key) =
            (format!("X-ClickHouse-User: {}", Self::USER), format!("X-ClickHouse-Key: {}", Self::PASSWORD));
        self.post(&format!("/?{parameters}"), &[&user, &key], query.as_bytes())
    }

    /// Sends a request, and reads the answer, which comes in chunks when it is long.
    pub fn post(&self, path: &str, headers: &[&str], body: &[u8]) -> Answer {
        let headers = headers.iter().fold(String::new(), |all, header| all + header + "\r\n");
        let head = format!(
            "POST {path} HTTP/1.0\r\nHost: 127.0.0.1:{}\r\n{headers}Content-Length: {}\r\n\r\n",
            self.port,
            body.len()
        );
        sent(self.port, &[head.as_bytes(), body].concat())
    }

    /// Begins a request, for a test that goes away in the middle of the answer.
    pub fn begin(&self, request: &str) -> TcpStream {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("it listens");
        stream.write_all(request.as_bytes()).expect("it reads");
        stream.read_exact(&mut [0; 12]).expect("it answers");
        stream
    }
}

impl Drop for ClickHouse {
    fn drop(&mut self) {
        // It takes its data away once its input ends.
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}
