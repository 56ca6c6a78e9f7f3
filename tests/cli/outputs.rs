//! `--output`: several reports in one run, and what becomes of their files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;
use tracelink::report::FormatName;

use super::{assert_valid, case, root, schema, stderr, stdout, tracelink, with_closed_pipe};

const BROKEN: &str = "propagator_api_b3multi_worker_w3c";

/// A folder for outputs.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// An argument of `--output`.
    fn to(&self, format: &str, name: &str) -> String {
        format!("{format}={}", self.path(name).display())
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).expect("readable");
        let names = entries.map(|entry| entry.expect("readable").file_name());
        let mut names: Vec<_> = names.map(|name| name.to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

/// Runs a command with these outputs.
fn with_outputs(args: &[&str], outputs: &[&str]) -> Output {
    let outputs = outputs.iter().flat_map(|output| ["--output", output]);
    tracelink(&args.iter().copied().chain(outputs).collect::<Vec<_>>())
}

#[test]
fn several_outputs_say_what_each_says_alone() {
    let folder = Folder::new();
    let broken = case(BROKEN);
    let formats = FormatName::ALL.iter().map(|format| format.name()).collect::<Vec<_>>();
    let formats: [&str; FormatName::ALL.len()] = formats.try_into().expect("all of them");
    let alone =
        formats.map(|format| tracelink(&["diagnose", &broken, "--format", format, "--color", "always"]));
    let queue = format!("{broken}/redis.queued.jsonl");
    let files = formats.map(|format| folder.to(format, format));
    for on_stdout in 0..formats.len() {
        let standard = format!("{}=-", formats[on_stdout]);
        let outputs: Vec<&str> = files.iter().map(String::as_str).chain([&*standard]).collect();
        let output = with_outputs(&["diagnose", &broken, "--color", "always"], &outputs);
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(stdout(&output), stdout(&alone[on_stdout]));
        for (format, alone) in formats.iter().zip(&alone) {
            let plain = anstream::adapter::strip_str(&stdout(alone)).to_string();
            assert_eq!(folder.read(format), plain, "{format} in a file, with no colour");
        }
        let mut names = formats;
        names.sort_unstable();
        assert_eq!(folder.names(), names, "nothing else is left there");
    }
    let output = with_outputs(&["inspect-queue", "--snapshot", &queue], &[&files[1], &files[0]]);
    let report: Value = serde_json::from_str(&folder.read("json")).expect("JSON");
    assert_valid(&schema(), &report, "a queue");
    assert_eq!(folder.read("human"), stdout(&output));
}

#[test]
fn a_person_still_reads_standard_output_where_only_files_are_named() {
    let folder = Folder::new();
    let output = with_outputs(&["diagnose", &case("healthy_auto")], &[&folder.to("json", "report.json")]);
    assert_eq!(stdout(&output), stdout(&tracelink(&["diagnose", &case("healthy_auto")])));
    let report: Value = serde_json::from_str(&folder.read("report.json")).expect("JSON");
    assert_eq!(report["verdict"]["status"], "healthy");
}

#[test]
fn outputs_that_do_not_go_together_are_refused() {
    let folder = Folder::new();
    let (json, jsonl) = (folder.to("json", "one"), folder.to("jsonl", "one"));
    for (args, said) in [
        (&["--output", "json=-", "--output", "jsonl=-"][..], "standard output takes one format"),
        (&["--output", "json=-", "--output", "json=-"], "standard output takes one format"),
        (&["--format", "human", "--output", "json=-"], "standard output takes one format"),
        (&["--output", &json, "--output", &jsonl], "two outputs go to"),
        (
            &["--output", "xml=report.xml"],
            "no format is called `xml`: there are human, json, jsonl, markdown",
        ),
        (&["--output", "=-"], "no format is called ``"),
        (&["--output", "report.json"], "no format is called `report.json`"),
        (&["--output", "json"], "json=PATH"),
        (&["--output", "json="], "json=PATH"),
    ] {
        let output = tracelink(&[&["diagnose", &case(BROKEN)], args].concat());
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(stderr(&output).contains(said), "{args:?}: {}", stderr(&output));
        assert_eq!(stdout(&output), "", "{args:?}");
    }
    assert_eq!(tracelink(&["--output", &json, "diagnose", &case(BROKEN)]).status.code(), Some(2));
    assert_eq!(tracelink(&["explain", "--output", &json]).status.code(), Some(2));
    assert_eq!(folder.names(), [""; 0]);
}

#[test]
fn a_file_that_cannot_be_written_is_found_before_the_run_begins() {
    let folder = Folder::new();
    fs::create_dir(folder.path("folder")).expect("the folder is ours");
    for place in ["no/such/file", "folder", "folder/", "."] {
        for format in ["human", "json", "jsonl"] {
            let other = folder.to("json", "other");
            let to = folder.to(format, place);
            let args = ["listen", "--grpc", "0", "--http", "0", "--for", "60s", "--format", "json"];
            let output = with_outputs(&args, &[&to, &other]);
            let told = stderr(&output);
            assert_eq!(output.status.code(), Some(4), "{to}: {told}");
            assert!(told.contains("cannot write") && !told.contains("listening"), "{to}: {told}");
            for text in [stdout(&output), folder.read("other")] {
                let report: Value = serde_json::from_str(&text).expect("a report, though it says only that");
                assert_valid(&schema(), &report, &to);
                assert!(report["error"].as_str().is_some_and(|why| why.contains("cannot write")), "{text}");
            }
            fs::remove_file(folder.path("other")).expect("it is there");
        }
    }
    assert_eq!(folder.names(), ["folder"]);
}

#[test]
fn a_run_that_fails_says_so_in_every_file() {
    let folder = Folder::new();
    let outputs = ["human", "json", "jsonl"].map(|format| folder.to(format, format));
    let output = with_outputs(&["diagnose", "no/such/file"], &outputs.each_ref().map(String::as_str));
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(4), ""));
    assert!(stderr(&output).contains("no/such/file"));
    assert!(folder.read("human").contains("no/such/file") && folder.read("human").contains("exit 4"));
    let report: Value = serde_json::from_str(&folder.read("json")).expect("JSON");
    let event: Value = serde_json::from_str(&folder.read("jsonl")).expect("one line of JSON");
    assert_eq!((event["event"].as_str(), &event["report"]), (Some("report"), &report));
    assert!(report["error"].as_str().is_some_and(|error| error.contains("no/such/file")));
}

