//! What the demo's processes say to Redis: queues as kombu keeps them, results
//! as Celery's backend does.

use std::io;
use std::time::Duration;

use redis::{Cmd, Connection, IntoConnectionInfo, RedisResult, cmd, pipe};
use rustix::io::Errno;
use serde_json::{Map, Value, json};

use super::clock;
use super::message::{Route, TaskMessage};
use crate::wire::celery::redis_layout::keys::{self, PRIORITY_STEPS, SEPARATOR};

/// How long a result lives: Celery's `result_expires`, a day.
const RESULT: u64 = 24 * 60 * 60;
/// How long a connection may take to be accepted, and a command to be answered.
const CONNECT: Duration = Duration::from_secs(5);
const ANSWER: Duration = Duration::from_secs(10);

/// A connection that publishes, consumes and stores results.
pub struct Link {
    redis: Connection,
    url: String,
}

/// A delivery: what was taken, and from where.
pub struct Delivery {
    pub tag: String,
    pub envelope: Value,
}

impl Link {
    /// Connects to a URL as Celery writes it: `redis://` or `rediss://`.
    ///
    /// # Errors
    ///
    /// Where it is none of these, or no Redis answers.
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

    /// Says what may be said twice. A signal, such as Ctrl-C, breaks off the wait
    /// for an answer where that has a limit (`SO_RCVTIMEO`, `signal(7)`): the
    /// answer is lost with its connection, and it is said again on another.
    fn say<T>(&mut self, say: impl Fn(&mut Connection) -> RedisResult<T>) -> RedisResult<T> {
        const TIMES: u32 = 10;
        let mut said = say(&mut self.redis);
        for _ in 0..TIMES {
            if !said.as_ref().is_err_and(is_broken_off) {
                break;
            }
            self.redis = Self::connect(&self.url)?;
            said = say(&mut self.redis);
        }
        said
    }

    /// Asks for something that asking does not change, or changes once.
    pub fn look<T: redis::FromRedisValue>(&mut self, command: &Cmd) -> RedisResult<T> {
        self.say(|redis| command.query(redis))
    }

    pub fn ask<T: redis::FromRedisValue>(&mut self, command: &Cmd) -> RedisResult<T> {
        command.query(&mut self.redis)
    }

    /// Binds a queue to the exchange of its name.
    pub fn declare(&mut self, queue: &str) -> RedisResult<()> {
        self.look(cmd("SADD").arg(binding(queue)).arg(bound(queue)))
    }

    /// Publishes, and returns the delivery tag and whether any queue took it:
    /// a message to an exchange to which nothing is bound is dropped, silently.
    pub fn publish(&mut self, task: &TaskMessage, route: &Route) -> RedisResult<(String, bool)> {
        let (envelope, tag) = task.envelope(route);
        let queues = if route.exchange.is_empty() {
            self.declare(&route.routing_key)?;
            vec![route.routing_key.clone()]
        } else {
            let members: Vec<String> = self.ask(cmd("SMEMBERS").arg(binding(&route.exchange)))?;
            let routed = members.iter().filter_map(|member| {
                let (key, queue) = keys::split_binding(member, SEPARATOR)?;
                (key == route.routing_key).then(|| queue.to_owned())
            });
            routed.collect()
        };
        let text = envelope.to_string();
        for queue in &queues {
            self.ask::<()>(cmd("LPUSH").arg(queue).arg(&text))?;
        }
        Ok((tag, !queues.is_empty()))
    }

