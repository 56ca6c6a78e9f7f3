//! `tracelink.toml`: which file counts, what comes before it, and what is wrong
//! with it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use super::{case, root, stderr, stdout};

/// A folder of a project.
struct Project(tempfile::TempDir);

impl Project {
    fn new(files: &[(&str, &str)]) -> Self {
        let project = Self(tempfile::tempdir().expect("a folder"));
        for (name, text) in files {
            let path = project.path(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("writable");
            std::fs::write(path, text).expect("writable");
        }
        project
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Runs tracelink in a folder of the project.
    fn run_in(&self, folder: &str, args: &[&str], variables: &[(&str, &str)]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_tracelink"))
            .args(args)
            .current_dir(self.path(folder))
            .env_remove("TRACELINK_BROKER")
            .envs(variables.iter().copied())
            .output()
            .expect("tracelink runs")
    }

    fn run(&self, args: &[&str]) -> Output {
        self.run_in(".", args, &[])
    }

    /// What `tracelink config` says of a key: the value, and where it comes from.
    fn shown(&self, folder: &str, key: &str, args: &[&str], variables: &[(&str, &str)]) -> (Value, String) {
        let output = self.run_in(folder, &[&["config", "--format", "json"], args].concat(), variables);
        let shown: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
        let settings = shown["settings"].as_array().expect("settings");
        let found = settings.iter().find(|setting| setting["key"] == key).expect("the key");
        (found["value"].clone(), found["from"].as_str().expect("a place").to_owned())
    }
}

/// A case of the corpus, from another folder.
fn evidence(name: &str) -> String {
    root().join(case(name)).display().to_string()
}

const BROKEN: &str = "propagator_api_b3multi_worker_w3c";

#[test]
fn the_nearest_file_counts_and_tracelinks_own_comes_first() {
    let project = Project::new(&[
        ("tracelink.toml", "settle = \"1s\"\n"),
        ("a/pyproject.toml", "[project]\nname = \"tracelink-user\"\n"),
        ("a/b/pyproject.toml", "[tool.tracelink]\nsettle = 2\n"),
        ("a/b/c/tracelink.toml", "\nsettle = 3.5\n"),
        ("a/b/c/pyproject.toml", "[tool.tracelink]\nsettle = \"4s\"\n"),
        ("broken/pyproject.toml", "this is not TOML"),
    ]);
    let settle = |folder| project.shown(folder, "settle", &[], &[]);
    assert_eq!(settle("a/b/c"), ("3.5".into(), "tracelink.toml:2".to_owned()));
    assert_eq!(settle("a/b"), ("2".into(), "pyproject.toml:2".to_owned()));
    let (value, from) = settle("a");
    assert_eq!(value, "1s");
    assert!(from.ends_with("/tracelink.toml:1"), "{from}");
    assert_eq!(settle("broken").0, "1s", "what does not mention tracelink is passed over");
    let none = project.shown("a/b/c", "settle", &["--no-config"], &[]);
    assert_eq!(none, ("6s".into(), "default".to_owned()));
    let named = project.path("a/b/pyproject.toml").display().to_string();
    assert_eq!(project.shown("a/b/c", "settle", &["--config", &named], &[]).0, "2");
}

#[test]
fn the_command_line_comes_before_the_environment_and_that_before_the_file() {
    let project = Project::new(&[(
        "tracelink.toml",
        "broker = \"redis://u:hunter2@127.0.0.1:1/7\"\nfail-on = \"never\"\n",
    )]);
    let (broker, from) = project.shown(".", "broker", &[], &[]);
    assert_eq!((broker, &*from), ("redis://***@127.0.0.1:1/7".into(), "tracelink.toml:1"));
    let variable = [("TRACELINK_BROKER", "redis://:hunter3@127.0.0.1:1/8")];
    let (broker, from) = project.shown(".", "broker", &[], &variable);
    assert_eq!((broker, &*from), ("redis://***@127.0.0.1:1/8".into(), "TRACELINK_BROKER"));
    assert_eq!(project.shown(".", "broker", &[], &[("TRACELINK_BROKER", "")]).1, "tracelink.toml:1");
    let typed = project.shown(".", "fail-on", &["--fail-on", "note"], &[]);
    assert_eq!(typed, ("note".into(), "command line".to_owned()));

    // The same holds of the commands themselves.
    let tried = |args: &[&str], variables: &[(&str, &str)]| {
        let output = project.run_in(".", &[&["inspect-queue"], args].concat(), variables);
        assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
        let told = stderr(&output);
        assert!(!told.contains("hunter"), "{told}");
        told
    };
    assert!(tried(&[], &[]).contains("127.0.0.1:1/7"));
    assert!(tried(&[], &[("TRACELINK_BROKER", "")]).contains("127.0.0.1:1/7"));
    assert!(tried(&[], &variable).contains("127.0.0.1:1/8"));
    assert!(tried(&["--broker", "redis://127.0.0.1:1/9"], &variable).contains("127.0.0.1:1/9"));

    let diagnosed =
        |args: &[&str]| project.run(&[&["diagnose", &evidence(BROKEN)], args].concat()).status.code();
    assert_eq!(diagnosed(&[]), Some(0));
    assert_eq!(diagnosed(&["--fail-on", "error"]), Some(1));
    assert_eq!(diagnosed(&["--no-config"]), Some(1));
}

#[test]
fn a_format_of_the_file_gives_way_to_one_that_is_typed() {
    let project = Project::new(&[("tracelink.toml", "format = \"json\"\nexpect-handoffs = 9\n")]);
    let output = project.run(&["diagnose", &evidence("healthy_auto")]);
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(report["findings"][0]["slug"], "too-few-handoffs");
    assert_eq!(output.status.code(), Some(1));
    let output = project.run(&[
        "diagnose",
        &evidence("healthy_auto"),
        "--output",
        "human=-",
        "--expect-handoffs",
        "1",
    ]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stdout(&output).contains("healthy"), "{}", stdout(&output));
}

#[test]
fn what_is_wrong_is_named_with_its_line_and_what_is_right() {
    for (text, told) in [
        ("\nbrokr = \"redis://a\"\n", ":2: no key is called `brokr`; did you mean `broker`?"),
        ("fail_on = \"error\"", ":1: no key is called `fail_on`; did you mean `fail-on`?"),
        ("xyz = 1", ":1: no key is called `xyz`; there are broker, "),
        ("\n\nsettle = \"soon\"", ":3: `settle` is wrong: expected a duration such as"),
        ("settle = 0x10", ":1: `settle` is wrong"),
        ("max-memory = \"1kB\"", ":1: `max-memory` is wrong: expected a size"),
        ("grpc = 70000", ":1: `grpc` is wrong: expected a port"),
        ("web = \"here\"", ":1: `web` is wrong: expected a port"),
        ("broker = \"amqp://guest@localhost//\"", ":1: `broker` is wrong: expected a URL such as \"redis://"),
        ("expect-handoffs = -1", ":1: `expect-handoffs` is wrong: expected a whole number"),
        ("expect-handoffs = \"1\"", ":1: `expect-handoffs` is wrong"),
        ("format = \"hmtl\"", ":1: `format` is wrong"),
        ("broker = \"hunter2\"", ":1: `broker` is wrong: expected a URL"),
        ("broker = redis://:hunter2@a", ":1: this is not TOML"),
        (
            "[severity]\nnot-sampeld = \"note\"",
            ":2: no diagnosis is called `not-sampeld`; did you mean `not-sampled`?",
        ),
        ("[severity]\nnot-sampled = \"off\"", ":2: `not-sampled` is wrong: expected \"error\""),
        ("severity = 1", ":1: `severity` is wrong: expected a table"),
        ("ignore = [\"TL301\"]", ":1: `ignore` is wrong: expected a list of tables"),
        ("\n[[ignore]]\nslug = \"TL301\"", ":2: this entry of `ignore` has no `reason`"),
        ("[[ignore]]\nreason = \"x\"", ":1: this entry of `ignore` has no `slug`"),
        ("[[ignore]]\nslug = \"TL301\"\nreason = \" \"", ":3: `reason` is wrong"),
        ("[[ignore]]\nslug = \"TL999\"\nreason = \"x\"", ":2: no diagnosis is called `TL999`"),
        (
            "[[ignore]]\nslug = \"TL301\"\nreason = \"x\"\ntasks = \"a\"",
            ":4: no key is called `tasks`; did you mean `task`?",
        ),
        ("[[ignore]]\nslug = \"TL301\"\nreason = \"x\"\ntask = []", ":4: `task` is wrong"),
        ("[[ignore]]\nslug = \"TL301\"\nreason = \"x\"\nuntil = 2027-02-30", ":4: "),
        (
            "[[ignore]]\nslug = \"TL301\"\nreason = \"x\"\nuntil = \"soon\"",
            ":4: `until` is wrong: expected a date",
        ),
        ("\"\\u001b[2J\" = 1", ":1: no key is called"),
    ] {
        let project = Project::new(&[("tracelink.toml", text)]);
        for args in [&["config"][..], &["diagnose", &evidence("healthy_auto"), "--format", "json"]] {
            let output = project.run(args);
            let said = stderr(&output);
            assert_eq!((output.status.code(), &*stdout(&output)), (Some(2), ""), "{text}: {said}");
            assert!(said.contains(&format!("tracelink.toml{told}")), "{text}: {said}");
            assert!(!said.contains("hunter2") && !said.contains('\u{1b}'), "{text}: {said}");
        }
        let explained = project.run(&["explain", "TL301"]);
        assert_eq!(explained.status.code(), Some(0), "what needs no configuration reads none");
    }
}

#[test]
fn a_file_that_is_named_must_be_there_and_say_something_of_tracelink() {
    let project = Project::new(&[("pyproject.toml", "[project]\n"), ("long.toml", &"#\n".repeat(600_000))]);
    let run = |file: &str| {
        let output =
            project.run(&["diagnose", &evidence("healthy_auto"), "--config", file, "--format", "json"]);
        (output.status.code(), stdout(&output) + &stderr(&output))
    };
    let (code, told) = run("nowhere.toml");
    assert_eq!(code, Some(4), "{told}");
    assert!(told.contains("cannot read nowhere.toml") && told.contains("\"schema\""), "{told}");
    let (code, told) = run("pyproject.toml");
    assert_eq!(code, Some(2), "{told}");
    assert!(told.contains("no table [tool.tracelink]"), "{told}");
    assert_eq!(run("long.toml").0, Some(2));
    assert_eq!(run(&Path::new("/dev/null").display().to_string()).0, Some(0), "an empty one says nothing");
}

#[test]
fn a_broker_of_the_file_is_a_broker_for_the_options_that_need_one() {
    let project = Project::new(&[(
        "tracelink.toml",
        "broker = \"redis://127.0.0.1:1/0\"\ngrpc = 0\nhttp = \"127.0.0.1:0\"\n",
    )]);
    let output = project.run(&["listen", "--for", "100ms", "--broker-monitor"]);
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
    let output = project.run(&["listen", "--for", "100ms", "--broker-monitor", "--no-config"]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("--broker-monitor needs a broker"), "{}", stderr(&output));
}

/// The page lists every key, and nothing else; and each example of it is read.
#[test]
fn the_page_has_every_key() {
    let page = std::fs::read_to_string(root().join("docs/configuration.md")).expect("the page");
    let row = |line: &str| Some(line.strip_prefix("| `")?.split_once('`')?.0.to_owned());
    let listed: Vec<_> = page.lines().filter_map(row).collect();
    let known = tracelink::config::KEYS.iter().map(|key| key.name);
    let known = known.chain([tracelink::config::SEVERITY, tracelink::config::IGNORE]);
    let known: Vec<_> = known.chain(tracelink::config::IGNORE_KEYS.iter().map(|(name, _)| *name)).collect();
    assert_eq!(listed, known);
    let examples: Vec<_> =
        page.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(examples.len() >= 2);
    for example in examples {
        let is_pyproject = example.contains("[tool.tracelink");
        let read = tracelink::config::parse(example, "example", is_pyproject);
        assert!(matches!(read, Ok(Some(_))), "{example}: {read:?}");
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(256))]

    /// Whatever a file holds, it is read or named wrong; and no value of it is quoted.
    #[test]
    fn no_text_panics_the_reader(
        key in "[a-z-]{0,12}|broker|settle|ignore|severity|grpc|until",
        value in ".{0,60}|[0-9_+.eE-]{0,12}|\\[\\[*|\\{*|\"[^\"]{0,20}\"",
        rest in ".{0,80}",
    ) {
        for text in [format!("{key} = {value}\n{rest}"), format!("[[ignore]]\n{key} = {value}"), rest.clone()] {
            for is_pyproject in [false, true] {
                let _ = tracelink::config::parse(&text, "x", is_pyproject);
            }
        }
    }
}
