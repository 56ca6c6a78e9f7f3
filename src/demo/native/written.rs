//! What a run wrote to a user's broker, by name, so that exactly that can be deleted.

use std::collections::BTreeSet;

use redis::RedisResult;

use super::channel::Channel;
use super::process_protocol::ProcessEvent;
use super::publisher::worker_name;
use super::result_backend::result_key;

/// Delivery tags, keys, and the process ids of workers.
#[derive(Default)]
pub struct Written {
    tags: BTreeSet<String>,
    keys: BTreeSet<String>,
    pub workers: Vec<u32>,
}

impl Written {
    /// Notes what a process says that it wrote.
    pub fn note(&mut self, event: &ProcessEvent) {
        match event {
            ProcessEvent::Published { id, tag, .. } => {
                self.keys.insert(result_key(id));
                self.tags.insert(tag.clone());
            }
            ProcessEvent::Awaited { id, keys } => {
                self.keys.insert(result_key(id));
                self.keys.extend(keys.iter().cloned());
            }
            _ => {}
        }
    }

    /// Deletes it, with the queue of the run.
    pub fn delete(&self, broker: &str, queue: &str) -> RedisResult<()> {
        let mut channel = Channel::open(broker)?;
        for pid in &self.workers {
            channel.unregister_worker(&worker_name(*pid))?;
        }
        let tags: Vec<_> = self.tags.iter().cloned().collect();
        channel.delete_queue(queue, self.keys.iter().cloned().collect(), &tags)
    }
}
