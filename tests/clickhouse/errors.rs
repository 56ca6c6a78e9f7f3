//! Each way in which a store does not answer has a message of its own, with what to do, the
//! exit code 4, and no password.

use std::io::Write;
use std::net::TcpListener;
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Duration;

use tracelink::query::clickhouse::{Limits, QueryError};

use super::asked::{a_day_ago, ask_within, everything, seconds, until};
use super::stand_in::{answering, plain};
use super::support::clickhouse::{ClickHouse, Layout};

fn diagnose(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tracelink"));
    command.arg("diagnose").args(args).args(["--no-config", "--color=never"]);
    command.output().expect("the binary runs")
}

/// That it ends with 4 and says so, on standard error and in a file of JSON.
#[track_caller]
fn fails(args: &[&str], says: &str) {
    let output = diagnose(args);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(4), "{told}");
    assert!(told.contains(says), "{says} is not in {told}");
    let json = diagnose(&[args, &["--format=json"]].concat());
    let written = String::from_utf8_lossy(&json.stdout).into_owned();
    assert!(written.contains("\"error\""), "{written}");
    for text in [told, written] {
        assert!(!text.contains("s3cret") && !text.contains('\u{1b}'), "{text:?}");
    }
}

#[test]
fn nobody_answers() {
    let closed = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound");
    fails(&[&format!("clickhouse://u:s3cret@{closed}/otel")], "cannot be reached: connection refused");
}

#[test]
fn what_a_server_refuses_is_said_with_what_to_do() {
    let store = ClickHouse::start();
    store.load(Layout::Map, "otel", "", None);
    let port = store.port;
    let wrong = format!("clickhouse://reader:s3cret@127.0.0.1:{port}/otel");
    fails(&[&wrong], "refuses the user or the password");
    let url = store.url("otel");
    fails(&[&store.url("nowhere")], "there is no database `nowhere`. There is otel.otel_traces");
    fails(&[&store.url("default")], "There is otel.otel_traces: name its database in the URL");
    fails(&[&url, "--table=spans"], "there is no table of spans called `spans`");
    fails(&[&url, "--table=otel_traces_trace_id_ts"], "is no table of spans that is known: it has no");
    fails(&[&url, "--max-query-memory=1KiB"], "raise --max-query-memory");
}

#[test]
fn an_hour_without_spans_is_no_evidence() {
    let store = ClickHouse::start();
    store.load(Layout::SigNoz, "signoz", "", None);
    let output = diagnose(&[&store.url("signoz"), "--since=1h"]);
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_limit_that_is_reached_is_named() {
    let store = ClickHouse::start();
    store.fill(Layout::Map, "otel", 5_000);
    fails(&[&store.url("otel"), "--since=24h", "--max-query-rows=10"], "raise --max-query-rows");
}

#[test]
fn options_of_a_store_are_refused_for_files_and_two_stores_are_too() {
    let store = "clickhouse://u:s3cret@h/otel";
    for args in [&["spans.jsonl", "--since=1h"][..], &[store, "spans.jsonl", store]] {
        let output = diagnose(args);
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(!told.contains("s3cret"), "{told}");
    }
}

#[test]
fn what_is_no_clickhouse_is_called_so() {
    let page = answering(|_, stream| plain(stream, "200 OK", "<html>\u{1b}[2JWelcome</html>"));
    fails(&[&page], "is no HTTP interface of a ClickHouse: it answers with something else than a row");
    let missing = answering(|_, stream| plain(stream, "404 Not Found", "no such page"));
    fails(&[&missing], "it answers with HTTP status 404");
    let silent = answering(|_, stream| stream.write_all(b"\x15\x03\x01\x00\x02\x02\x16\n\n"));
    fails(&[&silent], "is no HTTP interface of a ClickHouse");
    let old = answering(|_, stream| plain(stream, "200 OK", "[\"22.8.1.1\"]\n"));
    fails(&[&old], "is ClickHouse 22.8, and 24.1 is the oldest");
    // It knows neither our settings nor our functions, and writes errors in its own way.
    let ancient = answering(|asked, stream| match asked {
        asked if asked.contains("max_rows_to_read") => {
            let said = "Code: 115, e.displayText() = DB::Exception: Unknown setting cancel_http_readonly_queries_on_client_close\n";
            plain(stream, "500 Internal Server Error", said)
        }
        asked if asked.contains("SELECT version()\n") => plain(stream, "200 OK", "[\"18.16.1\"]\n"),
        _ => plain(
            stream,
            "500 Internal Server Error",
            "Code: 46, e.displayText() = DB::Exception: Unknown function\n",
        ),
    });
    fails(&[&ancient], "is ClickHouse 18.16, and 24.1 is the oldest");
    let torn = answering(|sql, stream| {
        if sql.contains("version()") {
            return plain(stream, "200 OK", "[\"25.8.1.1\"]\n");
        }
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1000\r\n\r\n[\"otel\",\"ot")
    });
    fails(&[&torn], "is broken");
    let failing = answering(|sql, stream| {
        if sql.contains("version()") {
            return plain(stream, "200 OK", "[\"25.8.1.1\"]\n");
        }
        let body = "[\"otel\",Code: 241. DB::Exception: Memory \u{1b}[31mlimit exceeded (version 25.8)\n";
        plain(stream, "200 OK", body)
    });
    fails(&[&failing], "needed more memory than");
}

#[test]
fn an_answer_without_end_is_given_up() {
    let url = answering(|_, stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
        loop {
            stream.write_all(&b"[\"25.8.1.1\"]\n".repeat(1_000))?;
        }
    });
    let window = until(a_day_ago(), Duration::from_secs(1));
    let limits = Limits { answer: 1 << 20, ..Limits::default() };
    let error = ask_within(&url, &everything(window), limits).expect_err("it never ends");
    assert!(matches!(error, QueryError::NotClickhouse { .. }), "{error}");
    // One row without end.
    let url = answering(|_, stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n[\"")?;
        let more = vec![b'x'; 65_536];
        loop {
            stream.write_all(&more)?;
        }
    });
    let error = ask_within(&url, &everything(window), Limits::default()).expect_err("it never ends");
    assert!(!error.to_string().contains("s3cret"), "{error}");
}

