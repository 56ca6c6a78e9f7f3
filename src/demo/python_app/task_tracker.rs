//! What becomes of the tasks, read from the broker: Celery's own records are all
//! that Python's programs say of it.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use redis::{RedisResult, cmd};
use serde_json::Value;

use crate::demo::event::DemoEvent;
use crate::demo::redis_connection::RedisConnection;
use crate::wire::celery::redis_layout::keys::{SEPARATOR, split_binding};

/// How many messages of a queue are read to name the tasks.
const MESSAGES: isize = 10_000;
/// How many of the next ones are looked at while time goes on.
const NEXT: isize = 4;
/// Where Celery keeps results, by task id.
const RESULT: &str = "celery-task-meta-";
/// Everything that Celery and kombu write, apart from the queues.
const KEYS: [&str; 5] =
    ["_kombu.*", "celery-task-meta-*", "celery-taskset-meta-*", "unacked*", "*.celery.pidbox"];

/// A broker's database, and what was seen there.
pub struct TaskTracker {
    redis: RedisConnection,
    /// By task id.
    tasks: BTreeMap<String, Task>,
}

#[derive(Default)]
struct Task {
    /// Empty where the message was never seen.
    name: String,
    /// The latest attempt of which a message was seen.
    attempt: u32,
    /// How many attempts were told to have ended in a retry.
    retried: u32,
    /// The state that was read last, with its attempt.
    last: Option<(u32, String)>,
    is_final: bool,
}

impl TaskTracker {
    /// # Errors
    ///
    /// Where no Redis answers at the URL.
    pub fn open(url: &str) -> RedisResult<Self> {
        Ok(Self { redis: RedisConnection::open(url)?, tasks: BTreeMap::new() })
    }

    /// Whether nothing at all is in the database.
    pub fn is_empty(&mut self) -> RedisResult<bool> {
        let size: u64 = self.redis.repeatable(&cmd("DBSIZE"))?;
        Ok(size == 0)
    }

    pub fn has(&mut self, key: &str) -> RedisResult<bool> {
        self.redis.repeatable(cmd("EXISTS").arg(key))
    }

    /// How many tasks had come to their ends when the news were asked for last.
    pub fn final_results(&self) -> usize {
        self.tasks.values().filter(|task| task.is_final).count()
    }

    /// The ids of the tasks that wait in the queues, the next one first.
    pub fn queued(&mut self) -> RedisResult<Vec<String>> {
        let messages = self.messages(MESSAGES)?;
        Ok(messages.iter().filter_map(|message| self.meet(message)).collect())
    }

    /// What has happened since it was asked for last.
    pub fn news(&mut self) -> RedisResult<Vec<DemoEvent>> {
        let mut open = self.keys(&format!("{RESULT}*"))?;
        open.retain(|key| self.tasks.get(task_of(key)).is_none_or(|task| !task.is_final));
        let mut states = Vec::new();
        for keys in open.chunks(100) {
            let values: Vec<Option<Vec<u8>>> = self.redis.repeatable(cmd("MGET").arg(keys))?;
            for (key, value) in keys.iter().zip(values) {
                let meta = value.and_then(|value| serde_json::from_slice::<Value>(&value).ok());
                let state = meta.as_ref().and_then(|meta| meta["status"].as_str());
                let attempt = self.tasks.get(task_of(key)).map_or(0, |task| task.attempt);
                states.extend(state.map(|state| (task_of(key), attempt, state.to_owned())));
            }
        }
        // Messages after results: the next attempt's is published before the
        // result says that there will be one.
        for message in self.messages(NEXT)? {
            self.meet(&message);
        }
        let held: Vec<Vec<u8>> = self.redis.repeatable(cmd("HVALS").arg("unacked"))?;
        for held in held.iter().filter_map(|entry| serde_json::from_slice::<Value>(entry).ok()) {
            self.meet(&held[0]);
        }
        let mut events = Vec::new();
        for (id, attempt, state) in states {
            let task = self.tasks.entry(id.to_owned()).or_default();
            events.extend(task.tell(id, attempt, state));
        }
        Ok(events)
    }

    /// Takes away what the demo wrote into a database that was empty before.
    pub fn clean(&mut self) -> RedisResult<()> {
        let mut keys = self.queues()?;
        for pattern in KEYS {
            keys.extend(self.keys(pattern)?);
        }
        self.redis.delete(&keys)
    }

    /// So many messages of each queue, the next ones first.
    fn messages(&mut self, limit: isize) -> RedisResult<Vec<Value>> {
        let mut messages = Vec::new();
        for queue in self.queues()? {
            let entries: Vec<Vec<u8>> =
                self.redis.repeatable(cmd("LRANGE").arg(queue).arg(-limit).arg(-1))?;
            messages
                .extend(entries.iter().rev().filter_map(|entry| serde_json::from_slice::<Value>(entry).ok()));
        }
        Ok(messages)
    }

