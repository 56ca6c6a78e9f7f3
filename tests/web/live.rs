//! What an open page is told while spans come in, and at the end.

use std::fs;
use std::path::Path;

use super::listener::Listener;
use super::stream::{Event, Stream};
use super::support::asking::get;

pub const BROKEN: &str = "propagator_api_b3multi_worker_w3c";
pub const HEALTHY: &str = "healthy_auto";

/// The requests of a capture, as OTLP/JSON.
pub fn requests(case: &str) -> Vec<String> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/corpus").join(case);
    let text = fs::read_to_string(corpus.join("spans.jsonl")).expect("a capture");
    text.lines().map(str::to_owned).collect()
}

/// The address of the events that a page asks for.
pub fn events_of(page: &str) -> String {
    let at = page.split_once("/events?after=").map(|(_, rest)| rest).expect("the page follows the events");
    let number: String = at.chars().take_while(char::is_ascii_digit).collect();
    format!("/events?after={number}")
}

fn named<'e>(events: &'e [Event], name: &str) -> Vec<&'e str> {
    events.iter().filter(|event| event.name == name).map(|event| &*event.data).collect()
}

fn is_finding(code: &'static str) -> impl Fn(&Event) -> bool {
    move |event| event.name == "finding" && event.data.contains(code)
}

/// The number of the passage of an entry.
fn number(entry: &str) -> &str {
    let (_, rest) = entry.split_once("id=\"entry-").expect("an entry");
    rest.split_once('"').expect("an attribute").0
}

#[test]
fn an_open_page_is_told_what_is_new_and_no_more() {
    let listener = Listener::start(&["--web", "0", "--settle", "300ms"]);
    let page = get(listener.web, "/");
    assert_eq!(page.status, 200);
    let mut stream = Stream::open(listener.web, &events_of(&page.body), &[]);
    listener.send_json(&requests(BROKEN));
    let events = stream.until(is_finding("TL301"));
    let entries = named(&events, "passage");
    let broken = number(entries.first().expect("the passage of the finding"));
    stream.until_numbered();
    let detail = get(listener.web, &format!("/passage/{broken}"));
    assert_eq!(detail.status, 200);
    assert!(detail.body.contains("process_order"), "{}", detail.body);

    // It loses its connection, and goes on where it was.
    let last = format!("Last-Event-ID: {}", stream.id);
    drop(stream);
    listener.send_json(&requests(HEALTHY));
    let mut again = Stream::open(listener.web, &events_of(&page.body), &[&last]);
    let events = again.until(|event| event.name == "passage");
    assert!(events.iter().all(|event| event.name != "reload" && event.name != "finding"), "{events:#?}");
    let entries = named(&events, "passage");
    assert!(entries.iter().all(|entry| number(entry) != broken), "{entries:#?}");

    // The page as it is now has both, and an older page is told to load it.
    let page = get(listener.web, "/").body;
    assert!(page.contains(&format!("id=\"entry-{broken}\"")) && page.contains("TL301"));
    for older in ["12", "99999999999999999999", "", "a", "-1"] {
        let mut stream = Stream::open(listener.web, "/events", &[&format!("Last-Event-ID: {older}")]);
        assert_eq!(stream.next().map(|event| event.name).as_deref(), Some("reload"), "{older:?}");
    }

    // At the end it is told the last verdict, and reads what it wants before it goes.
    listener.signal(rustix::process::Signal::INT);
    let events = again.until(|event| event.name == "end");
    let pieces = named(&events, "piece");
    let verdict = pieces.iter().rev().find(|piece| piece.contains("id=\"verdict\"")).expect("a verdict");
    assert!(verdict.contains("broken"), "{verdict}");
    let details = get(listener.web, "/details");
    assert!(details.status == 200 && details.body.contains("process_order"), "{}", details.body);
    drop(again);
    let ended = listener.wait();
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
}

#[test]
fn a_page_that_stays_does_not_keep_the_session_from_ending() {
    let listener = Listener::start(&["--web", "0", "--for", "1s"]);
    let mut stream = Stream::open(listener.web, "/events", &[]);
    let events = stream.until(|event| event.name == "end");
    assert!(events.iter().any(|event| event.data.contains("id=\"status\"")), "{events:#?}");
    let ended = listener.wait();
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    assert_eq!(stream.rest(), "");
}
