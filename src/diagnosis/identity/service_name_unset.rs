use super::unknown_service::is_unset;
use crate::diagnosis::advice::identity;
use crate::diagnosis::known::SdkSetup;
use crate::diagnosis::rule::{Known, Occurrence, diagnosis, quote};
use crate::evidence::{Activity, Service};
use crate::model::Side;

diagnosis! {
    /// ## What it means
    /// Nobody gave the service a name, so the SDK made one up. All such
    /// services look like one.
    ///
    /// ## What shows it
    /// A `service.name` that starts with `unknown_service`.
    ///
    /// ## How to fix it
    /// A name for each program. The environment is read by code too, where that
    /// names no service.
    pub static SERVICE_NAME_UNSET = {
        code: "TL602",
        slug: "service-name-unset",
        station: None,
        severity: Warning,
        summary: "a service has no name of its own",
        fixes: || {
            let names = [(Side::Producer, SdkSetup::default(), "api"), (Side::Worker, SdkSetup::default(), "worker")];
            identity::named(&names, true)
        },
        check: Population(check),
    }
}

/// A name for each of its processes, according to what they do.
fn names(service: &Service<'_>) -> Vec<identity::Named> {
    let of = |is_one: fn(&Activity) -> bool| {
        service
            .processes
            .iter()
            .find(|(_, activity)| is_one(activity))
            .map(|(process, _)| SdkSetup::of(process))
    };
    let worker = of(|activity| activity.consumers > 0 && activity.servers == 0);
    let api = of(|activity| activity.servers > 0);
    let publisher = of(|activity| activity.producers > 0 && activity.consumers == 0);
    let publisher = publisher.filter(|_| api.is_none());
    let named = [
        (Side::Producer, api, "api"),
        (Side::Producer, publisher, "publisher"),
        (Side::Worker, worker, "worker"),
    ];
    let named: Vec<_> =
        named.into_iter().filter_map(|(side, setting, name)| Some((side, setting?, name))).collect();
    if named.is_empty() {
        // It is seen to do neither.
        let setting = service.processes.first().map(|(process, _)| SdkSetup::of(process));
        return vec![(Side::Both, setting.unwrap_or_default(), "service")];
    }
    named
}

fn check(known: &Known<'_>, found: &mut dyn FnMut(Occurrence)) {
    for (name, service) in known.services().iter() {
        if is_unset(name) {
            let spans = service.total(|activity| activity.spans);
            found(
                Occurrence::certain()
                    .service(name)
                    .counting(spans)
                    .quote(quote::fact("resource service.name", name))
                    .mend(identity::named(&names(service), !name.is_empty())),
            );
        }
    }
}
