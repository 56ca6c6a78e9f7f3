//! What becomes of the tasks, read from the broker: Celery's own records are all
//! that Python's programs say of it.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use redis::{RedisResult, cmd};
use serde_json::Value;

use crate::demo::link::Link;
use crate::demo::stage::Event;
use crate::wire::celery::keys::{SEPARATOR, split_binding};

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
pub struct Ledger {
    link: Link,
    /// By task id.
    tasks: BTreeMap<String, Task>,
}

#[derive(Default)]
struct Task {
    /// Empty where the message was never seen.
    name: String,
    attempt: u32,
    /// The state that was told last, with its attempt.
    told: Option<(u32, String)>,
    is_final: bool,
}

impl Ledger {
    /// # Errors
    ///
    /// Where no Redis answers at the URL.
    pub fn open(url: &str) -> RedisResult<Self> {
        Ok(Self { link: Link::open(url)?, tasks: BTreeMap::new() })
    }

    /// Whether nothing at all is in the database.
    pub fn is_empty(&mut self) -> RedisResult<bool> {
        let size: u64 = self.link.ask(&cmd("DBSIZE"))?;
        Ok(size == 0)
    }

    pub fn has(&mut self, key: &str) -> RedisResult<bool> {
        self.link.ask(cmd("EXISTS").arg(key))
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
    pub fn news(&mut self) -> RedisResult<Vec<Event>> {
        // What is next, and what a worker holds: there a task's name stands.
        for message in self.messages(NEXT)? {
            self.meet(&message);
        }
        let held: Vec<Vec<u8>> = self.link.ask(cmd("HVALS").arg("unacked"))?;
        for held in held.iter().filter_map(|entry| serde_json::from_slice::<Value>(entry).ok()) {
            self.meet(&held[0]);
        }
        let mut open = self.keys(&format!("{RESULT}*"))?;
        open.retain(|key| self.tasks.get(task_of(key)).is_none_or(|task| !task.is_final));
        let mut events = Vec::new();
        for keys in open.chunks(100) {
            let values: Vec<Option<Vec<u8>>> = self.link.ask(cmd("MGET").arg(keys))?;
            for (key, value) in keys.iter().zip(values) {
                let meta = value.and_then(|value| serde_json::from_slice::<Value>(&value).ok());
                let status = meta.as_ref().and_then(|meta| meta["status"].as_str());
                events.extend(status.and_then(|status| self.tell(task_of(key), status)));
            }
        }
        Ok(events)
    }

    /// Takes away what the demo wrote into a database that was empty before.
    pub fn clean(&mut self) -> RedisResult<()> {
        let mut keys = self.queues()?;
        for pattern in KEYS {
            keys.extend(self.keys(pattern)?);
        }
        self.link.forget(&keys)
    }

    /// So many messages of each queue, the next ones first.
    fn messages(&mut self, limit: isize) -> RedisResult<Vec<Value>> {
        let mut messages = Vec::new();
        for queue in self.queues()? {
            let entries: Vec<Vec<u8>> = self.link.ask(cmd("LRANGE").arg(queue).arg(-limit).arg(-1))?;
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

    /// What there is to tell of a task whose result is in this state.
    fn tell(&mut self, id: &str, state: &str) -> Option<Event> {
        let task = self.tasks.entry(id.to_owned()).or_default();
        if let Some((attempt, told)) = &task.told {
            // A retry's message may be seen while the result is still that of the attempt before.
            if told == state && (*attempt == task.attempt || state == "RETRY") {
                return None;
            }
            // It is tried again, and its message was not seen.
            if told == "RETRY" && *attempt == task.attempt {
                task.attempt += 1;
            }
        }
        // The message of the next attempt is published before the result says that there is one.
        let ended = match (state, &task.told) {
            ("RETRY", Some((attempt, _))) => *attempt,
            ("RETRY", None) => task.attempt.saturating_sub(1),
            _ => task.attempt,
        };
        task.is_final = matches!(state, "SUCCESS" | "FAILURE" | "REVOKED");
        task.told = Some((ended, state.to_owned()));
        let (id, task, attempt) = (id.to_owned(), task.name.clone(), ended);
        match state {
            "STARTED" => Some(Event::Took { id, task, attempt }),
            "PENDING" | "RECEIVED" => None,
            state => Some(Event::Ended { id, task, attempt, state: state.to_owned() }),
        }
    }

    /// The queues that are bound to an exchange.
    fn queues(&mut self) -> RedisResult<Vec<String>> {
        let mut queues = Vec::new();
        for binding in self.keys("_kombu.binding.*")? {
            let members: Vec<String> = self.link.ask(cmd("SMEMBERS").arg(binding))?;
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
        self.link.ask(cmd("KEYS").arg(pattern))
    }
}

/// The id of the task whose result lies there.
fn task_of(key: &str) -> &str {
    key.strip_prefix(RESULT).unwrap_or(key)
}
