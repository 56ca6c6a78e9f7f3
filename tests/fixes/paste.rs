//! The paster itself, on small programs: what it writes, and what it refuses.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use tracelink::diagnosis;

const PASTER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/demo/python/paste.py");

/// Pastes a fix with these steps into the programs, of which each is a process
/// with its sides, a file and its text.
fn paste(programs: &[(&str, &str, &str)], steps: &Value) -> (Output, Vec<String>) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |process: &str, file: &str| folder.path().join(process).join(file);
    let mut sides = Vec::new();
    for (process, file, text) in programs {
        let name = process.split('=').next().expect("a name");
        fs::create_dir_all(folder.path().join(name)).expect("writable");
        fs::write(path(name, file), text).expect("writable");
        sides.push(*process);
    }
    let mut child = Command::new("python3")
        .arg(PASTER)
        .arg("-")
        .arg(folder.path())
        .args(sides)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("this test needs python3");
    let fix = json!({"title": "mend it", "steps": steps}).to_string();
    child.stdin.take().expect("piped").write_all(fix.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    let texts = programs.iter().map(|(process, file, _)| {
        let name = process.split('=').next().expect("a name");
        fs::read_to_string(path(name, file)).expect("it is there")
    });
    (output, texts.collect())
}

fn code(side: &str, place: &str, lines: &[&str]) -> Value {
    json!({"side": side, "kind": "code", "place": place, "language": "python",
           "lines": lines, "installs": [], "needs": []})
}

fn refusal(programs: &[(&str, &str, &str)], steps: &Value) -> String {
    let (output, texts) = paste(programs, steps);
    let unchanged: Vec<_> = programs.iter().map(|(_, _, text)| (*text).to_owned()).collect();
    assert_eq!((output.status.code(), texts), (Some(1), unchanged), "nothing may be pasted");
    String::from_utf8(output.stderr).expect("UTF-8").trim_end().to_owned()
}

const PUBLISHING: &str = "\
def publish(task):
    headers = {}
    # tracelink: publish
    task.apply_async(headers=headers)
";

#[test]
fn lines_go_below_their_marker_on_their_side() {
    let programs = [("api=producer", "shop.py", PUBLISHING), ("worker=worker", "shop.py", PUBLISHING)];
    let lines = ["if not headers:", "    headers = {'a': 1}", "", "print(headers)"];
    let (output, texts) = paste(&programs, &json!([code("producer", "publish", &lines)]));
    assert!(output.status.success(), "{output:?}");
    let pasted = "\
def publish(task):
    headers = {}
    # tracelink: publish
    if not headers:
        headers = {'a': 1}

    print(headers)
    task.apply_async(headers=headers)
";
    assert_eq!(texts, [pasted, PUBLISHING]);
    let (_, texts) = paste(&programs, &json!([code("both", "publish", &lines)]));
    assert_eq!(texts, [pasted, pasted]);
}

#[test]
fn the_last_line_goes_in_place_of_marked_code() {
    let program = "\
def run(ctx):
    # tracelink: task
    with tracer.start_as_current_span('run'):  # tracelink: task-span
        work()
";
    let steps = json!([
        code("worker", "task-span", &["kind = 1", "with tracer.start_as_current_span('run', ctx, kind):"]),
        code("worker", "task", &["print(ctx)"]),
        code("worker", "task", &["print(2)"]),
    ]);
    let (output, texts) = paste(&[("worker=producer,worker", "tasks.py", program)], &steps);
    assert!(output.status.success(), "{output:?}");
    let pasted = "\
def run(ctx):
    # tracelink: task
    print(ctx)
    print(2)
    kind = 1
    with tracer.start_as_current_span('run', ctx, kind):
        work()
";
    assert_eq!(texts, [pasted]);
}

/// An import in a function makes a name local to all of it.
#[test]
fn imports_go_to_the_top_where_the_place_is_in_a_function() {
    let program = "\
\"\"\"The shop.\"\"\"

from __future__ import annotations

import b3


def start():
    b3.first()
    # tracelink: propagators
";
    let lines = ["import b3", "from w3c import (", "    W3c,", ")", "b3.second(W3c)"];
    let (output, texts) =
        paste(&[("api=producer", "tracing.py", program)], &json!([code("both", "propagators", &lines)]));
    assert!(output.status.success(), "{output:?}");
    let pasted = "\
\"\"\"The shop.\"\"\"

from __future__ import annotations

import b3
from w3c import (
    W3c,
)
import b3


def start():
    b3.first()
    # tracelink: propagators
    b3.second(W3c)
";
    assert_eq!(texts, [pasted]);
    let module = "import b3\n# tracelink: before-app\napp = b3.app()\n";
    let (_, texts) =
        paste(&[("api=producer", "api.py", module)], &json!([code("producer", "before-app", &lines[..4])]));
    assert_eq!(
        texts,
        ["import b3\n# tracelink: before-app\nimport b3\nfrom w3c import (\n    W3c,\n)\napp = b3.app()\n"]
    );
}

