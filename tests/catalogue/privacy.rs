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

#[test]
fn baggage_is_left_out_where_the_propagators_are_set() {
    let sent =
        || queued(message("t1").header("traceparent", TRACEPARENT).header("baggage", "user=secret-42"));
    mends(sent().span(producer(0xaa, 0xb1)), "baggage-at-rest", &["write no baggage, in code"]);
    let launched = sent().span(producer(0xaa, 0xb1).zero_code());
    pastes(launched, "baggage-at-rest", "OTEL_PROPAGATORS=tracecontext");
}
