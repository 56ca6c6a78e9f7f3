//! Runs one case against a receiver that watches its broker too, and judges it.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::case::{Case, ReadyApp};
use super::live_page::{LivePage, PageOptions};
use crate::broker::redis::BrokerUrl;
use crate::cli;
use crate::command::SaidAloud;
use crate::demo::{DemoEvent, OtlpEndpoints};
use crate::diagnosis::Listing;
use crate::live::{BrokerTarget, BrokerThreads, MemoryPlan, Session, Uses};
use crate::model::{Fix, Report, Severity};
use crate::receiver::{Ports, Receiver, ReceiverLimits};
use crate::view::web::Origin;
use crate::wire::celery::redis_layout::Naming;

/// How cases are run.
pub struct RunOptions<'a> {
    pub args: &'a cli::Demo,
    pub app: &'a ReadyApp,
    pub interrupted: &'a AtomicBool,
    /// The fix to paste into the programs first.
    pub fix: Option<&'a Fix>,
    /// The page to show it in.
    pub page: Option<&'a PageOptions>,
}

/// What a case left.
pub struct CaseRun {
    pub report: Report,
    pub took: Duration,
    pub was_interrupted: bool,
    /// Whether it ran to its end. Before that, what is missing may still come.
    pub is_whole: bool,
    /// The page that shows it.
    pub page: Option<LivePage>,
}

/// Gets the events of a run.
pub trait Observer {
    /// Something happened. At [`DemoEvent::Queued`] the session holds what is in the queue.
    fn hear(&mut self, event: &DemoEvent, session: &Session) -> std::io::Result<()>;

    /// There is a page that shows it, at this URL.
    fn shown_at(&mut self, url: &str) -> std::io::Result<()> {
        let _ = url;
        Ok(())
    }
}

/// Shows nothing.
pub struct NoObserver;

impl Observer for NoObserver {
    fn hear(&mut self, _: &DemoEvent, _: &Session) -> std::io::Result<()> {
        Ok(())
    }
}

/// How long nothing may come before what is missing counts as missing. The demo knows when
/// it is over, so only a message in its queue waits for this.
const SETTLE: Duration = Duration::from_millis(300);
const MEMORY: usize = 256 << 20;
/// The demo's workers take messages at once.
const EVERY: Duration = Duration::from_millis(40);
const GRACE: Duration = Duration::from_secs(2);

/// Runs a case, and judges what it left.
pub fn run_case(case: &Case, how: &RunOptions<'_>, observer: &mut dyn Observer) -> anyhow::Result<CaseRun> {
    let uses = Uses { watches_broker: true, shows_view: how.page.is_some(), ..Uses::default() };
    let plan = MemoryPlan::new(MEMORY, uses);
    let session = Arc::new(Session::new(SETTLE, &plan, None, None, Arc::new(SaidAloud)));
    session.watch().evidence.show_messages(how.args.reports.show_messages);
    let any = Some(([127, 0, 0, 1], 0).into());
    let ports = Ports { grpc: any, http: any, both: None };
    let receiver = Receiver::open(
        &ports,
        Arc::clone(&session) as _,
        ReceiverLimits::new(Arc::clone(&session.bodies), session.plan().connections),
    )?;
    let addresses = receiver.addresses();
    let url = |address: Option<std::net::SocketAddr>| {
        address.map(|address| format!("http://{address}")).unwrap_or_default()
    };
    let otlp = OtlpEndpoints { grpc: url(addresses.grpc), http: url(addresses.http) };

    let page = how.page.map(|options| LivePage::open(options, &session)).transpose()?;
    if let Some(page) = &page {
        page.comes_from(origin(&otlp, None));
        observer.shown_at(&page.url())?;
    }

    let mut watching = None;
    let mut failed: Option<anyhow::Error> = None;
    let (mut is_whole, mut is_kept, mut was_left) = (false, false, false);
    let run = case.run(how.app, how.args, how.fix, otlp.clone(), &mut |event| {
        if let (Some(page), DemoEvent::Broker { url, .. }) = (&page, &event) {
            page.comes_from(origin(&otlp, Some(url)));
        }
        is_whole |= event == DemoEvent::Closed;
        is_kept |= how.args.keep && event == DemoEvent::Done;
        let heard =
            look(&event, case, &session, &mut watching).and_then(|()| Ok(observer.hear(&event, &session)?));
        let is_interrupted = how.interrupted.load(Ordering::Relaxed);
        if heard.is_ok() && (!is_interrupted || was_left) {
            return ControlFlow::Continue(());
        }
        // With `--keep-running`, Ctrl-C is the regular end.
        if heard.is_ok() && is_kept {
            was_left = true;
            return ControlFlow::Break(());
        }
        failed = heard.err();
        // The broker ends with the application.
        watching.take().into_iter().for_each(BrokerThreads::abandon);
        ControlFlow::Break(())
    });
    receiver.close(GRACE);
    watching.into_iter().for_each(BrokerThreads::abandon);
    if let Some(error) = failed {
        return Err(error);
    }
    // An error after an interruption comes from the interruption.
    if !how.interrupted.load(Ordering::Relaxed) {
        run?;
    }
    Ok(CaseRun {
        report: session.report(Listing::default()),
        took: session.age(),
        was_interrupted: how.interrupted.load(Ordering::Relaxed),
        is_whole,
        page,
    })
}

/// Where its evidence comes from, in words.
fn origin(otlp: &OtlpEndpoints, broker: Option<&str>) -> Origin {
    let broker = broker.and_then(|url| BrokerUrl::parse(url).ok()).map(|broker| broker.to_string());
    let [grpc, http] = [&otlp.grpc, &otlp.http].map(|url| url.trim_start_matches("http://"));
    Origin { inputs: format!("grpc {grpc}   http {http}"), broker }
}

/// Looks at the broker when there is something to see.
fn look(
    event: &DemoEvent,
    case: &Case,
    session: &Arc<Session>,
    watching: &mut Option<BrokerThreads>,
) -> anyhow::Result<()> {
    match event {
        DemoEvent::Broker { url, .. } => {
            let target = BrokerTarget {
                broker: BrokerUrl::parse(url)?,
                result_backend: None,
                result_prefix: String::new(),
                naming: Naming::default(),
                monitor: false,
                every: EVERY,
            };
            *watching = Some(BrokerThreads::start(session, &target)?);
        }
        DemoEvent::Done if case.leaves_early() => {
            watching.take().into_iter().for_each(|watching| watching.stop(&mut || false))
        }
        // A queue of any name may be new.
        DemoEvent::Queued { .. } | DemoEvent::Look => {
            watching.iter().for_each(BrokerThreads::look_everywhere_now)
        }
        DemoEvent::Done => watching.iter().for_each(BrokerThreads::look_now),
        // The broker ends with the application.
        DemoEvent::Failed => watching.take().into_iter().for_each(BrokerThreads::abandon),
        // After this the broker itself goes.
        DemoEvent::Closed => watching.take().into_iter().for_each(|watching| watching.stop(&mut || false)),
        _ => {}
    }
    Ok(())
}

impl CaseRun {
    /// The slugs at warning or above, in the order of the report.
    pub fn said(&self) -> Vec<&'static str> {
        let loud = self.report.findings.iter().filter(|finding| finding.severity < Severity::Note);
        loud.map(|finding| finding.slug).collect()
    }
}
