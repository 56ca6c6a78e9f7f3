//! One sending process, as its resource describes it.

use std::hash::BuildHasher;
use std::sync::Arc;

use rustc_hash::FxBuildHasher;

use crate::model::{Resource, Span};

/// One sending process, as its resource describes it.
///
/// SDKs before Python's 1.40 send no `service.instance.id`; all processes of
/// such a service look like one.
#[derive(PartialEq, Eq, Hash, Debug)]
pub struct Process {
    pub service: Arc<str>,
    pub instance: Option<Box<str>>,
    pub pid: Option<i64>,
    pub host: Option<Box<str>>,
    pub language: Option<Box<str>>,
    pub sdk_version: Option<Box<str>>,
    pub distribution: Option<Box<str>>,
    /// Whether a launcher set OpenTelemetry up, and not the program.
    pub is_zero_code: bool,
    /// A hash of all that, the same in each run.
    mark: u64,
}

impl Process {
    /// Whether two spans certainly come from two processes.
    pub fn differs_from(&self, other: &Self) -> bool {
        self.service != other.service
            || (self.instance.is_some() && other.instance.is_some() && self.instance != other.instance)
            || (self.pid.is_some() && other.pid.is_some() && self.pid != other.pid)
            || (self.host.is_some() && other.host.is_some() && self.host != other.host)
    }

    /// Whether it is the one that Celery calls `gen<pid>@<host>`, according to its
    /// resource. A server that forks may have reported its pid before the fork.
    pub fn is_origin(&self, origin: &str) -> bool {
        let Some((pid, host)) = origin.strip_prefix("gen").and_then(|node| node.split_once('@')) else {
            return false;
        };
        self.host.as_deref() == Some(host) && self.pid.is_none_or(|known| pid.parse() == Ok(known))
    }

    /// A hash of what it is known by, the same in each run.
    pub const fn mark(&self) -> u64 {
        self.mark
    }

    /// The fingerprint of a span that it sent. The same content from another process is
    /// another span's.
    pub const fn fingerprint_of(&self, span: &Span<'_>) -> u64 {
        span.fingerprint ^ self.mark
    }

    /// Whether the SDK lets the processes of one service be told apart.
    pub fn is_identified(&self) -> bool {
        self.instance.is_some() || self.pid.is_some()
    }
}

impl From<&Resource<'_>> for Process {
    fn from(resource: &Resource<'_>) -> Self {
        let mut process = Self {
            service: resource.service.as_ref().into(),
            instance: resource.instance.as_deref().map(Into::into),
            pid: resource.pid,
            host: resource.host.as_deref().map(Into::into),
            language: resource.language.as_deref().map(Into::into),
            sdk_version: resource.sdk_version.as_deref().map(Into::into),
            distribution: resource.distribution.as_deref().map(Into::into),
            is_zero_code: resource.is_zero_code,
            mark: 0,
        };
        process.mark = FxBuildHasher.hash_one(&process);
        process
    }
}
