//! What people see, held by snapshots: `cargo insta review`, or
//! `INSTA_UPDATE=always cargo test --test human`, and look at them.

use std::path::{Path, PathBuf};

use tracelink::bundle::{Reading, read_evidence};
use tracelink::diagnosis::{Listing, report};
use tracelink::evidence::Evidence;
use tracelink::report::human::{Verbosity, View};
use tracelink::report::{Format, Subject, write};

fn seen(case: &str, stage: Option<&str>, width: usize, verbosity: Verbosity) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/corpus").join(case);
    let paths: Vec<PathBuf> = vec![stage.map_or(folder.clone(), |stage| folder.join(stage))];
    let mut evidence = Evidence::default();
    read_evidence(&paths, &Reading::default(), &mut evidence).expect("readable");
    let report = report(&evidence, evidence.clock(), Listing::default());
    let subject = if stage.is_some() { Subject::Queue } else { Subject::Handoffs };
    let view =
        View { width, verbosity, broker: stage.map(|_| "redis://127.0.0.1:6379/0".to_owned()), exit_code: 1 };
    let mut out = Vec::new();
    write(&report, Format::Human, subject, &view, &mut out).expect("writes to memory");
    anstream::adapter::strip_bytes(&out).into_vec().try_into().expect("UTF-8")
}

/// Every line but those to paste fits the terminal.
fn fits(text: &str, width: usize) {
    for line in text.lines().filter(|line| !line.contains("fix ") && !line.starts_with("           ")) {
        assert!(line.chars().count() <= width, "{} columns: {line}", line.chars().count());
    }
}

macro_rules! snapshot {
    ($name:ident, $case:literal, $stage:expr, $width:literal, $verbosity:ident) => {
        #[test]
        fn $name() {
            let text = seen($case, $stage, $width, Verbosity::$verbosity);
            fits(&text, $width);
            insta::assert_snapshot!(text);
        }
    };
}

snapshot!(a_propagator_that_differs, "propagator_api_b3multi_worker_w3c", None, 80, Normal);
snapshot!(
    a_propagator_that_differs_on_a_wide_terminal,
    "propagator_api_b3multi_worker_w3c",
    None,
    140,
    Normal
);
snapshot!(a_silent_worker, "worker_no_sdk", None, 80, Normal);
snapshot!(two_consumer_spans, "duplicate_consumer", None, 80, Normal);
snapshot!(a_healthy_request, "healthy_auto", None, 80, Normal);
snapshot!(a_chord, "chord_auto", None, 80, Normal);
snapshot!(retries, "retry_auto", None, 80, Verbose);
snapshot!(only_the_verdict, "manual_zero_traceparent", None, 80, Quiet);
snapshot!(
    a_queue_with_one_origin_silent,
    "own540_two_apis_one_not_instrumented",
    Some("redis.queued.jsonl"),
    80,
    Normal
);
snapshot!(a_queue_on_a_wide_terminal, "shape_priorities", Some("redis.queued.jsonl"), 140, Normal);
snapshot!(
    a_malformed_header_with_its_carets,
    "manual_malformed_traceparent_upper",
    Some("redis.queued.jsonl"),
    80,
    Normal
);
