//! What people see, held by snapshots: `INSTA_UPDATE=always cargo test --test terminal`, and
//! look at them.

use std::time::Duration;

use ratatui::crossterm::event::KeyCode;
use ratatui::style::Color;
use serde_json::json;
use tracelink::report::text::width;
use tracelink::view::board::QueueNow;
use tracelink::view::terminal::Wish;

use super::spans;
use super::stage::{Stage, text};

const HEALTHY: &str = "healthy_auto";
const BROKEN: &str = "propagator_api_b3multi_worker_w3c";

/// A healthy order, a broken one, and queues.
fn orders(width: u16, height: u16) -> Stage {
    let mut stage = Stage::new(width, height);
    stage.capture(HEALTHY);
    stage.capture(BROKEN);
    stage
}

fn with_queues(stage: &mut Stage) {
    let queue = |name: &str, ready, oldest| QueueNow {
        broker: "127.0.0.1:6379/0".to_owned(),
        name: name.to_owned(),
        ready,
        held: 4,
        workers: Some(2),
        oldest: Some(Duration::from_secs(oldest)),
    };
    stage.queues((0..40).map(|second| {
        vec![queue("celery", (second * 7) % 40, second + 1), queue("mail", u64::from(second > 20), 3)]
    }));
}

#[test]
fn before_anything_comes() {
    let mut stage = Stage::new(80, 24);
    insta::assert_snapshot!(stage.frame());
}

#[test]
fn a_broken_order_on_80_columns() {
    let mut stage = orders(80, 40);
    insta::assert_snapshot!(stage.frame());
}

#[test]
fn a_broken_order_on_a_wide_terminal_with_queues() {
    let mut stage = orders(140, 44);
    with_queues(&mut stage);
    insta::assert_snapshot!(stage.frame());
}

#[test]
fn a_broken_order_on_60_columns() {
    let mut stage = orders(60, 30);
    with_queues(&mut stage);
    insta::assert_snapshot!(stage.frame());
}

#[test]
fn a_healthy_order_with_what_is_kept_of_a_span() {
    let mut stage = Stage::new(100, 40);
    stage.capture(HEALTHY);
    stage.frame();
    stage.code(KeyCode::Enter);
    stage.press("jjjjja");
    insta::assert_snapshot!(stage.frame());
}

#[test]
fn a_hand_off_that_is_unproven_says_what_would_settle_it() {
    let mut stage = Stage::new(80, 30);
    stage.capture("worker_no_sdk");
    insta::assert_snapshot!(stage.frame());
}

#[test]
fn a_window_of_few_rows_shows_the_pane_that_the_keys_go_to() {
    let mut stage = orders(80, 8);
    let list = stage.frame();
    stage.code(KeyCode::Tab);
    let tree = stage.frame();
    stage.code(KeyCode::Tab);
    insta::assert_snapshot!(format!("{list}\n\n{tree}\n\n{}", stage.frame()));
}

#[test]
fn a_thousand_passages_are_filtered_and_the_broken_ones_alone() {
    let mut stage = Stage::with(100, 20, true, 8 << 20);
    stage.protobuf(spans::requests(0..1_000, 1));
    let all = stage.frame();
    assert!(all.contains("hand-offs 1\u{a0}000"), "{all}");
    stage.press("b");
    let broken = stage.frame();
    assert!(broken.contains("10 of 1\u{a0}000"), "{broken}");
    stage.press("b/service:order-worker task:process 00000003-0000");
    let typing = stage.frame();
    assert!(typing.contains("1 of 1\u{a0}000"), "{typing}");
    stage.code(KeyCode::Enter);
    insta::assert_snapshot!(format!("{broken}\n\n{}", stage.frame()));
    stage.press("/nothing has this");
    assert!(stage.frame().contains("the filter takes none of them"));
    stage.code(KeyCode::Esc);
    assert!(!stage.frame().contains(" of 1\u{a0}000"));
}

#[test]
fn the_help_names_every_key() {
    let mut stage = orders(80, 30);
    stage.press("?");
    insta::assert_snapshot!(stage.frame());
    stage.press("x");
    assert!(!stage.frame().contains("any key goes back"));
}

/// What comes moves nothing while it is paused, and the newest is chosen while it follows.
#[test]
fn it_follows_until_a_row_is_chosen_and_stands_still_while_it_is_paused() {
    let mut stage = Stage::new(100, 30);
    stage.capture(HEALTHY);
    stage.frame();
    stage.press("p");
    let before = stage.frame();
    assert!(before.contains("paused"));
    stage.capture(BROKEN);
    let lists = |frame: &str| frame.lines().skip(1).take(6).map(str::to_owned).collect::<Vec<_>>();
    // Only the age goes on.
    assert!(!stage.frame().contains("TL301"));
    stage.press("p");
    let after = stage.frame();
    assert!(after.contains("TL301"));
    // What was chosen stays chosen, and the newest stands above it.
    assert!(after.contains("✓ whole  POST"), "{after}");
    stage.press("f");
    assert!(stage.frame().contains("✗ broken  POST"));
    assert_ne!(lists(&before), lists(&after));
}

#[test]
fn the_fix_is_copied_as_it_is_pasted() {
    let mut stage = orders(80, 40);
    stage.frame();
    let Some(Wish::Copy(fix)) = stage.press("y") else { panic!("nothing was copied") };
    assert!(fix.contains("\n    TraceContextTextMapPropagator(),\n") && fix.ends_with('\n'), "{fix}");
    let Some(Wish::Copy(trace)) = stage.press("t") else { panic!("nothing was copied") };
    assert_eq!(trace.len(), 32);
    stage.code(KeyCode::Down);
    assert_eq!(stage.press("y"), None);
    assert!(stage.frame().contains("nothing to copy"));
}

