//! Output while it listens: where it listens, the stream of events, how much came so far,
//! and the report.

use std::io::{self, IsTerminal, Write};

use anyhow::Context;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::open_ports::OpenPorts;
use crate::broker::redis::BrokerUrl;
use crate::cli::Output;
use crate::command::{Exit, Outputs, STDOUT, say};
use crate::live::{Audience, Session};
use crate::model::{Event, Finding, Report};
use crate::policy::Policy;
use crate::receiver::Addresses;
use crate::report::text;

/// Hands events to the outputs, and shows the progress at a terminal.
pub struct Printer<'o> {
    outputs: &'o mut Outputs,
    is_quiet: bool,
    status: ProgressBar,
    /// Whether a command has the terminal: then people see everything at the end.
    waits: bool,
}

impl<'o> Printer<'o> {
    pub fn new(output: &Output, outputs: &'o mut Outputs, waits: bool) -> Self {
        let has_status = outputs.tells_people() && !output.quiet && !waits && io::stderr().is_terminal();
        let target =
            if has_status { ProgressDrawTarget::stderr_with_hz(4) } else { ProgressDrawTarget::hidden() };
        let status = ProgressBar::with_draw_target(None, target);
        status.set_style(ProgressStyle::with_template("{spinner} {msg}").expect("the template is valid"));
        if waits {
            outputs.wait();
        }
        Self { outputs, is_quiet: output.quiet, status, waits }
    }

    /// Whether a person reads standard output.
    pub fn tells_people(&self) -> bool {
        self.outputs.tells_people()
    }

    /// Which findings are reported.
    pub fn policy(&self) -> &Policy {
        &self.outputs.policy
    }

    /// Says where it listens, and begins the stream of events.
    pub fn listening(
        &mut self,
        addresses: &Addresses,
        open: &OpenPorts,
        broker: Option<&BrokerUrl>,
        session: &Session,
    ) -> anyhow::Result<()> {
        self.outputs.begin()?;
        let broker = broker.map(|broker| format!("   broker {broker} (read-only)")).unwrap_or_default();
        let to =
            session.forwarder().map(|forwarder| format!("   forward {}", forwarder.to())).unwrap_or_default();
        let saving = session.saving().map(|saving| format!("\n{}", saving.about())).unwrap_or_default();
        let control = open.control().map(|control| format!("   control {control}")).unwrap_or_default();
        let line = format!("listening  {}{control}{broker}{to}{saving}", ports(addresses));
        if self.is_quiet {
            return Ok(());
        }
        if self.tells_people() && !self.waits {
            let mut out = anstream::stdout();
            writeln!(out, "{}\n", text::safe_lines(&line)).and_then(|()| out.flush()).context(STDOUT)
        } else {
            say(&line);
            Ok(())
        }
    }

    /// Ends with the report.
    pub fn report(&mut self, report: &Report, exit: Exit) -> anyhow::Result<()> {
        self.status.finish_and_clear();
        self.outputs.end(report, exit)
    }
}

impl Audience for Printer<'_> {
    fn traces_a_round(&mut self) -> usize {
        self.outputs.traces_a_round()
    }

    fn events(&mut self, events: &[Event], not_shown: u64) -> anyhow::Result<()> {
        let Self { outputs, status, .. } = self;
        if events.is_empty() {
            // Nothing is written, so nothing tears the progress line.
            return outputs.events(events, not_shown);
        }
        status.suspend(|| outputs.events(events, not_shown))
    }

    fn shows_after_all(&self, finding: &Finding) -> bool {
        self.policy().tells_after_all(finding)
    }

    /// Shows a person at a terminal that something comes in.
    fn progress(&self, session: &Session) {
        if self.status.is_hidden() {
            return;
        }
        let watch = session.watch();
        let (spans, traces) = (watch.evidence.spans.span_count(), watch.evidence.spans.trace_count());
        drop(watch);
        self.status.set_message(match spans {
            0 => "waiting for spans; Ctrl-C ends with the report".to_owned(),
            _ => format!(
                "{} spans in {} traces; Ctrl-C ends with the report",
                text::count(spans),
                text::count(traces)
            ),
        });
        self.status.tick();
    }
}

/// The ports, as a line for people.
fn ports(addresses: &Addresses) -> String {
    let ports = [("grpc", addresses.grpc), ("http", addresses.http), ("grpc and http", addresses.both)];
    let ports = ports.into_iter().filter_map(|(what, address)| Some(format!("{what} {}", address?)));
    ports.collect::<Vec<_>>().join("   ")
}
