//! Each way in which a store does not answer has a message of its own, with what to do, the
//! exit code 4, and no password.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Output};

use tracelink::query::clickhouse::{Limits, QueryError};

use super::asked::{a_day_ago, ask_within, everything, until};
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
fn options_of_a_store_are_refused_for_files_and_files_beside_a_store() {
    for args in [&["spans.jsonl", "--since=1h"][..], &["clickhouse://u:s3cret@h/otel", "spans.jsonl"]] {
        let output = diagnose(args);
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(!told.contains("s3cret"), "{told}");
    }
}

/// A server that gives each request the same answer, until the test ends.
fn answering(answer: impl Fn(&str, &mut TcpStream) -> std::io::Result<()> + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let _ = asked(&mut stream).and_then(|sql| answer(&sql, &mut stream));
        }
    });
    format!("clickhouse://u:s3cret@{address}/otel")
}

/// The first line of a request, and its body.
fn asked(stream: &mut TcpStream) -> std::io::Result<String> {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    let mut first = String::new();
    reader.read_line(&mut first)?;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or_default();
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(first + &String::from_utf8_lossy(&body))
}

fn plain(stream: &mut TcpStream, status: &str, body: &str) -> std::io::Result<()> {
    write!(stream, "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len())
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
    let window = until(a_day_ago(), std::time::Duration::from_secs(1));
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
