//! One thread files every request that brings spans.
//!
//! The evidence has one lock, so that nothing is lost by it; and the allocator gives
//! back what one thread took and let go, while what others let go of for it waits
//! until it takes something again. With the receiver's two threads filing by turns,
//! twice the evidence was resident.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use bytes::Bytes;

use crate::diagnosis::Watch;
use crate::evidence::Moment;
use crate::receiver::Encoding;
use crate::wire::otlp::{Counts, DecodeError, decode_json, decode_protobuf};

/// Hands requests to the thread.
#[derive(Debug)]
pub struct Filing {
    errands: Sender<Errand>,
}

type Filed = Result<Counts, DecodeError>;

struct Errand {
    body: Bytes,
    encoding: Encoding,
    now: Moment,
    filed: Sender<Filed>,
}

impl Filing {
    /// Starts the thread. It ends when this is dropped.
    pub fn start(watch: Arc<Mutex<Watch>>) -> Self {
        let (errands, queue) = channel();
        thread::spawn(move || file_all(&queue, &watch));
        Self { errands }
    }

    /// Files a request that came now, and waits until it is filed.
    pub fn file(&self, body: Bytes, encoding: Encoding, now: Moment) -> Filed {
        let (filed, done) = channel();
        self.errands.send(Errand { body, encoding, now, filed }).expect("the thread goes on for as long");
        done.recv().expect("the thread answers")
    }
}

fn file_all(queue: &Receiver<Errand>, watch: &Mutex<Watch>) {
    for errand in queue {
        // A panic is of one request: that one hears nothing, and the next is filed.
        let _ = catch_unwind(AssertUnwindSafe(|| file(errand, watch)));
    }
}

fn file(Errand { body, encoding, now, filed }: Errand, watch: &Mutex<Watch>) {
    // Who panicked with it left evidence behind that is merely incomplete.
    let mut watch = watch.lock().unwrap_or_else(PoisonError::into_inner);
    watch.set_time(now);
    let decoded = match encoding {
        Encoding::Protobuf => decode_protobuf(&body, &mut watch.taking()),
        Encoding::Json => decode_json(&body, &mut watch.taking()),
    };
    watch.make_room();
    drop(watch);
    // Before it is answered for, as its place in the budget ends then.
    drop(body);
    let _ = filed.send(decoded);
}
