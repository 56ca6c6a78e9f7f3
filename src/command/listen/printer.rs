//! Where the stream of events goes: to a person, or as JSON lines.

use std::io::{self, BufWriter, IsTerminal, Write};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::ports;
use crate::broker::redis::BrokerUrl;
use crate::cli::{Format, Output};
use crate::command::session::Session;
use crate::command::{Exit, say, view};
use crate::model::{Event, Report};
use crate::receiver::{Addresses, Forwarder};
use crate::report::human::{Live, View};
use crate::report::{json, text};

/// Writes what there is to tell.
pub struct Printer {
    output: Output,
    view: View,
    live: Live,
    out: BufWriter<anstream::Stdout>,
    status: ProgressBar,
    /// Whether a command has the terminal: then all is told at the end.
    waits: bool,
    not_shown: u64,
    /// How many groups of traces may be shown now.
    room: usize,
    rounds: usize,
}

impl Printer {
    /// How many groups of traces a person is shown at once, and how many
    /// rounds it takes until there is room for one more: more nobody can read.
    const SHOWN: usize = 10;
    const ROUNDS: usize = 2;
    /// How many a machine gets in a round.
    const LISTED: usize = 200;

    pub fn new(output: &Output, waits: bool) -> Self {
        let has_status =
            output.format == Format::Human && !output.quiet && !waits && io::stderr().is_terminal();
        let target =
            if has_status { ProgressDrawTarget::stderr_with_hz(4) } else { ProgressDrawTarget::hidden() };
        let status = ProgressBar::with_draw_target(None, target);
        status.set_style(ProgressStyle::with_template("{spinner} {msg}").expect("the template is valid"));
        Self {
            output: output.clone(),
            view: view(output, None, Exit::Fine),
            live: Live::default(),
            out: BufWriter::new(anstream::stdout()),
            status,
            waits,
            not_shown: 0,
            room: Self::SHOWN,
            rounds: 0,
        }
    }

    /// Says where it listens.
    pub fn listening(
        &mut self,
        addresses: &Addresses,
        broker: Option<&BrokerUrl>,
        forwarder: Option<&Forwarder>,
    ) -> io::Result<()> {
        let broker = broker.map(|broker| format!("   broker {broker} (read-only)")).unwrap_or_default();
        let to = forwarder.map(|forwarder| format!("   forward {}", forwarder.to())).unwrap_or_default();
        let line = format!("listening  {}{broker}{to}", ports(addresses));
        if self.output.quiet {
            return Ok(());
        }
        if self.output.format == Format::Human && !self.waits {
            writeln!(self.out, "{}\n", text::safe(&line))?;
            self.out.flush()
        } else {
            say(&line);
            Ok(())
        }
    }

    /// How many groups of traces the next round may show.
    pub fn traces_a_round(&mut self) -> usize {
        self.rounds += 1;
        if self.rounds.is_multiple_of(Self::ROUNDS) {
            self.room = (self.room + 1).min(Self::SHOWN);
        }
        match self.output.format {
            _ if self.waits => 0,
            Format::Human => self.room,
            Format::Jsonl => Self::LISTED,
            Format::Json => 0,
        }
    }

    /// Writes events, and that so many groups of traces were not shown.
    pub fn events(&mut self, events: Vec<Event>, not_shown: u64) -> io::Result<()> {
        let Self { output, view, live, out, status, waits, .. } = self;
        match output.format {
            Format::Json => Ok(()),
            Format::Jsonl => {
                events.iter().try_for_each(|event| json::write_event(event, out))?;
                out.flush()
            }
            Format::Human if *waits => Ok(()),
            Format::Human => {
                self.not_shown += not_shown;
                let traces = events.iter().filter(|event| matches!(event, Event::Traces { .. })).count();
                self.room = self.room.saturating_sub(traces);
                if events.is_empty() {
                    return Ok(());
                }
                let hidden = std::mem::take(&mut self.not_shown);
                status.suspend(|| {
                    if hidden > 0 && !output.quiet {
                        Live::not_shown(hidden, out)?;
                    }
                    events.into_iter().try_for_each(|event| live.event(event, view, out))?;
                    out.flush()
                })
            }
        }
    }

    /// Shows a person at a terminal that something comes in.
    pub fn progress(&self, session: &Session) {
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

    /// Ends with the report.
    pub fn report(&mut self, report: &Report, exit: Exit) -> io::Result<()> {
        self.status.finish_and_clear();
        let Self { output, view, live, out, .. } = self;
        view.exit_code = exit.code();
        match output.format {
            Format::Json => json::write(report, out)?,
            Format::Jsonl => json::write_last(report, out)?,
            Format::Human => live.finish(report, view, out)?,
        }
        out.flush()
    }
}