/// A server that says who it is, and refuses what follows as ClickHouse does: the status by
/// `src/Server/HTTP/exceptionCodeToHTTPStatus.cpp`, the code in a header, and both in the text.
fn refusing(status: &'static str, code: u32, said: &'static str) -> String {
    answering(move |asked, stream| match asked {
        asked if asked.contains("SELECT version()\n") => plain(stream, "200 OK", "[\"25.8.2.29\"]\n"),
        asked if asked.contains("now64(9)") => plain(stream, "200 OK", "[\"1796000000000000000\"]\n"),
        _ => {
            let body = format!("Code: {code}. DB::Exception: {said} (version 25.8.2.29 (official build))\n");
            write!(
                stream,
                "HTTP/1.1 {status}\r\nX-ClickHouse-Exception-Code: {code}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            )
        }
    })
}

/// The texts are those that servers of 24.3 to 26.3 were reported to write.
#[test]
fn each_refusal_of_a_server_has_a_message_of_its_own() {
    let failed = "500 Internal Server Error";
    for (status, code, said, says) in [
        (
            failed,
            158,
            "Limit for rows (controlled by 'max_rows_to_read' setting) exceeded, max rows: 1.00 million, current rows: 10.00 million. (TOO_MANY_ROWS)",
            "would read more rows than 2000000000. Ask for less time (--since) or one service (--service), or raise --max-query-rows",
        ),
        (
            failed,
            307,
            "Limit for rows or bytes to read exceeded, max bytes: 931.32 GiB, current bytes: 931.48 GiB: While executing MergeTreeSelect(pool: ReadPool, algorithm: Thread). (TOO_MANY_BYTES)",
            "would read more bytes than 214748364800. Ask for less time (--since) or one service (--service), or raise --max-query-bytes",
        ),
        (
            "408 Request Timeout",
            159,
            "Timeout exceeded: elapsed 60.003 seconds, maximum: 60. (TIMEOUT_EXCEEDED)",
            "took longer than 60s. Ask for less time (--since), or raise --max-query-time",
        ),
        (
            failed,
            160,
            "Estimated query execution time (117.2 seconds) is too long. Maximum: 60. Estimated rows to process: 500000000. (TOO_SLOW)",
            "raise --max-query-time",
        ),
        (
            failed,
            241,
            "(total) memory limit exceeded: would use 2.07 GiB (attempt to allocate chunk of 4624776 bytes), current RSS 63.00 GiB, maximum: 60.00 GiB. OvercommitTracker decision: Query was selected to stop by OvercommitTracker. (MEMORY_LIMIT_EXCEEDED)",
            "needed more memory than 4294967296 bytes, or than the server has",
        ),
        (
            "403 Forbidden",
            497,
            "reader: Not enough privileges. To execute this query, it's necessary to have the grant SELECT(database, `table`, name, type) ON system.columns. (ACCESS_DENIED)",
            "the user may not read this: reader: Not enough privileges. To execute this query, it's necessary to have the grant SELECT(database, `table`, name, type) ON system.columns. (ACCESS_DENIED). Grant it: GRANT SELECT ON",
        ),
        (
            failed,
            452,
            "Setting max_memory_usage shouldn't be greater than 1000000000. (SETTING_CONSTRAINT_VIOLATION)",
            "the user's profile does not allow these limits: Setting max_memory_usage shouldn't be greater than 1000000000. (SETTING_CONSTRAINT_VIOLATION). Give limits that it allows",
        ),
        (
            "403 Forbidden",
            516,
            "reader: Authentication failed: password is incorrect, or there is no user with such name. (AUTHENTICATION_FAILED)",
            "refuses the user or the password",
        ),
        (
            "401 Unauthorized",
            194,
            "Password required for user reader. (REQUIRED_PASSWORD)",
            "refuses the user",
        ),
        (
            failed,
            202,
            "Too many simultaneous queries. Maximum: 100. (TOO_MANY_SIMULTANEOUS_QUERIES)",
            "has no room for the question which tables have spans: Too many simultaneous queries. Maximum: 100. (TOO_MANY_SIMULTANEOUS_QUERIES). Ask again later",
        ),
        (
            failed,
            201,
            "Quota for user `reader` for 3600s has been exceeded: queries = 101/100. Interval will end at 2026-11-30 05:00:00. (QUOTA_EXCEEDED)",
            "Ask again later, or as a user with another quota",
        ),
        (
            failed,
            999,
            "Coordination error: Session expired. (KEEPER_EXCEPTION)",
            "refuses the question which tables have spans: Coordination error: Session expired. (KEEPER_EXCEPTION) (code 999)",
        ),
    ] {
        fails(&[&refusing(status, code, said)], says);
    }
}

/// An error in the middle of an answer, as servers since 25.11 mark it, and as older ones do.
#[test]
fn an_error_behind_rows_is_the_servers_and_no_broken_answer() {
    for end in [
        "\r\n__exception__\r\nkqxmvpwzbtcdafhj\r\nCode: 241. DB::Exception: (total) memory limit exceeded: would use 2.07 GiB. (MEMORY_LIMIT_EXCEEDED) (version 26.3.17.110 (official build))\r\n111 kqxmvpwzbtcdafhj\r\n__exception__\r\n",
        "Code: 241. DB::Exception: Memory limit (for query) exceeded: would use 98.66 MiB. (MEMORY_LIMIT_EXCEEDED) (version 24.3.1.266 (official build))\n",
    ] {
        let url = answering(move |asked, stream| {
            if asked.contains("SELECT version()\n") {
                return plain(stream, "200 OK", "[\"25.8.2.29\"]\n");
            }
            if asked.contains("now64(9)") {
                return plain(stream, "200 OK", "[\"1796000000000000000\"]\n");
            }
            let body = format!("[\"otel\",\"otel_traces\",[\"TraceId\"],[\"String\"]]\n{end}");
            plain(stream, "200 OK", &body)
        });
        fails(&[&url], "needed more memory than 4294967296 bytes");
    }
}

/// A ClickHouse whose user is read-only already: what `refuses` is asked of the parameters of a
/// request, it may not set.
fn read_only(store: &Arc<ClickHouse>, refuses: fn(&str) -> Option<&'static str>) -> String {
    let store = Arc::clone(store);
    answering(move |asked, stream| {
        let (first, sql) = asked.split_once("\r\n").unwrap_or((asked, ""));
        if let Some(setting) = refuses(first) {
            let body = format!(
                "Code: 164. DB::Exception: Cannot modify '{setting}' setting in readonly mode. (READONLY) (version 25.8.2.29 (official build))\n"
            );
            return plain(stream, "500 Internal Server Error", &body);
        }
        let answer = store.ask(sql, "default_format=JSONCompactEachRow");
        plain(stream, &format!("{} of the engine", answer.status), &answer.body)
    })
}

#[test]
fn a_user_who_is_read_only_already_is_asked_for_less() {
    let store = Arc::new(ClickHouse::start());
    let spans = format!("{}/fixtures/corpus/healthy_auto/spans.jsonl", env!("CARGO_MANIFEST_DIR"));
    let spans = std::fs::read_to_string(spans).expect("a capture");
    store.load(Layout::Map, "otel", &spans, Some(seconds(a_day_ago().after(Duration::from_mins(1_410)))));
    let limits = read_only(&store, |first| first.contains("readonly=").then_some("readonly"));
    let nothing = read_only(&store, |first| {
        let settings = ["readonly", "max_execution_time", "max_rows_to_read"];
        settings.into_iter().find(|setting| first.contains(&format!("{setting}=")))
    });
    for (url, is_told) in [(limits, false), (nothing, true)] {
        let output = diagnose(&[&url]);
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{told}");
        assert!(String::from_utf8_lossy(&output.stdout).contains("healthy"), "{output:?}");
        assert_eq!(told.contains("the user may set nothing (readonly=1)"), is_told, "{told}");
    }
}
