//! The line that shows where on the way the context was lost.

use std::io::{self, Write};

use super::style::Stylize;
use crate::model::{Station, Stations};

/// Writes `request ✓ ── inject ✓ ── carry ✗ ── extract · ── export ·`.
pub fn line(stations: Stations, out: &mut dyn Write) -> io::Result<()> {
    write!(out, "  ")?;
    for station in Station::ALL {
        if station != Station::Request {
            write!(out, "{}", " ── ".faint())?;
        }
        let state = stations.get(station);
        write!(out, "{} {}", station.label(), state.mark().by_state(state))?;
    }
    writeln!(out)
}
