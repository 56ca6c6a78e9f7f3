//! What a process says of itself: its name, the ids that it makes, its clock.

use std::fmt::Display;

use super::plain_name::plain_name;
use crate::diagnosis::known::SdkSetup;
use crate::model::{Fix, FixPlace, Side};

/// A side, how it is set up, and the name that it is to have.
pub type Named = (Side, SdkSetup, &'static str);

/// Mends TL601: the worker has a name of its own, or the API where the name that
/// both have is a worker's. `name` is that name.
pub fn apart(name: &str, api: &SdkSetup, worker: &SdkSetup) -> [Fix; 1] {
    let name = plain_name(name, b"-_.", "");
    let (base, is_workers) = match ["-worker", "_worker"].into_iter().find_map(|end| name.strip_suffix(end)) {
        Some(base) => (base, true),
        None => (name.strip_suffix("-api").or(name.strip_suffix("_api")).unwrap_or(name), false),
    };
    let of = |role: &str| if base.is_empty() { role.to_owned() } else { format!("{base}-{role}") };
    let (does, side, setting, role) = if is_workers {
        ("give the API a name of its own", Side::Producer, api, "api")
    } else {
        ("give the worker a name of its own", Side::Worker, worker, "worker")
    };
    let named = [(side, of(role))];
    let fix = if setting.may_be_python_code() { in_code(does, &named) } else { by_environment(does, &named) };
    [fix.needing(
        "a module that the API and the worker both import sets no provider: the first one in a process stays",
    )]
}

/// Mends TL602. `is_read` tells whether the resource was made by what reads the
/// environment, so that this is enough, however the rest is set up.
pub fn named(sides: &[Named], is_read: bool) -> Vec<Fix> {
    const DOES: &str = "give each program a name";
    let named: Vec<_> = sides.iter().map(|(side, _, name)| (*side, *name)).collect();
    let environment = by_environment(DOES, &named);
    if !sides.iter().all(|(_, setting, _)| setting.may_be_python_code()) {
        return vec![environment];
    }
    let code = in_code(DOES, &named);
    if is_read { vec![environment, code] } else { vec![code] }
}

fn by_environment<N: Display>(does: &str, names: &[(Side, N)]) -> Fix {
    names.iter().fold(Fix::new(format!("{does}, by environment")), |fix, (side, name)| {
        fix.environment(*side, [format!("OTEL_SERVICE_NAME={name}")])
    })
}

fn in_code<N: Display>(does: &str, names: &[(Side, N)]) -> Fix {
    names.iter().fold(Fix::new(format!("{does}, in code")), |fix, (side, name)| {
        fix.python(
            *side,
            FixPlace::Provider,
            [
                "from opentelemetry.sdk.resources import SERVICE_NAME, Resource".to_owned(),
                "from opentelemetry.sdk.trace import TracerProvider".to_owned(),
                format!("name = Resource({{SERVICE_NAME: \"{name}\"}})"),
                "provider = TracerProvider(".to_owned(),
                "    resource=provider.resource.merge(name),".to_owned(),
                "    sampler=provider.sampler,".to_owned(),
                ")".to_owned(),
            ],
        )
    })
}

/// Mends TL901: only the user can find it.
pub fn ids_of_the_sdk() -> [Fix; 1] {
    [Fix::new("let the SDK make the ids").by_hand(
        Side::Both,
        "look for what sets span ids or parents by hand, for an `id_generator=`, and for a `random.seed()` that runs in each child: ids that come again make a circle",
    )]
}

/// Mends TL902.
pub fn set_the_clocks() -> [Fix; 1] {
    [Fix::new("set the clocks of both machines").by_hand(
        Side::Both,
        "let the machine keep its time by NTP; `chronyc tracking` or `timedatectl` says whether it does",
    )]
}
