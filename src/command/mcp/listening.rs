//! The session that an agent begins, asks about and ends: one of `listen`, without outputs.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use rmcp::model::{CallToolResult, JsonObject};
use serde_json::{Value, json};

use super::answer::{Said, structured};
use super::arguments::{Call, is_given, text};
use super::tools::{self, Spec};
use crate::cli::{self, Command};
use crate::command::listen::sources::{self, Sources};
use crate::command::{Exit, usage};
use crate::diagnosis::Listing;
use crate::live::{
    self, Audience, EndRequest, Ending, MemoryPlan, Outside, Session, SessionNotice, SessionNotices, Uses,
};
use crate::model::{Event, Finding, Report};
use crate::policy::Policy;
use crate::receiver::Addresses;
use crate::report::Subject;

/// How long what is under way may take once the client is gone.
const AT_THE_END: Duration = Duration::from_secs(10);

/// The place for one session. A second one would need as much memory again.
#[derive(Default)]
pub struct Place(Mutex<Option<Arc<Listening>>>);

/// A session, from its ports to its verdict.
struct Listening {
    session: Arc<Session>,
    addresses: Addresses,
    policy: Policy,
    output: cli::Output,
    notices: Arc<Notices>,
    end: EndSwitch,
    /// The report, once the session has ended; or that it broke.
    ended: Mutex<Option<Result<Report, Broke>>>,
    has_ended: Condvar,
}

/// The session's thread panicked, and has said so.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the session broke: this is a bug of tracelink's, please report it; listen_start begins another one")]
struct Broke;

impl Place {
    /// Begins a session.
    ///
    /// # Errors
    ///
    /// That there is one, and why a port, the broker or the folder cannot be had.
    pub fn start(
        &self,
        spec: &Spec,
        own: &cli::Output,
        given: &JsonObject,
    ) -> anyhow::Result<CallToolResult> {
        let mut place = self.0.lock();
        if place.is_some() {
            return Err(usage(
                "there is a session already: listen_stop ends it and gives its verdict, listen_status shows it",
            ));
        }
        let Call { command, output, policy } = Call::read(spec, "listen", own, given)?;
        let Command::Listen(mut args) = command else { unreachable!("the subcommand is `listen`") };
        // Ports of the configuration are for a person's session, which may be open.
        args.grpc = args.grpc.filter(|_| is_given(given, "grpc"));
        args.http = args.http.filter(|_| is_given(given, "http"));
        let listening = Listening::start(&args, output, policy)?;
        let mut state = listening.state();
        let about =
            |folder: &PathBuf| format!("saving to {}: what diagnoses read, redacted", folder.display());
        let saving = args.save.as_ref().map(about);
        state["notes"] = listening.notices.told().into_iter().chain(saving).collect();
        *place = Some(listening);
        Ok(structured(state.clone(), &in_words(&state)))
    }

    /// The verdict so far.
    ///
    /// # Errors
    ///
    /// That there is no session.
    pub fn status(&self, given: &JsonObject) -> anyhow::Result<CallToolResult> {
        let listening = self.0.lock().clone().ok_or_else(none)?;
        let ended = listening.ended.lock().clone();
        let so_far = || Ok(listening.session.report_so_far(Listing::default()));
        listening.answer(ended.unwrap_or_else(so_far)?, given)
    }

    /// Ends the session, and gives its verdict.
    ///
    /// # Errors
    ///
    /// That there is none.
    pub fn stop(&self, given: &JsonObject) -> anyhow::Result<CallToolResult> {
        let listening = self.0.lock().clone().ok_or_else(none)?;
        let is_now = given.get(tools::NOW).and_then(Value::as_bool) == Some(true);
        listening.end.ask(if is_now { EndRequest::Now } else { EndRequest::Patiently });
        let ended = listening.wait(None).expect("without a limit it waits for the end");
        let mut place = self.0.lock();
        if place.as_ref().is_some_and(|other| Arc::ptr_eq(other, &listening)) {
            *place = None;
        }
        drop(place);
        listening.answer(ended?, given)
    }

    /// The client is gone: ends what is left, so that a bundle has its end.
    pub fn close(&self) {
        if let Some(listening) = self.0.lock().take() {
            listening.end.ask(EndRequest::Now);
            let _ = listening.wait(Some(AT_THE_END));
        }
    }
}

fn none() -> anyhow::Error {
    usage("no session listens: listen_start begins one")
}

impl Listening {
    /// Opens the ports, and lets the session run in a thread of its own until it is asked to
    /// end, or ends by itself.
    fn start(args: &cli::Listen, output: cli::Output, policy: Policy) -> anyhow::Result<Arc<Self>> {
        let broker = args.broker.as_deref().filter(|url| !url.is_empty());
        let uses = Uses {
            forwards: args.forward.is_some(),
            saves: args.save.is_some(),
            watches_broker: broker.is_some(),
            ..Uses::default()
        };
        let target = broker.map(|url| sources::target(url, args)).transpose()?;
        let notices = Arc::new(Notices::default());
        let plan = MemoryPlan::new(args.max_memory, uses);
        let session = sources::session(args, &plan, Arc::clone(&notices) as _)?;
        let opened = Sources::open(&sources::ports(args, true), false, target.as_ref(), &session);
        let sources = opened.inspect_err(|_| {
            // The agent will try the same again, and it needs an empty folder.
            session.saving().into_iter().for_each(live::Saving::discard);
        })?;
        let listening = Arc::new(Self {
            addresses: sources.addresses(),
            session,
            policy,
            output,
            notices,
            end: EndSwitch::default(),
            ended: Mutex::new(None),
            has_ended: Condvar::new(),
        });
        let ending = Ending { time: args.time, idle: args.idle, settle: args.settle };
        let running = Arc::clone(&listening);
        thread::spawn(move || {
            // Nobody waits for a session that is gone.
            let report = catch_unwind(AssertUnwindSafe(|| running.run(&ending, sources)));
            *running.ended.lock() = Some(report.map_err(|_| Broke));
            running.has_ended.notify_all();
        });
        Ok(listening)
    }

