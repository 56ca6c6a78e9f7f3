//! The examples of `docs/python.md`: whole, broken, and whole again once the fix is pasted
//! that the failing test printed.

use std::fs;
use std::process::Command;

use crate::run::{Project, Ran, Stack, root};
use crate::support::python;

/// What makes the publishing side write the trace context.
const INSTRUMENTED: &str = "\nCeleryInstrumentor().instrument()\n";

fn is_broken_until_its_fix_is_pasted(name: &str) {
    let project = Project::of(name, Stack::Newest);
    project.run(&["--tracelink"]).ends_with(0).says("1 passed").says("✓ healthy").says("1 hand-off ");

    let program = project.path("shop.py");
    let whole = fs::read_to_string(&program).expect("readable");
    let broken = whole.replace(INSTRUMENTED, "\n# tracelink: before-app\n");
    assert_ne!(broken, whole);
    fs::write(&program, broken).expect("writable");
    let fix = project.path("fix.json");
    let mut command = project.pytest(&["-p", "keep_fixes", "-o", "tracelink_settle=2s"]);
    let ran = Ran::of(command.env("KEEP_FIXES", &fix).output().expect("Python runs"));
    ran.ends_with(1)
        .says("AssertionError: tracelink: expected 1 whole hand-off, saw 1, 0 of them whole")
        .says("request · ── inject ✗ ── carry · ── extract ? ── export ?")
        .says("error[TL101]: the message carries no trace context")
        .says("CeleryInstrumentor().instrument()");

    // A person puts the lines where the first of them says that they go.
    let pasted = project.path("pasted");
    fs::create_dir_all(pasted.join("api")).expect("writable");
    fs::copy(&program, pasted.join("api/shop.py")).expect("writable");
    let pasting = Command::new(python::stack())
        .arg(root().join("src/demo/python/paste.py"))
        .args([&fix, &pasted])
        .arg("api=producer,worker")
        .output()
        .expect("Python runs");
    assert!(pasting.status.success(), "{}", String::from_utf8_lossy(&pasting.stderr));
    fs::rename(pasted.join("api/shop.py"), &program).expect("writable");
    project.run(&["--tracelink"]).ends_with(0).says("1 passed").says("✓ healthy");
}

#[test]
fn fastapi_is_broken_until_its_fix_is_pasted() {
    is_broken_until_its_fix_is_pasted("fastapi");
}

#[test]
fn django_is_broken_until_its_fix_is_pasted() {
    is_broken_until_its_fix_is_pasted("django");
}

/// What the page shows is what runs above.
#[test]
fn the_page_shows_the_examples() {
    let page = fs::read_to_string(root().join("docs/python.md")).expect("readable");
    for name in ["fastapi", "django"] {
        for file in ["shop.py", "conftest.py", "test_orders.py"] {
            let text = fs::read_to_string(root().join("tests/python/plugin").join(name).join(file));
            let text = text.expect("readable");
            assert!(page.contains(text.trim_end()), "docs/python.md does not show {name}/{file} as it is");
        }
    }
}
