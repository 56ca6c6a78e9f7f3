//! 6xx: names of services.

use super::*;

#[test]
fn tl601_602_names_of_services() {
    let of = |name: &str, instance: &str| {
        Scene::default()
            .span(server().of(name).instance("a"))
            .span(run(0xaa, 0xb2).under(0xb0).remote().of(name).instance(instance))
    };
    let other = |name: &str| run(0xaa, 0xb5).under(0xb0).remote().of(name).instance("c");
    // One name for all may well be meant.
    says(of("shop", "b"), "service-name-collision", Note);
    is_silent(of("shop", "a"), "service-name-collision");
    // Another worker has a name of its own.
    says(of("shop", "b").span(other("shop-worker")), "service-name-collision", Warning);
    says(of("shop", "b").span(other("shop")), "service-name-collision", Note);
    // That of another application, and one of another messaging system, say nothing of it.
    let apart = run(0xcc, 0xb5).of("billing-worker").instance("c");
    says(of("shop", "b").span(apart), "service-name-collision", Note);
    let kafka = other("feeder").text("messaging.system", "kafka");
    says(of("shop", "b").span(kafka), "service-name-collision", Note);
    mends(of("shop", "b"), "service-name-collision", &["give the worker a name of its own, in code"]);
    pastes(of("shop-api", "b"), "service-name-collision", "name = Resource({SERVICE_NAME: \"shop-worker\"})");
    // The API took the name of a worker, whose module it imports.
    mends(of("shop-worker", "b"), "service-name-collision", &["give the API a name of its own, in code"]);
    // Told apart by their number or their host.
    for (host, pid) in [("h", 2), ("g", 1)] {
        let by_resource = Scene::default()
            .span(server().of("shop").process("h", 1))
            .span(run(0xaa, 0xb2).under(0xb0).remote().of("shop").process(host, pid))
            .span(other("shop-worker"));
        says(by_resource, "service-name-collision", Warning);
    }
    // A task that is called within the API is no worker's.
    let eager = |instance: &str| run(0xaa, 0xb2).under(0xb0).at(10, 20).of("shop").instance(instance);
    let scene = Scene::default()
        .span(server().of("shop").instance("a"))
        .span(eager("a"))
        .span(server().numbered(0xb4).in_trace(0xcc).of("shop").instance("b"))
        .span(eager("b").numbered(0xb6).under(0xb4).in_trace(0xcc))
        .span(other("shop-worker"));
    is_silent(scene, "service-name-collision");
    says(Scene::default().span(server().of("unknown_service:python3")), "service-name-unset", Warning);
    let launched = |name: &str| {
        Scene::default()
            .span(server().of(name).instance("a").zero_code())
            .span(run(0xaa, 0xb2).under(0xb0).remote().of(name).instance("b").zero_code())
    };
    pastes(launched("shop"), "service-name-collision", "OTEL_SERVICE_NAME=shop-worker");
    // Each program has a name by what it does.
    let both = ["give each program a name, by environment", "give each program a name, in code"];
    mends(of("unknown_service", "b"), "service-name-unset", &both);
    mends(launched("unknown_service"), "service-name-unset", &both[..1]);
    for name in ["api", "worker"] {
        pastes(launched("unknown_service"), "service-name-unset", &format!("OTEL_SERVICE_NAME={name}"));
    }
    // One cause, not two.
    says(of("unknown_service", "b"), "service-name-unset", Warning);
    is_silent(of("unknown_service", "b"), "service-name-collision");
    is_silent(healthy(), "service-name-unset");
}
