//! The world outside: time, the environment, files, sockets, threads, processes,
//! the terminal. Each is met in few rooms, and nowhere else.

use crate::resolve::Place;
use crate::source::{How, Name, Path, Sources, lies_in};

/// A part of the world.
struct Part {
    name: &'static str,
    /// Items and modules, with all that is in them; macros end in `!`.
    paths: &'static [&'static str],
    /// What is in those modules, and is a plain value.
    values: &'static [&'static str],
    /// The rooms that meet it, or files of theirs.
    rooms: &'static [&'static str],
}

const WORLD: &[Part] = &[
    Part {
        name: "the clock",
        paths: &[
            "std::time::Instant",
            "std::time::SystemTime",
            "std::time::UNIX_EPOCH",
            "jiff::Timestamp::now",
            "jiff::Zoned",
            "tokio::time",
        ],
        values: &[],
        rooms: &["broker", "receiver", "local_http", "query", "live", "demo", "command"],
    },
    Part {
        name: "the environment",
        paths: &["std::env"],
        values: &[],
        rooms: &["demo", "command/called", "command/demo"],
    },
    Part {
        name: "files",
        paths: &["std::fs", "std::os::unix::fs", "std::os::fd", "rustix::fs", "tempfile", "tokio::fs"],
        values: &[],
        rooms: &["broker/redis/connection/tls", "bundle", "config/find", "files", "live", "demo", "command"],
    },
    Part {
        name: "sockets",
        paths: &[
            "std::net",
            "std::os::unix::net",
            "tokio::net",
            "redis",
            "rustls",
            "rustls_native_certs",
            "hyper",
            "hyper_rustls",
            "hyper_util",
            "tonic",
        ],
        values: &["std::net::IpAddr", "std::net::Ipv4Addr", "std::net::Ipv6Addr", "std::net::SocketAddr"],
        // The driver's parser is what fuzzing compares ours with; it opens no socket.
        rooms: &["broker", "receiver", "local_http", "query", "demo", "fuzzing/resp"],
    },
    Part {
        name: "threads and processes",
        paths: &[
            "std::thread",
            "std::process",
            "std::os::unix::process",
            "listeners",
            "rustix::process",
            "signal_hook",
            "tokio",
        ],
        values: &[],
        rooms: &["broker", "receiver", "local_http", "query", "live", "demo", "command", "main"],
    },
    Part {
        name: "standard input and output",
        paths: &[
            "std::print!",
            "std::println!",
            "std::eprint!",
            "std::eprintln!",
            "std::dbg!",
            "std::io::stdin",
            "std::io::stdout",
            "std::io::stderr",
            "std::io::Stdin",
            "std::io::Stdout",
            "std::io::Stderr",
            "std::io::StdinLock",
            "std::io::StdoutLock",
            "std::io::StderrLock",
            "anstream",
            "indicatif",
            "ratatui::backend::CrosstermBackend",
            "ratatui::crossterm",
            "terminal_size",
        ],
        // A key that was pressed.
        values: &["ratatui::crossterm::event::KeyCode", "ratatui::crossterm::event::KeyEvent"],
        rooms: &["command", "view", "demo/native/entry_point", "demo/native/process_protocol"],
    },
];

/// Every file that meets a part of the world outside of its rooms.
pub fn complaints(sources: &Sources) -> Vec<String> {
    let mut complaints = Vec::new();
    for (file, names) in sources.names.iter().enumerate() {
        let path = &sources.files[file];
        for part in WORLD {
            if part.rooms.iter().any(|room| lies_in(path, room)) {
                continue;
            }
            // One is enough to find the others.
            if let Some(name) = names.iter().find(|name| is_met(part, name)) {
                let (line, written) = (name.line, name.path.join("::"));
                complaints.push(format!("{path}:{line}: here nothing meets {}: {written}", part.name));
            }
        }
    }
    complaints
}

/// Whether a name leads to that part of the world.
fn is_met(part: &Part, name: &Name) -> bool {
    name.places.iter().any(|place| match place {
        Place::Outside(path) => {
            let is_value = part.values.iter().any(|value| leads_to(name, path, value));
            !is_value && part.paths.iter().any(|known| leads_to(name, path, known))
        }
        Place::Item(_) | Place::Module(_) => false,
    })
}

fn leads_to(name: &Name, path: &Path, known: &str) -> bool {
    let known: Vec<_> = known.split("::").collect();
    let path: Vec<_> = path.iter().map(String::as_str).collect();
    let as_macro = path.join("::") + "!";
    let as_macro: Vec<_> = as_macro.split("::").collect();
    match name.how {
        // A word by itself is a variable, until it is imported.
        How::Mention if path.len() == 1 => false,
        How::Mention => path.starts_with(&known),
        How::Call => as_macro.starts_with(&known),
        How::Import | How::Reexport => path.starts_with(&known) || as_macro == known,
        // All of a module is brought in, what is known of it too.
        How::Glob => path.starts_with(&known) || known.starts_with(&path),
    }
}
