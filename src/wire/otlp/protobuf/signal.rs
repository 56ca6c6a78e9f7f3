//! Tells requests of other signals from those of spans.

use super::fields::{Fields, Value};
use crate::wire::otlp::signal::OtherSignal;

/// What a request in protobuf is about, if it is not about spans. Requests of all signals
/// have the same outer fields, so that the first record tells which it is
/// (`logs.proto`, `metrics.proto` and `profiles.proto` beside `trace.proto` in
/// <https://github.com/open-telemetry/opentelemetry-proto>). `None` where it has spans, no
/// record, or cannot be read.
pub fn other_signal(request: &[u8]) -> Option<OtherSignal> {
    let fields = Fields::of(request, 0).map_while(Result::ok);
    for (number, value) in fields {
        let Value::Bytes(message, _) = value else { continue };
        // Only profiles have a dictionary.
        if number == 2 {
            return Some(OtherSignal::Profiles);
        }
        let scopes = messages(message, 2).flat_map(|scope| messages(scope, 2));
        if let Some(told) = scopes.map(of_record).find(|told| *told != Told::Nothing) {
            return match told {
                Told::Other(signal) => Some(signal),
                Told::Nothing | Told::Span => None,
            };
        }
    }
    None
}

/// The messages in a field of a message.
fn messages(bytes: &[u8], wanted: u32) -> impl Iterator<Item = &[u8]> {
    Fields::of(bytes, 0).map_while(Result::ok).filter_map(move |(number, value)| match value {
        Value::Bytes(message, _) if number == wanted => Some(message),
        _ => None,
    })
}

/// What one record tells.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    Nothing,
    Span,
    Other(OtherSignal),
}

/// Which signal a record is of, by the kinds of its fields.
fn of_record(record: &[u8]) -> Told {
    // What stands in the fields 1 to 11: a number, or the bytes of a text or message.
    let (mut numbers, mut texts) = ([false; 12], [None; 12]);
    for (number, value) in Fields::of(record, 0).map_while(Result::ok) {
        let Some(place) = usize::try_from(number).ok().filter(|place| *place < numbers.len()) else {
            continue;
        };
        match value {
            Value::Number(_) => numbers[place] = true,
            Value::Bytes(bytes, _) => texts[place] = Some(bytes),
            Value::Group => {}
        }
    }
    let length = |place: usize| texts[place].map_or(0, <[u8]>::len);
    let begins_with_a_message = |place: usize| texts[place].is_some_and(|bytes| bytes.starts_with(&[0x0a]));
    let has_ids = length(1) == 16 && length(2) == 8;
    // The time of a profile. The others have a text there.
    if numbers[3] {
        return Told::Other(OtherSignal::Profiles);
    }
    // Of a log, 1 and 11 are times, 2 is its severity, and 6 its attributes.
    if numbers[1] || numbers[2] || numbers[11] || texts[6].is_some() {
        return Told::Other(OtherSignal::Logs);
    }
    // Of a metric, 1 is its name, and its data points are in one of the others. A span has a
    // kind in 6 and its times in 7 and 8.
    let has_times = numbers[6] || numbers[7] || numbers[8];
    if texts[7].is_some() || (!has_times && begins_with_a_message(5)) {
        // A log without times has a body in 5, and no name.
        let signal = if texts[1].is_some() { OtherSignal::Metrics } else { OtherSignal::Logs };
        return Told::Other(signal);
    }
    if !has_times && !has_ids && texts[1].is_some() && (9..=11).any(begins_with_a_message) {
        return Told::Other(OtherSignal::Metrics);
    }
    if record.is_empty() { Told::Nothing } else { Told::Span }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A message of one field, which is shorter than 128 bytes.
    fn field(number: u8, content: &[u8]) -> Vec<u8> {
        let length = u8::try_from(content.len()).expect("short");
        [&[number << 3 | 2, length], content].concat()
    }

    fn fixed64(number: u8) -> Vec<u8> {
        [&[number << 3 | 1][..], &[1; 8]].concat()
    }

    fn request(records: &[Vec<u8>]) -> Vec<u8> {
        let scope: Vec<u8> = records.iter().flat_map(|record| field(2, record)).collect();
        field(1, &[field(1, b""), field(2, &scope)].concat())
    }

    #[test]
    fn a_record_tells_its_signal() {
        use OtherSignal::{Logs, Metrics};
        let text = |text: &[u8]| field(1, text);
        let points = field(1, &fixed64(3));
        let span = [field(1, &[7; 16]), field(2, &[7; 8])].concat();
        let name_of_16 = [field(1, b"http.server.reqs"), field(2, b"requests")].concat();
        for (record, signal) in [
            ([span.clone(), field(5, b"GET /"), fixed64(7), fixed64(8)].concat(), None),
            // Neither times nor a kind.
            ([span.clone(), field(5, b"GET /"), field(9, &text(b"a key"))].concat(), None),
            ([field(1, b"short"), field(5, b"GET /"), fixed64(7)].concat(), None),
            ([fixed64(1), field(5, &text(b"a line"))].concat(), Some(Logs)),
            ([fixed64(11), field(9, &[7; 16]), field(10, &[7; 8])].concat(), Some(Logs)),
            (field(6, &text(b"a key")), Some(Logs)),
            (field(5, &text(b"a line")), Some(Logs)),
            ([text(b"queue.depth"), field(5, &points)].concat(), Some(Metrics)),
            ([text(b"requests"), field(7, &points)].concat(), Some(Metrics)),
            ([text(b"latency"), field(3, b"ms"), field(9, &points)].concat(), Some(Metrics)),
            ([text(b"latency"), field(11, &points)].concat(), Some(Metrics)),
            ([name_of_16.clone(), field(5, &points)].concat(), Some(Metrics)),
            ([name_of_16, field(7, &points)].concat(), Some(Metrics)),
        ] {
            assert_eq!(other_signal(&request(&[vec![], record.clone()])), signal, "{record:?}");
        }
        assert_eq!(other_signal(b""), None);
        assert_eq!(other_signal(&request(&[])), None);
        let profile = [field(1, b"\x08\x01"), field(2, b""), fixed64(3)].concat();
        assert_eq!(other_signal(&request(&[profile])), Some(OtherSignal::Profiles));
        assert_eq!(other_signal(&field(2, b"the dictionary")), Some(OtherSignal::Profiles));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
            let _ = other_signal(&bytes);
        }
    }
}
