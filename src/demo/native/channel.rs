//! Messages in Redis, as kombu's channel keeps them: queues, bindings, and what was
//! delivered but not acknowledged.

use std::time::Duration;

use redis::{RedisResult, cmd, pipe};
use serde_json::{Value, json};

use super::task_message::{Route, TaskMessage};
use crate::demo::clock;
use crate::demo::redis_connection::RedisConnection;
use crate::wire::celery::redis_layout::keys::{self, PRIORITY_STEPS, SEPARATOR};

/// The exchange of the workers' mailboxes, which `celery inspect` asks.
const MAILBOXES: &str = "celery.pidbox";

/// A connection that publishes, consumes and stores results.
pub struct Channel {
    pub(super) redis: RedisConnection,
}

/// A message that was taken from a queue, by its delivery tag.
pub struct Delivery {
    pub tag: String,
    pub envelope: Value,
}

impl Channel {
    /// Connects to a URL as Celery writes it: `redis://` or `rediss://`.
    ///
    /// # Errors
    ///
    /// The URL is neither of these, or no Redis answers.
    pub fn open(url: &str) -> RedisResult<Self> {
        Ok(Self { redis: RedisConnection::open(url)? })
    }

    /// Binds a queue to the exchange of its name.
    pub fn declare(&mut self, queue: &str) -> RedisResult<()> {
        self.redis.repeatable(cmd("SADD").arg(binding(queue)).arg(bound(queue)))
    }

    /// Publishes, and returns the delivery tag and whether any queue took it. A message to
    /// an exchange without a binding is dropped silently.
    pub fn publish(&mut self, task: &TaskMessage, route: &Route) -> RedisResult<(String, bool)> {
        let (envelope, tag) = task.envelope(route);
        let queues = if route.exchange.is_empty() {
            self.declare(&route.routing_key)?;
            vec![route.routing_key.clone()]
        } else {
            let members: Vec<String> = self.redis.once(cmd("SMEMBERS").arg(binding(&route.exchange)))?;
            let routed = members.iter().filter_map(|member| {
                let (key, queue) = keys::split_binding(member, SEPARATOR)?;
                (key == route.routing_key).then(|| queue.to_owned())
            });
            routed.collect()
        };
        let text = envelope.to_string();
        for queue in &queues {
            self.redis.once::<()>(cmd("LPUSH").arg(queue).arg(&text))?;
        }
        Ok((tag, !queues.is_empty()))
    }

    /// Takes the next message of a queue, the highest priority first, and records it as
    /// unacknowledged, as kombu does.
    pub fn take(&mut self, queue: &str, timeout: Duration) -> RedisResult<Option<Delivery>> {
        let mut pop = cmd("BRPOP");
        for list in priority_lists(queue) {
            pop.arg(list);
        }
        let taken: Option<(String, Vec<u8>)> = self.redis.once(pop.arg(timeout.as_secs_f64()))?;
        let Some((_, entry)) = taken else { return Ok(None) };
        let Ok(envelope) = serde_json::from_slice::<Value>(&entry) else { return Ok(None) };
        let Some(tag) = envelope["properties"]["delivery_tag"].as_str().map(str::to_owned) else {
            return Ok(None);
        };
        let info = &envelope["properties"]["delivery_info"];
        let held = json!([envelope, info["exchange"], info["routing_key"]]).to_string();
        let mut both = pipe();
        both.atomic().cmd("ZADD").arg("unacked_index").arg(clock::now().as_secs_f64()).arg(&tag).ignore();
        both.cmd("HSET").arg("unacked").arg(&tag).arg(held).ignore();
        self.redis.once_all::<()>(&both)?;
        Ok(Some(Delivery { tag, envelope }))
    }

    pub fn acknowledge(&mut self, tag: &str) -> RedisResult<()> {
        let mut both = pipe();
        both.atomic().cmd("ZREM").arg("unacked_index").arg(tag).ignore();
        both.cmd("HDEL").arg("unacked").arg(tag).ignore();
        self.redis.repeatable_all(&both)
    }

    /// Puts an unacknowledged message back into its queue, marked as redelivered. Does
    /// nothing if it was acknowledged meanwhile.
    pub fn restore(&mut self, tag: &str, queue: &str) -> RedisResult<()> {
        let held: Option<Vec<u8>> = self.redis.once(cmd("HGET").arg("unacked").arg(tag))?;
        let Some(held) = held.and_then(|held| serde_json::from_slice::<Value>(&held).ok()) else {
            return Ok(());
        };
        if held[2].as_str() != Some(queue) {
            return Ok(());
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
        self.redis.once(cmd("RPUSH").arg(queue).arg(envelope.to_string()))
    }

    /// The tags of messages that were delivered longer ago than `timeout`.
    pub fn delivered_before(&mut self, timeout: Duration) -> RedisResult<Vec<String>> {
        let ceiling = clock::now().saturating_sub(timeout).as_secs_f64();
        self.redis.once(
            cmd("ZREVRANGEBYSCORE").arg("unacked_index").arg(ceiling).arg(0).arg("LIMIT").arg(0).arg(10),
        )
    }

    /// Binds the mailbox of a worker, so that `celery inspect` would find it.
    pub fn register_worker(&mut self, host: &str) -> RedisResult<()> {
        self.redis.once(cmd("SADD").arg(binding(MAILBOXES)).arg(mailbox(host)))
    }

    pub fn unregister_worker(&mut self, host: &str) -> RedisResult<()> {
        self.redis.repeatable(cmd("SREM").arg(binding(MAILBOXES)).arg(mailbox(host)))
    }

    /// Deletes a queue, its unacknowledged messages, and further keys.
    pub fn delete_queue(&mut self, queue: &str, mut keys: Vec<String>, tags: &[String]) -> RedisResult<()> {
        keys.extend(priority_lists(queue));
        keys.push(binding(queue));
        self.redis.delete(&keys)?;
        tags.iter().try_for_each(|tag| self.acknowledge(tag))
    }
}

/// The lists of a queue, one for each priority.
fn priority_lists(queue: &str) -> impl Iterator<Item = String> {
    PRIORITY_STEPS.into_iter().map(move |step| match step {
        0 => queue.to_owned(),
        step => format!("{queue}{SEPARATOR}{step}"),
    })
}

fn binding(exchange: &str) -> String {
    format!("_kombu.binding.{exchange}")
}

fn bound(queue: &str) -> String {
    format!("{queue}{SEPARATOR}{SEPARATOR}{queue}")
}

fn mailbox(host: &str) -> String {
    format!("{SEPARATOR}{SEPARATOR}{host}.{MAILBOXES}")
}
