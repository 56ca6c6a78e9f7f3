//! `--mend`: a fault is broken, its fix pasted as it is printed, and the trace whole.

use std::process::{Command, Output};

use serde_json::Value;

use crate::command::text;
use crate::python::{demo, environment, take_room};

fn mend(args: &[&str]) -> Output {
    demo(&[&["--mend", "--pace", "0.1"], args].concat()).output().expect("tracelink runs")
}

#[test]
fn a_fix_is_pasted_and_the_trace_is_whole() {
    let _room = take_room(1);
    let output = mend(&["--fault", "propagator-mismatch"]);
    let (told, error) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{told}{error}");
    let order = [
        "broken   the API writes B3 only",
        "named    error[TL301] certain: the message carries b3multi context",
        "fix      set the same propagators on both sides",
        "set_global_textmap(CompositePropagator([",
        "again    the same, with the fix pasted",
        "✓ POST /orders → process_order",
        "✓ healthy: every hand-off that was seen is whole       exit 0",
        "✓ mended",
    ];
    let mut rest = &*told;
    for part in order {
        let found = rest.find(part).unwrap_or_else(|| panic!("no `{part}` where it belongs: {told}"));
        rest = &rest[found..];
    }
}

#[test]
fn a_script_gets_the_report_of_the_mended_program() {
    let _room = take_room(1);
    let output = mend(&["--fault", "propagator-mismatch-worker-b3", "--format", "json"]);
    let report: Value = serde_json::from_slice(&output.stdout).expect("one document");
    assert_eq!((output.status.code(), &report["verdict"]["status"]), (Some(0), &Value::from("healthy")));
}

#[test]
fn the_table_says_what_each_fix_did() {
    let _room = take_room(2);
    let output = mend(&["--fault", "healthy", "--fault", "propagator-mismatch", "--format", "json"]);
    let table: Value = serde_json::from_slice(&output.stdout).expect("one document");
    assert_eq!((output.status.code(), &table["right"]), (Some(0), &Value::from(2)), "{table:#}");
    let mending = |row: usize| &table["rows"][row]["mending"];
    assert_eq!((mending(0), &mending(1)["result"]), (&Value::Null, &Value::from("mended")), "{table:#}");
}

/// What CI proves of the fixes; `python tests/python/mend.py` proves the others.
#[test]
fn the_first_fixes_of_the_dozen_mend() {
    let _room = take_room(2);
    let output = Command::new(environment().python())
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/mend.py"))
        .args(["--here", "--dozen", "--jobs", "2", "--tracelink", env!("CARGO_BIN_EXE_tracelink")])
        .output()
        .expect("Python runs");
    let told = text(&output.stdout);
    assert!(output.status.success(), "{told}{}", text(&output.stderr));
    assert!(told.ends_with("12 of 12 mended by their first fix; 0 not as they should be\n"), "{told}");
}

#[test]
fn what_cannot_be_mended_is_refused() {
    for (args, said) in [
        (&["--fault", "healthy"][..], "`healthy` has nothing to mend"),
        (&[], "`healthy` has nothing to mend"),
        (&["--app", "native", "--fault", "propagator-mismatch"], "add --app python"),
        (&["--app", "native", "--fault", "all"], "add --app python"),
        (&["--fault", "propagator-mismatch", "--keep"], "cannot be used with"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_tracelink"))
            .args(if args.contains(&"native") {
                &["demo", "--mend"][..]
            } else {
                &["demo", "--mend", "--app", "python"]
            })
            .args(args)
            .output()
            .expect("tracelink runs");
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {error}");
        assert!(error.contains(said), "{args:?}: {error}");
    }
}