    /// Lets it run, and returns the report when it has ended.
    fn run(&self, ending: &Ending, sources: Sources) -> Report {
        let session = &self.session;
        let attended = live::attend(session, ending, &mut Nobody, &mut &self.end);
        attended.expect("neither who listens nor the switch can fail");
        sources.end(session, None, &mut || self.end.is_now());
        let report = session.report(Listing::default());
        if let Err(error) = live::close(session) {
            self.notices.keep(error.to_string());
        }
        report
    }

    /// Waits until the session has ended, or for so long.
    fn wait(&self, most: Option<Duration>) -> Option<Result<Report, Broke>> {
        let mut ended = self.ended.lock();
        match most {
            Some(most) => {
                self.has_ended.wait_while_for(&mut ended, |ended| ended.is_none(), most);
            }
            None => self.has_ended.wait_while(&mut ended, |ended| ended.is_none()),
        }
        ended.clone()
    }

    fn answer(&self, report: Report, given: &JsonObject) -> anyhow::Result<CallToolResult> {
        let report = self.policy.apply(report);
        let exit = Exit::of_report(&report, self.output.fail_on);
        let said = Said {
            report,
            subject: Subject::Handoffs,
            source: None,
            exit,
            task: text(given, tools::TASK),
            notes: self.notices.told(),
            session: Some(self.state()),
        };
        said.answer(&self.output)
    }

    /// Where it listens and how far it is.
    fn state(&self) -> Value {
        let Addresses { grpc, http, both } = self.addresses;
        let main = both.expect("a port for both was asked for");
        let state = if self.ended.lock().is_some() { "ended" } else { "listening" };
        json!({
            "state": state,
            "seconds": self.session.age().as_secs(),
            "grpc": grpc.unwrap_or(main).to_string(),
            "http": http.unwrap_or(main).to_string(),
            // As `listen -- COMMAND` sets it.
            "environment": {
                "OTEL_EXPORTER_OTLP_ENDPOINT": format!("http://{main}"),
                "OTEL_EXPORTER_OTLP_INSECURE": "true",
                "OTEL_TRACES_EXPORTER": "otlp",
            },
        })
    }
}

/// What to do with a session that has begun.
fn in_words(state: &Value) -> String {
    let set = state["environment"].as_object().into_iter().flatten();
    let set = set.map(|(name, value)| format!("  {name}={}\n", value.as_str().unwrap_or_default()));
    format!(
        "listening at {} for OTLP over gRPC and HTTP. Run the application and its worker with\n{}\
         let them do what breaks, then call listen_stop for the verdict.\n",
        state["http"].as_str().unwrap_or_default(),
        set.collect::<String>()
    )
}

/// Asks a session to end.
#[derive(Default)]
struct EndSwitch {
    asked: Mutex<Option<EndRequest>>,
    is_now: AtomicBool,
}

impl EndSwitch {
    fn ask(&self, request: EndRequest) {
        if request == EndRequest::Now {
            self.is_now.store(true, Ordering::Relaxed);
        }
        *self.asked.lock() = Some(request);
    }

    /// Whether it was asked to end at once.
    fn is_now(&self) -> bool {
        self.is_now.load(Ordering::Relaxed)
    }
}

impl Outside for &EndSwitch {
    fn told_to_end(&mut self) -> Option<EndRequest> {
        self.asked.lock().take()
    }

    fn command_ended_for(&mut self) -> anyhow::Result<Option<Duration>> {
        Ok(None)
    }
}

/// Nobody sees the events: an agent asks for the verdict.
struct Nobody;

impl Audience for Nobody {
    fn traces_a_round(&mut self) -> usize {
        0
    }

    fn events(&mut self, _: &[Event], _: u64) -> anyhow::Result<()> {
        Ok(())
    }

    fn shows_after_all(&self, _: &Finding) -> bool {
        false
    }

    fn progress(&self, _: &Session) {}
}

/// The last notices of a session, for its next answer.
#[derive(Default, Debug)]
struct Notices(Mutex<VecDeque<String>>);

impl Notices {
    const KEPT: usize = 10;

    fn keep(&self, notice: String) {
        let mut kept = self.0.lock();
        if kept.len() == Self::KEPT {
            kept.pop_front();
        }
        kept.push_back(notice);
    }

    fn told(&self) -> Vec<String> {
        self.0.lock().iter().cloned().collect()
    }
}

impl SessionNotices for Notices {
    fn notice(&self, notice: &SessionNotice) {
        // These are for whoever waits at a terminal.
        if !matches!(notice, SessionNotice::Waits { .. } | SessionNotice::WaitsForBroker) {
            self.keep(notice.to_string());
        }
    }
}
