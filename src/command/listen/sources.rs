//! A session as its options describe it, and what brings it evidence: the receiver or a store,
//! and the threads that watch a broker. `listen` and an agent's `listen_start` begin and end it so.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::broker::redis::BrokerUrl;
use crate::bundle::SavedParts;
use crate::cli;
use crate::command::usage;
use crate::live::{
    BrokerTarget, BrokerThreads, End, MemoryPlan, Reach, SaveOptions, Saving, Session, SessionNotices,
    StoreTarget, StoreThread,
};
use crate::query::clickhouse::ClickhouseUrl;
use crate::receiver::{Addresses, Forwarder, Ports, Receiver, ReceiverLimits};
use crate::report::text::safe;
use crate::wire::celery::redis_layout::Naming;

/// How long requests in flight may take at the end.
const GRACE: Duration = Duration::from_secs(2);

/// What brings a session its evidence.
pub struct Sources {
    spans: SpansFrom,
    watching: Option<BrokerThreads>,
}

/// Where spans come from.
enum SpansFrom {
    Receiver(Receiver),
    Store {
        thread: StoreThread,
        /// Which, and its table. The name of that is the server's.
        place: String,
        every: Duration,
    },
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
        Ok(Self { spans: SpansFrom::Receiver(receiver), watching })
    }

    /// Asks a store for the first time, and begins to watch it and the broker.
    ///
    /// # Errors
    ///
    /// Why the store does not answer, or the broker cannot be watched.
    pub fn of_store(
        store: &StoreTarget,
        target: Option<&BrokerTarget>,
        session: &Arc<Session>,
    ) -> anyhow::Result<Self> {
        let thread = StoreThread::start(session, store)?;
        let watching = target.map(|target| BrokerThreads::start(session, target)).transpose()?;
        let place = safe(thread.place());
        Ok(Self { spans: SpansFrom::Store { thread, place, every: store.every }, watching })
    }

    /// Where it listens; nowhere, where a store is asked.
    pub fn addresses(&self) -> Addresses {
        match &self.spans {
            SpansFrom::Receiver(receiver) => receiver.addresses(),
            SpansFrom::Store { .. } => Addresses::default(),
        }
    }

    /// What it does, and where spans come from, for people.
    pub fn places(&self) -> (&'static str, Vec<String>) {
        match &self.spans {
            SpansFrom::Receiver(receiver) => ("listening", ports_in_words(&receiver.addresses())),
            SpansFrom::Store { place, every, .. } => {
                ("watching", vec![format!("{place} every {} s (read-only)", every.as_secs_f64())])
            }
        }
    }

    /// The store that is asked, and its table.
    pub fn store(&self) -> Option<&str> {
        match &self.spans {
            SpansFrom::Receiver(_) => None,
            SpansFrom::Store { place, .. } => Some(place),
        }
    }

    /// Takes nothing more, looks at the broker for the last time unless `is_told_again`, and
    /// ends the judging. A store is asked once more, unless a signal ends it.
    pub fn end(self, session: &Session, ended: Option<End>, is_told_again: &mut dyn FnMut() -> bool) {
        match self.spans {
            SpansFrom::Receiver(receiver) => receiver.close(GRACE),
            SpansFrom::Store { thread, .. } => {
                thread.stop(matches!(ended, Some(End::Time | End::Silence)), is_told_again);
            }
        }
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
    let session = Session::new(settle(args), plan, forwarder, saving, notices);
    let session = Arc::new(if args.store.from.is_some() { session.asking_a_store() } else { session });
    session.watch().expect_handoffs(args.expect_handoffs);
    session.watch().evidence.show_messages(args.reports.show_messages);
    Ok(session)
}

/// How long nothing may come before what is absent counts as missing. What lies in a store is
/// asked for twice before that.
pub fn settle(args: &cli::Listen) -> Duration {
    let (every, overlap) = times(&args.store);
    let least = args.store.from.as_ref().map(|_| StoreTarget::settle(every, overlap));
    args.settle.max(least.unwrap_or_default())
}

/// How often a store is asked, and how far each question reaches back.
fn times(store: &cli::WatchedStore) -> (Duration, Duration) {
    (store.every.unwrap_or(StoreTarget::EVERY), store.overlap.unwrap_or(StoreTarget::OVERLAP))
}

/// The store to watch instead of opening ports, if there is one.
///
/// # Errors
///
/// What is wrong with its URL.
pub fn store(args: &cli::Listen) -> anyhow::Result<Option<StoreTarget>> {
    let cli::WatchedStore { from, since, asking, .. } = &args.store;
    let Some(url) = from else { return Ok(None) };
    let (every, overlap) = times(&args.store);
    let reach = Reach {
        selection: asking.selection(),
        margin: asking.margin(),
        overlap,
        since: since.unwrap_or(overlap),
    };
    let (url, limits) = (ClickhouseUrl::parse(url)?, asking.limits());
    Ok(Some(StoreTarget { url, table: asking.table.clone(), limits, reach, every }))
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

fn ports_in_words(addresses: &Addresses) -> Vec<String> {
    let ports = [("grpc", addresses.grpc), ("http", addresses.http), ("grpc and http", addresses.both)];
    ports.into_iter().filter_map(|(what, address)| Some(format!("{what} {}", address?))).collect()
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
