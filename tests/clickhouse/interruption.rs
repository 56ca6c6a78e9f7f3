//! Ctrl-C ends the question that is asked, here and on the server, and what came is told.

use std::io::{ErrorKind, Read, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use super::asked::{a_day_ago, seconds};
use super::stand_in::{answering, plain};
use super::support::clickhouse::{ClickHouse, Layout};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// A ClickHouse that answers, and stops in the middle of the answer to the question with these
/// words. It tells when that is, and when its client has gone.
fn stopping(at: &'static str) -> (String, Receiver<&'static str>) {
    let store = ClickHouse::start();
    let spans = format!("{}/fixtures/corpus/healthy_auto/spans.jsonl", env!("CARGO_MANIFEST_DIR"));
    let spans = std::fs::read_to_string(spans).expect("a capture");
    // Half an hour ago.
    let end = a_day_ago().after(Duration::from_hours(24) - Duration::from_mins(30));
    store.load(Layout::Map, "otel", &spans, Some(seconds(end)));
    let (tell, told) = channel();
    let url = answering(move |asked, stream| {
        let (first, sql) = asked.split_once("\r\n").unwrap_or((asked, ""));
        assert!(first.contains("cancel_http_readonly_queries_on_client_close=1"), "{first}");
        let answer = store.ask(sql, "default_format=JSONCompactEachRow");
        if !sql.contains(at) {
            return plain(stream, &format!("{} of the engine", answer.status), &answer.body);
        }
        let row = answer.body.lines().next().unwrap_or_default();
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n{row}\n")?;
        stream.flush()?;
        tell.send("it was asked").expect("the test waits");
        stream.set_read_timeout(Some(PATIENCE))?;
        // Of an answer that was not read to its end, the system says so by a reset.
        let has_gone = match stream.read(&mut [0]) {
            Ok(read) => read == 0,
            Err(error) => error.kind() == ErrorKind::ConnectionReset,
        };
        tell.send(if has_gone { "the client has gone" } else { "the client stays" }).expect("the test waits");
        Ok(())
    });
    (url, told)
}

/// What it printed, and that it ended with 130.
#[track_caller]
fn interrupted(at: &'static str) -> (String, String) {
    let (url, told) = stopping(at);
    let mut command = Command::new(env!("CARGO_BIN_EXE_tracelink"));
    command.args(["diagnose", &url, "--no-config", "--color=never"]);
    let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary runs");
    assert_eq!(told.recv_timeout(PATIENCE), Ok("it was asked"), "{:?}", process.try_wait());
    let id = i32::try_from(process.id()).ok().and_then(rustix::process::Pid::from_raw).expect("a process");
    rustix::process::kill_process(id, rustix::process::Signal::INT).expect("it runs");
    let output = process.wait_with_output().expect("it ends");
    assert_eq!(told.recv_timeout(PATIENCE), Ok("the client has gone"));
    let [out, err] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).expect("UTF-8"));
    assert_eq!(output.status.code(), Some(130), "{err}");
    assert!(err.contains("the questions were ended by Ctrl-C") && !err.contains("s3cret"), "{err}");
    assert!(!out.contains("1970"), "{out}");
    (out, err)
}

#[test]
fn ctrl_c_while_the_store_counts_ends_it_on_both_sides() {
    let (out, _) = interrupted("groupArraySorted");
    assert!(out.contains("no evidence"), "{out}");
}

#[test]
fn ctrl_c_while_spans_come_tells_what_came() {
    let (out, _) = interrupted("StatusMessage");
    // Nothing is called healthy of which a part came.
    assert!(out.contains("1 span") && out.contains("unproven"), "{out}");
    // What the store had counted is told all the same.
    assert!(out.contains("order-api → order-worker  ✓ one trace"), "{out}");
}
