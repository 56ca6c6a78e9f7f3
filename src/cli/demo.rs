//! `tracelink demo`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::output::Reports;
use super::secret::Secret;
use super::values::{WEB, path};
use crate::config::values::address;

/// A sample order through a reference API and worker, end to end
///
/// Shows what a whole trace looks like, how it breaks, and how tracelink finds
/// it. It needs nothing but this program: the API, the broker and the worker are
/// processes of it, which end with it.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  tracelink demo                              a healthy order: one trace, both services
  tracelink demo --fault propagator-mismatch  break one thing, and see it named
  tracelink demo --fault all                  every fault, right or wrong
  tracelink demo --list-faults
  tracelink demo --orders 100 --rate 20       many orders, and the figures at the end
  tracelink demo --app python                 the same with the real FastAPI, Celery and OpenTelemetry
  tracelink demo --web --fault propagator-mismatch
                                              see it break in a browser, at 127.0.0.1:4319
  tracelink demo --app python --fault propagator-mismatch --mend
                                              break it, paste the fix that is printed, see it whole

With several faults, or all, the exit code is 0 where each was named and 1 where not.
With --mend it is 1 too where a fix was pasted and the trace is not whole.")]
pub struct Demo {
    /// Which application to run
    #[arg(long, value_enum, default_value_t = App::Native, value_name = "APP")]
    pub app: App,
    /// The broker: embedded, or a Redis of yours; what the demo writes there it deletes
    ///
    /// The Python application's own is a real redis-server, and a Redis of yours
    /// must have an empty database for it.
    #[arg(long, default_value = "embedded", value_name = "embedded|URL")]
    pub broker: Secret,
    /// Break this one thing; may be given several times, or `all`
    #[arg(long, value_name = "SLUG|CODE")]
    pub fault: Vec<String>,
    /// List the faults, and end
    #[arg(long)]
    pub list_faults: bool,
    /// How many orders to send; some faults need a number of their own
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=20_000))]
    pub orders: Option<u32>,
    /// How many orders a second; without it, the next one follows the answer
    #[arg(long, value_name = "R", value_parser = rate)]
    pub rate: Option<f64>,
    /// A factor for how long work takes: 1 is 0.8 s for the email and 0.4 s for the inventory
    #[arg(long, value_name = "FACTOR", value_parser = pace, default_value_t = 1.0)]
    pub pace: f64,
    /// Paste the fix that was found into the program, and run it again: exit code 0 if it is whole then
    ///
    /// For the Python application, whose programs are copied for this. The report is
    /// about the second run.
    #[arg(long, conflicts_with_all = ["keep", "list_faults"])]
    pub mend: bool,
    /// Keep it running for your own orders, until Ctrl-C
    #[arg(long)]
    pub keep: bool,
    /// Show it in a browser's page, live: a port, or an address with a port [default: 127.0.0.1:4319]
    ///
    /// At a terminal the page stays after the demo, until Ctrl-C.
    #[arg(
        long,
        value_name = "ADDR",
        value_parser = address,
        num_args = 0..=1,
        default_missing_value = WEB,
        conflicts_with_all = ["mend", "list_faults"]
    )]
    pub web: Option<SocketAddr>,
    #[command(flatten)]
    pub reports: Reports,
    /// Where the Python application's environment is made, once
    #[arg(long, env = "XDG_CACHE_HOME", hide = true, value_name = "DIR", value_parser = path())]
    pub cache: Option<PathBuf>,
    #[arg(long, env = "HOME", hide = true, value_name = "DIR", value_parser = path())]
    pub home: Option<PathBuf>,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum App {
    /// An API and a worker inside this program, on the real wire
    Native,
    /// The real FastAPI, Celery and OpenTelemetry, in an environment that is made once
    Python,
}

/// Work of an hour is watched by nobody.
fn pace(text: &str) -> Result<f64, String> {
    rate(text)
        .ok()
        .filter(|pace| *pace <= 1_000.0)
        .ok_or_else(|| "a number above 0, and at most 1000".to_owned())
}

fn rate(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite() && *number > 0.0);
    number.ok_or_else(|| "a number above 0".to_owned())
}
