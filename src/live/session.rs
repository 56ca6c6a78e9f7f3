//! A receiver, or a store that is asked, with its evidence. Requests are filed under one lock,
//! and rounds of judging take turns with them.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::{Mutex, MutexGuard};

use super::counted::with_counts;
use super::filing::Filing;
use super::memory::MemoryPlan;
use super::notice::{SessionNotice, SessionNotices};
use super::saving::Saving;
use crate::bundle::{Export, RequestEnd};
use crate::diagnosis::{Listing, LiveJudge, Pace};
use crate::evidence::{Endpoints, Moment};
use crate::model::{DatabaseReport, Event, Report};
use crate::receiver::{
    Addresses, Budget, Ended, Forwarder, Inbox, OtlpEncoding, Receipt, Refusal, Request, Signal, Taken,
};
use crate::wire::otlp::{
    Counts, DecodeError, count_logs_json, count_logs_protobuf, count_metrics_json, count_metrics_protobuf,
};

/// The inbox of a receiver, and the evidence that it fills.
#[derive(Debug)]
pub struct Session {
    watch: Arc<Mutex<LiveJudge>>,
    filing: Filing,
    started: Instant,
    /// From the start to the end of the watch, once it has ended.
    ended: OnceLock<Duration>,
    /// Milliseconds from the start to the last request; 0 before the first.
    last_arrival: AtomicU64,
    /// How many requests are being taken.
    being_taken: AtomicUsize,
    /// Of a session that asks a store: until when it was asked for all that there is, in
    /// milliseconds from the start. What came to the store later cannot be known, so the
    /// session's time stands still there.
    answered_until: Option<AtomicU64>,
    /// What the store was asked for, and counted at the end.
    database: Mutex<Option<DatabaseReport>>,
    /// When the next thorough round may begin, in milliseconds from the start.
    next_thorough: AtomicU64,
    forwarder: Option<Forwarder>,
    saving: Option<Saving>,
    notices: Arc<dyn SessionNotices>,
    plan: MemoryPlan,
    pub bodies: Arc<Budget>,
}

impl Session {
    /// The part of the time that thorough rounds may take. Each costs as much as is held.
    const THOROUGH: u32 = 20;
    /// The number of parts in which a round is done.
    const PARTS: usize = 4;
    /// The shortest time between two rounds that judge populations.
    const SELDOM: Duration = Duration::from_secs(1);

    #[allow(clippy::disallowed_methods, reason = "here the receiver's clock begins")]
    pub fn new(
        settle: Duration,
        plan: &MemoryPlan,
        forwarder: Option<Forwarder>,
        saving: Option<Saving>,
        notices: Arc<dyn SessionNotices>,
    ) -> Self {
        let watch = Arc::new(Mutex::new(LiveJudge::new(settle, plan.evidence)));
        Self {
            filing: Filing::start(Arc::clone(&watch)),
            watch,
            started: Instant::now(),
            ended: OnceLock::new(),
            last_arrival: AtomicU64::new(0),
            being_taken: AtomicUsize::new(0),
            answered_until: None,
            database: Mutex::default(),
            next_thorough: AtomicU64::new(0),
            forwarder,
            saving,
            notices,
            plan: *plan,
            bodies: Arc::new(Budget::new(plan.bodies)),
        }
    }

    /// It, as a session that asks a store instead of receiving.
    #[must_use]
    pub fn asking_a_store(mut self) -> Self {
        self.answered_until = Some(AtomicU64::new(0));
        self
    }

    /// The store was asked for all that it had when the session was of this age, and has
    /// answered.
    pub fn answered(&self, asked: Duration) {
        let millis = u64::try_from(asked.as_millis()).unwrap_or(u64::MAX);
        if let Some(until) = &self.answered_until {
            until.fetch_max(millis, Ordering::Relaxed);
        }
    }

    /// How long ago the store was asked for what has been answered; `None` without a store.
    pub fn behind(&self) -> Option<Duration> {
        self.answered_until.is_some().then(|| self.age().saturating_sub(self.time()))
    }

    /// Keeps what the store was asked for, and what it counted, for the report.
    pub fn counted(&self, database: DatabaseReport) {
        *self.database.lock() = Some(database);
    }

    /// The time by which evidence settles, from the start: its age, or until when the store
    /// was asked.
    fn time(&self) -> Duration {
        let age = self.age();
        match &self.answered_until {
            None => age,
            Some(until) => age.min(Duration::from_millis(until.load(Ordering::Relaxed))),
        }
    }