/// Spans of a program that wants to take the terminal over, or to look like another.
#[test]
fn hostile_names_act_on_nothing() {
    let evil = "\u{1b}]0;pwned\u{7}\u{1b}[2J\u{202e}evil\r\n\u{9b}31m";
    let wide = "漢字".repeat(40);
    let marks = "a\u{301}".repeat(60) + &"\u{300}".repeat(40);
    let span = |id: &str, parent: &str, name: &str, kind: u8, attributes: serde_json::Value| {
        json!({"traceId": "5b8efff798038103d269b633813fc60c", "spanId": id, "parentSpanId": parent,
            "name": name, "kind": kind, "attributes": attributes, "status": {"code": 2, "message": evil},
            "startTimeUnixNano": "1795376994000000000", "endTimeUnixNano": "1795376994100000000",
            "events": [{"name": "exception", "timeUnixNano": "1795376994000000000", "attributes": [
                {"key": "exception.type", "value": {"stringValue": evil}},
                {"key": "exception.message", "value": {"stringValue": evil}}]}]})
    };
    let text = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    let celery = |action: &str| {
        json!([
            text("celery.action", action),
            text("celery.task_name", evil),
            text("messaging.message.id", evil)
        ])
    };
    let request = json!({"resourceSpans": [{
    "resource": {"attributes": [text("service.name", evil), text("host.name", evil)]},
    "scopeSpans": [{"scope": {"name": evil}, "spans": [
        span("1000000000000001", "", &wide, 2, json!([])),
        span("1000000000000002", "1000000000000001", evil, 4, celery("apply_async")),
        span("1000000000000003", "1000000000000002", &marks, 5, celery("run")),
    ]}]}]});
    let mut stage = Stage::new(100, 40);
    stage.json(&[request.to_string().into_bytes()]);
    stage.frame();
    stage.code(KeyCode::Enter);
    for keys in ["", "j", "j", "a", "j", "/\u{1b}"] {
        stage.press(keys);
        let buffer = stage.buffer();
        let shown = super::stage::text(&buffer);
        assert!(shown.contains("\\u{1b}") || shown.contains('漢'), "{shown}");
        for cell in buffer.content() {
            let acts = |letter: char| letter.is_control() || matches!(letter, '\u{202a}'..='\u{202e}');
            assert!(!cell.symbol().contains(acts), "{:?}", cell.symbol());
        }
        assert!(shown.lines().all(|line| width(line) <= 100), "{shown}");
    }
}

/// Without colour, marks and words say the same.
#[test]
fn without_colour_nothing_is_lost() {
    let paint = |has_colour: bool| {
        let mut stage = Stage::with(100, 40, has_colour, 4 << 20);
        stage.capture(BROKEN);
        stage.buffer()
    };
    let (with, without) = (paint(true), paint(false));
    assert_eq!(text(&with), text(&without));
    let colours = |buffer: &ratatui::buffer::Buffer| {
        buffer.content().iter().filter(|cell| (cell.fg, cell.bg) != (Color::Reset, Color::Reset)).count()
    };
    assert!(colours(&with) > 0);
    assert_eq!(colours(&without), 0);
}

/// The events bring five hundred spans of it; all of them come when it is opened.
#[test]
fn a_trace_of_ten_thousand_spans_is_shown_to_its_end() {
    let mut stage = Stage::new(100, 30);
    let trace = spans::trace_id(1);
    let mut all = vec![spans::span(trace, (1, 0), "POST /orders", 2, 900, Vec::new())];
    all.extend((2..=10_000).map(|id| {
        let parent = if id % 7 == 0 { 1 } else { id - 1 };
        spans::span(trace, (id, parent), &format!("step {id}"), 1, 5, Vec::new())
    }));
    stage.protobuf([spans::encode(all, "order-api")]);
    assert!(stage.frame().contains("⏎ all spans"));
    stage.code(KeyCode::Enter);
    stage.code(KeyCode::End);
    let end = stage.frame();
    assert!(end.contains("step 10000") && end.contains("10\u{a0}000 spans in 1 trace"), "{end}");
    // All of it folds into its root.
    stage.code(KeyCode::Home);
    stage.press(" ");
    let folded = stage.frame();
    assert!(folded.contains("POST /orders +9\u{a0}999"), "{folded}");
}

/// A board keeps to its room, says what it let go, and keeps what is broken longest.
#[test]
fn a_board_keeps_to_its_room() {
    let bytes = 512 << 10;
    let mut stage = Stage::with(100, 30, true, bytes);
    stage.protobuf(spans::requests(0..2_000, 1));
    let board = stage.board.lock();
    let totals = board.totals();
    assert!(board.bytes() <= bytes, "{} of {bytes}", board.bytes());
    assert_eq!(totals.passages + totals.let_go, 2_000);
    assert_eq!(totals.broken, 20);
    drop(board);
    assert!(stage.frame().contains("more are not kept here"));
}

/// A frame is as large as the window, whatever that is.
#[test]
fn every_window_is_filled() {
    let mut stage = orders(80, 24);
    with_queues(&mut stage);
    for _pane in 0..4 {
        for (width, height) in [(1, 1), (10, 3), (20, 2), (60, 12), (72, 23), (300, 100)] {
            stage.resize(width, height);
            assert_eq!(stage.frame().split('\n').count(), usize::from(height));
        }
        stage.code(KeyCode::Tab);
    }
}
