//! The Python application, acted out for real: the dozen of its manifest by the
//! command, each judged as the manifest says; and nothing is left behind.
//!
//! Over 400 lines, since all of it shares one environment and one limit on how many run.

#![allow(clippy::disallowed_methods, reason = "a test waits for real processes")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tracelink::demo::python_app::{self, Entry, Environment, Options, manifest};
use tracelink::demo::{DemoError, DemoEvent, OtlpEndpoints};
use tracelink::model::{Report, Severity};

use crate::bundle::Bundle;
use crate::command::{descendants, is_there, read_until, signal, text};
use crate::matrix::judge;
use crate::support::redis::{RedisServer, Wire, free_port};

/// How often the broker is looked at while nothing else happens.
const EVERY: Duration = Duration::from_millis(60);

/// What `XDG_CACHE_HOME` is to the command.
fn cache() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/python")
}

/// The command, with the environment that the tests make.
pub fn demo(args: &[&str]) -> Command {
    environment();
    let mut command = Command::new(env!("CARGO_BIN_EXE_tracelink"));
    command.args(["demo", "--app", "python"]).args(args).env("XDG_CACHE_HOME", cache());
    command
}

/// The application's environment, made once in `target/`.
pub fn environment() -> &'static Environment {
    static ENVIRONMENT: OnceLock<Environment> = OnceLock::new();
    ENVIRONMENT.get_or_init(|| {
        let made = python_app::prepare(&cache().join("tracelink"), true, &mut |_| ControlFlow::Continue(()));
        made.unwrap_or_else(|error| panic!("{error}")).expect("nobody breaks it off")
    })
}

fn options(otlp: OtlpEndpoints) -> Options<'static> {
    let environment = environment();
    Options { environment, broker: None, otlp, orders: None, rate: None, pace: 0.1, keep: false, fix: None }
}

/// Room for so many stages on the machine: each starts three processes that take
/// a second of a core each, and what they do must be over in time.
struct Room {
    free: Mutex<usize>,
    freed: Condvar,
}

static ROOM: Room = Room { free: Mutex::new(4), freed: Condvar::new() };

/// Room that is taken by so many stages.
pub struct Taken(usize);

pub fn take_room(stages: usize) -> Taken {
    let free = ROOM.free.lock().unwrap_or_else(PoisonError::into_inner);
    let mut free = ROOM.freed.wait_while(free, |free| *free < stages).unwrap_or_else(PoisonError::into_inner);
    *free -= stages;
    Taken(stages)
}

impl Drop for Taken {
    fn drop(&mut self) {
        *ROOM.free.lock().unwrap_or_else(PoisonError::into_inner) += self.0;
        ROOM.freed.notify_all();
    }
}

/// A receiver that is not there: no reason to leave anything either.
fn nobody() -> OtlpEndpoints {
    let nobody = format!("http://127.0.0.1:{}", free_port());
    OtlpEndpoints { grpc: nobody.clone(), http: nobody }
}

/// Acts an entry out, and returns what tracelink says of it.
fn act(entry: &Entry, folder: &Path) -> Result<Report, DemoError> {
    let _room = take_room(1);
    let mut bundle = Bundle::open(folder);
    let (mut broker, mut tasks, mut is_done) = (String::new(), BTreeSet::new(), false);
    let mut looked = Instant::now();
    let given = python_app::run(entry, &options(bundle.otlp()), &mut |event| {
        let (mut is_time, is_late) = (false, is_done);
        match event {
            DemoEvent::Broker { url, .. } => broker = url,
            DemoEvent::Queued { tasks: queued } => {
                tasks.extend(queued);
                is_time = true;
            }
            DemoEvent::Look => is_time = true,
            DemoEvent::Took { id, .. } | DemoEvent::Ended { id, .. } => drop(tasks.insert(id)),
            DemoEvent::Waiting => is_time = !tasks.is_empty() && looked.elapsed() > EVERY,
            // What is seen later is that the demo's own processes are stopped.
            DemoEvent::Done => (is_time, is_done) = (true, true),
            DemoEvent::Starting { .. }
            | DemoEvent::Gone { .. }
            | DemoEvent::Api { .. }
            | DemoEvent::Answered { .. }
            | DemoEvent::Closed
            | DemoEvent::Failed => {}
        }
        if is_time && !is_late {
            looked = Instant::now();
            bundle.look(&broker, tasks.iter().map(String::as_str));
        }
        ControlFlow::Continue(())
    });
    let folder = bundle.close();
    given.map(|()| judge(&folder))
}

