//! 8xx: what lies at rest that should not.

use super::*;

#[test]
fn tl801_baggage_at_rest() {
    let scene =
        || queued(message("t1").header("traceparent", TRACEPARENT).header("baggage", "user=secret-42"));
    says(scene(), "baggage-at-rest", Note);
    let report = serde_json::to_string(&scene().report()).expect("serialises");
    assert!(report.contains("keys: user") && !report.contains("secret-42"), "baggage values stay hidden");
    is_silent(healthy(), "baggage-at-rest");
}
