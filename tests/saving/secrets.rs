//! A marker in every field of every input, every command in every format: what is
//! printed and what is saved is what the table says, and nothing beside.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tracelink::report::FormatName;

use crate::fields::{FIELDS, Marks, Printed, mark, table};
use crate::inputs;
use crate::listener::Listener;
use crate::support::asking::get;
use crate::support::redis::RedisServer;

/// All that was printed, by who printed it, and all that was saved.
#[derive(Default)]
struct Seen {
    printed: BTreeMap<String, String>,
    saved: BTreeMap<String, String>,
}

impl Seen {
    fn run(&mut self, args: &[&str]) {
        let output = Command::new(env!("CARGO_BIN_EXE_tracelink"))
            .args(args)
            .env_remove("TRACELINK_BROKER")
            .output()
            .expect("tracelink runs");
        let text = [output.stdout, output.stderr].concat();
        self.printed.insert(args.join(" "), String::from_utf8_lossy(&text).into_owned());
    }

    /// Runs it in each format.
    fn run_all(&mut self, args: &[&str]) {
        for format in FormatName::ALL {
            self.run(&[args, &["--format", format.name()]].concat());
        }
    }

    /// Has an agent call these tools, one after the other.
    fn call(&mut self, calls: &[(&str, Value)]) {
        let mut server = Command::new(env!("CARGO_BIN_EXE_tracelink"))
            .arg("mcp")
            .env_remove("TRACELINK_BROKER")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("tracelink runs");
        let mut asks = server.stdin.take().expect("piped");
        let mut answers = BufReader::new(server.stdout.take().expect("piped"));
        let client = json!({"name": "agent", "version": "1"});
        let begin = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client});
        let begin = [("initialize", begin)];
        let calls =
            calls.iter().map(|(name, given)| ("tools/call", json!({"name": name, "arguments": given})));
        for (id, (method, params)) in begin.into_iter().chain(calls).enumerate() {
            let request = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
            writeln!(asks, "{request}").expect("it reads");
            let mut answer = String::new();
            answers.read_line(&mut answer).expect("it answers");
            assert!(answer.contains("\"result\""), "{request}: {answer}");
            self.printed.insert(format!("mcp {params}"), answer);
            if id == 0 {
                writeln!(asks, "{}", json!({"jsonrpc": "2.0", "method": "notifications/initialized"}))
                    .expect("it reads");
            }
        }
        drop(asks);
        assert!(server.wait().expect("it ends").success());
    }

    fn save(&mut self, folder: &Path) {
        for entry in fs::read_dir(folder).expect("it is there") {
            let path = entry.expect("readable").path();
            let text = fs::read_to_string(&path).expect("what is saved is text");
            self.saved.insert(path.display().to_string(), text);
        }
    }
}

/// Who of these shows a marker.
fn who<'t>(texts: &'t BTreeMap<String, String>, marker: &str) -> Option<&'t str> {
    texts.iter().find(|(_, text)| text.contains(marker)).map(|(who, _)| &**who)
}

/// Posts a request to a path, with headers of its own.
fn post(port: u16, target: &str, headers: &str, body: &str) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    let head = format!(
        "POST {target} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), body.as_bytes()].concat()).expect("it reads");
    stream.read_to_end(&mut Vec::new()).expect("it answers");
}

