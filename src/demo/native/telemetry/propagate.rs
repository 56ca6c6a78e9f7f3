//! Trace context in headers, in the formats of OpenTelemetry's propagators.

use std::collections::BTreeMap;

use super::context::Context;
use crate::demo::native::setup::Propagator;
use crate::wire::context::{b3, jaeger, w3c};

/// Header names and values.
pub type Carrier = BTreeMap<String, String>;

/// Writes a context in each of the formats.
pub fn inject(propagators: &[Propagator], context: Context, carrier: &mut Carrier) {
    let Context { trace_id, span_id, parent_id, sampled } = context;
    let (trace, span, bit) = (format!("{trace_id:032x}"), format!("{span_id:016x}"), u8::from(sampled));
    let mut set = |name: &str, value: String| {
        carrier.insert(name.to_owned(), value);
    };
    for propagator in propagators {
        match propagator {
            // Bit 1 says that the trace id is random: W3C Trace Context, level 2.
            Propagator::W3c => set("traceparent", format!("00-{trace}-{span}-{:02x}", 0b10 | bit)),
            Propagator::Baggage => {}
            Propagator::B3 => set("b3", format!("{trace}-{span}-{bit}")),
            Propagator::B3Multi => {
                set("x-b3-traceid", trace.clone());
                set("x-b3-spanid", span.clone());
                set("x-b3-sampled", bit.to_string());
            }
            // Python's propagator sets the debug bit on everything that is sampled.
            Propagator::Jaeger => {
                set("uber-trace-id", format!("{trace}:{span}:{parent_id:016x}:{:02x}", bit * 0b11));
            }
        }
    }
}

/// The context of the last propagator that finds one.
pub fn extract(propagators: &[Propagator], carrier: &Carrier) -> Option<Context> {
    let header = |name: &str| carrier.get(name).map(String::as_str);
    let read = |propagator: &Propagator| match propagator {
        Propagator::W3c => w3c::read(header("traceparent")?).ok(),
        Propagator::Baggage => None,
        Propagator::B3 => b3::read_single(header("b3")?).ok()?,
        Propagator::B3Multi => b3::read_multi(b3::Multi {
            trace_id: header("x-b3-traceid"),
            span_id: header("x-b3-spanid"),
            sampled: header("x-b3-sampled"),
            flags: header("x-b3-flags"),
        })
        .ok()?,
        Propagator::Jaeger => jaeger::read(header("uber-trace-id")?).ok(),
    };
    propagators.iter().filter_map(read).next_back().map(Context::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Propagator; 4] = [Propagator::W3c, Propagator::B3, Propagator::B3Multi, Propagator::Jaeger];

    #[test]
    fn each_format_is_read_as_it_is_written_and_by_no_other() {
        for sampled in [true, false] {
            let context = Context { trace_id: 0xabc, span_id: 0xdef, parent_id: 0, sampled };
            for writer in ALL {
                let mut carrier = Carrier::new();
                inject(&[writer], context, &mut carrier);
                for reader in ALL {
                    let expected = (reader == writer).then_some(context);
                    assert_eq!(extract(&[reader], &carrier), expected, "{writer:?} to {reader:?}");
                }
            }
        }
    }

    #[test]
    fn jaegers_header_is_as_pythons() {
        let of = |context| {
            let mut carrier = Carrier::new();
            inject(&[Propagator::Jaeger], context, &mut carrier);
            carrier["uber-trace-id"].clone()
        };
        let child = Context { trace_id: 0xabc, span_id: 0xdef, parent_id: 0x123, sampled: true };
        assert_eq!(of(child), "00000000000000000000000000000abc:0000000000000def:0000000000000123:03");
        let root = Context { parent_id: 0, sampled: false, ..child };
        assert_eq!(of(root), "00000000000000000000000000000abc:0000000000000def:0000000000000000:00");
    }

    #[test]
    fn the_last_propagator_wins() {
        let (one, other) = (
            Context { trace_id: 1, span_id: 1, parent_id: 0, sampled: true },
            Context { trace_id: 2, span_id: 2, parent_id: 0, sampled: true },
        );
        let mut carrier = Carrier::new();
        inject(&[Propagator::W3c], one, &mut carrier);
        inject(&[Propagator::B3], other, &mut carrier);
        assert_eq!(extract(&[Propagator::W3c, Propagator::B3], &carrier), Some(other));
        assert_eq!(extract(&[Propagator::B3, Propagator::W3c], &carrier), Some(one));
    }
}
