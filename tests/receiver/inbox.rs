//! An inbox that writes down what came, and a client of bare bytes.

#![allow(clippy::disallowed_methods, reason = "a test waits for a real server")]

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tracelink::evidence::Outcome;
use tracelink::receiver::{
    Budget, Ended, Inbox, OtlpEncoding, Ports, Receipt, Receiver, ReceiverLimits, Refusal, Request, Signal,
    Taken, Transport,
};

/// What an inbox was told.
#[derive(Default)]
pub struct Told {
    pub taken: Vec<(Signal, OtlpEncoding, Transport, Vec<u8>)>,
    pub ended: Vec<(Outcome, String)>,
    /// What to answer to the next requests, whatever they hold.
    pub script: VecDeque<Result<Receipt, Refusal>>,
}

/// Writes down, and answers by the content's first word.
#[derive(Default)]
pub struct Book(Mutex<Told>);

impl Book {
    pub fn told(&self) -> std::sync::MutexGuard<'_, Told> {
        self.0.lock().expect("no test panics with it")
    }

    /// Waits until as many requests ended in this way.
    pub fn wait(&self, outcome: Outcome, count: usize) {
        // A Python SDK takes longer than ten seconds to start on a busy machine.
        let deadline = Instant::now() + Duration::from_mins(1);
        loop {
            let seen: Vec<Outcome> = self.told().ended.iter().map(|(outcome, _)| *outcome).collect();
            if seen.iter().filter(|seen| **seen == outcome).count() >= count {
                return;
            }
            assert!(Instant::now() < deadline, "{count} times {outcome:?} in {seen:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Book {
    fn write_down(&self, request: &Request<'_>) -> Result<Receipt, Refusal> {
        let mut told = self.told();
        told.taken.push((request.signal, request.encoding, request.transport, request.body.to_vec()));
        if let Some(answer) = told.script.pop_front() {
            return answer;
        }
        match &request.body[..] {
            b"{\"broken\"" => Err(Refusal::Malformed("broken JSON at line 1".to_owned())),
            b"{\"busy\":1}" => Err(Refusal::Busy { retry_after: Duration::from_millis(1500) }),
            b"{\"partly\":1}" => Ok(Receipt { rejected: 3, message: "three ids are zero".to_owned() }),
            _ => Ok(Receipt::default()),
        }
    }
}

impl Inbox for Book {
    fn take<'i>(&'i self, request: &'i Request<'i>) -> Taken<'i> {
        Box::pin(std::future::ready(self.write_down(request)))
    }

    fn ended(&self, ended: &Ended<'_>) {
        self.told().ended.push((ended.outcome, ended.target.to_owned()));
    }
}

const FREE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// A receiver with all three ports, and its book.
pub struct House {
    pub receiver: Receiver,
    pub book: Arc<Book>,
    pub budget: Arc<Budget>,
    pub grpc: SocketAddr,
    pub http: SocketAddr,
    pub both: SocketAddr,
}

impl House {
    pub fn open() -> Self {
        Self::with(|_| {})
    }

    /// Waits until bodies in flight hold as many bytes.
    pub fn wait_for_bytes(&self, bytes: usize) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while self.budget.used() < bytes {
            let ended = &self.book.told().ended;
            assert!(Instant::now() < deadline, "{} bytes, {ended:?}", self.budget.used());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    pub fn with(change: impl FnOnce(&mut ReceiverLimits)) -> Self {
        Self::built(FREE, change)
    }

    /// With the gRPC port at this address.
    pub fn at(grpc: SocketAddr) -> Self {
        Self::built(grpc, |_| {})
    }

    fn built(grpc: SocketAddr, change: impl FnOnce(&mut ReceiverLimits)) -> Self {
        let ports = Ports { grpc: Some(grpc), http: Some(FREE), both: Some(FREE) };
        let mut limits = ReceiverLimits::new(Arc::new(Budget::new(128 << 20)), 64 << 20);
        change(&mut limits);
        let (book, budget) = (Arc::new(Book::default()), Arc::clone(&limits.bodies));
        let receiver = Receiver::open(&ports, Arc::<Book>::clone(&book), limits).expect("free ports");
        let addresses = receiver.addresses();
        let (grpc, http, both) = (addresses.grpc, addresses.http, addresses.both);
        Self {
            receiver,
            book,
            budget,
            grpc: grpc.expect("open"),
            http: http.expect("open"),
            both: both.expect("open"),
        }
    }
}

/// A connection that gives up after ten seconds.
pub fn connect(to: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(to).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a socket");
    stream
}

/// Sends bytes, and reads the answer to its end, as text.
pub fn say(to: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = connect(to);
    stream.write_all(bytes).expect("it reads");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("it answers and closes");
    String::from_utf8_lossy(&answer).into_owned()
}

/// An HTTP/1 request with these headers, each with its line's end.
pub fn ask(to: SocketAddr, line: &str, headers: &str, body: &[u8]) -> String {
    let head = format!(
        "{line} HTTP/1.1\r\nhost: test\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n",
        body.len()
    );
    say(to, &[head.as_bytes(), body].concat())
}