    /// Locks the evidence. If a thread panicked while it held the lock, the evidence is
    /// incomplete and otherwise sound.
    pub fn watch(&self) -> MutexGuard<'_, LiveJudge> {
        self.watch.lock()
    }

    /// How long the session has been running.
    pub fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// Ends the watch now. What comes later is still filed, and nothing is waited for.
    pub fn ends(&self) {
        self.ended.get_or_init(|| self.started.elapsed());
    }

    /// Ends the judging. Call it when everything has been filed, before the last round
    /// and the report.
    pub fn conclude(&self) {
        self.ends();
        self.filing.finish();
        let ended = self.ended.get().copied().unwrap_or_default().min(self.time());
        self.watch().end(Moment::at(ended));
    }

    /// How long ago the last request came, or how long ago the session started if none
    /// came; of a store, until when it was asked. `None` while one is being filed.
    pub fn silence(&self) -> Duration {
        if self.being_taken.load(Ordering::Relaxed) > 0 {
            return Duration::ZERO;
        }
        self.time().saturating_sub(Duration::from_millis(self.last_arrival.load(Ordering::Relaxed)))
    }

    pub fn forwarder(&self) -> Option<&Forwarder> {
        self.forwarder.as_ref()
    }

    pub fn saving(&self) -> Option<&Saving> {
        self.saving.as_ref()
    }

    /// How many bytes each part of the session may hold.
    pub const fn plan(&self) -> &MemoryPlan {
        &self.plan
    }

    /// Where it hands out what happens.
    pub fn notices(&self) -> &dyn SessionNotices {
        &*self.notices
    }

    /// Passes on something that happened.
    pub fn notice(&self, notice: &SessionNotice) {
        self.notices.notice(notice);
    }

    /// Notes that a request came.
    pub fn arrived(&self) {
        let millis = u64::try_from(self.time().as_millis()).unwrap_or(u64::MAX);
        self.last_arrival.store(millis, Ordering::Relaxed);
    }

    /// Sets the time of whatever comes next to now.
    pub fn set_time(&self, watch: &mut LiveJudge) {
        watch.set_time(Moment::at(self.time()));
    }

    /// How many hand-offs have neither settled nor become whole.
    pub fn unsettled_handoffs(&self) -> usize {
        self.watch().unsettled_handoffs(Moment::at(self.time()))
    }

    /// One round of judging. Returns its events. It is done in parts, so that threads
    /// that wait for the lock get it between two of them.
    pub fn round(&self, shown: usize) -> Vec<Event> {
        const AGAIN: usize = 500;
        let now = self.time();
        let mut events = Vec::new();
        let mut pace = Pace { shown, again: AGAIN, work: Pace::WORK / Self::PARTS, thorough: false };
        for _ in 0..Self::PARTS {
            let mut watch = self.watch();
            let told = watch.round(Moment::at(now), pace);
            MutexGuard::unlock_fair(watch);
            let came_up = told.iter().filter(|event| matches!(event, Event::Traces { .. })).count();
            pace = Pace { shown: pace.shown.saturating_sub(came_up), again: 0, ..pace };
            events.extend(told);
        }
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let now = self.age();
        if millis(now) >= self.next_thorough.load(Ordering::Relaxed) {
            events.extend(self.watch().judge_populations());
            let took = self.age().saturating_sub(now);
            let next = self.age() + (took * Self::THOROUGH).max(Self::SELDOM);
            self.next_thorough.store(millis(next), Ordering::Relaxed);
        }
        events
    }

    /// Tells the diagnoses where exporters should send to.
    pub fn listens_at(&self, addresses: &Addresses, are_told: bool) {
        let url = |address: Option<SocketAddr>| match address.or(addresses.both) {
            Some(address) if address.ip().is_unspecified() => {
                format!("http://<this host>:{}", address.port())
            }
            Some(address) => format!("http://{address}"),
            None => "http://<collector>".to_owned(),
        };
        let endpoints = Endpoints { grpc: url(addresses.grpc), http: url(addresses.http), are_told };
        self.watch().evidence.note_endpoints(endpoints);
    }

    /// The report on everything that came.
    pub fn report(&self, listing: Listing) -> Report {
        let mut watch = self.watch();
        if self.answered_until.is_none() {
            watch.evidence.note_listening_time(self.ended.get().copied().unwrap_or_else(|| self.age()));
        }
        let report = watch.report(listing);
        drop(watch);
        self.completed(report)
    }

    /// The report with what the evidence does not know.
    fn completed(&self, mut report: Report) -> Report {
        report.limits.not_saved = self.saving.as_ref().map_or(0, Saving::not_saved);
        match self.database.lock().clone() {
            Some(database) => with_counts(report, database),
            None => report,
        }
    }

    /// The report as of now, while the session goes on.
    pub fn report_so_far(&self, listing: Listing) -> Report {
        let report = self.watch().report_so_far(Moment::at(self.time()), listing);
        self.completed(report)
    }

    async fn file_spans(&self, request: &Request<'_>) -> Result<Receipt, Refusal> {
        let now = Moment::at(self.age());
        let filed = self.filing.file(request.body.clone(), request.encoding, now);
        let decoded = filed.await.expect("filing panicked, and has said so");
        decoded.map(receipt).map_err(malformed)
    }

    async fn taken(&self, request: &Request<'_>) -> Result<Receipt, Refusal> {
        let _underway = Underway::begin(self);
        let receipt = match request.signal {
            Signal::Traces => self.file_spans(request).await?,
            Signal::Metrics | Signal::Logs => self.count(request)?,
        };
        if let Some(forwarder) = &self.forwarder {
            forwarder.offer(request.signal, request.encoding, request.body);
        }
        if let (Some(saving), Signal::Traces) = (&self.saving, request.signal) {
            // It may be a small part of a large buffer that nobody counts.
            let body = Bytes::copy_from_slice(request.body);
            saving.spans(match request.encoding {
                OtlpEncoding::Protobuf => Export::Protobuf(body),
                OtlpEncoding::Json => Export::Json(body),
            });
        }
        Ok(receipt)
    }

    fn count(&self, request: &Request<'_>) -> Result<Receipt, Refusal> {
        let count = match (request.signal, request.encoding) {
            (Signal::Metrics, OtlpEncoding::Protobuf) => count_metrics_protobuf,
            (Signal::Metrics, OtlpEncoding::Json) => count_metrics_json,
            (_, OtlpEncoding::Protobuf) => count_logs_protobuf,
            (_, OtlpEncoding::Json) => count_logs_json,
        };
        let counted = count(request.body).map_err(malformed)?;
        let evidence = &mut self.watch().evidence;
        match request.signal {
            Signal::Metrics => evidence.count_metric_points(counted),
            Signal::Logs | Signal::Traces => evidence.count_log_records(counted),
        }
        Ok(Receipt::default())
    }
}