    /// Notes a task by its message; its id.
    fn meet(&mut self, message: &Value) -> Option<String> {
        let headers = &message["headers"];
        // Protocol 1 has them in the body.
        let body: Option<Value> = if headers["id"].is_string() {
            None
        } else {
            let body = STANDARD.decode(message["body"].as_str()?).ok()?;
            Some(serde_json::from_slice(&body).ok()?)
        };
        let from = body.as_ref().unwrap_or(headers);
        let id = from["id"].as_str()?;
        let task = self.tasks.entry(id.to_owned()).or_default();
        from["task"].as_str().unwrap_or_default().clone_into(&mut task.name);
        let attempt = from["retries"].as_u64().and_then(|retries| retries.try_into().ok());
        task.attempt = task.attempt.max(attempt.unwrap_or_default());
        Some(id.to_owned())
    }

    /// The queues that are bound to an exchange.
    fn queues(&mut self) -> RedisResult<Vec<String>> {
        let mut queues = Vec::new();
        for binding in self.keys("_kombu.binding.*")? {
            let members: Vec<String> = self.redis.repeatable(cmd("SMEMBERS").arg(binding))?;
            let bound = members.iter().filter_map(|member| split_binding(member, SEPARATOR));
            queues.extend(bound.map(|(_, queue)| queue.to_owned()));
        }
        // A worker's mailbox holds no tasks.
        queues.retain(|queue| !queue.ends_with(".pidbox"));
        queues.sort();
        queues.dedup();
        Ok(queues)
    }

    fn keys(&mut self, pattern: &str) -> RedisResult<Vec<String>> {
        self.redis.repeatable(cmd("KEYS").arg(pattern))
    }
}

impl Task {
    /// What there is to tell of a result in this state, when a message of
    /// `attempt` had been seen before it was read.
    fn tell(&mut self, id: &str, attempt: u32, state: String) -> Vec<DemoEvent> {
        let was = self.last.as_ref().map(|(_, state)| &**state);
        let attempt = match &*state {
            // As many attempts have ended so as the next one's message says; one
            // more than before where that was not seen.
            "RETRY" => self.attempt.max(self.retried + u32::from(was != Some("RETRY"))),
            "STARTED" => attempt.max(self.retried),
            _ => self.attempt.max(self.retried),
        };
        let now = (attempt, state);
        if self.last.as_ref() == Some(&now) {
            return Vec::new();
        }
        let ended = |attempt, state: &str| {
            let (id, task, state) = (id.to_owned(), self.name.clone(), state.to_owned());
            DemoEvent::Ended { id, task, attempt, state }
        };
        let mut events: Vec<_> = (self.retried..attempt).map(|attempt| ended(attempt, "RETRY")).collect();
        match &*now.1 {
            "STARTED" => events.push(DemoEvent::Took { id: id.to_owned(), task: self.name.clone(), attempt }),
            "RETRY" | "PENDING" | "RECEIVED" => {}
            state => events.push(ended(attempt, state)),
        }
        self.retried = self.retried.max(attempt);
        self.is_final = matches!(&*now.1, "SUCCESS" | "FAILURE" | "REVOKED");
        self.last = Some(now);
        events
    }
}

/// The id of the task whose result lies there.
fn task_of(key: &str) -> &str {
    key.strip_prefix(RESULT).unwrap_or(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is told of states that are read one after the other, each with the
    /// attempts of the messages that were seen before and after it.
    fn told(read: &[(u32, &str, u32)]) -> Vec<String> {
        let mut task = Task::default();
        let events = read.iter().flat_map(|(before, state, after)| {
            task.attempt = *after;
            task.tell("id", *before, (*state).to_owned())
        });
        events
            .map(|event| match event {
                DemoEvent::Took { attempt, .. } => format!("{attempt} took"),
                DemoEvent::Ended { attempt, state, .. } => format!("{attempt} {state}"),
                other => format!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn each_state_is_told_once() {
        let read = [(0, "STARTED", 0), (0, "STARTED", 0), (0, "SUCCESS", 0), (0, "SUCCESS", 0)];
        assert_eq!(told(&read), ["0 took", "0 SUCCESS"]);
        assert_eq!(told(&[(0, "REVOKED", 0)]), ["0 REVOKED"]);
    }

    #[test]
    fn each_retry_is_told_even_where_its_start_was_not_seen() {
        let read = [(0, "STARTED", 0), (0, "RETRY", 1), (1, "RETRY", 1), (1, "RETRY", 2), (2, "STARTED", 2)];
        assert_eq!(told(&read), ["0 took", "0 RETRY", "1 RETRY", "2 took"]);
        assert_eq!(
            told(&[(0, "RETRY", 2), (2, "FAILURE", 3)]),
            ["0 RETRY", "1 RETRY", "2 RETRY", "3 FAILURE"]
        );
    }

    #[test]
    fn a_retry_is_told_where_its_message_was_not_seen() {
        let read =
            [(0, "STARTED", 0), (0, "RETRY", 0), (0, "RETRY", 0), (0, "STARTED", 0), (0, "SUCCESS", 0)];
        assert_eq!(told(&read), ["0 took", "0 RETRY", "1 took", "1 SUCCESS"]);
    }
}