/// What is wrong with what was said of an entry.
fn complaint(entry: &Entry, said: &Result<Report, DemoError>) -> Option<String> {
    let said = match said {
        Ok(report) if entry.is_right(report) => return None,
        Ok(report) => {
            let severities = [Severity::Error, Severity::Warning, Severity::Note];
            let of = |severity| report.findings.iter().filter(move |finding| finding.severity == severity);
            format!(
                "{:?}",
                severities.map(|severity| of(severity).map(|finding| finding.slug).collect::<Vec<_>>())
            )
        }
        Err(error) => error.to_string(),
    };
    Some(format!("{}: expected {:?} with {:?}, said {said}", entry.slug, entry.expect, entry.notes))
}

/// All entries that files can tell, where a developer builds with
/// `DEMO_PYTHON=all`, or the ones named there; else one of each kind.
fn chosen() -> Vec<&'static Entry> {
    const FEW: [&str; 3] = ["healthy", "propagator-mismatch", "worker-killed"];
    let named = option_env!("DEMO_PYTHON");
    let is_chosen = |entry: &&Entry| match named {
        None => FEW.contains(&&*entry.slug),
        Some("all") => !entry.live,
        Some(named) => named.split(',').any(|slug| slug == entry.slug),
    };
    let chosen: Vec<_> = manifest().entries.iter().filter(is_chosen).collect();
    assert!(!chosen.is_empty(), "no entry is called {named:?}");
    chosen
}

#[test]
fn the_command_is_right_about_the_dozen() {
    let _room = take_room(2);
    let dozen: Vec<_> = manifest().dozen().flat_map(|entry| ["--fault", &*entry.slug]).collect();
    let mut command = demo(&["--format", "json", "--pace", "0.1"]);
    let output = command.args(dozen).output().expect("tracelink runs");
    let table: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    assert_eq!(output.status.code(), Some(0), "{table:#}{}", text(&output.stderr));
    assert_eq!((&table["right"], table["rows"].as_array().map(Vec::len)), (&Value::from(12), Some(12)));
}

#[test]
fn ctrl_c_leaves_no_process_and_no_file_behind() {
    let _room = take_room(1);
    let temporary = tempfile::tempdir().expect("a folder");
    let mut command = demo(&["--pace", "20"]);
    command.env("TMPDIR", temporary.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("tracelink runs");
    let mut out = read_until(&mut child, "takes process_order");
    let processes = descendants(child.id());
    assert!(processes.len() >= 5, "a warden, Redis, API, worker and its child: {processes:?}");
    signal(&child, rustix::process::Signal::INT);
    let (mut rest, mut error) = (String::new(), String::new());
    out.read_to_string(&mut rest).expect("UTF-8");
    child.stderr.take().expect("piped").read_to_string(&mut error).expect("UTF-8");
    assert_eq!((child.wait().expect("it ends").code(), error.as_str()), (Some(130), ""));
    assert!(rest.contains("nothing is judged"), "{rest}");
    assert!(processes.iter().all(|process| !is_there(*process)), "{processes:?}");
    let left: Vec<_> = std::fs::read_dir(temporary.path()).expect("readable").flatten().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_pipe_that_closes_ends_it_and_its_processes() {
    let _room = take_room(1);
    let mut child = demo(&[]).stdout(Stdio::piped()).spawn().expect("tracelink runs");
    let out = read_until(&mut child, "broker ");
    let processes = descendants(child.id());
    drop(out);
    assert_eq!(child.wait().expect("it ends").code(), Some(0), "a closed pipe is no error");
    assert!(processes.iter().all(|process| !is_there(*process)), "{processes:?}");
}

/// What comes after each `before` in a text, up to the first character of `ends`.
fn after<'t>(text: &'t str, before: &'t str, ends: &'t [char]) -> impl Iterator<Item = &'t str> {
    text.split(before).skip(1).filter_map(move |rest| rest.split(ends).next())
}

