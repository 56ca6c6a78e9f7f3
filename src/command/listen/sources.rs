//! A session as its options describe it, and what brings it evidence: the receiver, and the
//! threads that watch a broker. `listen` and an agent's `listen_start` begin and end it so.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::broker::redis::BrokerUrl;
use crate::bundle::SavedParts;
use crate::cli;
use crate::command::usage;
use crate::live::{BrokerTarget, BrokerThreads, MemoryPlan, SaveOptions, Saving, Session, SessionNotices};
use crate::receiver::{Addresses, Forwarder, Ports, Receiver, ReceiverLimits};
use crate::wire::celery::redis_layout::Naming;

/// How long requests in flight may take at the end.
const GRACE: Duration = Duration::from_secs(2);

/// What brings a session its evidence.
pub struct Sources {
    receiver: Receiver,
    watching: Option<BrokerThreads>,
}

impl Sources {
    /// Opens the ports, and begins to watch the broker. `is_told` says whether those who send
    /// are told where to.
    ///
    /// # Errors
    ///
    /// Why a port cannot be opened or the broker not be watched, and that the session would
    /// forward to itself.
    pub fn open(
        ports: &Ports,
        is_told: bool,
        target: Option<&BrokerTarget>,
        session: &Arc<Session>,
    ) -> anyhow::Result<Self> {
        let limits = ReceiverLimits::new(Arc::clone(&session.bodies), session.plan().connections);
        let receiver = Receiver::open(ports, Arc::clone(session) as _, limits)?;
        let addresses = receiver.addresses();
        session.listens_at(&addresses, is_told);
        if let Some(door) = session.forwarder().and_then(|forwarder| forwarder.leads_to(&addresses)) {
            return Err(usage(format!(
                "--forward leads to {door}, where tracelink itself listens. Name another endpoint, \
                 or listen elsewhere with --grpc and --http"
            )));
        }
        let watching = target.map(|target| BrokerThreads::start(session, target)).transpose()?;
        Ok(Self { receiver, watching })
    }

    pub fn addresses(&self) -> Addresses {
        self.receiver.addresses()
    }

    /// Takes nothing more, looks at the broker for the last time unless `is_told_again`, and
    /// ends the judging.
    pub fn end(self, session: &Session, is_told_again: &mut dyn FnMut() -> bool) {
        self.receiver.close(GRACE);
        if let Some(watching) = self.watching {
            watching.stop(is_told_again);
        }
        session.conclude();
    }
}

/// The session, before anything comes.
///
/// # Errors
///
/// Why nothing can be forwarded or saved.
pub fn session(
    args: &cli::Listen,
    plan: &MemoryPlan,
    notices: Arc<dyn SessionNotices>,
) -> anyhow::Result<Arc<Session>> {
    let forwarder = args.forward.as_deref().map(|url| forward(url, args, plan.forwarding)).transpose()?;
    let parts = if args.save_attributes { SavedParts::All } else { SavedParts::WhatIsRead };
    let options = SaveOptions { parts, most: args.save_limit };
    let start = |folder| Saving::start(folder, plan.saving, options, Arc::clone(&notices));
    let saving = args.save.as_deref().map(start).transpose()?;
    let session = Arc::new(Session::new(args.settle, plan, forwarder, saving, notices));
    session.watch().expect_handoffs(args.expect_handoffs);
    session.watch().evidence.show_messages(args.reports.show_messages);
    Ok(session)
}

/// The broker to watch.
///
/// # Errors
///
/// What is wrong with its URL, or with that of the result backend.
pub fn target(broker: &str, args: &cli::Listen) -> anyhow::Result<BrokerTarget> {
    let parse = |url: &str| {
        BrokerUrl::parse(url).map(|url| match &args.sentinel_master {
            Some(master) => url.with_sentinel_master(master),
            None => url,
        })
    };
    Ok(BrokerTarget {
        broker: parse(broker)?,
        result_backend: args.result_backend.as_deref().map(parse).transpose()?,
        result_prefix: args.result_prefix.clone(),
        naming: Naming::from(&args.naming),
        monitor: args.broker_monitor,
        every: BrokerTarget::EVERY,
    })
}

/// What forwarding to `url` needs; up to `waiting` bytes may wait for it.
fn forward(url: &str, args: &cli::Listen, waiting: usize) -> anyhow::Result<Forwarder> {
    // The same format as OTEL_EXPORTER_OTLP_HEADERS: the values are percent-encoded.
    let header = |(place, header): (usize, &str)| {
        // Without a name, all of it is a value, which may be a secret.
        let Some((name, value)) = header.split_once('=') else {
            return Err(usage(format!(
                "header {} of --forward-headers has no name: write name=value",
                place + 1
            )));
        };
        let value = percent_encoding::percent_decode_str(value.trim()).decode_utf8_lossy();
        Ok((name.trim().to_owned(), value.into_owned()))
    };
    let given =
        args.forward_headers.iter().map(|header| &**header).filter(|header| !header.trim().is_empty());
    let headers: Vec<_> = given.enumerate().map(header).collect::<Result<_, _>>()?;
    let certificate = args.forward_certificate.as_deref().filter(|path| !path.as_os_str().is_empty());
    Ok(Forwarder::start(url, &headers, certificate, waiting)?)
}

/// The ports to use: one free port for everything, with those that are named, where `is_free`.
pub fn ports(args: &cli::Listen, is_free: bool) -> Ports {
    let default = |port: u16| Some(SocketAddr::from(([127, 0, 0, 1], port)));
    if is_free {
        return Ports { grpc: args.grpc, http: args.http, both: default(0) };
    }
    let (grpc, http) = (args.grpc.or(default(4317)), args.http.or(default(4318)));
    if grpc == http && grpc.is_some_and(|address| address.port() != 0) {
        return Ports { both: grpc, grpc: None, http: None };
    }
    Ports { grpc, http, both: None }
}
