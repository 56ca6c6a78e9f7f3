//! Answers as Redis writes them, read with limits:
//! <https://redis.io/docs/latest/develop/reference/protocol-spec/>.
//!
//! The driver believes whatever length a server announces, keeps all that comes
//! of it, and waits for as long as something comes. A server is hostile like all
//! that is outside, so answers are read here: version 2 of the protocol, as no
//! other is asked for.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::time::{Duration, Instant};

use redis::Value;
use rustls::{ClientConnection, StreamOwned};

use super::socket::Socket;
use super::timeout::ANSWER;
use crate::broker::redis::error::BrokerError;

/// The most bytes of one answer. A page of a queue has a megabyte.
const LONGEST: u64 = 256 << 20;
/// The longest value that is kept: a longer one is passed over, so that one message
/// hides no other.
pub const KEPT: u64 = 64 << 20;
/// The longest value that a Redis holds:
/// <https://redis.io/docs/latest/develop/data-types/strings/>.
const HELD: u64 = 512 << 20;
/// The longest line: what is no bulk is a number, a status or an error.
const LINE: u64 = 64 << 10;
/// The most values in one answer.
const VALUES: usize = 1 << 20;
/// How deep answers nest: those of a scan three levels.
const DEPTH: usize = 8;
/// The least that has to come of an answer in a second, in bytes, once its
/// patience is over.
const PACE: u64 = 64 << 10;
/// The longest that an answer may take, at whatever pace: 256 MiB at 64 KiB a
/// second would be an hour.
const LATEST: Duration = Duration::from_mins(2);
/// What is read from the socket at a time.
const BUFFER: usize = 64 << 10;

/// Why there is no answer.
#[derive(Debug)]
pub enum WireError {
    Io(io::Error),
    /// It did not come in time, or came so slowly that it never would.
    Late,
    /// It is longer than anything that was asked for.
    TooLong,
    /// It is none of Redis's.
    NotRedis,
}

impl WireError {
    /// The error with the broker and the command that was not answered.
    pub fn at(self, broker: &str, command: &'static str) -> BrokerError {
        let name = || broker.to_owned();
        match self {
            Self::Late => BrokerError::Timeout { broker: name(), command },
            Self::TooLong => BrokerError::TooMuch { broker: name(), command },
            Self::NotRedis => BrokerError::Unreadable { broker: name(), command },
            Self::Io(error) => BrokerError::lost(broker, command, &error),
        }
    }
}

impl From<io::Error> for WireError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Self::Late,
            _ => Self::Io(error),
        }
    }
}

type Step<T> = Result<T, WireError>;

/// A socket with the time that the answer in question may take.
struct Timed {
    socket: Socket,
    patience: Duration,
    begun: Instant,
    /// Bytes that came since then.
    came: u64,
}

impl Timed {
    #[expect(clippy::disallowed_methods, reason = "how long to wait is no evidence")]
    fn over(socket: Socket, patience: Duration) -> io::Result<Self> {
        socket.set_write_timeout(ANSWER)?;
        Ok(Self { socket, patience, begun: Instant::now(), came: 0 })
    }

    /// What is waited for from now on is another answer.
    #[expect(clippy::disallowed_methods, reason = "how long to wait is no evidence")]
    fn begin(&mut self) {
        (self.begun, self.came) = (Instant::now(), 0);
    }
}

/// How long an answer may take of which so many bytes have come.
fn allowed(patience: Duration, came: u64) -> Duration {
    patience + Duration::from_secs(came / PACE).min(LATEST)
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let allowed = allowed(self.patience, self.came);
        let Some(left) = allowed.checked_sub(self.begun.elapsed()).filter(|left| !left.is_zero()) else {
            return Err(io::ErrorKind::TimedOut.into());
        };
        self.socket.set_timeout(left.min(self.patience))?;
        let count = self.socket.read(buffer)?;
        self.came += count as u64;
        Ok(count)
    }
}

