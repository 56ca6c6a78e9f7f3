//! The whole engine: evidence in any order.

mod pieces;

use std::hash::BuildHasher;
use std::time::Duration;

use rustc_hash::FxBuildHasher;
use serde_json::Value;

use self::pieces::{Piece, of_choices, of_lines};
use super::choices::Choices;
use super::scene::{judged, look};
use crate::diagnosis::{Listing, LiveJudge, Pace};
use crate::evidence::{Evidence, Moment, SpanIntake};
use crate::live::MemoryPlan;
use crate::model::{Report, SpanAccount};
use crate::wire::otlp::{decode_json, decode_protobuf};

/// How much memory a live session has here: little, so that it lets go. The bounds get eight
/// elevenths of it. Room is made before a round, and a finding that the round words counts for
/// 8 KiB at once, of whatever size it is: the rest is room for 17 of them, about as many as a
/// scene has kinds.
const MEMORY: usize = 512 << 10;

/// Evidence is the lines of a bundle, one file after the other, where these begin with a
/// brace, and a scene made by choices otherwise.
///
/// The same evidence gives the same report in any order, and cut into requests anywhere. A
/// live session that has little memory keeps to its bounds and counts every span.
pub fn engine(bytes: &[u8]) {
    let (pieces, mut choices) = match bytes.first() {
        Some(b'{') => (of_lines(bytes), Choices::by(bytes)),
        _ => {
            let mut choices = Choices::by(bytes);
            (of_choices(&mut choices), choices)
        }
    };
    let expected = report_of(&pieces);
    let mut shuffled: Vec<Piece> = pieces.iter().flat_map(|piece| piece.cut(&mut choices)).collect();
    choices.shuffle(&mut shuffled);
    let found = report_of(&shuffled);
    assert!(as_text(&expected) == as_text(&found), "{}", difference(&expected, &found, &shuffled));
    // Many rounds fill the memory, and take as much time as hundreds of others. A choice would
    // be passed on to what a fuzzer makes of an input, until all were long.
    let is_long = FxBuildHasher.hash_one(bytes).is_multiple_of(256);
    watch(&shuffled, &mut choices, is_long);
}

fn report_of(pieces: &[Piece]) -> Report {
    let mut evidence = Evidence::default();
    for piece in pieces {
        match piece {
            Piece::Look { broker, at, lines } => look(&mut evidence, broker, *at, lines),
            Piece::Json(line) => {
                let mut intake = SpanIntake::new(&mut evidence);
                intake.next_request();
                let _ = decode_json(line, &mut intake);
                intake.next_request();
            }
            Piece::Spans { .. } => {
                let mut intake = SpanIntake::new(&mut evidence);
                intake.next_request();
                decode_protobuf(&piece.encoded(), &mut intake).expect("prost wrote it");
                intake.next_request();
            }
        }
    }
    judged(&evidence)
}

fn as_text(report: &Report) -> String {
    serde_json::to_string(report).expect("it serialises")
}

fn difference(one: &Report, other: &Report, pieces: &[Piece]) -> String {
    let [one, other] = [one, other].map(|report| serde_json::to_value(report).expect("it serialises"));
    let mut differences = Vec::new();
    compare(&one, &other, "", &mut differences);
    format!("another report of {pieces:#?}:\n{}", differences.join("\n"))
}

/// Collects where two values differ.
fn compare(one: &Value, other: &Value, path: &str, differences: &mut Vec<String>) {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) if one.keys().eq(other.keys()) => {
            for (key, value) in one {
                compare(value, &other[key], &format!("{path}.{key}"), differences);
            }
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            for (index, (one, other)) in one.iter().zip(other).enumerate() {
                compare(one, other, &format!("{path}[{index}]"), differences);
            }
        }
        (one, other) if one != other => differences.push(format!("{path}: {one} and {other}")),
        _ => {}
    }
}

/// Feeds a live session, which judges while the evidence comes.
fn watch(pieces: &[Piece], choices: &mut Choices<'_>, is_long: bool) {
    const PACE: Pace = Pace { shown: 4, again: 8, work: 64, thorough: false };
    let bounds = MemoryPlan::for_evidence(MEMORY);
    let mut judge = LiveJudge::new(Duration::from_secs(2), bounds);
    let mut now = Duration::ZERO;
    let rounds = if is_long { 64 } else { 1 };
    let again = (0..rounds).flat_map(|round| pieces.iter().map(move |piece| piece.elsewhere(round)));
    for piece in again {
        match &piece {
            Piece::Look { broker, at, lines } => look(&mut judge.evidence, broker, *at, lines),
            Piece::Json(line) => drop(judge.take_request(|sink| decode_json(line, sink))),
            Piece::Spans { .. } => {
                drop(judge.take_request(|sink| decode_protobuf(&piece.encoded(), sink)));
            }
        }
        judge.make_room();
        now += Duration::from_millis(500 * choices.below(8) as u64);
        if choices.one_in(2) {
            let thorough = choices.one_in(8);
            judge.round(Moment::at(now), Pace { thorough, ..PACE });
        }
        let held = judge.bytes();
        let [growing, evidence] = [judge.evidence.growing(), judge.evidence.bytes()];
        assert!(held <= MEMORY, "{held} bytes are held: {evidence} of evidence, of which {growing} grow");
    }
    judge.end(Moment::at(now + Duration::from_mins(1)));
    let SpanAccount { received, held, evicted, rejected, duplicates } =
        judge.report(Listing::default()).inputs.span_account;
    assert_eq!(received, held + evicted + rejected + duplicates);
}
