//! `OTEL_PROPAGATORS`: in which formats a process writes and reads contexts. In
//! the environment, of whichever side is named.

use std::collections::BTreeSet;

use crate::model::Format;

/// Mends TL113: in the environment of the process that publishes.
pub const WRITE_THE_TRACE: [&str; 1] =
    ["OTEL_PROPAGATORS=tracecontext,baggage    # in the process that publishes"];

/// Mends TL201 where half of an id is written: in the environment of both sides.
pub const WRITE_WHOLE_IDS: [&str; 1] =
    ["OTEL_PROPAGATORS=tracecontext,baggage    # on both sides: ottrace writes half of an id"];

/// Mends TL206: in the worker's environment. Empty where the vendor's format has
/// no propagator.
pub fn read_vendor(format: Format) -> Vec<String> {
    let Some(propagator) = format.propagator() else { return Vec::new() };
    let read = format!(
        "OTEL_PROPAGATORS=tracecontext,baggage,{propagator}   # in the worker, and best on both sides"
    );
    let package = format.package().map(|package| format!("pip install {package}"));
    [Some(read), package].into_iter().flatten().collect()
}

/// Mends TL301: in the environment of both sides, with every format that the
/// producer writes.
pub fn same_on_both_sides(formats: &BTreeSet<Format>) -> Vec<String> {
    let propagators: BTreeSet<_> = formats.iter().filter_map(|format| format.propagator()).collect();
    let listed: Vec<_> = ["tracecontext", "baggage"]
        .into_iter()
        .chain(propagators.into_iter().filter(|name| *name != "tracecontext"))
        .collect();
    let mut lines = vec![format!("OTEL_PROPAGATORS={}   # the same on both sides", listed.join(","))];
    let packages: BTreeSet<_> = formats.iter().filter_map(|format| format.package()).collect();
    if !packages.is_empty() {
        let packages: Vec<_> = packages.into_iter().collect();
        lines.push(format!("pip install {}   # on both sides, too", packages.join(" ")));
    }
    lines
}

/// Mends TL301 where it is not known which format is written: in the environment
/// of both sides.
pub const DEFAULT_ON_BOTH_SIDES: [&str; 1] =
    ["OTEL_PROPAGATORS=tracecontext,baggage    # the same on both sides"];

/// Mends TL301 where a distribution sets the propagators: where the worker sets it
/// up.
pub const LET_A_DISTRIBUTION_FOLLOW: [&str; 1] =
    ["logfire.configure(distributed_tracing=True)   # logfire; another distribution has a switch of its own"];

/// Mends TL801: in the environment of the process that publishes.
pub const NO_BAGGAGE: [&str; 1] =
    ["OTEL_PROPAGATORS=tracecontext            # where its values are not for everyone"];
