//! How long an export waits for what others send.

#![allow(clippy::disallowed_methods, reason = "a test of waiting looks at the clock")]

use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::listener::Listener;
use super::memory::{post, smallest};

/// A request of a million spans once held the lock for its whole length: an export that
/// came meanwhile waited until it was filed, and a second one of its kind stopped both
/// of the receiver's threads.
#[test]
fn an_export_does_not_wait_for_requests_of_many_spans() {
    const MANY: u64 = 150_000;
    let listener = Listener::start(&["--max-memory", "256MiB"]);
    let port = listener.http;
    let began = Instant::now();
    let long: Vec<_> = (0..3)
        .map(|number| {
            std::thread::spawn(move || {
                assert_eq!(post(port, &smallest(number * MANY, MANY), "identity"), 200);
                Instant::now()
            })
        })
        .collect();
    let mut waited = Vec::new();
    while !long.iter().any(std::thread::JoinHandle::is_finished) {
        let sent = Instant::now();
        assert_eq!(
            post(port, &smallest(u64::from(u32::MAX) + waited.len() as u64 * 10, 10), "identity"),
            200
        );
        waited.push(sent.elapsed());
    }
    let first = long.into_iter().map(|long| long.join().expect("no panic") - began).min().expect("three");
    waited.sort();
    let usual = waited[waited.len() / 2];
    // Most of them wait for a piece; now and then one waits for a round.
    assert!(waited.len() > 20, "{} exports were answered in {first:?}: {waited:?}", waited.len());
    assert!(usual < first / 20, "{usual:?} of {first:?}");
    assert!(
        waited[waited.len() * 9 / 10] < first / 4 + Duration::from_millis(100),
        "{waited:?} of {first:?}"
    );
    listener.signal(Signal::INT);
    let report = listener.wait().report();
    let account = &report["inputs"]["span_account"];
    let figure = |name: &str| account[name].as_u64().expect("a figure");
    assert_eq!(figure("received"), 3 * MANY + waited.len() as u64 * 10, "{account}");
    assert_eq!(figure("received"), figure("held") + figure("evicted") + figure("duplicates"), "{account}");
}
