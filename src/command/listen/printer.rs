//! Output while it listens: where it listens, the stream of events, how much came so far,
//! and the report.

use std::io::{self, IsTerminal, Write};

use anyhow::Context;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::open_ports::OpenPorts;
use crate::broker::redis::BrokerUrl;
use crate::cli::Output;
use crate::command::web::url;
use crate::command::{Exit, Outputs, STDOUT, say};
use crate::live::{Audience, Session};
use crate::model::{Event, Finding, Report};
use crate::policy::Policy;
use crate::report::text;

/// Hands events to the outputs, and shows the progress at a terminal.
pub struct Printer<'o> {
    outputs: &'o mut Outputs,
    is_quiet: bool,
    status: ProgressBar,
    holder: TerminalHolder,
}

/// Who has the terminal while it listens. Where it is not the events, people see everything
/// at the end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TerminalHolder {
    Events,
    /// The command that was given.
    Command,
    /// `--tui`.
    View,
}

impl<'o> Printer<'o> {
    pub fn new(output: &Output, outputs: &'o mut Outputs, holder: TerminalHolder) -> Self {
        let waits = holder != TerminalHolder::Events;
        let has_status = outputs.tells_people() && !output.quiet && !waits && io::stderr().is_terminal();
        let target =
            if has_status { ProgressDrawTarget::stderr_with_hz(4) } else { ProgressDrawTarget::hidden() };
        let status = ProgressBar::with_draw_target(None, target);
        status.set_style(ProgressStyle::with_template("{spinner} {msg}").expect("the template is valid"));
        if waits {
            outputs.wait();
        }
        Self { outputs, is_quiet: output.quiet, status, holder }
    }

    /// Whether a person reads standard output.
    pub fn tells_people(&self) -> bool {
        self.outputs.tells_people()
    }

    /// Which findings are reported.
    pub fn policy(&self) -> &Policy {
        &self.outputs.policy
    }

    /// The same, for who has the events pass through it before they come here.
    pub fn policy_mut(&mut self) -> &mut Policy {
        &mut self.outputs.policy
    }

    /// Writes events that have passed through the policy.
    pub fn told_events(&mut self, events: &[Event], not_shown: u64) -> anyhow::Result<()> {
        let Self { outputs, status, .. } = self;
        if events.is_empty() {
            // Nothing is written, so nothing tears the progress line.
            return outputs.events(events, not_shown);
        }
        status.suspend(|| outputs.events(events, not_shown))
    }

    /// Says where it listens or what it watches, and begins the stream of events.
    pub fn listening(
        &mut self,
        (does, places): (&str, &[String]),
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
        let web = open.web().map(|web| format!("   web {}", url(web))).unwrap_or_default();
        let metrics = open.metrics().map(|at| format!("   metrics {}metrics", url(at))).unwrap_or_default();
        let places = places.join("   ");
        let line = format!("{does}  {places}{control}{web}{metrics}{broker}{to}{saving}");
        if self.is_quiet || self.holder == TerminalHolder::View {
            return Ok(());
        }
        if self.tells_people() && self.holder == TerminalHolder::Events {
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
        let told = self.outputs.policy.events(events);
        self.told_events(told.as_deref().unwrap_or(events), not_shown)
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

/// Where it listens and looks, each by itself.
pub fn places(places: &[String], open: &OpenPorts, broker: Option<&BrokerUrl>) -> Vec<String> {
    let web = open.web().map(url);
    let broker = broker.map(|broker| format!("{broker} (read-only)"));
    places.iter().cloned().chain(web).chain(broker).collect()
}