#[test]
fn the_story_says_what_is_said() {
    let page = include_str!("../../docs/seven-times.md");
    let mut told = 0;
    for story in page.split("\n## ").skip(1) {
        let Some(said) = after(story, "tracelink says [`", &['`']).next() else { continue };
        let slug = after(story, "--fault ", &['\n']).next().expect("how to act it out");
        let entry = manifest().find(slug).unwrap_or_else(|| panic!("no fault is called {slug}"));
        let is_said = entry.expect.as_deref() == Some(said)
            || (entry.expect.is_none() && entry.notes.iter().any(|note| note == said));
        assert!(is_said, "{slug}: {said}, and not {:?}", entry.expect);
        let code = tracelink::diagnosis::find(said).expect("a diagnosis").code.to_lowercase();
        assert!(story.contains(&format!("(diagnoses.md#{code}-{said})")), "{said}: its page");
        told += 1;
    }
    assert_eq!(told, 7);
    for entry in manifest().entries.iter().filter(|entry| entry.slug.starts_with("article-")) {
        assert!(page.contains(&format!("--fault {}", entry.slug)), "{} is not told", entry.slug);
    }
    for readme in [include_str!("../../README.md"), page] {
        for slug in after(readme, "--fault ", &[' ', '`', '\n']) {
            let is_known = ["all", "FAULT"].contains(&slug) || manifest().find(slug).is_some();
            assert!(is_known, "no fault is called {slug}");
        }
    }
}

#[test]
fn files_tell_the_same() {
    const AT_A_TIME: usize = 2;
    let entries = chosen();
    environment();
    let (next, complaints) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                while let Some(entry) = entries.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("demo-python").join(&entry.slug);
                    let began = Instant::now();
                    let said = act(entry, &folder);
                    let complaint = complaint(entry, &said);
                    let mark = if complaint.is_none() { "right" } else { "WRONG" };
                    println!("{mark}  {}: {:.2} s", entry.slug, began.elapsed().as_secs_f64());
                    complaints.lock().expect("no panic in here").extend(complaint);
                }
            });
        }
    });
    let complaints = complaints.into_inner().expect("no panic in here");
    assert!(complaints.is_empty(), "{} of {}:\n{}", complaints.len(), entries.len(), complaints.join("\n"));
}

#[test]
fn every_attempt_is_told_with_its_state() {
    let _room = take_room(1);
    let entry = manifest().find("healthy-retries").expect("it is there");
    let mut told = Vec::new();
    // Long enough to be seen at its work where the machine has time for it.
    let slow = Options { pace: 1.0, ..options(nobody()) };
    python_app::run(entry, &slow, &mut |event| {
        match event {
            DemoEvent::Took { task, attempt, .. } => told.push(format!("{task} {attempt} STARTED")),
            DemoEvent::Ended { task, attempt, state, .. } => told.push(format!("{task} {attempt} {state}")),
            _ => {}
        }
        ControlFlow::Continue(())
    })
    .expect("it is acted out");
    let ends = |told: &str| !told.ends_with("STARTED");
    let ended: Vec<_> = told.iter().filter(|told| ends(told)).map(String::as_str).collect();
    assert_eq!(
        ended,
        ["process_order 0 RETRY", "process_order 1 RETRY", "process_order 2 SUCCESS"],
        "{told:?}"
    );
    // A start that is over before the stage looks is not told, so it depends on the machine
    // which are. None is told of an attempt that has ended.
    let place = |text: &str| told.iter().position(|told| told == text);
    for end in ended {
        let (attempt, _) = end.rsplit_once(' ').expect("a state");
        let start = place(&format!("{attempt} STARTED"));
        assert!(start.is_none_or(|start| Some(start) < place(end)), "{told:?}");
    }
}

