//! A worker of which nothing came: by what is most likely.

use super::export::{self, ExportTarget};
use super::{sampling, setup};
use crate::diagnosis::known::SdkSetup;
use crate::model::{Fix, Side};

/// Mends TL501 where no run of any worker came. `api` is how the other side is set up.
pub fn no_worker_sends(receiver: ExportTarget<'_>, worker: &SdkSetup, api: &SdkSetup) -> Vec<Fix> {
    let elsewhere = export::to_the_receiver(receiver, Side::Worker, worker);
    let elsewhere =
        elsewhere.into_iter().map(|fix| fix.needing("the worker has an exporter, which sends elsewhere"));
    let unsampled = sampling::keep_in_the_worker(worker);
    let unsampled =
        unsampled.into_iter().map(|fix| fix.needing("a sampler of the worker's own keeps nothing"));
    let launched = (api.is_zero_code == Some(true)).then(|| {
        Fix::new("start the worker under the launcher").by_hand(
            Side::Worker,
            "put `opentelemetry-instrument` before `celery` in the command that starts it, as it is before that of the API",
        )
    });
    let switched_on = launched.is_some().then(|| {
        Fix::new("switch the worker's export on")
            .environment(Side::Worker, ["OTEL_TRACES_EXPORTER=otlp"])
            .needing(
                "the launcher starts the worker, and its environment names another exporter, such as none",
            )
    });
    let by_launcher = launched.into_iter().chain(switched_on);
    setup::worker(receiver.protocol)
        .into_iter()
        .chain(by_launcher)
        .chain(elsewhere)
        .chain(unsampled)
        .collect()
}

/// Mends TL501 where one worker is silent and another is not, or nothing says which
/// one ran the task. A worker that is set up sends what it holds, and no more.
pub fn one_worker_is_silent(receiver: ExportTarget<'_>, worker: &SdkSetup) -> Vec<Fix> {
    let elsewhere = export::to_the_receiver(receiver, Side::Worker, worker);
    let elsewhere =
        elsewhere.into_iter().map(|fix| fix.needing("the silent worker's exporter sends elsewhere"));
    setup::worker(receiver.protocol).into_iter().chain(elsewhere).collect()
}
