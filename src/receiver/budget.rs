//! The bytes that bodies in flight may hold, all requests together.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A limit in bytes, shared by all requests.
#[derive(Debug)]
pub struct Budget {
    limit: usize,
    used: AtomicUsize,
    peak: AtomicUsize,
}

impl Budget {
    /// `limit` is in bytes.
    pub const fn new(limit: usize) -> Self {
        Self { limit, used: AtomicUsize::new(0), peak: AtomicUsize::new(0) }
    }

    pub const fn limit(&self) -> usize {
        self.limit
    }

    /// Bytes that are held now.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// The most that were ever held at a time.
    pub fn peak(&self) -> usize {
        self.peak.load(Ordering::Relaxed)
    }

    /// A place of no bytes yet.
    pub(super) fn open(self: &Arc<Self>) -> Reservation {
        Reservation { budget: Arc::clone(self), bytes: 0 }
    }

    fn take(&self, bytes: usize) -> Result<(), Full> {
        let fits = |used: usize| used.checked_add(bytes).filter(|sum| *sum <= self.limit);
        match self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits) {
            Ok(used) => {
                self.peak.fetch_max(used + bytes, Ordering::Relaxed);
                Ok(())
            }
            Err(_) => Err(Full),
        }
    }
}

/// There is no room for that many bytes now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Full;

/// Bytes that one request holds, given back when it is dropped.
#[derive(Debug)]
pub struct Reservation {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Reservation {
    /// Takes this many more.
    pub fn grow(&mut self, bytes: usize) -> Result<(), Full> {
        self.budget.take(bytes)?;
        self.bytes += bytes;
        Ok(())
    }

    /// Gives this many back, of those it has.
    pub fn shrink(&mut self, bytes: usize) {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        self.budget.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.shrink(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_is_given_back() {
        let budget = Arc::new(Budget::new(100));
        let mut first = budget.open();
        let mut second = budget.open();
        assert_eq!(first.grow(60), Ok(()));
        assert_eq!(second.grow(41), Err(Full));
        assert_eq!(second.grow(usize::MAX), Err(Full));
        assert_eq!(second.grow(40), Ok(()));
        first.shrink(1000);
        assert_eq!((budget.used(), budget.peak()), (40, 100));
        drop((first, second));
        assert_eq!(budget.used(), 0);
    }
}
