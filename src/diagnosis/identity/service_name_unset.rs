use super::unset::is_unset;
use crate::diagnosis::advice::identity;
use crate::diagnosis::rule::{Known, Occurrence, diagnosis, quote};

diagnosis! {
    /// ## What it means
    /// Nobody gave the service a name, so the SDK made one up. All such
    /// services look like one.
    ///
    /// ## What shows it
    /// A `service.name` that starts with `unknown_service`.
    ///
    /// ## How to fix it
    /// ```sh
    /// OTEL_SERVICE_NAME=order-api
    /// ```
    pub static SERVICE_NAME_UNSET = {
        code: "TL602",
        slug: "service-name-unset",
        station: None,
        severity: Warning,
        summary: "a service has no name of its own",
        check: Population(check),
    }
}

fn check(known: &Known<'_>, found: &mut dyn FnMut(Occurrence)) {
    for (name, service) in &known.services {
        if is_unset(name) {
            let spans = service.total(|activity| activity.spans);
            found(
                Occurrence::certain()
                    .service(*name)
                    .counting(spans)
                    .quote(quote::fact("resource service.name", *name))
                    .fix(identity::SERVICE_NAME),
            );
        }
    }
}
