//! Orders as a service and its worker export them, written while they are made: as many as
//! one likes.

use std::io::{self, Write};
use std::ops::Range;

/// How requests stand in a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Layout {
    /// A request a line.
    Lines,
    /// All of it is one request, in one line.
    OneLine,
}

/// Writes orders, hundred by hundred as exporters send them. Each publishes a task; each
/// `broken`-th is run in a trace of its own.
///
/// # Errors
///
/// Those of the writer.
pub fn write_orders(out: &mut impl Write, orders: Range<u64>, broken: u64, layout: Layout) -> io::Result<()> {
    const AT_ONCE: usize = 100;
    let (mut sent, mut run) = (Vec::new(), Vec::new());
    if layout == Layout::OneLine {
        out.write_all(br#"{"resourceSpans":["#)?;
    }
    let last = orders.end.saturating_sub(1);
    let mut is_first = true;
    for number in orders {
        let (api, worker) = order(number, number % broken == 0);
        sent.push(api);
        run.push(worker);
        if run.len() < AT_ONCE && number < last {
            continue;
        }
        for (service, spans) in [("api", &mut sent), ("worker", &mut run)] {
            let element = resource_spans(service, &spans.join(","));
            match layout {
                Layout::Lines => writeln!(out, r#"{{"resourceSpans":[{element}]}}"#)?,
                Layout::OneLine if is_first => out.write_all(element.as_bytes())?,
                Layout::OneLine => write!(out, ",{element}")?,
            }
            is_first = false;
            spans.clear();
        }
    }
    if layout == Layout::OneLine {
        out.write_all(b"]}")?;
    }
    Ok(())
}

fn resource_spans(service: &str, spans: &str) -> String {
    format!(
        r#"{{"resource":{{"attributes":[{{"key":"service.name","value":{{"stringValue":"{service}"}}}}]}},"scopeSpans":[{{"scope":{{"name":"opentelemetry.instrumentation.celery"}},"spans":[{spans}]}}]}}"#
    )
}

/// The spans of the service, and that of the worker.
fn order(number: u64, is_broken: bool) -> (String, String) {
    let times = |from: u64| {
        let start = 1_700_000_000_000_000_000 + number * 1_000_000 + from;
        format!(r#""startTimeUnixNano":"{start}","endTimeUnixNano":"{}""#, start + 1_000)
    };
    let celery = |action: &str| {
        let pair =
            |key: &str, value: &str| format!(r#"{{"key":"{key}","value":{{"stringValue":"{value}"}}}}"#);
        [
            pair("celery.action", action),
            pair("celery.task_name", "process_order"),
            pair("messaging.message.id", &format!("00000000-0000-0000-0000-{number:012x}")),
        ]
        .join(",")
    };
    let trace = format!("aa{number:030x}");
    let request = format!(
        r#"{{"traceId":"{trace}","spanId":"b1{number:014x}","name":"POST /orders","kind":2,"flags":257,{}}}"#,
        times(0)
    );
    let published = format!(
        r#"{{"traceId":"{trace}","spanId":"b2{number:014x}","parentSpanId":"b1{number:014x}","name":"apply_async/process_order","kind":4,"flags":257,{},"attributes":[{}]}}"#,
        times(10),
        celery("apply_async")
    );
    let (of, parent, flags) = if is_broken {
        (format!("cc{number:030x}"), String::new(), 257)
    } else {
        (trace, format!(r#""parentSpanId":"b2{number:014x}","#), 769)
    };
    let run = format!(
        r#"{{"traceId":"{of}","spanId":"b3{number:014x}",{parent}"name":"run/process_order","kind":5,"flags":{flags},{},"attributes":[{}]}}"#,
        times(100_000),
        celery("run")
    );
    (format!("{request},{published}"), run)
}
