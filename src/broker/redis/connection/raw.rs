//! Writes commands and reads replies over one stream. It does not check the commands:
//! `mod.rs` decides what may be sent.

use std::io::{BufReader, Write};
use std::time::Duration;

use super::reply::Reply;
use super::resp::{self, ReplyError};
use super::stream::Stream;

/// How many bytes are read from the stream at a time.
const BUFFER: usize = 64 << 10;

/// An open stream to a server.
pub struct RawConnection {
    reader: BufReader<Stream>,
    /// Values skipped since [`Self::take_passed_over`] was last called.
    passed_over: u64,
}

impl RawConnection {
    pub fn over(stream: Stream) -> Self {
        Self { reader: BufReader::with_capacity(BUFFER, stream), passed_over: 0 }
    }

    /// How many values were too long to keep, since the last call. Each of those is
    /// empty.
    pub const fn take_passed_over(&mut self) -> u64 {
        std::mem::replace(&mut self.passed_over, 0)
    }

    pub fn set_timeout(&mut self, timeout: Duration) {
        self.reader.get_mut().set_timeout(timeout);
    }

    /// Writes commands that are already packed.
    pub fn write(&mut self, packed: &[u8]) -> Result<(), ReplyError> {
        let stream = self.reader.get_mut();
        stream.begin_answer();
        stream.write_all(packed)?;
        Ok(stream.flush()?)
    }

    /// Reads the next reply.
    pub fn read(&mut self) -> Result<Reply, ReplyError> {
        self.reader.get_mut().begin_answer();
        let (reply, passed_over) = resp::read(&mut self.reader)?;
        self.passed_over += passed_over;
        Ok(reply)
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test measures what it waited")]
mod tests {
    use std::os::unix::net::UnixStream;
    use std::thread;
    use std::time::Instant;

    use super::*;
    use crate::broker::redis::connection::socket::Socket;

    const TIMEOUT: Duration = Duration::from_millis(300);

    /// What is read of a server that says this, and how long it took.
    fn heard(say: impl FnOnce(&mut UnixStream) + Send + 'static) -> (Result<Reply, ReplyError>, Duration) {
        let (ours, mut theirs) = UnixStream::pair().expect("two sockets");
        let server = thread::spawn(move || say(&mut theirs));
        let mut raw = RawConnection::over(Stream::plain(Socket::Unix(ours), TIMEOUT).expect("it is open"));
        let begun = Instant::now();
        let answer = raw.read();
        let took = begun.elapsed();
        // A server that still talks is cut off.
        drop(raw);
        server.join().expect("it does not panic");
        (answer, took)
    }

    #[test]
    fn a_reply_that_drips_is_late() {
        let (drip, took) = heard(|server| {
            let mut is_heard = server.write_all(b"$1000\r\n").is_ok();
            while is_heard {
                is_heard = server.write_all(b"x").is_ok();
                thread::sleep(TIMEOUT / 10);
            }
        });
        assert!(matches!(drip, Err(ReplyError::TimedOut)), "{drip:?}");
        assert!(took < TIMEOUT * 10, "{took:?}");
    }

    /// A server that pushes and pushes has said nothing yet.
    #[test]
    fn pushes_without_end_are_late() {
        let (pushed, took) = heard(|server| {
            while server.write_all(b">1\r\n+x\r\n").is_ok() {
                thread::sleep(TIMEOUT / 10);
            }
        });
        assert!(matches!(pushed, Err(ReplyError::TimedOut)), "{pushed:?}");
        assert!(took < TIMEOUT * 10, "{took:?}");
    }

    #[test]
    fn a_reply_in_pieces_is_whole() {
        let (whole, _) = heard(|server| {
            for piece in [&b"*2\r"[..], b"\n$3\r\non", b"e\r\n_\r", b"\n"] {
                server.write_all(piece).expect("it is read");
                thread::sleep(TIMEOUT / 20);
            }
        });
        assert_eq!(whole.expect("a reply"), Reply::Array(vec![Reply::Bulk(b"one".to_vec()), Reply::Null]));
    }
}