#[test]
fn a_wrong_command_line_leaves_files_as_they_were() {
    let folder = Folder::new();
    fs::write(folder.path("old.json"), "old").expect("writable");
    fs::write(folder.path("old.jsonl"), "old").expect("writable");
    let outputs =
        [("json", "old.json"), ("jsonl", "old.jsonl"), ("json", "new.json"), ("jsonl", "new.jsonl")]
            .map(|(format, name)| folder.to(format, name));
    let args = ["inspect-queue", "--broker", "amqp://localhost"];
    let output = with_outputs(&args, &outputs.each_ref().map(String::as_str));
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert_eq!(folder.names(), ["old.json", "old.jsonl"]);
    assert_eq!((folder.read("old.json"), folder.read("old.jsonl")), ("old".to_owned(), "old".to_owned()));
}

#[test]
fn a_file_is_replaced_and_what_leads_to_it_stays() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let folder = Folder::new();
    let long = "x".repeat(1 << 20);
    for name in ["report.json", "events.jsonl"] {
        fs::write(folder.path(name), &long).expect("writable");
        fs::set_permissions(folder.path(name), fs::Permissions::from_mode(0o640)).expect("it is ours");
        symlink(name, folder.path(&format!("link.{name}"))).expect("the folder is ours");
    }
    let outputs = [folder.to("json", "link.report.json"), folder.to("jsonl", "link.events.jsonl")];
    with_outputs(&["diagnose", &case(BROKEN)], &outputs.each_ref().map(String::as_str));
    for (name, format) in [("report.json", "json"), ("events.jsonl", "jsonl")] {
        assert_eq!(folder.read(name), stdout(&tracelink(&["diagnose", &case(BROKEN), "--format", format])));
        let link = fs::symlink_metadata(folder.path(&format!("link.{name}"))).expect("it is there");
        assert!(link.file_type().is_symlink());
        let mode = fs::metadata(folder.path(name)).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o640, "{name}");
    }
    assert_eq!(folder.names().len(), 4);
}

#[test]
fn a_device_is_written_to_and_not_replaced() {
    let output = with_outputs(&["diagnose", &case(BROKEN)], &["json=/dev/stderr"]);
    let report: Value = serde_json::from_str(&stderr(&output)).expect("JSON");
    assert_eq!(report["verdict"]["code"], "TL301");
    assert_eq!(with_outputs(&["diagnose", &case(BROKEN)], &["json=/dev/null"]).status.code(), Some(1));
    assert!(!Path::new("/dev/null").is_file());
    let full = with_outputs(&["diagnose", &case(BROKEN)], &["json=/dev/full"]);
    assert_eq!(full.status.code(), Some(4));
    assert!(stderr(&full).contains("cannot write /dev/full"), "{}", stderr(&full));
    assert!(stdout(&full).contains("TL301"), "the others have the report all the same");
}

#[test]
fn a_closed_pipe_costs_no_file_its_report() {
    let folder = Folder::new();
    let to = folder.to("json", "report.json");
    let output = with_closed_pipe(&["diagnose", &case(BROKEN), "--output", &to]);
    assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(1), ""));
    let report: Value = serde_json::from_str(&folder.read("report.json")).expect("JSON");
    assert_eq!(report["verdict"]["code"], "TL301");
}

#[test]
fn every_format_is_named_where_users_look() {
    let help = stdout(&tracelink(&["diagnose", "--help"]));
    for format in FormatName::ALL {
        let (name, about) = (format.name(), format.about());
        assert!(help.contains(&format!("- {name}:")) && help.contains(about), "{name}: {help}");
        for page in ["README.md", "docs/ci.md"] {
            let text = fs::read_to_string(root().join(page)).expect("it is there");
            assert!(text.contains(&format!("| `{name}` | ")), "{page} has no row of {name}");
        }
    }
}

#[test]
fn the_help_says_where_reports_can_go() {
    for command in ["inspect-queue", "listen", "demo", "diagnose"] {
        let help = stdout(&tracelink(&[command, "--help"]));
        for part in ["--output <FORMAT=PATH>", "--format F is --output F=-", "PATH may be `-`"] {
            assert!(help.contains(part), "{command}: {part}: {help}");
        }
    }
    assert!(!stdout(&tracelink(&["explain", "--help"])).contains("--output <"));
}
