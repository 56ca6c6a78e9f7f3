//! The view and the dashboard's query of `docs/clickhouse.md` are SQL that runs, and say what
//! became of hand-offs.

use std::time::Duration;

use super::asked::{a_day_ago, seconds};
use super::support::clickhouse::{ClickHouse, Layout};

#[test]
fn what_the_docs_offer_to_keep_runs() {
    let page = include_str!("../../docs/clickhouse.md");
    let blocks: Vec<_> = page.split("```sql\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert_eq!(blocks.len(), 2, "a view and a query");
    let store = ClickHouse::start();
    let corpus = |name: &str| {
        let path = format!("{}/fixtures/corpus/{name}/spans.jsonl", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(path).expect("a capture")
    };
    // An hour ago.
    let end = a_day_ago().after(Duration::from_hours(23));
    for name in ["healthy_auto", "propagator_api_b3multi_worker_w3c"] {
        store.load(Layout::Map, "otel", &corpus(name), Some(seconds(end)));
    }
    let view = store.ask(blocks[0], "");
    assert_eq!(view.status, 200, "{}", view.body);
    let seen = store.ask("SELECT outcome, count() FROM otel.handoffs GROUP BY outcome ORDER BY outcome", "");
    assert_eq!(seen.body, "broken\t1\nwhole\t1\n");
    let panel = store.ask(blocks[1], "");
    assert_eq!(panel.status, 200, "{}", panel.body);
    assert!(panel.body.contains("process_order"), "{}", panel.body);
}
