//! The bytes of a connection, plain or over TLS, within the time that an answer may take.

use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

use rustls::{ClientConnection, StreamOwned};

use super::socket::Socket;
use super::timeout::ANSWER;

/// How many bytes a second have to come of an answer once its timeout is over.
const PACE: u64 = 64 << 10;
/// The longest that an answer may take beyond its timeout, at whatever pace: at 64 KiB a
/// second, 256 MiB would take an hour.
const LATEST: Duration = Duration::from_mins(2);

/// A socket whose reads fail once the current answer takes too long.
pub struct TimedSocket {
    socket: Socket,
    timeout: Duration,
    begun: Instant,
    /// Bytes that came since then.
    came: u64,
}

/// How long an answer may take if this many bytes of it have come.
fn allowed(timeout: Duration, came: u64) -> Duration {
    timeout + Duration::from_secs(came / PACE).min(LATEST)
}

impl TimedSocket {
    #[expect(clippy::disallowed_methods, reason = "how long to wait is no evidence")]
    fn over(socket: Socket, timeout: Duration) -> io::Result<Self> {
        socket.set_write_timeout(ANSWER)?;
        Ok(Self { socket, timeout, begun: Instant::now(), came: 0 })
    }
}

impl Read for TimedSocket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let allowed = allowed(self.timeout, self.came);
        let Some(left) = allowed.checked_sub(self.begun.elapsed()).filter(|left| !left.is_zero()) else {
            return Err(io::ErrorKind::TimedOut.into());
        };
        self.socket.set_timeout(left.min(self.timeout))?;
        let count = self.socket.read(buffer)?;
        self.came += count as u64;
        Ok(count)
    }
}

impl Write for TimedSocket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}

/// The socket, or TLS over it. A peer can send bytes one by one through TLS too, so the
/// time is measured below it. That covers the handshake as well.
pub enum Stream {
    Plain(TimedSocket),
    Tls(Box<StreamOwned<ClientConnection, TimedSocket>>),
}

impl Stream {
    /// Over this socket. Each answer has to come within `timeout`, or after it at 64 KiB
    /// a second.
    pub fn plain(socket: Socket, timeout: Duration) -> io::Result<Self> {
        Ok(Self::Plain(TimedSocket::over(socket, timeout)?))
    }

    /// The same with TLS. The handshake begins with the first write.
    pub fn tls(socket: Socket, client: ClientConnection, timeout: Duration) -> io::Result<Self> {
        Ok(Self::Tls(Box::new(StreamOwned::new(client, TimedSocket::over(socket, timeout)?))))
    }

    const fn timed(&mut self) -> &mut TimedSocket {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(stream) => &mut stream.sock,
        }
    }

    pub const fn set_timeout(&mut self, timeout: Duration) {
        self.timed().timeout = timeout;
    }

    /// From now on, the reads are for another answer.
    #[expect(clippy::disallowed_methods, reason = "how long to wait is no evidence")]
    pub fn begin_answer(&mut self) {
        let timed = self.timed();
        (timed.begun, timed.came) = (Instant::now(), 0);
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_time_by_its_pace_and_not_for_ever() {
        let allowed = |came: u64| allowed(Duration::from_secs(5), came);
        assert_eq!(allowed(0), Duration::from_secs(5));
        assert_eq!(allowed(10 * PACE), Duration::from_secs(15));
        assert_eq!(allowed(256 << 20), Duration::from_secs(125));
    }
}
