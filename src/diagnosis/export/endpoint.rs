//! Where exporters should send to, for a fix, and who they are.

use crate::diagnosis::advice::export::{ExportTarget, ReceiverAddress};
use crate::diagnosis::known::SdkSetup;
use crate::diagnosis::rule::{Known, Occurrence, quote};
use crate::evidence::EndedRequests;
use crate::model::Side;

/// The receiver's own addresses, if its ports are fixed. A command that runs under it gets
/// a port for this run only.
pub fn receiver<'k>(known: &'k Known<'_>) -> ExportTarget<'k> {
    let log = known.evidence.receiver();
    let place = match &log.endpoints {
        Some(endpoints) if endpoints.are_told => ReceiverAddress::Told,
        Some(endpoints) => ReceiverAddress::At(endpoints),
        None => ReceiverAddress::Unseen,
    };
    ExportTarget { place, protocol: log.protocol() }
}

/// That these requests came to the wrong place of a port, with what they asked for and who they
/// said they are.
pub fn misdirected(requests: &EndedRequests, port: &str) -> Occurrence {
    let mut occurrence = Occurrence::certain().counting(requests.count);
    for target in &requests.targets {
        occurrence = occurrence.quote(quote::fact(port, target.to_string()));
    }
    for agent in &requests.agents {
        occurrence = occurrence.quote(quote::fact("user-agent", agent.to_string()));
    }
    occurrence
}

/// Who may have sent these requests: the sides that sent nothing else, in the language that
/// the clients name.
pub fn senders(known: &Known<'_>, requests: &EndedRequests) -> Vec<(Side, SdkSetup)> {
    let language = SdkSetup::of_client(requests.agents.iter().map(|agent| &**agent)).language;
    let with_language = |(side, setting)| (side, SdkSetup { language: language.clone(), ..setting });
    known.services().unheard().into_iter().map(with_language).collect()
}
