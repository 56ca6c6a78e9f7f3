//! What shells complete, and the pages of the manual.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Output, Stdio};

use super::{stderr, stdout, tracelink};

/// Runs a program with this on its standard input; nothing where it is missing.
fn fed(program: &str, args: &[&str], input: &str) -> Option<Output> {
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .ok()?;
    // What ends sooner has read enough.
    let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
    Some(child.wait_with_output().expect("it ends"))
}

/// What bash offers for the last of these words.
fn completed(words: &[&str]) -> BTreeSet<String> {
    let script = stdout(&tracelink(&["completions", "bash"]));
    let quoted: Vec<_> = words.iter().map(|word| format!("'{word}'")).collect();
    let (last, before) = words.split_last().expect("a word");
    let before = before.last().expect("the program");
    let asked = format!(
        "{script}\nCOMP_WORDS=({})\nCOMP_CWORD={}\nCOMP_LINE='{}'\nCOMP_POINT=${{#COMP_LINE}}\n\
         _tracelink tracelink '{last}' '{before}'\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"\n",
        quoted.join(" "),
        words.len() - 1,
        words.join(" "),
    );
    let output = fed("bash", &["--norc", "--noprofile"], &asked).expect("bash is there");
    assert!(output.status.success() && output.stderr.is_empty(), "{}", stderr(&output));
    stdout(&output).lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

#[test]
fn bash_completes_commands_options_slugs_codes_faults_and_formats() {
    let all = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(completed(&["tracelink", "insp"]), all(&["inspect-queue"]));
    assert_eq!(completed(&["tracelink", "demo-"]), all(&[]), "what is hidden is not offered");
    assert_eq!(completed(&["tracelink", "listen", "--max-m"]), all(&["--max-memory"]));
    assert_eq!(completed(&["tracelink", "explain", "propagator-m"]), all(&["propagator-mismatch"]));
    assert_eq!(completed(&["tracelink", "explain", "TL301"]), all(&["TL301"]));
    assert_eq!(
        completed(&["tracelink", "diagnose", "--ignore", "propagator-m"]),
        all(&["propagator-mismatch"])
    );
    assert_eq!(completed(&["tracelink", "demo", "--fault", "TL301"]), all(&["TL301"]));
    assert!(completed(&["tracelink", "demo", "--fault", "worker-sil"]).len() > 1);
    let formats: BTreeSet<_> =
        tracelink::report::FormatName::ALL.iter().map(|format| format.name().to_owned()).collect();
    assert!(completed(&["tracelink", "diagnose", "--format", ""]).is_superset(&formats));
    assert!(completed(&["tracelink", "completions", ""]).is_superset(&all(&["bash", "zsh", "fish"])));
}

/// Shells that are not there are passed over: `.ci/run` has bash, zsh and fish.
#[test]
fn other_shells_read_their_completions() {
    for (shell, args, first) in [
        ("zsh", &["-n"][..], "#compdef tracelink"),
        ("fish", &["--no-execute"], ""),
        ("elvish", &["-compileonly", "-"], ""),
        ("powershell", &[], ""),
    ] {
        let output = tracelink(&["completions", shell]);
        let script = stdout(&output);
        assert!(output.status.success() && script.contains("inspect-queue"), "{shell}");
        // Of values only these offer any.
        let has_slugs = script.contains("propagator-mismatch");
        assert_eq!(has_slugs, ["zsh", "fish"].contains(&shell), "{shell}");
        assert!(script.starts_with(first) && !script.contains("demo-process"), "{shell}");
        let program = if shell == "powershell" { continue } else { shell };
        if let Some(output) = fed(program, args, &script) {
            assert!(output.status.success(), "{shell}: {}", stderr(&output));
        }
    }
    assert_eq!(tracelink(&["completions", "tcsh"]).status.code(), Some(2));
}

#[test]
fn every_command_has_a_page_that_man_can_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let written = tracelink(&["man", "--dir", folder.path().to_str().expect("UTF-8")]);
    assert!(written.status.success(), "{}", stderr(&written));
    let pages =
        std::fs::read_dir(folder.path()).expect("readable").map(|page| page.expect("readable").path());
    let pages: Vec<_> = pages.collect();
    let has = |name: &str| pages.iter().any(|page| page.file_name().is_some_and(|file| file == name));
    for name in ["tracelink.1", "tracelink-listen.1", "tracelink-inspect-queue.1", "tracelink-config.1"] {
        assert!(has(name), "{name}: {pages:?}");
    }
    assert!(!has("tracelink-demo-process.1") && !has("tracelink-help.1"));
    for page in &pages {
        let text = std::fs::read_to_string(page).expect("UTF-8");
        assert!(text.contains(".SH NAME") && text.contains(".SH OPTIONS"), "{}", page.display());
        // Debian's groff-base brings it, and mandoc is stricter.
        if let Some(output) = fed("groff", &["-k", "-man", "-ww", "-Tutf8", "-z"], &text) {
            assert!(
                output.status.success() && output.stderr.is_empty(),
                "{}: {}",
                page.display(),
                stderr(&output)
            );
        }
        if let Some(output) = fed("mandoc", &["-Tlint", "-Werror"], &text) {
            assert!(output.status.success(), "{}: {}", page.display(), stdout(&output));
        }
    }
    let one = stdout(&tracelink(&["man", "listen"]));
    assert!(one.contains("tracelink\\-listen") && one.contains("\\-\\-settle"), "{one}");
    assert!(stdout(&tracelink(&["man"])).contains("tracelink\\-inspect\\-queue(1)"));
    let unknown = tracelink(&["man", "lisen"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(stderr(&unknown).contains("did you mean `listen`?"), "{}", stderr(&unknown));
}

#[test]
fn a_command_without_its_dashes_is_told_where_they_go() {
    let output = tracelink(&["listen", "pytest", "-q"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("tracelink listen -- pytest"), "{}", stderr(&output));
    for args in [&["listen", "redis://:secret@host"][..], &["listen", "--gprc", "1"], &["demo", "pytest"]] {
        let told = stderr(&tracelink(args));
        assert!(!told.contains("listen -- ") && !told.contains("secret"), "{told}");
    }
}

#[test]
fn the_demo_takes_a_code_for_the_fault_that_shows_it() {
    let run = |name: &str| tracelink(&["demo", "--pace", "0.01", "--fault", name]);
    let by_code = run("tl301");
    assert_eq!(by_code.status.code(), Some(1), "{}", stderr(&by_code));
    let told = stdout(&by_code);
    assert!(told.contains("propagator-mismatch") && told.contains("✓ named"), "{told}");
    assert_eq!(run("TL999").status.code(), Some(2));
}
