//! A sample says how much it is, in every format, and raises no alarm that the whole does not.

use std::collections::BTreeSet;
use std::time::Duration;

use tracelink::live::{Inquiry, Selection};
use tracelink::model::{Report, Severity};
use tracelink::query::clickhouse::{Filter, Window};
use tracelink::report::{FormatName, Subject, Verbosity, View};

use super::asked::{a_day_ago, ask, everything, two_of_each};
use super::support::clickhouse::{ClickHouse, Layout};

fn grave(report: &Report) -> BTreeSet<&'static str> {
    let grave = report.findings.iter().filter(|finding| finding.severity < Severity::Note);
    grave.map(|finding| finding.slug).collect()
}

#[test]
fn a_sample_is_called_one_and_counts_are_of_all() {
    let store = ClickHouse::start();
    store.fill(Layout::Map, "otel", 4_000);
    // Twelve of the hours that were filled, which are over.
    let end = a_day_ago().after(Duration::from_hours(20));
    let window =
        Window { from: end.before(Duration::from_hours(12)), to: end, margin: Duration::from_mins(15) };
    let url = store.url("otel");
    let all = ask(&url, &everything(window)).expect("an answer");
    let some = ask(&url, &two_of_each(window)).expect("an answer");
    let (whole, sample) = (all.database.clone().expect("asked"), some.database.clone().expect("asked"));
    assert!(!whole.is_sample && sample.is_sample);
    assert_eq!((whole.spans, whole.handoffs), (sample.spans, sample.handoffs));
    assert_eq!(whole.looked_at, whole.handoffs - whole.not_listed);
    assert!(sample.looked_at < sample.handoffs, "{sample:?}");
    let counted = |database: &tracelink::model::DatabaseReport| {
        let groups = database.groups.iter();
        groups.map(|group| (group.task.clone(), group.outcome, group.count)).collect::<Vec<_>>()
    };
    assert_eq!(counted(&whole), counted(&sample));
    assert!(sample.groups.iter().all(|group| group.looked_at > 0 && group.looked_at <= group.count));
    assert!(sample.groups.iter().any(|group| group.outcome == "new-root"), "{sample:?}");
    // Less was seen, and what was seen is there.
    assert!(grave(&some).is_subset(&grave(&all)), "{:?} of {:?}", grave(&some), grave(&all));
    assert!(!grave(&some).is_empty());
    let unseen = sample.groups.iter().filter(|group| !group.is_whole());
    let unseen: u64 = unseen.map(|group| group.count - group.looked_at).sum();
    let gap = some.verdict.unproven.iter().find(|gap| gap.reason == "not-looked-at");
    assert_eq!(gap.map(|gap| gap.count), (unseen > 0).then_some(unseen));
    assert_eq!(some.metrics.queue_wait_ms, sample.queue_wait_ms);

    for name in FormatName::ALL {
        let mut written = Vec::new();
        let view = View {
            program: "tracelink".to_owned(),
            width: 200,
            verbosity: Verbosity::Normal,
            broker: None,
            evidence: Vec::new(),
            fails_at: Severity::Error,
            exit_code: 1,
        };
        name.writer().report(&some, Subject::Handoffs, &view, &mut written).expect("memory takes it");
        let text = String::from_utf8(written).expect("UTF-8");
        let says = ["of a sample", "were looked at", "\"is_sample\":true", "\"is_sample\": true"];
        assert!(says.iter().any(|says| text.contains(says)), "{}: {text}", name.name());
    }

    // One task, and one service.
    let task = sample.groups.first().map(|group| group.task.clone()).expect("a group");
    let of_task = Filter { task: Some(task.clone()), service: None };
    let of = |filter: Filter| {
        let all = everything(window);
        Inquiry { selection: Selection { filter, ..all.selection }, ..all }
    };
    let one = ask(&url, &of(of_task)).expect("an answer");
    let database = one.database.as_ref().expect("asked");
    assert!(database.groups.iter().all(|group| group.task == task) && database.handoffs < whole.handoffs);
    assert!(database.is_sample, "other tasks are left out");
    let nobody = Filter { task: None, service: Some("it's nobody' OR 1 --".to_owned()) };
    let none = ask(&url, &of(nobody)).expect("an answer");
    assert_eq!(none.database.map(|database| database.handoffs), Some(0));
}