#[test]
fn many_orders_follow_the_one_that_waited() {
    let _room = take_room(1);
    let entry = manifest().find("healthy").expect("it is there");
    let many = Options { orders: Some(6), rate: Some(20.0), ..options(nobody()) };
    let (mut queued, mut answered, mut ended) = (Vec::new(), Vec::new(), BTreeSet::new());
    python_app::run(entry, &many, &mut |event| {
        match event {
            DemoEvent::Queued { tasks } => queued.push(tasks.len()),
            DemoEvent::Answered { number, status, .. } => answered.push((number, status)),
            DemoEvent::Ended { id, state, .. } if state == "SUCCESS" => drop(ended.insert(id)),
            _ => {}
        }
        ControlFlow::Continue(())
    })
    .expect("it is acted out");
    assert_eq!(queued, [1]);
    assert_eq!(answered, (0..6).map(|number| (number, 202)).collect::<Vec<_>>());
    assert_eq!(ended.len(), 6);
}

/// Acts an entry out, and breaks it off at the event; the ports that were in use.
fn broken_off(options: &Options<'_>, ends_at: impl Fn(&DemoEvent) -> bool) -> Result<Vec<u16>, DemoError> {
    let mut ports = Vec::new();
    let healthy = manifest().find("healthy").expect("it is there");
    python_app::run(healthy, options, &mut |event| {
        if let DemoEvent::Broker { url: address, .. } | DemoEvent::Api { address } = &event {
            let port: Option<u16> =
                address.trim_end_matches("/0").rsplit(':').next().and_then(|port| port.parse().ok());
            ports.extend(port);
        }
        if ends_at(&event) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    Ok(ports)
}

/// Every file below a folder.
fn files(folder: &Path, found: &mut BTreeSet<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("readable").flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            files(&entry.path(), found);
        } else {
            found.insert(entry.path());
        }
    }
}

#[test]
fn nothing_is_left_where_it_is_broken_off() {
    let _room = take_room(1);
    let (mut before, mut after) = (BTreeSet::new(), BTreeSet::new());
    files(environment().folder(), &mut before);
    let events: [fn(&DemoEvent) -> bool; 4] = [
        |event| matches!(event, DemoEvent::Broker { .. }),
        |event| matches!(event, DemoEvent::Api { .. }),
        |event| matches!(event, DemoEvent::Took { .. }),
        |event| matches!(event, DemoEvent::Done),
    ];
    for ends_at in events {
        for port in broken_off(&options(nobody()), ends_at).expect("it is no error") {
            let connected = std::net::TcpStream::connect(("127.0.0.1", port));
            assert!(connected.is_err(), "somebody answers at {port}");
        }
    }
    files(environment().folder(), &mut after);
    assert_eq!(before, after);
}

#[test]
fn a_users_broker_is_as_empty_as_it_was() {
    let _room = take_room(1);
    let redis = RedisServer::start();
    let own = Options { broker: Some(redis.url()), ..options(nobody()) };
    let keys = || {
        let keys = Wire::connect(redis.port).list(&[b"KEYS", b"*"]);
        keys.iter().map(|key| String::from_utf8_lossy(key).into_owned()).collect::<Vec<_>>()
    };
    for ends_at in [|_: &DemoEvent| false, |event: &DemoEvent| matches!(event, DemoEvent::Took { .. })] {
        broken_off(&own, ends_at).expect("it is acted out");
        assert_eq!(keys(), [""; 0]);
    }
    redis.ask(&[b"LPUSH", b"celery", b"{}"]);
    assert!(matches!(broken_off(&own, |_| false), Err(DemoError::NotEmpty)));
    assert_eq!(keys(), ["celery"]);
}