    /// Takes the next message of a queue, the most urgent priority first, and
    /// notes it among the unacknowledged, as kombu does.
    pub fn take(&mut self, queue: &str, patience: Duration) -> RedisResult<Option<Delivery>> {
        let mut pop = cmd("BRPOP");
        for step in PRIORITY_STEPS {
            pop.arg(if step == 0 { queue.to_owned() } else { format!("{queue}{SEPARATOR}{step}") });
        }
        let taken: Option<(String, Vec<u8>)> = self.ask(pop.arg(patience.as_secs_f64()))?;
        let Some((_, entry)) = taken else { return Ok(None) };
        let Ok(envelope) = serde_json::from_slice::<Value>(&entry) else { return Ok(None) };
        let Some(tag) = envelope["properties"]["delivery_tag"].as_str().map(str::to_owned) else {
            return Ok(None);
        };
        let info = &envelope["properties"]["delivery_info"];
        let held = json!([envelope, info["exchange"], info["routing_key"]]).to_string();
        pipe()
            .atomic()
            .cmd("ZADD")
            .arg("unacked_index")
            .arg(clock::now().as_secs_f64())
            .arg(&tag)
            .ignore()
            .cmd("HSET")
            .arg("unacked")
            .arg(&tag)
            .arg(held)
            .ignore()
            .query::<()>(&mut self.redis)?;
        Ok(Some(Delivery { tag, envelope }))
    }

    pub fn acknowledge(&mut self, tag: &str) -> RedisResult<()> {
        let mut both = pipe();
        both.atomic().cmd("ZREM").arg("unacked_index").arg(tag).ignore();
        both.cmd("HDEL").arg("unacked").arg(tag).ignore();
        self.say(|redis| both.query(redis))
    }

    /// Puts a message that is held back into its queue, as one that was
    /// delivered before. Where it is not held any more, nothing happens.
    pub fn restore(&mut self, tag: &str, queue: &str) -> RedisResult<bool> {
        let held: Option<Vec<u8>> = self.ask(cmd("HGET").arg("unacked").arg(tag))?;
        let Some(held) = held.and_then(|held| serde_json::from_slice::<Value>(&held).ok()) else {
            return Ok(false);
        };
        if held[2].as_str() != Some(queue) {
            return Ok(false);
        }
        let mut envelope = held[0].clone();
        for part in ["headers", "properties"] {
            let place =
                if part == "headers" { &mut envelope[part] } else { &mut envelope[part]["delivery_info"] };
            if let Some(place) = place.as_object_mut() {
                place.insert("redelivered".to_owned(), Value::Bool(true));
            }
        }
        self.acknowledge(tag)?;
        self.ask::<()>(cmd("RPUSH").arg(queue).arg(envelope.to_string()))?;
        Ok(true)
    }

    /// The tags that are held for longer than `timeout`.
    pub fn held_for(&mut self, timeout: Duration) -> RedisResult<Vec<String>> {
        let ceiling = clock::now().saturating_sub(timeout).as_secs_f64();
        self.ask(cmd("ZREVRANGEBYSCORE").arg("unacked_index").arg(ceiling).arg(0).arg("LIMIT").arg(0).arg(10))
    }

    /// Stores what became of a task, and tells whoever waits for it.
    pub fn store_result(
        &mut self,
        task: &TaskMessage,
        status: &str,
        result: &Value,
        traceback: Option<&str>,
    ) -> RedisResult<()> {
        let mut meta = Map::new();
        let is_final = status != "RETRY";
        meta.insert("status".to_owned(), json!(status));
        meta.insert("result".to_owned(), result.clone());
        meta.insert("traceback".to_owned(), json!(traceback));
        meta.insert("children".to_owned(), json!([]));
        meta.insert("date_done".to_owned(), json!(is_final.then(|| clock::isoformat(clock::now()))));
        if let Some(parent) = &task.parent_id {
            meta.insert("parent_id".to_owned(), json!(parent));
        }
        if let Some((group, _)) = &task.group {
            meta.insert("group_id".to_owned(), json!(group));
        }
        meta.insert("task_id".to_owned(), json!(task.id));
        let (key, text) = (result_key(&task.id), Value::Object(meta).to_string());
        pipe()
            .atomic()
            .cmd("SETEX")
            .arg(&key)
            .arg(RESULT)
            .arg(&text)
            .ignore()
            .cmd("PUBLISH")
            .arg(&key)
            .arg(&text)
            .ignore()
            .query(&mut self.redis)
    }

    /// The status of a task: `None` where nothing is stored of it.
    pub fn status(&mut self, id: &str) -> RedisResult<Option<String>> {
        let meta: Option<Vec<u8>> = self.look(cmd("GET").arg(result_key(id)))?;
        let meta = meta.and_then(|meta| serde_json::from_slice::<Value>(&meta).ok());
        Ok(meta.and_then(|meta| meta["status"].as_str().map(str::to_owned)))
    }