#[test]
fn a_place_may_be_marked_more_than_once() {
    let twice = format!("{PUBLISHING}\n\n{}", PUBLISHING.replace("publish(task)", "again(task)"));
    let (_, texts) =
        paste(&[("api=producer", "shop.py", &twice)], &json!([code("producer", "publish", &["print(1)"])]));
    assert_eq!(texts[0].matches("    # tracelink: publish\n    print(1)\n").count(), 2);
}

#[test]
fn javascript_is_marked_in_its_own_way() {
    let program = "async function publish(headers) {\n  // tracelink: publish\n  await send(headers);\n}\n";
    let step = json!({"side": "producer", "kind": "code", "place": "publish", "language": "javascript",
        "lines": ["const { propagation } = require('@opentelemetry/api');"],
        "installs": ["@opentelemetry/api"], "needs": []});
    let (output, texts) = paste(&[("api=producer", "orders.js", program)], &json!([step]));
    assert!(texts[0].contains("  // tracelink: publish\n  const { propagation }"), "{texts:?}");
    let printed: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(printed["installs"], json!({"api": {"javascript": ["@opentelemetry/api"]}}));
}

#[test]
fn what_belongs_in_no_file_is_printed() {
    let steps = json!([
        {"side": "both", "kind": "environment", "place": "process-environment",
         "lines": ["OTEL_PROPAGATORS=tracecontext,b3", "OTEL_EXPORTER_OTLP_HEADERS='a=b c'"],
         "installs": ["opentelemetry-propagator-b3"], "needs": []},
        {"side": "worker", "kind": "command", "place": "worker-command",
         "lines": ["--pool solo"], "installs": [], "needs": []},
    ]);
    let programs = [("api=producer", "a.py", ""), ("worker=worker", "a.py", ""), ("shop=", "a.py", "")];
    let (output, texts) = paste(&programs, &steps);
    assert_eq!(texts, ["", "", ""]);
    let variables = json!({"OTEL_PROPAGATORS": "tracecontext,b3", "OTEL_EXPORTER_OTLP_HEADERS": "a=b c"});
    let installs = json!({"python": ["opentelemetry-propagator-b3"]});
    let printed: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(
        printed,
        json!({"environment": {"api": variables, "worker": variables},
               "arguments": {"worker": ["--pool", "solo"]},
               "installs": {"api": installs, "worker": installs}})
    );
}

#[test]
fn what_leaves_something_to_its_reader_is_refused() {
    let api = [("api=producer", "shop.py", PUBLISHING)];
    let fine = code("producer", "publish", &["print(1)"]);
    let unmarked = json!([fine, code("producer", "retry", &["print(1)"])]);
    assert_eq!(refusal(&api, &unmarked), "not pasteable: the program of api marks no place retry");
    let placeholder = json!([fine, code("producer", "publish", &["headers['<key>'] = 1"])]);
    assert_eq!(
        refusal(&api, &placeholder),
        "not pasteable: a line holds the placeholder <key>: headers['<key>'] = 1"
    );
    let by_hand = json!([fine, {"side": "producer", "kind": "manual", "place": "shell", "lines": [],
        "installs": [], "needs": ["start a worker"]}]);
    assert_eq!(refusal(&api, &by_hand), "not pasteable: to do by hand: start a worker");
    let nobody = json!([fine, code("worker", "task", &["print(1)"])]);
    assert_eq!(refusal(&api, &nobody), "not pasteable: no process of the program is the worker");
    let broken = json!([code("producer", "publish", &["if headers"])]);
    assert!(refusal(&api, &broken).contains("shop.py is no Python any more"));
    let two = json!([{"side": "producer", "kind": "environment", "place": "process-environment",
        "lines": ["A=1 # on both sides"], "installs": [], "needs": []}]);
    assert_eq!(refusal(&api, &two), "not pasteable: not one variable: A=1 # on both sides");
}

/// What knows a cause could mend it in a way of its own.
#[test]
fn who_pastes_knows_no_cause() {
    for file in [PASTER, concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/mend.py")] {
        let text = fs::read_to_string(Path::new(file)).expect("it is there");
        for rule in diagnosis::all() {
            for name in [rule.code, rule.slug] {
                assert!(!text.contains(name), "{file} knows {name}");
            }
        }
    }
}
