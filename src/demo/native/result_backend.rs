//! Results in Redis, as Celery's backend keeps them: the state of each task, and the
//! progress of a chord.

use redis::{RedisResult, cmd, pipe};
use serde_json::{Map, Value, json};

use super::channel::Channel;
use super::task_message::TaskMessage;
use crate::demo::clock;

/// How long a result lives, in seconds: Celery's `result_expires`, a day.
const RESULT_EXPIRES: u64 = 24 * 60 * 60;

impl Channel {
    /// Stores the state of a task, and publishes it for those that wait.
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
        let mut both = pipe();
        both.atomic().cmd("SETEX").arg(&key).arg(RESULT_EXPIRES).arg(&text).ignore();
        both.cmd("PUBLISH").arg(&key).arg(&text).ignore();
        self.redis.once_all(&both)
    }

    /// The status of a task: `None` if nothing is stored.
    pub fn status(&mut self, id: &str) -> RedisResult<Option<String>> {
        let meta: Option<Vec<u8>> = self.redis.repeatable(cmd("GET").arg(result_key(id)))?;
        let meta = meta.and_then(|meta| serde_json::from_slice::<Value>(&meta).ok());
        Ok(meta.and_then(|meta| meta["status"].as_str().map(str::to_owned)))
    }

    /// Stores how many tasks a chord waits for.
    pub fn set_chord_size(&mut self, group: &str, parts: usize) -> RedisResult<()> {
        self.redis.once(cmd("SETEX").arg(chord_key(group, 's')).arg(RESULT_EXPIRES).arg(parts))
    }

    /// Stores that a part of a chord is done. If it was the last part, returns all results
    /// in order.
    pub fn chord_part_done(
        &mut self,
        group: &str,
        index: u64,
        task: &str,
        result: &Value,
    ) -> RedisResult<Option<Vec<Value>>> {
        let key = chord_key(group, 'j');
        let part = json!([1, task, "SUCCESS", result]).to_string();
        let mut all = pipe();
        all.atomic().cmd("ZADD").arg(&key).arg(index).arg(part).ignore();
        all.cmd("ZCOUNT").arg(&key).arg("-inf").arg("+inf");
        all.cmd("GET").arg(chord_key(group, 's'));
        all.cmd("EXPIRE").arg(&key).arg(RESULT_EXPIRES).ignore();
        let (done, size): (usize, Option<usize>) = self.redis.once_all(&all)?;
        if size != Some(done) {
            return Ok(None);
        }
        let parts: Vec<Vec<u8>> = self.redis.once(cmd("ZRANGE").arg(&key).arg(0).arg(-1))?;
        let result = |part: Vec<u8>| serde_json::from_slice::<Value>(&part).ok().map(|part| part[3].clone());
        self.redis.delete(&[key, chord_key(group, 's')])?;
        Ok(Some(parts.into_iter().filter_map(result).collect()))
    }
}

/// The key of a task's result.
pub fn result_key(task: &str) -> String {
    format!("celery-task-meta-{task}")
}

fn chord_key(group: &str, part: char) -> String {
    format!("celery-taskset-meta-{group}.{part}")
}

/// The keys in which a chord counts its parts.
pub fn chord_keys(group: &str) -> Vec<String> {
    ['j', 's'].map(|part| chord_key(group, part)).to_vec()
}
