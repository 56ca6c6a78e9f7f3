//! Tells a person what happens in a run, step by step, and what it shows.

use std::collections::BTreeSet;
use std::io::{self, BufWriter, Write};

use anyhow::Context;

use super::case::Case;
use super::labelled_lines::{LABEL, line};
use super::run_case::{CaseRun, Observer};
use crate::cli::{self, App, Output};
use crate::command::outputs::{Outputs, view};
use crate::command::progress::Progress;
use crate::command::{Exit, STDOUT, called, say};
use crate::demo::{DemoEvent, Order};
use crate::diagnosis::Listing;
use crate::live::Session;
use crate::model::{Finding, Fix, Report, Severity, Status};
use crate::report::human::{self, Stylize};
use crate::report::text::{fit, pad, safe};
use crate::report::{Subject, View, tried_fixes};

/// Tells a person at standard output what happens. The outputs get the report at the end.
pub struct Narrator<'o> {
    outputs: &'o mut Outputs,
    is_quiet: bool,
    view: View,
    out: BufWriter<anstream::Stdout>,
    app: App,
    keeps: bool,
    asked_for_orders: bool,
    api: Option<String>,
    /// The last order that was shown.
    order: String,
    answers: u32,
    /// The tasks that are shown one by one.
    told: BTreeSet<String>,
    /// How many tasks have ended.
    ended: u32,
    progress: Progress,
}

/// How many orders and tasks are shown one by one.
const TOLD: usize = 3;

impl<'o> Narrator<'o> {
    pub fn new(args: &cli::Demo, output: &Output, outputs: &'o mut Outputs) -> Self {
        /// A step is written at once, so that it does not tear a progress bar.
        const STEP: usize = 64 << 10;
        Self {
            outputs,
            is_quiet: output.quiet,
            view: view(output),
            out: BufWriter::with_capacity(STEP, anstream::stdout()),
            app: args.app,
            keeps: args.keep,
            asked_for_orders: args.orders.is_some(),
            api: None,
            order: String::new(),
            answers: 0,
            told: BTreeSet::new(),
            ended: 0,
            progress: Progress::new(output),
        }
    }

    fn is_talkative(&self) -> bool {
        self.outputs.tells_people() && !self.is_quiet
    }

    /// What the user wants to see of a report. Whether the demo named what it broke is
    /// decided on the whole report.
    pub fn told(&self, report: &Report) -> Report {
        self.outputs.policy.apply(report.clone())
    }

    /// Announces what is about to happen.
    pub fn begin(&mut self, case: &Case) -> io::Result<()> {
        if !self.is_talkative() {
            return Ok(());
        }
        if case.slug() == "healthy" {
            self.line("demo", "one order: through the API and the queue to the worker")?;
        } else {
            self.line("demo", case.slug())?;
            self.line(if case.expects().is_empty() { "what" } else { "broken" }, case.what())?;
            self.line("backend", case.seen())?;
        }
        if self.asked_for_orders && !case.takes_orders() {
            self.line("orders", "it has a number of its own, so --orders is passed over")?;
        }
        writeln!(self.out)?;
        self.out.flush()
    }

    /// Ends with what it shows, and what to try next.
    pub fn end(&mut self, case: &Case, ran: &CaseRun, exit: Exit) -> anyhow::Result<()> {
        self.progress.done();
        if !ran.is_whole {
            return self.give_up(exit);
        }
        let report = self.told(&ran.report);
        self.outputs.report(&report, Subject::Demo, None, exit)?;
        if self.is_talkative() && !ran.was_interrupted {
            let told = self.judge(case, ran).and_then(|()| self.say_what_is_next(case));
            told.and_then(|()| self.out.flush()).context(STDOUT)?;
        }
        Ok(())
    }

    /// Shows what was found of a fault, and the fix that is pasted now.
    pub fn fix(&mut self, finding: &Finding, fix: &Fix) -> io::Result<()> {
        if !self.is_talkative() {
            return Ok(());
        }
        let Finding { code, confidence, message, .. } = finding;
        let head = format!("{}[{code}] {}", finding.severity.label(), confidence.label());
        self.line("named", &format!("{head}: {}", safe(message)))?;
        self.line("fix", &safe(&fix.title))?;
        if let Some(with) = tried_fixes::with(code, &fix.title) {
            self.line("", &with)?;
        }
        for line in fix.lines() {
            writeln!(self.out, "{}{}", " ".repeat(LABEL), safe(&line).code())?;
        }
        let again =
            if fix.is_by_hand() { "nothing of it can be pasted" } else { "the same, with the fix pasted" };
        self.line("again", again)?;
        self.out.flush()
    }

