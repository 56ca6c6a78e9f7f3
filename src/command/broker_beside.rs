//! `diagnose --broker`: the messages that wait now, beside evidence of another time.

use std::sync::atomic::AtomicBool;

use super::broker_look::{BrokerLook, Looked, broker_url};
use super::progress::Progress;
use super::say;
use crate::broker::redis::BrokerUrl;
use crate::cli::{self, Output};
use crate::evidence::Evidence;
use crate::wire::celery::redis_layout::Naming;

/// The most messages of each queue that are read, those first that are taken next.
const MESSAGES: u64 = 1_000;
/// The most tasks whose results are asked for.
const RESULTS: usize = 100_000;

/// A broker that was looked at. What it holds is filed, so that whoever fetches spans knows
/// which of them its messages lead to.
pub struct BrokerBeside {
    url: BrokerUrl,
    backend: Option<BrokerUrl>,
    looked: Looked,
}

impl BrokerBeside {
    /// Looks at the broker that the command names, if it names one, and files what is there.
    ///
    /// # Errors
    ///
    /// Why the broker cannot be read.
    pub fn look(
        args: &cli::Diagnose,
        output: &Output,
        evidence: &mut Evidence,
        interrupted: &AtomicBool,
    ) -> anyhow::Result<Option<Self>> {
        let cli::BesideBroker { broker, result_backend, sentinel_master } = &args.beside;
        let Some(broker) = broker else { return Ok(None) };
        let read = |url: &str| broker_url(url, sentinel_master.as_deref());
        let url = read(broker)?;
        let backend = result_backend.as_deref().map(read).transpose()?;
        let look = BrokerLook {
            url: &url,
            naming: Naming::from(&args.naming),
            queues: &[],
            limit: Some(MESSAGES),
            show_args: false,
            save: None,
        };
        let progress = Progress::new(output);
        let looked = look.take(output, evidence, interrupted, &progress, &mut |what| say(&what));
        progress.done();
        Ok(Some(Self { looked: looked?, url, backend }))
    }

    /// Reads the results of the tasks that are known by now. Returns the broker's name for a
    /// report.
    ///
    /// # Errors
    ///
    /// Why the result backend cannot be read.
    pub fn join_results(self, evidence: &mut Evidence) -> anyhow::Result<String> {
        self.looked.join_results(evidence, RESULTS, self.backend.as_ref())?;
        Ok(self.url.to_string())
    }
}