/// Marks that a request is being filed, until it is dropped.
struct Underway<'s>(&'s Session);

impl<'s> Underway<'s> {
    fn begin(session: &'s Session) -> Self {
        session.arrived();
        session.being_taken.fetch_add(1, Ordering::Relaxed);
        Self(session)
    }
}

impl Drop for Underway<'_> {
    fn drop(&mut self) {
        self.0.arrived();
        self.0.being_taken.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Tells the SDK of spans that were refused, and of leniency it relied on.
fn receipt(counts: Counts) -> Receipt {
    let mut told = Vec::new();
    if counts.refused > 0 {
        told.push(format!(
            "{} spans have a trace id or span id that is all zero or of a wrong length",
            counts.refused
        ));
    }
    if counts.lenient > 0 {
        told.push(format!(
            "{} fields are not as OTLP specifies them and were understood all the same",
            counts.lenient
        ));
    }
    let message = told.join("; ");
    Receipt { rejected: counts.refused, message }
}

fn malformed(error: DecodeError) -> Refusal {
    Refusal::Malformed(error.to_string())
}

impl Inbox for Session {
    fn take<'i>(&'i self, request: &'i Request<'i>) -> Taken<'i> {
        Box::pin(self.taken(request))
    }

    fn ended(&self, ended: &Ended<'_>) {
        self.arrived();
        self.watch().evidence.note_request(ended.outcome, ended.agent, ended.target);
        if let Some(saving) = &self.saving {
            saving.request(&RequestEnd {
                age: self.age(),
                transport: ended.transport.label(),
                peer: ended.peer,
                agent: ended.agent,
                target: ended.target,
                outcome: ended.outcome,
            });
        }
    }
}
