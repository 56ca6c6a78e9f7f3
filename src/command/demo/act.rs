//! One part, acted before a receiver that watches its broker too.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::apps::{Part, Stage};
use crate::broker::redis::BrokerUrl;
use crate::cli;
use crate::command::SaidAloud;
use crate::demo::{Event, Otlp};
use crate::diagnosis::Listing;
use crate::live::{Plan, Session, Target, Uses, Watching};
use crate::model::{Fix, Report, Severity};
use crate::receiver::{Doors, Limits, Receiver};
use crate::wire::celery::redis_layout::Naming;

/// How parts are acted.
pub struct Act<'a> {
    pub args: &'a cli::Demo,
    pub stage: &'a Stage,
    pub interrupted: &'a AtomicBool,
    /// What is pasted into the programs before.
    pub fix: Option<&'a Fix>,
}

/// What became of one.
pub struct Acted {
    pub report: Report,
    pub took: Duration,
    pub was_interrupted: bool,
    /// Whether it was acted to its end, so that what is missing is missing.
    pub is_whole: bool,
}

/// Hears what happens, to tell of it.
pub trait Audience {
    /// Something happened; at [`Event::Queued`] the queue is as in `session`.
    fn hear(&mut self, event: &Event, session: &Session) -> std::io::Result<()>;
}

/// Nobody.
pub struct Nobody;

impl Audience for Nobody {
    fn hear(&mut self, _: &Event, _: &Session) -> std::io::Result<()> {
        Ok(())
    }
}

/// How long nothing may come before what is missing is missing. The demo knows
/// when it is over, so nothing waits for this but a message in its queue.
const SETTLE: Duration = Duration::from_millis(300);
const MEMORY: usize = 256 << 20;
/// Workers of the demo take messages as soon as they may.
const EVERY: Duration = Duration::from_millis(40);
const GRACE: Duration = Duration::from_secs(2);

/// Acts a part out, and judges what it left.
pub fn act(part: &Part, how: &Act<'_>, audience: &mut dyn Audience) -> anyhow::Result<Acted> {
    let plan = Plan::new(MEMORY, Uses { watches_broker: true, ..Uses::default() });
    let session = Arc::new(Session::new(SETTLE, &plan, None, None, Arc::new(SaidAloud)));
    session.watch().evidence.shows_messages = how.args.reports.show_messages;
    let any = Some(([127, 0, 0, 1], 0).into());
    let doors = Doors { grpc: any, http: any, both: None };
    let receiver =
        Receiver::open(&doors, Arc::clone(&session) as _, Limits::new(Arc::clone(&session.bodies)))?;
    let addresses = receiver.addresses();
    let url = |address: Option<std::net::SocketAddr>| {
        address.map(|address| format!("http://{address}")).unwrap_or_default()
    };
    let otlp = Otlp { grpc: url(addresses.grpc), http: url(addresses.http) };

    let mut watching = None;
    let mut failed: Option<anyhow::Error> = None;
    let (mut is_whole, mut is_kept, mut was_left) = (false, false, false);
    let given = part.give(how.stage, how.args, how.fix, otlp, &mut |event| {
        is_whole |= event == Event::Closed;
        is_kept |= how.args.keep && event == Event::Done;
        let heard =
            heed(&event, part, &session, &mut watching).and_then(|()| Ok(audience.hear(&event, &session)?));
        let is_interrupted = how.interrupted.load(Ordering::Relaxed);
        if heard.is_ok() && (!is_interrupted || was_left) {
            return ControlFlow::Continue(());
        }
        // What was kept running is left by Ctrl-C, and then ends in its order.
        if heard.is_ok() && is_kept {
            was_left = true;
            return ControlFlow::Break(());
        }
        failed = heard.err();
        // The broker goes with the stage.
        watching.take().into_iter().for_each(Watching::abandon);
        ControlFlow::Break(())
    });
    receiver.close(GRACE);
    watching.into_iter().for_each(Watching::abandon);
    if let Some(error) = failed {
        return Err(error);
    }
    // What fell while it was broken off was broken off.
    if !how.interrupted.load(Ordering::Relaxed) {
        given?;
    }
    Ok(Acted {
        report: session.report(Listing::default()),
        took: session.age(),
        was_interrupted: how.interrupted.load(Ordering::Relaxed),
        is_whole,
    })
}

/// Looks at the broker when there is something to see.
fn heed(
    event: &Event,
    part: &Part,
    session: &Arc<Session>,
    watching: &mut Option<Watching>,
) -> anyhow::Result<()> {
    match event {
        Event::Broker { url, .. } => {
            let target = Target {
                broker: BrokerUrl::parse(url)?,
                result_backend: None,
                result_prefix: String::new(),
                naming: Naming::default(),
                monitor: false,
                every: EVERY,
            };
            *watching = Some(Watching::start(session, &target)?);
        }
        Event::Done if part.leaves_early() => {
            watching.take().into_iter().for_each(|watching| watching.stop(&mut || false))
        }
        // A queue of any name may be new.
        Event::Queued { .. } | Event::Look => watching.iter().for_each(Watching::look_everywhere_now),
        Event::Done => watching.iter().for_each(Watching::look_now),
        // The broker goes with the stage.
        Event::Failed => watching.take().into_iter().for_each(Watching::abandon),
        // After this the broker itself goes.
        Event::Closed => watching.take().into_iter().for_each(|watching| watching.stop(&mut || false)),
        _ => {}
    }
    Ok(())
}

impl Acted {
    /// The slugs at warning or above, in the order of the report.
    pub fn said(&self) -> Vec<&'static str> {
        let loud = self.report.findings.iter().filter(|finding| finding.severity < Severity::Note);
        loud.map(|finding| finding.slug).collect()
    }
}
