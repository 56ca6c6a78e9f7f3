//! The native matrix: each play on an embedded broker, its evidence read as
//! that of anybody else.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tracelink::bundle::{EvidenceOptions, read_evidence};
use tracelink::demo::DemoEvent;
use tracelink::demo::native::{self, Fault, Options};
use tracelink::diagnosis::{Listing, report};
use tracelink::evidence::Evidence;
use tracelink::model::{Report, Severity};

use crate::bundle::Bundle;

/// How often the broker is looked at while nothing else happens.
const EVERY: Duration = Duration::from_millis(60);

/// Acts a fault out, and returns what tracelink says of it.
#[allow(clippy::disallowed_methods, reason = "a test watches a real broker")]
pub fn act(fault: &Fault, folder: &Path, broker: Option<String>) -> Report {
    let mut bundle = Bundle::open(folder);
    let options = Options {
        program: PathBuf::from(env!("CARGO_BIN_EXE_tracelink")),
        broker,
        otlp: bundle.otlp(),
        orders: None,
        rate: None,
        pace: 0.1,
        keep: false,
    };
    let (mut broker, mut tasks) = (String::new(), BTreeSet::new());
    let began = Instant::now();
    let mut looked = began;
    let given = native::run(&fault.scenario(), &options, &mut |event| {
        let mut is_time = false;
        match event {
            DemoEvent::Broker { url, .. } => broker = url,
            DemoEvent::Queued { tasks: queued } => {
                tasks.extend(queued);
                is_time = true;
            }
            DemoEvent::Took { id, .. } | DemoEvent::Ended { id, .. } => drop(tasks.insert(id)),
            DemoEvent::Look | DemoEvent::Done | DemoEvent::Closed => is_time = true,
            DemoEvent::Waiting => is_time = !tasks.is_empty() && looked.elapsed() > EVERY,
            DemoEvent::Starting { .. }
            | DemoEvent::Gone { .. }
            | DemoEvent::Api { .. }
            | DemoEvent::Answered { .. }
            | DemoEvent::Failed => {}
        }
        if is_time {
            looked = Instant::now();
            bundle.look(&broker, tasks.iter().map(String::as_str));
        }
        ControlFlow::Continue(())
    });
    let folder = bundle.close();
    println!("{}: {:.2} s", fault.slug, began.elapsed().as_secs_f64());
    given.unwrap_or_else(|error| panic!("{}: {error}", fault.slug));
    judge(&folder)
}

pub fn judge(folder: &Path) -> Report {
    let mut evidence = Evidence::default();
    let notices =
        read_evidence(&[folder.to_owned()], &EvidenceOptions::default(), &mut evidence).expect("evidence");
    assert!(notices.iter().all(|notice| notice.is_expected), "{notices:?}");
    report(&evidence, evidence.clock(), Listing::default())
}

/// What is wrong with a report on a fault.
fn complaint(fault: &Fault, report: &Report) -> Option<String> {
    let loud = report.findings.iter().filter(|finding| finding.severity <= Severity::Warning);
    let said: Vec<_> = loud.map(|finding| finding.slug).collect();
    (!fault.is_right(report)).then(|| format!("{}: expected {:?}, said {said:?}", fault.slug, fault.expects))
}

#[test]
#[allow(clippy::disallowed_methods, reason = "whoever looks into one fault asks for it")]
fn every_fault_is_named_and_nothing_is_said_of_the_healthy() {
    const AT_A_TIME: usize = 3;
    // `DEMO_FAULT=slug cargo test --test demo matrix` acts out one.
    let only = std::env::var("DEMO_FAULT").ok();
    let faults: Vec<_> =
        native::all().filter(|fault| only.as_ref().is_none_or(|only| fault.slug == only)).collect();
    assert!(!faults.is_empty(), "no fault is called {only:?}");
    let (next, complaints) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                while let Some(fault) = faults.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("demo").join(fault.slug);
                    let result = std::panic::catch_unwind(|| act(fault, &folder, None));
                    let complaint = match &result {
                        Ok(report) => complaint(fault, report),
                        Err(_) => Some(format!("{}: it was not acted out", fault.slug)),
                    };
                    complaints.lock().expect("no panic in here").extend(complaint);
                }
            });
        }
    });
    let complaints = complaints.into_inner().expect("no panic in here");
    assert!(complaints.is_empty(), "{} of {}:\n{}", complaints.len(), faults.len(), complaints.join("\n"));
}
