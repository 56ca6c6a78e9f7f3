//! How a run ends: the exit codes, and every rule that decides between them.

use std::error::Error;
use std::io;
use std::process::ExitCode;

use crate::broker::redis::{BrokerError, UrlError};
use crate::bundle::{BundleError, WriteError};
use crate::cli::FailOn;
use crate::config;
use crate::demo::DemoError;
use crate::demo::python_app::EnvironmentError;
use crate::local_http::PortError;
use crate::model::{Blame, Blamed, Finding, InBaseline, Report, Severity, Status};
use crate::query::clickhouse::QueryError;
use crate::receiver::{ForwardError, ReceiverError};

/// How a run ended: the documented exit codes.
#[must_use]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exit {
    /// Nothing at or above `--fail-on`.
    Fine,
    /// Findings at or above `--fail-on`.
    Findings,
    /// Nothing received, no messages, nothing to judge.
    NoEvidence,
    /// The environment: a broker, a port, a file.
    Environment,
    /// The command line is wrong.
    Usage,
    Interrupted,
    /// The wrapped command failed by itself, with this code.
    Command(u8),
}

impl Exit {
    pub const fn code(self) -> u8 {
        match self {
            Self::Fine => 0,
            Self::Findings => 1,
            Self::Usage => 2,
            Self::NoEvidence => 3,
            Self::Environment => 4,
            Self::Interrupted => 130,
            Self::Command(code) => code,
        }
    }

    /// According to a report. That nothing came is no verdict, whatever the report says
    /// about it.
    pub fn of_report(report: &Report, fail_on: FailOn) -> Self {
        match report.verdict.status {
            Status::NoEvidence => Self::NoEvidence,
            _ => Self::of_queues(report, fail_on),
        }
    }

    /// According to a report on queues. Findings of the baseline do not count. An empty
    /// queue is not missing evidence: it was looked at, and it is empty. A look that ended
    /// early and found nothing is.
    pub fn of_queues(report: &Report, fail_on: FailOn) -> Self {
        let least = match fail_on {
            FailOn::Error => Some(Severity::Error),
            FailOn::Warning => Some(Severity::Warning),
            FailOn::Note => Some(Severity::Note),
            FailOn::Never => None,
        };
        let counts = |finding: &&Finding| finding.baseline != Some(InBaseline::Known);
        let mut counted = report.findings.iter().filter(counts);
        let fails = least.is_some_and(|least| counted.any(|finding| finding.severity <= least));
        let is_blind = report.verdict.status == Status::NoEvidence && !report.verdict.unproven.is_empty();
        match (fails, is_blind) {
            (true, _) => Self::Findings,
            (false, true) => Self::NoEvidence,
            (false, false) => Self::Fine,
        }
    }

    /// According to how many faults of the demo ran, and how many of them were named.
    pub fn of_faults(acted: usize, right: usize) -> Self {
        if right == acted { Self::Fine } else { Self::Findings }
    }

    /// According to an error. One error in the chain that is about the command line
    /// decides.
    pub fn of_error(error: &anyhow::Error) -> Self {
        let is_usage = error.chain().filter_map(blame).any(|blame| blame == Blame::Usage);
        if is_usage { Self::Usage } else { Self::Environment }
    }

    /// The same, unless the run was interrupted: then the verdict is about a part.
    pub fn unless_interrupted(self, is_interrupted: bool) -> Self {
        if is_interrupted { Self::Interrupted } else { self }
    }

    /// The same, unless nothing was found and something that the user asked for does not
    /// exist.
    pub fn unless_missing(self, is_missing: bool) -> Self {
        if is_missing && self == Self::Fine { Self::NoEvidence } else { self }
    }

    /// The same, unless it is 0: then the wrapped command's own exit code counts.
    pub fn or_of_command(self, code: Option<u8>) -> Self {
        match code {
            Some(code) if self == Self::Fine && code != 0 => Self::Command(code),
            _ => self,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Who can fix a cause, by its own account. `None` if it does not say: a system error, or a
/// sentence.
fn blame(cause: &(dyn Error + 'static)) -> Option<Blame> {
    /// Behind `dyn Error` an error can only be asked by its type.
    fn of<E: Blamed + 'static>(cause: &(dyn Error + 'static)) -> Option<Blame> {
        cause.downcast_ref::<E>().map(Blamed::blame)
    }
    let asked = [
        of::<Usage>,
        of::<UrlError>,
        of::<BrokerError>,
        of::<BundleError>,
        of::<WriteError>,
        of::<config::Error>,
        of::<ForwardError>,
        of::<PortError>,
        of::<QueryError>,
        of::<ReceiverError>,
        of::<DemoError>,
        of::<EnvironmentError>,
    ];
    asked.iter().find_map(|of| of(cause))
}

/// What is wrong with the command line, if only a command can tell.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Usage(String);

impl Blamed for Usage {
    fn blame(&self) -> Blame {
        Blame::Usage
    }
}

/// An error of the command line.
pub fn usage(what: impl Into<String>) -> anyhow::Error {
    Usage(what.into()).into()
}

/// Whether somebody closed the pipe. They have seen enough, so it is not an error.
pub fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Verdict;

    #[test]
    fn a_command_speaks_only_where_the_verdict_is_0() {
        assert_eq!(Exit::Fine.or_of_command(Some(7)), Exit::Command(7));
        assert_eq!(Exit::Fine.or_of_command(Some(0)), Exit::Fine);
        assert_eq!(Exit::Fine.or_of_command(None), Exit::Fine);
        assert_eq!(Exit::Findings.or_of_command(Some(7)), Exit::Findings);
        assert_eq!(Exit::NoEvidence.or_of_command(Some(7)), Exit::NoEvidence);
    }

    #[test]
    fn an_interruption_comes_before_the_verdict() {
        assert_eq!(Exit::Findings.unless_interrupted(true), Exit::Interrupted);
        assert_eq!(Exit::Findings.unless_interrupted(false), Exit::Findings);
    }

    #[test]
    fn no_evidence_is_a_verdict_on_hand_offs_and_none_on_queues() {
        let verdict = Verdict { status: Status::NoEvidence, ..Verdict::default() };
        let report = Report { verdict, ..Report::default() };
        assert_eq!(Exit::of_report(&report, FailOn::Never), Exit::NoEvidence);
        assert_eq!(Exit::of_queues(&report, FailOn::Note), Exit::Fine);
    }

    #[test]
    fn an_error_is_the_command_lines_wherever_it_stands_in_the_chain() {
        assert_eq!(Exit::of_error(&usage("wrong").context("while reading")), Exit::Usage);
        assert_eq!(Exit::of_error(&anyhow::anyhow!("no such file")), Exit::Environment);
        let unnamed = anyhow::Error::from(BrokerError::MasterUnnamed).context("while looking");
        assert_eq!(Exit::of_error(&unnamed), Exit::Usage);
        let broker = "redis://127.0.0.1:6379/0".to_owned();
        assert_eq!(Exit::of_error(&BrokerError::NotRedis { broker }.into()), Exit::Environment);
        let closed = anyhow::Error::from(io::Error::from(io::ErrorKind::BrokenPipe)).context("writing");
        assert!(is_broken_pipe(&closed) && !is_broken_pipe(&usage("wrong")));
    }
}