    /// Ends with what the report shows after the fix was pasted. If that is not whole, says
    /// why.
    pub fn mended(&mut self, report: &Report, why_not: &str, exit: Exit) -> anyhow::Result<()> {
        if self.is_talkative() {
            writeln!(self.out).and_then(|()| self.out.flush()).context(STDOUT)?;
        }
        let report = self.told(report);
        self.outputs.report(&report, Subject::Demo, None, exit)?;
        if self.is_talkative() {
            let told = if why_not.is_empty() {
                writeln!(self.out, "{}", "✓ mended".intact())
            } else {
                writeln!(self.out, "{} {}", "✗ not mended:".broken(), safe(why_not))
            };
            told.and_then(|()| self.out.flush()).context(STDOUT)?;
        }
        Ok(())
    }

    /// Says that an interrupted run is not judged: what is missing may have been on its
    /// way.
    fn give_up(&mut self, exit: Exit) -> anyhow::Result<()> {
        const WHY: &str = "broken off before the order was through, so nothing is judged";
        if self.outputs.tells_people() {
            writeln!(self.out).and_then(|()| self.out.flush()).context(STDOUT)?;
        }
        let report = Report { error: Some(WHY.to_owned()), ..Report::default() };
        self.outputs.report(&report, Subject::Demo, None, exit)
    }

    fn judge(&mut self, case: &Case, ran: &CaseRun) -> io::Result<()> {
        let took = format!("in {:.1} s", ran.took.as_secs_f64());
        // A case that publishes nothing has no hand-off to show.
        let is_unproven = ran.report.verdict.status == Status::Unproven && ran.report.inputs.handoffs > 0;
        match (case.is_right(&ran.report), &case.expects()[..]) {
            // Nothing is wrong, but not everything was seen: no tick for that.
            (true, []) if is_unproven => {
                let mark = "? not seen whole:".by_severity(Severity::Warning);
                writeln!(self.out, "{mark} nothing was to be said, and nothing was, {took}")
            }
            (true, []) => writeln!(self.out, "{}, {took}", "✓ as it should be".intact()),
            (true, _) => writeln!(self.out, "{}, {took}", "✓ named".intact()),
            (false, []) => writeln!(self.out, "{} nothing was to be said, {took}", "✗ wrong:".broken()),
            (false, expected) => {
                let expected = expected.join(" or ");
                writeln!(self.out, "{} {expected} was to be named first, {took}", "✗ wrong:".broken())
            }
        }
    }

    fn say_what_is_next(&mut self, case: &Case) -> io::Result<()> {
        let demo = match self.app {
            App::Native => format!("{} demo", called()),
            App::Python => format!("{} demo --app python", called()),
        };
        let listen = (format!("{} listen", called()), "your own application");
        let list = format!("{demo} --list-faults");
        let next = if case.expects().is_empty() {
            let mismatch = format!("{demo} --fault propagator-mismatch");
            vec![(mismatch, "breaks it in two, and says why"), (list, "what else can break"), listen]
        } else {
            vec![(list, "what else can break"), listen]
        };
        writeln!(self.out, "\ntry next")?;
        let column = next.iter().map(|(command, _)| command.len() + 2).max().unwrap_or_default();
        let is_narrow = next.iter().any(|(_, what)| 2 + column + what.len() > self.view.width);
        for (command, what) in next {
            if is_narrow {
                writeln!(self.out, "  {}\n    {}", command.code(), what.faint())?;
            } else {
                writeln!(self.out, "  {}{}", pad(&command, column).code(), what.faint())?;
            }
        }
        Ok(())
    }

    fn line(&mut self, label: &str, text: &str) -> io::Result<()> {
        line(label, text, self.view.width, &mut self.out)
    }

