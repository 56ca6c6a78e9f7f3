//! The server of these tests answers as ClickHouse does, and its tables hold what exporters write.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;

use super::support::asking::get;
use super::support::clickhouse::{ClickHouse, Layout};

fn capture(name: &str) -> String {
    let path =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/corpus").join(name).join("spans.jsonl");
    std::fs::read_to_string(path).expect("a capture")
}

/// The rows of a query, each an object.
fn rows(store: &ClickHouse, database: &str, query: &str) -> Vec<Value> {
    let answer = store.ask(query, &format!("database={database}&default_format=JSONEachRow"));
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn it_lets_in_whom_it_knows() {
    let store = ClickHouse::start();
    assert_eq!(get(store.port, "/ping").body, "Ok.\n");
    assert_eq!(store.ask("SELECT 1 + 1", "").body, "2\n");
    // "reader:s3cret:w0rd"
    let basic = store.post("/?query=SELECT+1", &["Authorization: Basic cmVhZGVyOnMzY3JldDp3MHJk"], b"");
    assert_eq!((basic.status, basic.body.as_str()), (200, "1\n"));
    let in_two = store.post("/?query=SELECT+1&user=reader&password=s3cret:w0rd", &[], b"+ 2");
    assert_eq!((in_two.status, in_two.body.as_str()), (200, "3\n"));
    for headers in [&["X-ClickHouse-User: reader", "X-ClickHouse-Key: s3cret"][..], &[]] {
        let refused = store.post("/?query=SELECT+1", headers, b"");
        assert_eq!((refused.status, refused.header("x-clickhouse-exception-code")), (403, Some("516")));
        assert!(refused.body.starts_with("Code: 516. DB::Exception: "), "{}", refused.body);
    }
}

#[test]
fn it_refuses_as_a_server_does() {
    let store = ClickHouse::start();
    let refusals = [
        ("SELECT nope", "", 404, "47"),
        ("SELECT * FROM nope", "", 404, "60"),
        ("SELECT 1", "database=nope", 404, "81"),
        ("SELECT 1", "no_such_setting=1", 404, "115"),
        ("SELEKT 1", "", 400, "62"),
        ("CREATE TABLE x (a Int8) ENGINE = Memory", "readonly=1", 500, "164"),
        ("SELECT number FROM numbers(1000)", "max_result_rows=10", 500, "396"),
        ("SELECT count() FROM numbers(1000000)", "max_rows_to_read=10", 500, "158"),
        (
            "SELECT sleepEachRow(0.01) FROM numbers(1000)",
            "max_execution_time=0.05&max_block_size=1&wait_end_of_query=1",
            408,
            "159",
        ),
        ("SELECT groupArray(number) FROM numbers(10000000)", "max_memory_usage=1000000", 500, "241"),
    ];
    for (query, parameters, status, code) in refusals {
        let refused = store.ask(query, parameters);
        assert_eq!(refused.header("x-clickhouse-exception-code"), Some(code), "{query}: {}", refused.body);
        assert_eq!(refused.status, status, "{query}");
        assert!(refused.body.starts_with(&format!("Code: {code}. DB::Exception: ")), "{}", refused.body);
    }
    // A setting is of its request alone.
    assert_eq!(store.ask("SELECT count() FROM numbers(1000)", "").body, "1000\n");
    assert_eq!(store.ask("SELECT {it:String}", "param_it=a'b").body, "a\\'b\n");
    // What it has begun to say it cannot take back.
    let late =
        store.ask("SELECT throwIf(number = 500000, 'late') FROM numbers(1000000)", "max_block_size=1000");
    assert_eq!(late.status, 200);
    assert!(late.body.contains("\nCode: 395. DB::Exception: late"), "{}", late.body.len());
}

#[test]
fn each_layout_holds_every_span() {
    let store = ClickHouse::start();
    for layout in Layout::ALL {
        let database = format!("of_{}", layout.name().replace('-', "_"));
        assert_eq!(store.load(layout, &database, &capture("healthy_auto"), None), 10);
        let query = match layout {
            Layout::SigNoz => {
                "SELECT trace_id AS trace, parent_span_id AS parent, kind_string AS kind, flags, \
                 attributes_string['celery.task_name'] AS task, `resource_string_service$$name` AS service \
                 FROM distributed_signoz_index_v3 ORDER BY timestamp"
            }
            Layout::Json => {
                "SELECT TraceId AS trace, ParentSpanId AS parent, SpanKind AS kind, \
                 SpanAttributes.celery.task_name AS task, ServiceName AS service FROM otel_traces \
                 ORDER BY Timestamp"
            }
            Layout::Map | Layout::MapBefore => {
                "SELECT TraceId AS trace, ParentSpanId AS parent, SpanKind AS kind, \
                 SpanAttributes['celery.task_name'] AS task, ServiceName AS service FROM otel_traces \
                 ORDER BY Timestamp"
            }
        };
        let spans = rows(&store, &database, query);
        assert_eq!(spans.len(), 10);
        assert!(spans.iter().all(|span| span["trace"] == "7e092b798b3ca4c737832e51c2fd8ee0"), "{spans:?}");
        let words = if layout == Layout::MapBefore {
            ["SPAN_KIND_SERVER", "SPAN_KIND_PRODUCER", "SPAN_KIND_CONSUMER"]
        } else {
            ["Server", "Producer", "Consumer"]
        };
        let of = |kind: &str| spans.iter().find(|span| span["kind"] == kind).expect("of this kind");
        let [server, producer, consumer] = words.map(of);
        assert_eq!((server["parent"].as_str(), server["service"].as_str()), (Some(""), Some("order-api")));
        assert_eq!(producer["task"], "process_order");
        assert_eq!(
            (consumer["parent"].as_str(), consumer["service"].as_str()),
            (Some("28f1cd67bff3f230"), Some("order-worker"))
        );
        if layout == Layout::SigNoz {
            assert_eq!((&server["flags"], &consumer["flags"]), (&256.into(), &768.into()));
        } else {
            let times = rows(&store, &database, "SELECT * FROM otel_traces_trace_id_ts");
            assert_eq!(
                (&times[0]["Start"], &times[0]["End"]),
                (&"2026-11-22 19:49:54".into(), &"2026-11-22 19:49:56".into())
            );
        }
    }
}

#[test]
fn exceptions_and_links_are_kept_as_exporters_keep_them() {
    let store = ClickHouse::start();
    store.load(Layout::Map, "failed", &capture("failing_task"), None);
    let failed = rows(
        &store,
        "failed",
        "SELECT `Events.Name` AS names, `Events.Attributes` AS about FROM otel_traces \
         WHERE StatusCode = 'Error' AND SpanKind = 'Consumer'",
    );
    assert_eq!(failed[0]["names"][0], "exception");
    assert!(failed[0]["about"][0]["exception.type"].is_string(), "{failed:?}");

    store.load(Layout::Json, "linked", &capture("span_links"), None);
    store.load(Layout::SigNoz, "linked_signoz", &capture("span_links"), None);
    let links = "SELECT `Links.SpanId` AS links FROM otel_traces WHERE SpanKind = 'Consumer'";
    assert_eq!(rows(&store, "linked", links)[0]["links"], serde_json::json!(["7d130d8bba2ebf38"]));
    let links = rows(&store, "linked_signoz", "SELECT links, trace_id FROM signoz_index_v3 WHERE kind = 5");
    let written: Value = serde_json::from_str(links[0]["links"].as_str().expect("a text")).expect("JSON");
    // The parent comes first, though a root has none.
    let parent = serde_json::json!({"traceId": links[0]["trace_id"], "refType": "CHILD_OF"});
    let link = serde_json::json!({
        "traceId": "54ddab40dde877f6c248f2f22ff2df14", "spanId": "7d130d8bba2ebf38", "refType": "FOLLOWS_FROM",
    });
    assert_eq!(written, serde_json::json!([parent, link]));
}

#[test]
fn times_are_moved_to_where_a_test_wants_them() {
    let store = ClickHouse::start();
    store.load(Layout::Map, "moved", &capture("healthy_auto"), Some(1_800_000_000.0));
    let last = "SELECT toUnixTimestamp64Nano(max(Timestamp + INTERVAL Duration NANOSECOND)) AS last FROM otel_traces";
    assert_eq!(rows(&store, "moved", last)[0]["last"].to_string().trim_matches('"'), "1800000000000000000");
}

#[test]
fn the_engine_fills_a_table_with_hand_offs() {
    let store = ClickHouse::start();
    for layout in [Layout::Map, Layout::SigNoz] {
        store.fill(layout, layout.name(), 20_000);
    }
    let by_kind = |database: &str, query: &str| -> BTreeMap<String, u64> {
        let counted = rows(&store, database, query);
        let count = |row: &Value| (row["kind"].as_str().expect("a kind").to_owned(), row["n"].to_string());
        let number = |(kind, n): (String, String)| (kind, n.trim_matches('"').parse().expect("a number"));
        counted.iter().map(count).map(number).collect()
    };
    let of_map = by_kind("map", "SELECT SpanKind AS kind, count() AS n FROM otel_traces GROUP BY kind");
    let of_signoz =
        by_kind("signoz", "SELECT kind_string AS kind, count() AS n FROM signoz_index_v3 GROUP BY kind");
    assert_eq!(of_map, of_signoz);
    assert_eq!((of_map["Server"], of_map["Producer"]), (2_000, 2_000));
    assert!((1_950..2_000).contains(&of_map["Consumer"]), "{of_map:?}");
}