impl Write for Timed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}

/// The socket, or TLS over it: what drips in below drips above, so that the time
/// is kept at the bottom, and for the greeting too.
enum Way {
    Plain(Timed),
    Tls(Box<StreamOwned<ClientConnection, Timed>>),
}

impl Way {
    const fn timed(&mut self) -> &mut Timed {
        match self {
            Self::Plain(timed) => timed,
            Self::Tls(stream) => &mut stream.sock,
        }
    }
}

impl Read for Way {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(timed) => timed.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

/// Says commands, and reads answers.
pub struct Wire {
    reader: BufReader<Way>,
    /// Bytes and values that the answer in question may still have.
    room: u64,
    values: usize,
    /// Values that were passed over since it was asked.
    passed_over: u64,
}

impl Wire {
    /// Over this socket; each answer has to come within `patience`, or at a
    /// pace of 64 KiB a second after it.
    pub fn over(socket: Socket, patience: Duration) -> io::Result<Self> {
        Ok(Self::by(Way::Plain(Timed::over(socket, patience)?)))
    }

    /// The same with TLS; its greeting goes out with what is said first.
    pub fn over_tls(socket: Socket, client: ClientConnection, patience: Duration) -> io::Result<Self> {
        let stream = StreamOwned::new(client, Timed::over(socket, patience)?);
        Ok(Self::by(Way::Tls(Box::new(stream))))
    }

    fn by(way: Way) -> Self {
        Self { reader: BufReader::with_capacity(BUFFER, way), room: 0, values: 0, passed_over: 0 }
    }

    /// How many values were too long to be kept, since this was asked last. An empty
    /// one stands in the place of each.
    pub const fn take_passed_over(&mut self) -> u64 {
        std::mem::replace(&mut self.passed_over, 0)
    }

    pub fn set_patience(&mut self, patience: Duration) {
        self.reader.get_mut().timed().patience = patience;
    }

    /// Says commands as they are packed.
    pub fn say(&mut self, packed: &[u8]) -> Step<()> {
        let way = self.reader.get_mut();
        way.timed().begin();
        match way {
            Way::Plain(timed) => timed.write_all(packed)?,
            Way::Tls(stream) => stream.write_all(packed).and_then(|()| stream.flush())?,
        }
        Ok(())
    }

    /// Reads the next answer.
    pub fn hear(&mut self) -> Step<Value> {
        self.reader.get_mut().timed().begin();
        (self.room, self.values) = (LONGEST, VALUES);
        self.value(0)
    }

    fn value(&mut self, depth: usize) -> Step<Value> {
        self.values = self.values.checked_sub(1).ok_or(WireError::TooLong)?;
        let line = self.line()?;
        let (kind, rest) = line.split_first().ok_or(WireError::NotRedis)?;
        let text = || std::str::from_utf8(rest).map_err(|_| WireError::NotRedis);
        let number = || text()?.parse::<i64>().map_err(|_| WireError::NotRedis);
        match kind {
            b'+' if rest == b"OK" => Ok(Value::Okay),
            b'+' => Ok(Value::SimpleString(text()?.to_owned())),
            b'-' => match redis::parse_redis_value(&[&line[..], b"\r\n"].concat()) {
                Ok(error @ Value::ServerError(_)) => Ok(error),
                _ => Err(WireError::NotRedis),
            },
            b':' => Ok(Value::Int(number()?)),
            b'$' => match number()? {
                -1 => Ok(Value::Nil),
                length => self.bulk(u64::try_from(length).map_err(|_| WireError::NotRedis)?),
            },
            b'*' => match number()? {
                -1 => Ok(Value::Nil),
                count => {
                    let count = u64::try_from(count).map_err(|_| WireError::NotRedis)?;
                    if depth == DEPTH {
                        return Err(WireError::NotRedis);
                    }
                    // What is announced is believed only as far as it comes.
                    let mut values = Vec::new();
                    for _ in 0..count {
                        values.push(self.value(depth + 1)?);
                    }
                    Ok(Value::Array(values))
                }
            },
            _ => Err(WireError::NotRedis),
        }
    }

