//! Tells a person what happens in the demo, step by step, and what it shows.

use std::io::{self, BufWriter, Write};

use super::act::{Acted, Audience};
use super::apps::Part;
use super::is_for_people;
use crate::cli::{Format, Output};
use crate::command::session::Session;
use crate::command::{Exit, view};
use crate::demo::Event;
use crate::diagnosis::Listing;
use crate::model::Severity;
use crate::report::human::{self, Live, Paint};
use crate::report::json;
use crate::report::text::{fit, pad, safe};

/// Writes for a person; for a machine only the report, at the end.
pub struct Teller {
    output: Output,
    out: BufWriter<anstream::Stdout>,
    broker: Option<String>,
    answers: u32,
}

/// How many answers are told one by one.
const ANSWERS: u32 = 3;

impl Teller {
    pub fn new(output: &Output) -> Self {
        Self { output: output.clone(), out: BufWriter::new(anstream::stdout()), broker: None, answers: 0 }
    }

    fn is_talkative(&self) -> bool {
        is_for_people(&self.output) && !self.output.quiet
    }

    /// Says what is about to be seen.
    pub fn begin(&mut self, part: &Part) -> io::Result<()> {
        if !self.is_talkative() {
            return Ok(());
        }
        if part.expects().is_empty() {
            let what = if part.slug() == "healthy" { "an order" } else { part.slug() };
            writeln!(self.out, "{}  {what}, healthy\n", "demo".strong())?;
        } else {
            writeln!(self.out, "{}  {}", "demo".strong(), part.slug().broken())?;
            writeln!(self.out, "  broken  {}", part.what())?;
            writeln!(self.out, "  seen    {}\n", part.seen())?;
        }
        self.out.flush()
    }

    /// Ends with what it shows, and what to try next.
    pub fn end(&mut self, part: &Part, acted: &Acted, exit: Exit) -> io::Result<()> {
        let report = &acted.report;
        match self.output.format {
            Format::Json => json::write(report, &mut self.out)?,
            Format::Jsonl => json::write_events(report, &mut self.out)?,
            Format::Human => {
                let view = view(&self.output, None, exit);
                Live::default().finish(report, &view, &mut self.out)?;
                if !self.output.quiet {
                    self.close(part, acted)?;
                }
            }
        }
        self.out.flush()
    }

    fn close(&mut self, part: &Part, acted: &Acted) -> io::Result<()> {
        let took = format!("in {:.1} s", acted.took.as_secs_f64());
        let expected = part.expects();
        match (part.is_right(&acted.report), expected.first()) {
            (true, None) => writeln!(self.out, "{} {took}", "✓ as it should be".intact())?,
            (true, Some(_)) => writeln!(self.out, "{} {took}", "✓ named".intact())?,
            (false, Some(slug)) => {
                writeln!(self.out, "{} {slug} was to be named first, {took}", "✗ wrong:".broken())?;
            }
            (false, None) => {
                writeln!(self.out, "{} nothing was to be said, {took}", "✗ wrong:".broken())?;
            }
        }
        let next: &[(&str, &str)] = if expected.is_empty() {
            &[
                ("tracelink demo --fault propagator-mismatch", "the trace that breaks in two, and why"),
                ("tracelink demo --fault all", "every way in which it can break"),
                ("tracelink listen", "your own application: it says which ports"),
            ]
        } else {
            &[
                ("tracelink demo --list-faults", "the other ways in which it can break"),
                ("tracelink listen", "your own application"),
            ]
        };
        writeln!(self.out, "\ntry next")?;
        for (command, what) in next {
            writeln!(self.out, "  {}{}", pad(command, 46).code(), what.faint())?;
        }
        Ok(())
    }

    /// The queue, as `inspect-queue` shows it.
    fn queue(&mut self, session: &Session) -> io::Result<()> {
        let mut report = session.report(Listing::default());
        if report.messages.is_empty() {
            return Ok(());
        }
        // That no worker is there yet is the demo's own doing, and said above them.
        report.findings.retain(|finding| finding.severity != Severity::Note);
        writeln!(
            self.out,
            "the queue before a worker takes anything, as `tracelink inspect-queue` shows it"
        )?;
        let view = view(&self.output, self.broker.clone(), Exit::Fine);
        human::waiting(&report, &view, &mut self.out)
    }
}

impl Audience for Teller {
    fn hear(&mut self, event: &Event, session: &Session) -> io::Result<()> {
        if !self.is_talkative() {
            return Ok(());
        }
        match event {
            Event::Broker { url, embedded, .. } => {
                let url = crate::broker::BrokerUrl::parse(url).map(|url| url.to_string()).unwrap_or_default();
                let kind = if *embedded { " (embedded: a stage prop)" } else { " (a real Redis)" };
                writeln!(self.out, "broker  {url}{kind}")?;
                self.broker = Some(url);
            }
            Event::Api { address } => writeln!(self.out, "api     {address}/orders")?,
            Event::Answered { status, body, .. } => {
                self.answers += 1;
                if self.answers <= ANSWERS {
                    let answer = fit(&safe(body), 60);
                    writeln!(self.out, "the API answered {status}  {}\n", answer.faint())?;
                }
            }
            Event::Queued { .. } => self.queue(session)?,
            Event::Took { task, attempt, .. } if self.answers <= ANSWERS => {
                let attempt = if *attempt > 0 { format!(", attempt {}", attempt + 1) } else { String::new() };
                writeln!(self.out, "the worker takes {}{attempt}", safe(task))?;
            }
            Event::Ended { task, state, .. } if self.answers <= ANSWERS => {
                writeln!(self.out, "{} ended: {}", safe(task), safe(state))?;
            }
            Event::Closed => writeln!(self.out)?,
            _ => {}
        }
        self.out.flush()
    }
}