    /// Says how many tasks a chord waits for.
    pub fn expect_parts(&mut self, group: &str, parts: usize) -> RedisResult<()> {
        self.ask(cmd("SETEX").arg(part_key(group, 's')).arg(RESULT).arg(parts))
    }

    /// Notes that a part of a chord is done, and returns all results in their
    /// order where it was the last.
    pub fn part_done(
        &mut self,
        group: &str,
        index: u64,
        task: &str,
        result: &Value,
    ) -> RedisResult<Option<Vec<Value>>> {
        let key = part_key(group, 'j');
        let part = json!([1, task, "SUCCESS", result]).to_string();
        let (done, size): (usize, Option<usize>) = pipe()
            .atomic()
            .cmd("ZADD")
            .arg(&key)
            .arg(index)
            .arg(part)
            .ignore()
            .cmd("ZCOUNT")
            .arg(&key)
            .arg("-inf")
            .arg("+inf")
            .cmd("GET")
            .arg(part_key(group, 's'))
            .cmd("EXPIRE")
            .arg(&key)
            .arg(RESULT)
            .ignore()
            .query(&mut self.redis)?;
        if size != Some(done) {
            return Ok(None);
        }
        let parts: Vec<Vec<u8>> = self.ask(cmd("ZRANGE").arg(&key).arg(0).arg(-1))?;
        let result = |part: Vec<u8>| serde_json::from_slice::<Value>(&part).ok().map(|part| part[3].clone());
        self.forget(&[key, part_key(group, 's')])?;
        Ok(Some(parts.into_iter().filter_map(result).collect()))
    }

    /// Says that a worker is there, which `celery inspect` would look for.
    pub fn register_worker(&mut self, host: &str) -> RedisResult<()> {
        self.ask(cmd("SADD").arg(binding("celery.pidbox")).arg(mailbox(host)))
    }

    pub fn unregister_worker(&mut self, host: &str) -> RedisResult<()> {
        self.look(cmd("SREM").arg(binding("celery.pidbox")).arg(mailbox(host)))
    }

    pub fn forget(&mut self, keys: &[String]) -> RedisResult<()> {
        keys.chunks(100).try_for_each(|keys| self.look(cmd("DEL").arg(keys)))
    }

    /// Takes away a queue, what is held of it, and further keys.
    pub fn clean(&mut self, queue: &str, mut keys: Vec<String>, tags: &[String]) -> RedisResult<()> {
        keys.extend(PRIORITY_STEPS.map(|step| match step {
            0 => queue.to_owned(),
            step => format!("{queue}{SEPARATOR}{step}"),
        }));
        keys.push(binding(queue));
        self.forget(&keys)?;
        tags.iter().try_for_each(|tag| self.acknowledge(tag))
    }
}

/// Whether a signal came while an answer was waited for.
fn is_broken_off(error: &redis::RedisError) -> bool {
    // The driver keeps the error itself to itself.
    error.is_io_error() && error.to_string().contains(&io::Error::from(Errno::INTR).to_string())
}

/// The key of a task's result.
pub fn result_key(task: &str) -> String {
    format!("celery-task-meta-{task}")
}

fn part_key(group: &str, part: char) -> String {
    format!("celery-taskset-meta-{group}.{part}")
}

/// The keys in which a chord counts its parts.
pub fn chord_keys(group: &str) -> Vec<String> {
    ['j', 's'].map(|part| part_key(group, part)).to_vec()
}

fn binding(exchange: &str) -> String {
    format!("_kombu.binding.{exchange}")
}

fn bound(queue: &str) -> String {
    format!("{queue}{SEPARATOR}{SEPARATOR}{queue}")
}

fn mailbox(host: &str) -> String {
    format!("{SEPARATOR}{SEPARATOR}{host}.celery.pidbox")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_told_from_a_broker_that_went_away() {
        assert!(is_broken_off(&io::Error::from(Errno::INTR).into()));
        assert!(!is_broken_off(&io::Error::from(io::ErrorKind::UnexpectedEof).into()));
    }
}
