//! What four fixed runs cost: instructions, which valgrind counts, and peak
//! memory. Time on a busy machine tells nothing within three parts in a hundred;
//! these do.
//!
//! `cargo bench --bench instructions -- [BEFORE [AFTER]]`: without a binary, this
//! tree's own alone; with one, this tree's own against it; with two, the second
//! against the first. It fails where anything grew by more than 3 %.
//! It takes some minutes a binary; Linux, because it reads `/proc`.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

#[path = "../messages/mod.rs"]
mod messages;
#[path = "../spans/mod.rs"]
mod spans;

mod inputs;
mod run;

use run::{Run, instructions, peak_memory};

/// How much more a run may cost than before.
const ALLOWED: f64 = 1.03;

fn main() -> ExitCode {
    // `cargo test --benches` only asks whether it builds.
    if !std::env::args().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    let own = PathBuf::from(env!("CARGO_BIN_EXE_tracelink"));
    let given: Vec<_> = std::env::args_os().skip(1).filter(|argument| argument != "--bench").collect();
    let given: Vec<PathBuf> = given.iter().map(|path| std::path::absolute(path).expect("a path")).collect();
    let binaries = match given.len() {
        0 => vec![own],
        1 => [given, vec![own]].concat(),
        2 => given,
        _ => {
            eprintln!("two binaries at most: BEFORE and AFTER");
            return ExitCode::from(2);
        }
    };
    let has_valgrind = has_valgrind();
    if !has_valgrind {
        println!("no instructions: valgrind is missing (Debian: apt-get install valgrind)");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let binaries = stripped(&binaries, folder.path());
    let mut is_kept = true;
    for (name, run) in runs(folder.path()) {
        println!("{name}");
        if has_valgrind {
            let counts: Vec<_> = binaries.iter().map(|binary| instructions(binary, &run)).collect();
            is_kept &= tell("instructions", &counts);
        }
        is_kept &= tell("bytes of memory", &peak_memory(&binaries, &run));
    }
    if is_kept { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The four runs, with what they read in `folder`.
fn runs(folder: &Path) -> [(&'static str, Run); 4] {
    const SPANS: u64 = 100_000;
    const MESSAGES: u64 = 100_000;
    const FED: u64 = 300_000;
    let (spans, snapshot) = (folder.join("spans.jsonl"), folder.join("redis.jsonl"));
    inputs::write_spans(&spans, SPANS);
    inputs::write_snapshot(&snapshot, MESSAGES);
    let corpus = inputs::corpus(Path::new(env!("CARGO_MANIFEST_DIR")));
    [
        ("diagnose the corpus", Run::Alone([vec!["diagnose".into()], corpus].concat())),
        ("diagnose 100,000 spans in OTLP/JSON", Run::Alone(vec!["diagnose".into(), spans])),
        (
            "inspect-queue --snapshot of 100,000 messages",
            Run::Alone(vec!["inspect-queue".into(), "--snapshot".into(), snapshot]),
        ),
        ("listen fed 300,000 spans", Run::Listen(FED)),
    ]
}

/// Copies of the binaries without their symbols, which take a megabyte of memory
/// where one has them and the other has not, and with paths of one length, as
/// arguments cost instructions too.
fn stripped(binaries: &[PathBuf], folder: &Path) -> Vec<PathBuf> {
    let strip = |(number, binary): (usize, &PathBuf)| {
        let copy = folder.join(format!("binary.{number}"));
        let status = Command::new("strip").arg("-o").arg(&copy).arg(binary).status();
        if !status.is_ok_and(|status| status.success()) {
            println!("{} keeps its symbols: strip is missing (Debian: binutils)", binary.display());
            std::fs::copy(binary, &copy).expect("a binary to copy");
        }
        copy
    };
    binaries.iter().enumerate().map(strip).collect()
}

fn has_valgrind() -> bool {
    let version = Command::new("valgrind").arg("--version").stdout(Stdio::null()).status();
    version.is_ok_and(|status| status.success())
}

/// Prints a figure of each binary; whether the last is not much above the first.
#[allow(clippy::cast_precision_loss, reason = "figures for people")]
fn tell(what: &str, figures: &[u64]) -> bool {
    let line: Vec<_> = figures.iter().map(|figure| format!("{:>18}", apart(*figure))).collect();
    let line = line.concat();
    let ratio = match figures {
        [before, after] => Some(*after as f64 / *before as f64),
        _ => None,
    };
    let is_kept = ratio.is_none_or(|ratio| ratio <= ALLOWED);
    let ratio = ratio.map(|ratio| format!("  {ratio:.4}")).unwrap_or_default();
    println!("  {what:<16}{line}{ratio}{}", if is_kept { "" } else { "  grew too much" });
    is_kept
}

/// With the thousands set apart.
fn apart(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}