/// The page, and all that it asks for, once it has a finding.
fn pages(listener: &Listener) -> Vec<(String, String)> {
    let page = || get(listener.web, "/").body;
    while !page().contains("class=\"finding") {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    // What was told since the beginning is told to a page that knows nothing yet.
    let mut stream = TcpStream::connect(("127.0.0.1", listener.web)).expect("it listens");
    let head = format!("GET /events HTTP/1.0\r\nhost: 127.0.0.1:{}\r\n\r\n", listener.web);
    stream.write_all(head.as_bytes()).expect("it reads");
    let mut told = BufReader::new(stream);
    let mut events = String::new();
    while !events.contains("\nid: ") {
        assert_ne!(told.read_line(&mut events).expect("UTF-8"), 0, "{events}");
    }
    let mut paths = vec!["/".to_owned(), "/details".to_owned(), "/report.html".to_owned()];
    let shown = page();
    let numbers = shown.split("id=\"entry-").skip(1).filter_map(|part| Some(part.split_once('"')?.0));
    paths.extend(numbers.map(|number| format!("/passage/{number}?all")));
    assert!(paths.len() > 3, "no passage is shown");
    let asked = paths.into_iter().map(|path| {
        let answer = get(listener.web, &path);
        assert_eq!(answer.status, 200, "{path}");
        (path, answer.body)
    });
    asked.chain([("/events".to_owned(), events)]).collect()
}

#[test]
fn each_field_is_saved_and_printed_as_the_table_says() {
    let marks = Marks::default();
    let line = |name: &str| marks.of("command line", name);
    let asked = |name: &str| marks.of("HTTP request", name);
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| dir.path().join(name).to_str().expect("UTF-8").to_owned();
    let mut seen = Seen::default();

    // Files.
    let spans = inputs::spans(&marks);
    let head = json!({"snapshot": "broker/1", "captured_at": "2026-11-22T19:58:47.234Z", "broker": "127.0.0.1:6379/0"});
    let keys = inputs::keys(&marks).into_iter().map(|key| key.to_string());
    let snapshot: String = [head.to_string()].into_iter().chain(keys).map(|line| line + "\n").collect();
    fs::create_dir(path("raw")).expect("the folder is ours");
    fs::write(path("raw/redis.jsonl"), snapshot).expect("the folder is ours");
    fs::write(path("raw/spans.jsonl"), format!("{spans}\n")).expect("the folder is ours");
    seen.run_all(&["diagnose", "--verbose", &path("raw")]);
    seen.run_all(&["inspect-queue", "--verbose", "--snapshot", &path("raw/redis.jsonl")]);

    // A real Redis with a password.
    let redis = RedisServer::start();
    redis.load(Path::new(&path("raw/redis.jsonl")));
    let word = line("--broker: password");
    redis.ask(&[b"CONFIG", b"SET", b"requirepass", word.as_bytes()]);
    let broker = format!("redis://:{word}@127.0.0.1:{}/0", redis.port);
    fs::create_dir(path("looks")).expect("the folder is ours");
    for format in FormatName::ALL {
        let to = path(&format!("looks/{}.jsonl", format.name()));
        seen.run(&[
            "inspect-queue",
            "--verbose",
            "--broker",
            &broker,
            "--save",
            &to,
            "--format",
            format.name(),
        ]);
    }
    seen.save(Path::new(&path("looks")));

    // A receiver that watches, saves and sends on.
    let behind = Listener::start(&[]);
    let forward = format!(
        "http://{}:{}@127.0.0.1:{}/{}?key={}",
        line("--forward: user"),
        line("--forward: password"),
        behind.http,
        line("--forward: path"),
        line("--forward: query")
    );
    let headers = format!("x-key={}", line("--forward-headers: value"));
    let bundle = path("bundle");
    let outputs: Vec<_> = FormatName::ALL
        .iter()
        .map(|format| format!("{}={}", format.name(), path(&format!("report.{}", format.name()))))
        .collect();
    let mut args = vec!["--verbose", "--settle", "300ms", "--broker", &broker, "--save", &bundle];
    args.extend(["--web", "0", "--control", "0"]);
    args.extend(["--forward", &forward, "--forward-headers", &headers]);
    outputs.iter().for_each(|output| args.extend(["--output", output]));
    let listener = Listener::start(&args);
    let headers = format!(
        "user-agent: {}\r\nauthorization: Bearer {}\r\nx-key: {}\r\n",
        asked("user-agent"),
        asked("authorization"),
        asked("another header")
    );
    post(listener.http, "/v1/traces", &headers, &spans);
    post(listener.http, &format!("/{}?key={}", asked("path"), asked("query")), &headers, &spans);
    for (path, text) in pages(&listener) {
        seen.printed.insert(format!("listen --web {path}"), text);
    }
    let ended = listener.end();
    seen.printed.insert("listen".to_owned(), ended.stdout + &ended.stderr);
    for format in FormatName::ALL {
        let name = format!("report.{}", format.name());
        seen.printed.insert(name.clone(), fs::read_to_string(path(&name)).expect("it was written"));
    }
    seen.save(Path::new(&bundle));
    seen.run_all(&["diagnose", "--verbose", &bundle]);

    // What cannot be done.
    let ftp = forward.replacen("http", "ftp", 1);
    let away = format!("redis://:{word}@127.0.0.1:1/0");
    let backend = format!("redis://:{}@127.0.0.1:1/0", line("--result-backend: password"));
    let queue = format!("redis://:{}@127.0.0.1:1/0", line("a URL where a queue should be: password"));
    let listen = ["listen", "--grpc", "0", "--http", "0", "--for", "1s"];
    seen.run(&[&listen[..], &["--forward", &ftp]].concat());
    let piece = line("--forward-headers: a piece without =");
    seen.run(&[&listen[..], &["--forward", &forward, "--forward-headers", &piece]].concat());
    seen.run(&[&listen[..], &["--broker", &away]].concat());
    seen.run(&[&listen[..], &["--broker", &broker, "--result-backend", &backend]].concat());
    seen.run(&["inspect-queue", "--broker", &away]);
    seen.run(&["inspect-queue", "--broker", &broker, "--result-backend", &backend]);
    seen.run(&["inspect-queue", &queue]);
    seen.run(&["demo", "--broker", &away]);
    seen.call(&[
        ("diagnose", json!({"evidence": [path("raw")]})),
        ("inspect_queue", json!({"snapshot": path("raw/redis.jsonl")})),
        ("inspect_queue", json!({"broker": broker})),
        ("inspect_queue", json!({"broker": away})),
        ("inspect_queue", json!({"queues": [queue]})),
        // A result backend that is away is a notice, and no error.
        ("listen_start", json!({"broker": broker, "result_backend": backend})),
        ("listen_stop", json!({"now": true})),
        ("listen_start", json!({"broker": broker, "save": path("of-an-agent")})),
        ("listen_status", json!({})),
        ("listen_stop", json!({})),
    ]);
    seen.save(Path::new(&path("of-an-agent")));

    assert_eq!(marks.unused(), Vec::<&str>::new(), "no input was made of these fields");
    let mut complaints = Vec::new();
    for (place, field) in FIELDS.iter().enumerate() {
        let name = format!("{} {}", field.input, field.name);
        let [saved, printed] = [&seen.saved, &seen.printed].map(|texts| who(texts, &mark(place)));
        if saved.is_some() != field.saved {
            complaints.push(format!("{name}: saved by {saved:?}"));
        }
        if field.printed != Printed::InFinding && printed.is_some() != (field.printed == Printed::Yes) {
            complaints.push(format!("{name}: printed by {printed:?}"));
        }
        assert!(field.kept || field.printed == Printed::No, "{name} is printed and not kept");
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));

    // Who asks for more is given it.
    let message = marks.of("event of a span", "exception.message");
    seen.run(&["diagnose", "--show-messages", &path("raw"), "--format", "json"]);
    assert!(who(&seen.printed, &message).is_some_and(|who| who.contains("--show-messages")));
    let all = path("all");
    let listener = Listener::start(&["--save", &all, "--save-attributes"]);
    post(listener.http, "/v1/traces", "", &spans);
    let ended = listener.end();
    assert!(ended.stderr.contains("may be private"), "{}", ended.stderr);
    let saved = fs::read_to_string(path("all/spans.jsonl")).expect("it is there");
    assert!(saved.contains(&message) && saved.contains(&marks.of("span", "db.statement")), "{saved}");
}

#[test]
fn the_page_has_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/secrets.md");
    let page = fs::read_to_string(&path).expect("the page");
    let (before, rest) = page.split_once("| input | field |").expect("the table");
    let after = rest.split_once("\n\n").map(|(_, after)| format!("\n{after}")).unwrap_or_default();
    let expected = format!("{before}{}{after}", table());
    #[allow(clippy::disallowed_methods, reason = "UPDATE_DOCS is the test's own switch")]
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, expected).expect("the page is ours");
        return;
    }
    assert_eq!(page, expected, "UPDATE_DOCS=1 cargo test --test saving the_page");
}
