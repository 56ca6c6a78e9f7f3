//! The rounds of a session: judge, report, and end when there is a reason to.

use std::thread;
use std::time::Duration;

use super::notice::SessionNotice;
use super::session::Session;
use crate::bundle::WriteError;
use crate::model::{Event, Finding};

/// How often what settled is judged, and a person sees what is new.
const TICK: Duration = Duration::from_millis(50);

/// Why a session ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// Somebody asked for it.
    Signal,
    /// It has run for as long as it was told to.
    Time,
    /// Nothing came for as long as it was told to wait.
    Silence,
    /// The wrapped command ended, and its last spans had time to come.
    Command,
}

/// When a session ends by itself.
#[derive(Clone, Copy, Default, Debug)]
pub struct Ending {
    /// After this time.
    pub time: Option<Duration>,
    /// When nothing came for this long.
    pub idle: Option<Duration>,
    /// How long nothing may come for a trace or a task before it has settled.
    pub settle: Duration,
}

/// Shows the events.
pub trait Audience {
    /// How many groups of traces it can show in the next round.
    fn traces_a_round(&mut self) -> usize;

    /// Takes the events of a round, and how many due groups of traces are not among them.
    ///
    /// # Errors
    ///
    /// An error that keeps it from showing them. The rounds end with it.
    fn events(&mut self, events: &[Event], not_shown: u64) -> anyhow::Result<()>;

    /// Whether it kept this finding to itself before, and would show it as it is now.
    fn shows_after_all(&self, finding: &Finding) -> bool;

    /// A round is over.
    fn progress(&self, session: &Session);
}

/// How a session was asked to end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EndRequest {
    /// By somebody who can see what it waits for, and may ask again.
    Patiently,
    /// At once.
    Now,
}

/// What outside of a session may end it: signals, and a wrapped command.
pub trait Outside {
    /// Whether it was asked to end since the last call.
    fn told_to_end(&mut self) -> Option<EndRequest>;

    /// How long ago the wrapped command ended; `None` if it still runs or there is none.
    ///
    /// # Errors
    ///
    /// An error that keeps this from being known. The rounds end with it.
    fn command_ended_for(&mut self) -> anyhow::Result<Option<Duration>>;
}

/// Judges and reports until there is a reason to end. The watch ends with it.
///
/// # Errors
///
/// Those of the audience and of the outside.
pub fn attend(
    session: &Session,
    ending: &Ending,
    audience: &mut dyn Audience,
    outside: &mut dyn Outside,
) -> anyhow::Result<End> {
    let end = rounds(session, ending, audience, outside);
    session.ends();
    end
}

fn rounds(
    session: &Session,
    ending: &Ending,
    audience: &mut dyn Audience,
    outside: &mut dyn Outside,
) -> anyhow::Result<End> {
    // How long it waits for what is open, once it was asked to end.
    let mut last_moment = None;
    loop {
        thread::sleep(TICK);
        let mut events = session.round(audience.traces_a_round());
        let not_shown = {
            let mut watch = session.watch();
            let after_all = watch.findings().filter(|finding| audience.shows_after_all(finding));
            events.extend(after_all.map(|finding| Event::of_finding(finding.clone())));
            watch.take_not_shown()
        };
        audience.events(&events, not_shown)?;
        audience.progress(session);
        match (outside.told_to_end(), last_moment) {
            (Some(EndRequest::Patiently), None) => {
                last_moment = Some(session.age() + ending.settle);
                let handoffs = session.unsettled_handoffs();
                if handoffs > 0 {
                    session.notice(&SessionNotice::Waits { settle: ending.settle, handoffs });
                }
            }
            (Some(_), _) => return Ok(End::Signal),
            (None, _) => {}
        }
        if last_moment.is_some_and(|last| session.age() >= last || session.unsettled_handoffs() == 0) {
            return Ok(End::Signal);
        }
        if ending.time.is_some_and(|time| session.age() >= time) {
            return Ok(End::Time);
        }
        if ending.idle.is_some_and(|idle| session.silence() >= idle) {
            return Ok(End::Silence);
        }
        if let Some(ended_for) = outside.command_ended_for()?
            && has_heard_the_last(session, ended_for, ending.settle)
        {
            return Ok(End::Command);
        }
    }
}

/// Whether the last spans of a command that ended this long ago have come: none came for a
/// moment and nothing is open, or none came for the settling time.
fn has_heard_the_last(session: &Session, ended_for: Duration, settle: Duration) -> bool {
    const MOMENT: Duration = Duration::from_millis(500);
    let quiet = session.silence().min(ended_for);
    quiet >= settle || (quiet >= MOMENT && session.watch().is_at_rest())
}

/// Forwards and writes what waits, and reports what was lost.
///
/// # Errors
///
/// [`WriteError`], where the bundle could not be written.
pub fn close(session: &Session) -> Result<(), WriteError> {
    const PATIENCE: Duration = Duration::from_secs(5);
    if let Some(forwarder) = session.forwarder() {
        session.notice(&SessionNotice::Forwarded(forwarder.close(PATIENCE)));
    }
    if let Some(saving) = session.saving() {
        let evidence = &session.watch().evidence;
        saving.receiver(evidence.receiver(), evidence.settling_time(), evidence.unsettled());
        let (lost, ended) = saving.close();
        lost.into_iter().for_each(|lost| session.notice(&SessionNotice::NotSaved(lost)));
        ended?;
    }
    Ok(())
}