    fn tell(&mut self, event: &DemoEvent, session: &Session) -> io::Result<()> {
        match event {
            DemoEvent::Broker { url, embedded, .. } => {
                let url = crate::broker::redis::BrokerUrl::parse(url)
                    .map(|url| url.to_string())
                    .unwrap_or_default();
                let kind = if *embedded { "embedded: a stage prop" } else { "a real Redis" };
                self.line("broker", &format!("{url}  {kind}"))?;
                self.view.broker = Some(url);
                Ok(())
            }
            DemoEvent::Starting { who } => self.line(who, "starts, which takes it some seconds"),
            DemoEvent::Gone { who, code, last_words } => {
                let how = code.map_or("was killed".to_owned(), |code| format!("ended with code {code}"));
                let last = last_words.lines().last().unwrap_or_default();
                self.line(who, &format!("{how}: {}", safe(last)))
            }
            DemoEvent::Api { address } => {
                self.api = Some(address.clone());
                self.line("api", address)
            }
            DemoEvent::Answered { order, status, body, .. } => self.answered(order, *status, body),
            DemoEvent::Queued { .. } => self.queue(session),
            DemoEvent::Took { id, task, attempt } if self.is_told(id) => {
                let text = format!("takes {}{}", name(task), number(*attempt, *attempt > 0));
                self.line("worker", &text)
            }
            DemoEvent::Ended { id, task, attempt, state } => {
                self.ended += u32::from(state != "RETRY");
                if !self.is_told(id) {
                    return Ok(());
                }
                let is_one_of_several = *attempt > 0 || state == "RETRY";
                let number = number(*attempt, is_one_of_several);
                let text = format!("ended {}{number}: {}", name(task), safe(state));
                self.line("worker", &text)
            }
            DemoEvent::Done if self.keeps => self.say_that_it_goes_on(),
            DemoEvent::Closed => writeln!(self.out),
            _ => Ok(()),
        }
    }

    /// Whether the events of a task are shown.
    fn is_told(&mut self, task: &str) -> bool {
        self.told.contains(task) || (self.told.len() < TOLD && self.told.insert(task.to_owned()))
    }

    fn answered(&mut self, order: &str, status: u16, body: &str) -> io::Result<()> {
        self.answers += 1;
        if self.answers as usize > TOLD {
            return Ok(());
        }
        if self.order != order {
            order.clone_into(&mut self.order);
            self.line("order", &format!("POST /orders {}", safe(order)))?;
        }
        let body = fit(&safe(body), self.view.width.saturating_sub(LABEL + 4));
        self.line("answer", &format!("{status} {body}"))
    }

    /// The queue, as `inspect-queue` shows it.
    fn queue(&mut self, session: &Session) -> io::Result<()> {
        let report = session.report(Listing::default());
        if report.messages.is_empty() {
            return Ok(());
        }
        writeln!(self.out)?;
        self.line("queue", "before a worker takes anything, as `tracelink inspect-queue` shows it")?;
        human::waiting(&report, &self.view, &mut self.out)?;
        self.notes(&report)
    }

    /// What the codes beside the messages mean, for notes only: what is broken comes at the
    /// end.
    fn notes(&mut self, report: &Report) -> io::Result<()> {
        let beside: BTreeSet<_> = report.messages.iter().flat_map(|message| &message.findings).collect();
        let is_beside = |finding: &&crate::model::Finding| {
            finding.severity == Severity::Note && beside.contains(&finding.id)
        };
        for note in report.findings.iter().filter(is_beside) {
            let text = format!("· {}  {}", note.code, safe(&note.message));
            writeln!(self.out, "  {}\n", fit(&text, self.view.width.saturating_sub(2)).faint())?;
        }
        Ok(())
    }

    fn say_that_it_goes_on(&mut self) -> io::Result<()> {
        writeln!(self.out, "\nit goes on until Ctrl-C, which shows the traces")?;
        let Some(api) = &self.api else { return Ok(()) };
        writeln!(self.out, "an order of your own")?;
        let json = "-H 'content-type: application/json'";
        let order = if self.order.is_empty() { Order::default().body() } else { self.order.clone() };
        writeln!(self.out, "  {}\n", format!("curl {api}/orders {json} -d '{}'", safe(&order)).code())
    }
}

/// A task's name, if its message was seen.
fn name(task: &str) -> String {
    if task.is_empty() { "a task".to_owned() } else { safe(task) }
}

/// Which attempt it is, if there are several.
fn number(attempt: u32, is_one_of_several: bool) -> String {
    if is_one_of_several { format!(", attempt {}", attempt + 1) } else { String::new() }
}

impl Observer for Narrator<'_> {
    fn hear(&mut self, event: &DemoEvent, session: &Session) -> io::Result<()> {
        if !self.is_talkative() {
            return Ok(());
        }
        self.tell(event, session)?;
        if self.answers as usize > TOLD {
            self.progress.ordered(self.answers, self.ended);
        }
        if matches!(event, DemoEvent::Done) {
            self.progress.done();
        }
        let Self { progress, out, .. } = self;
        progress.aside(|| out.flush())
    }

    fn shown_at(&mut self, url: &str) -> io::Result<()> {
        if !self.is_talkative() {
            say(&format!("tracelink: the page is at {url}"));
            return Ok(());
        }
        self.line("page", url)?;
        self.out.flush()
    }
}