#[test]
fn a_process_that_ends_early_says_why() {
    let _room = take_room(1);
    let redis = RedisServer::start();
    // It answers, and takes nothing in.
    redis.ask(&[b"CONFIG", b"SET", b"maxmemory", b"1"]);
    let own = Options { broker: Some(redis.url()), ..options(nobody()) };
    let error = broken_off(&own, |_| false).expect_err("Redis takes nothing");
    assert!(matches!(&error, DemoError::Python { who, .. } if who == "api"), "{error}");
}

/// What runs with the mark of this very test process in its environment, by process id.
fn marked() -> BTreeMap<u32, String> {
    let mark = format!("DEMO_PYTHON_TEST={}", std::process::id());
    running(|process| read(process, "environ").split('\0').any(|pair| pair == mark))
}

/// The children of a process: a Redis overwrites its environment with its title.
fn children(parent: u32) -> BTreeMap<u32, String> {
    let parent = format!("PPid:\t{parent}");
    running(|process| read(process, "status").lines().any(|line| line == parent))
}

fn running(is_so: impl Fn(&Path) -> bool) -> BTreeMap<u32, String> {
    let processes = std::fs::read_dir("/proc").expect("Linux").flatten().map(|entry| entry.path());
    let found = processes.filter(|process| is_so(process)).filter_map(|process| {
        let id = process.file_name()?.to_str()?.parse().ok()?;
        Some((id, read(&process, "cmdline").replace('\0', " ")))
    });
    found.collect()
}

fn read(process: &Path, name: &str) -> String {
    let text = std::fs::read(process.join(name)).unwrap_or_default();
    String::from_utf8_lossy(&text).into_owned()
}

#[test]
fn no_process_outlives_a_stage_that_was_killed() {
    use std::io::{BufRead, BufReader};
    let _room = take_room(1);
    // This very test, again, as the one that is killed.
    if std::env::var_os("DEMO_PYTHON_TEST").is_some() {
        let slow = Options { pace: 50.0, ..options(nobody()) };
        broken_off(&slow, |event| {
            if matches!(event, DemoEvent::Took { .. }) {
                println!("took it");
            }
            false
        })
        .expect("it is killed before");
        return;
    }
    environment();
    let mut stage = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "python::no_process_outlives_a_stage_that_was_killed", "--nocapture"])
        .env("DEMO_PYTHON_TEST", std::process::id().to_string())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let output = stage.stdout.take().expect("piped");
    let took = BufReader::new(output).lines().map_while(Result::ok).any(|line| line.contains("took it"));
    let mut were_there = marked();
    were_there.extend(children(stage.id()));
    stage.kill().expect("it runs");
    stage.wait().expect("it ends");
    assert!(took, "the worker took the order");
    for part in ["redis-server", "uvicorn", "celery"] {
        assert!(were_there.values().any(|command| command.contains(part)), "{part}: {were_there:?}");
    }
    let deadline = Instant::now() + Duration::from_secs(10);
    let left = || {
        let mut left = marked();
        left.extend(running(|process| {
            let id = process.file_name().and_then(|name| name.to_str()?.parse().ok());
            let command = read(process, "cmdline").replace('\0', " ");
            id.is_some_and(|id| were_there.get(&id) == Some(&command))
        }));
        left
    };
    while !left().is_empty() {
        assert!(Instant::now() < deadline, "left behind: {:?}", left());
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn its_programs_are_what_its_readme_says() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/variant_test.py");
    let done = Command::new("python3").arg("-B").arg(tests).output().expect("there is Python");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}
