//! How much HTTP/2 may send on a connection before the receiver reads it.
//!
//! That memory is in no body's budget, so the windows of all connections together are
//! limited. Each connection has at least the smallest window that the protocol allows,
//! and the first ones have larger windows, as long as memory for those lasts.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The most bytes that a connection takes, apart from its bodies and a larger window: two
/// read buffers of HTTP/1 (a body that came within the first keeps that), or the smallest
/// window, a frame and the state of HTTP/2.
pub const CONNECTION: usize = 96 << 10;

/// The memory for larger windows, shared by all connections.
#[derive(Debug)]
pub struct Windows {
    free: AtomicUsize,
}

impl Windows {
    /// The window that a peer assumes until it is told of another:
    /// <https://www.rfc-editor.org/rfc/rfc9113#section-6.9.2>.
    const SMALLEST: usize = 64 << 10;
    /// A larger one saves no CPU (`benches/receiver.rs`).
    const LARGEST: usize = 1 << 20;

    /// `bytes` is the memory for windows beyond the smallest.
    pub const fn new(bytes: usize) -> Self {
        Self { free: AtomicUsize::new(bytes) }
    }

    /// A window for one connection: a quarter of what is left, so that later connections
    /// get some too.
    pub fn take(self: &Arc<Self>) -> Window {
        let more = |free: usize| {
            let more = (free / 4).min(Self::LARGEST - Self::SMALLEST);
            if more < Self::SMALLEST { 0 } else { more }
        };
        let before =
            self.free.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |free| Some(free - more(free)));
        Window { windows: Arc::clone(self), more: before.map_or(0, more) }
    }
}

/// The window of one connection. Its memory is given back when it is dropped.
pub struct Window {
    windows: Arc<Windows>,
    more: usize,
}

impl Window {
    /// Its size in bytes.
    pub const fn bytes(&self) -> usize {
        Windows::SMALLEST + self.more
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        self.windows.free.fetch_add(self.more, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_windows_together_stay_within_what_there_is() {
        const FREE: usize = 8 << 20;
        let windows = Arc::new(Windows::new(FREE));
        let taken: Vec<_> = (0..200).map(|_| windows.take()).collect();
        assert_eq!(taken[0].bytes(), 1 << 20, "the first has all that is of use");
        assert_eq!(taken[199].bytes(), 64 << 10, "the last has what the protocol gives");
        let larger: usize = taken.iter().map(|window| window.bytes() - (64 << 10)).sum();
        assert!(larger <= FREE && larger > FREE / 2, "{larger}");
        drop(taken);
        assert_eq!(windows.free.load(Ordering::Relaxed), FREE);
    }
}
