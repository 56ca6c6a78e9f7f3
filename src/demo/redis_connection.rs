//! A connection to Redis, for the demo's own processes and for the code that watches them.
//! It knows no key by its name.

use std::io;
use std::time::Duration;

use redis::{Cmd, Connection, FromRedisValue, IntoConnectionInfo, Pipeline, RedisResult, cmd};
use rustix::io::Errno;

/// How long connecting may take, and how long an answer.
const CONNECT: Duration = Duration::from_secs(5);
const ANSWER: Duration = Duration::from_secs(10);

/// A connection to one database.
pub struct RedisConnection {
    redis: Connection,
    url: String,
}

impl RedisConnection {
    /// Connects to a URL as Celery writes it: `redis://` or `rediss://`.
    ///
    /// # Errors
    ///
    /// The URL is neither of these, or no Redis answers.
    pub fn open(url: &str) -> RedisResult<Self> {
        Ok(Self { redis: Self::connect(url)?, url: url.to_owned() })
    }

    fn connect(url: &str) -> RedisResult<Connection> {
        // The driver leaves the choice of cryptography to the program.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = redis::Client::open(url.into_connection_info()?)?;
        let redis = client.get_connection_with_timeout(CONNECT)?;
        redis.set_read_timeout(Some(ANSWER))?;
        redis.set_write_timeout(Some(ANSWER))?;
        Ok(redis)
    }

    /// Sends a command that may be sent twice. A signal, such as Ctrl-C, interrupts waiting
    /// for an answer if that has a time limit (`SO_RCVTIMEO`, `signal(7)`). The answer is
    /// lost with its connection, so the command is sent again on another one.
    fn repeat<T>(&mut self, send: impl Fn(&mut Connection) -> RedisResult<T>) -> RedisResult<T> {
        const TIMES: u32 = 10;
        let mut answer = send(&mut self.redis);
        for _ in 0..TIMES {
            if !answer.as_ref().is_err_and(is_interrupted) {
                break;
            }
            self.redis = Self::connect(&self.url)?;
            answer = send(&mut self.redis);
        }
        answer
    }

    /// Sends a command that reads, or that changes nothing the second time.
    pub fn repeatable<T: FromRedisValue>(&mut self, command: &Cmd) -> RedisResult<T> {
        self.repeat(|redis| command.query(redis))
    }

    /// Sends commands that change nothing the second time, as one transaction.
    pub fn repeatable_all(&mut self, commands: &Pipeline) -> RedisResult<()> {
        self.repeat(|redis| commands.query(redis))
    }

    /// Sends a command once.
    pub fn once<T: FromRedisValue>(&mut self, command: &Cmd) -> RedisResult<T> {
        command.query(&mut self.redis)
    }

    /// Sends several commands once.
    pub fn once_all<T: FromRedisValue>(&mut self, commands: &Pipeline) -> RedisResult<T> {
        commands.query(&mut self.redis)
    }

    /// Deletes keys, some at a time.
    pub fn delete(&mut self, keys: &[String]) -> RedisResult<()> {
        keys.chunks(100).try_for_each(|keys| self.repeatable(cmd("DEL").arg(keys)))
    }
}

/// Whether a signal interrupted waiting for an answer.
fn is_interrupted(error: &redis::RedisError) -> bool {
    // The driver does not expose the underlying error.
    error.is_io_error() && error.to_string().contains(&io::Error::from(Errno::INTR).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_told_from_a_broker_that_went_away() {
        assert!(is_interrupted(&io::Error::from(Errno::INTR).into()));
        assert!(!is_interrupted(&io::Error::from(io::ErrorKind::UnexpectedEof).into()));
    }
}
