//! Which files of a folder are evidence, judging by their names, and how large they are.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

/// The files of a folder that are named like evidence, in their order. Spans that are there
/// in both encodings are listed once.
///
/// # Errors
///
/// What reading the folder says.
pub fn evidence_in(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| is_named_evidence(path))
        .collect();
    files.sort();
    if files.iter().any(|path| path.file_name().is_some_and(|name| name == "spans.jsonl") && path.is_file()) {
        files.retain(|path| path.extension().is_none_or(|extension| extension != "binpb"));
    }
    Ok(files)
}

/// How many bytes all that is read of these files and folders has, as it lies there; `None`
/// where that cannot be known before, as of a pipe.
pub fn bytes_to_read(paths: &[PathBuf]) -> Option<u64> {
    let mut seen = HashSet::new();
    let mut all = 0;
    for path in paths {
        // What cannot be read is an error that the reading reports.
        let files = if path.is_dir() { evidence_in(path).ok()? } else { vec![path.clone()] };
        for file in files {
            let metadata = file.metadata().ok()?;
            if !metadata.is_file() {
                return None;
            }
            // What is given twice is read once.
            if file.canonicalize().is_ok_and(|place| seen.insert(place)) {
                all += metadata.len();
            }
        }
    }
    Some(all)
}

/// Whether the name of a file in a folder looks like evidence, compressed or not.
fn is_named_evidence(path: &Path) -> bool {
    const NAMES: [&str; 7] = ["jsonl", "json", "ndjson", "binpb", "pb", "proto", "otlp"];
    let is = |path: &Path, wanted: &[&str]| {
        path.extension().is_some_and(|extension| wanted.iter().any(|wanted| extension == *wanted))
    };
    is(path, &NAMES)
        || (is(path, &["gz", "zst", "zstd"])
            && path.file_stem().is_some_and(|stem| is(Path::new(stem), &NAMES)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_counted_once_and_what_is_not_is_not() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let write = |name: &str, bytes: usize| {
            let path = folder.path().join(name);
            std::fs::write(&path, vec![b'x'; bytes]).expect("writable");
            path
        };
        let spans = write("spans.jsonl", 100);
        write("spans.binpb", 20);
        write("notes.txt", 3);
        write("redis.jsonl.zst", 4_000);
        let all = folder.path().to_owned();
        assert_eq!(bytes_to_read(&[all.clone(), spans.clone()]), Some(4_100));
        assert_eq!(bytes_to_read(&[spans, "/dev/null".into()]), None);
    }
}