    fn spend(&mut self, bytes: u64) -> Step<()> {
        self.room = self.room.checked_sub(bytes).ok_or(WireError::TooLong)?;
        Ok(())
    }

    /// A line without its end.
    fn line(&mut self) -> Step<Vec<u8>> {
        let mut line = Vec::new();
        let length = (&mut self.reader).take(LINE).read_until(b'\n', &mut line)?;
        self.spend(length as u64)?;
        match line.strip_suffix(b"\r\n") {
            Some(whole) => {
                line.truncate(whole.len());
                Ok(line)
            }
            None if length as u64 == LINE || line.ends_with(b"\n") => Err(WireError::NotRedis),
            None => Err(WireError::Io(io::ErrorKind::UnexpectedEof.into())),
        }
    }

    fn bulk(&mut self, length: u64) -> Step<Value> {
        let is_kept = length <= KEPT && length <= self.room;
        let mut bytes = Vec::new();
        let came = if is_kept {
            self.spend(length)?;
            bytes.reserve(usize::try_from(length).unwrap_or(BUFFER).min(BUFFER));
            (&mut self.reader).take(length).read_to_end(&mut bytes)? as u64
        } else if length <= HELD {
            self.passed_over += 1;
            io::copy(&mut (&mut self.reader).take(length), &mut io::sink())?
        } else {
            return Err(WireError::TooLong);
        };
        if came != length {
            return Err(WireError::Io(io::ErrorKind::UnexpectedEof.into()));
        }
        let mut end = [0; 2];
        self.reader.read_exact(&mut end)?;
        if end == *b"\r\n" { Ok(Value::BulkString(bytes)) } else { Err(WireError::NotRedis) }
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test measures what it waited")]
mod tests {
    use std::os::unix::net::UnixStream;
    use std::thread;

    use super::*;

    const PATIENCE: Duration = Duration::from_millis(300);

    /// What is heard of a server that says this, and how long it took.
    fn heard(say: impl FnOnce(&mut UnixStream) + Send + 'static) -> (Step<Value>, Duration) {
        let (ours, mut theirs) = UnixStream::pair().expect("two sockets");
        let server = thread::spawn(move || say(&mut theirs));
        let mut wire = Wire::over(Socket::Unix(ours), PATIENCE).expect("it is open");
        let begun = Instant::now();
        let answer = wire.hear();
        let took = begun.elapsed();
        // A server that still talks is cut off.
        drop(wire);
        server.join().expect("it does not panic");
        (answer, took)
    }

    fn answered(answer: &[u8]) -> Step<Value> {
        let answer = answer.to_vec();
        heard(move |server| server.write_all(&answer).unwrap_or_default()).0
    }

    /// Says this again and again, for as long as somebody listens.
    fn endless(begin: &'static [u8], piece: Vec<u8>, pause: Duration) -> (Step<Value>, Duration) {
        heard(move |server| {
            let mut is_heard = server.write_all(begin).is_ok();
            while is_heard {
                is_heard = server.write_all(&piece).is_ok();
                thread::sleep(pause);
            }
        })
    }

    #[test]
    fn an_answer_has_time_by_its_pace_and_not_for_ever() {
        let allowed = |came: u64| allowed(Duration::from_secs(5), came);
        assert_eq!(allowed(0), Duration::from_secs(5));
        assert_eq!(allowed(10 * PACE), Duration::from_secs(15));
        assert_eq!(allowed(LONGEST), Duration::from_secs(125));
    }

    #[test]
    fn each_kind_of_answer_is_read() {
        let text = |text: &str| Value::BulkString(text.as_bytes().to_vec());
        let cases: [(&[u8], Value); 7] = [
            (b"+OK\r\n", Value::Okay),
            (b"+PONG\r\n", Value::SimpleString("PONG".to_owned())),
            (b":-7\r\n", Value::Int(-7)),
            (b"$5\r\nhi\r\nx\r\n", text("hi\r\nx")),
            (b"$-1\r\n", Value::Nil),
            (b"*-1\r\n", Value::Nil),
            (
                b"*2\r\n$1\r\n0\r\n*1\r\n$0\r\n\r\n",
                Value::Array(vec![text("0"), Value::Array(vec![text("")])]),
            ),
        ];
        for (answer, value) in cases {
            assert_eq!(answered(answer).expect("an answer"), value);
        }
        let Ok(Value::ServerError(error)) = answered(b"-WRONGTYPE no list\r\n") else { panic!("an error") };
        assert_eq!((error.code(), error.details()), ("WRONGTYPE", Some("no list")));
    }

    #[test]
    fn what_no_redis_says_is_no_answer() {
        let deep = b"*1\r\n".repeat(100_000);
        let cases: [&[u8]; 9] = [
            b"$-5\r\n",
            b"*-5\r\n",
            b"=-5\r\n",
            b":1e3\r\n",
            b"\r\n",
            b"+a\n",
            b"$1\r\nabc",
            b"+\xff\r\n",
            &deep,
        ];
        for answer in cases {
            let heard = answered(answer);
            assert!(matches!(heard, Err(WireError::NotRedis)), "{answer:?}: {heard:?}");
        }
        for answer in [&b""[..], b"+OK", b"$9\r\nabc", b"*2\r\n:1\r\n"] {
            let heard = answered(answer);
            assert!(matches!(heard, Err(WireError::Io(_))), "{answer:?}: {heard:?}");
        }
    }

    /// One message of 500 MB once hid all others.
    #[test]
    fn a_value_that_is_too_long_is_passed_over() {
        let (ours, mut theirs) = UnixStream::pair().expect("two sockets");
        let server = thread::spawn(move || {
            let long = vec![b'x'; usize::try_from(KEPT + 1).expect("a size")];
            theirs.write_all(b"*3\r\n$3\r\none\r\n").expect("it is read");
            theirs.write_all(format!("${}\r\n", long.len()).as_bytes()).expect("it is read");
            theirs.write_all(&long).expect("it is read");
            theirs.write_all(b"\r\n$5\r\nthree\r\n").expect("it is read");
        });
        let mut wire = Wire::over(Socket::Unix(ours), Duration::from_secs(30)).expect("it is open");
        let text = |text: &str| Value::BulkString(text.as_bytes().to_vec());
        assert_eq!(wire.hear().expect("an answer"), Value::Array(vec![text("one"), text(""), text("three")]));
        assert_eq!((wire.take_passed_over(), wire.take_passed_over()), (1, 0));
        server.join().expect("it does not panic");
    }

    #[test]
    fn an_answer_without_end_ends() {
        let (bulk, _) = endless(b"$10000000000\r\n", vec![b'x'; BUFFER], Duration::ZERO);
        assert!(matches!(bulk, Err(WireError::TooLong)), "{bulk:?}");
        let (list, _) = endless(b"*1000000000\r\n", b":1\r\n".repeat(1 << 14), Duration::ZERO);
        assert!(matches!(list, Err(WireError::TooLong)), "{list:?}");
        let (line, _) = endless(b"+", vec![b'x'; BUFFER], Duration::ZERO);
        assert!(matches!(line, Err(WireError::NotRedis)), "{line:?}");
    }

    #[test]
    fn an_answer_that_drips_is_late() {
        let (drip, took) = endless(b"$1000\r\n", vec![b'x'], PATIENCE / 10);
        assert!(matches!(drip, Err(WireError::Late)), "{drip:?}");
        assert!(took < PATIENCE * 10, "{took:?}");
    }
}
