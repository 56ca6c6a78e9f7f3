//! 6xx: names of services.

use super::*;

#[test]
fn tl601_602_names_of_services() {
    let one_name = |instance: &str| {
        Scene::default()
            .span(server().of("shop").instance("a"))
            .span(run(0xaa, 0xb2).under(0xb0).remote().of("shop").instance(instance))
    };
    says(one_name("b"), "service-name-collision", Warning);
    is_silent(one_name("a"), "service-name-collision");
    says(Scene::default().span(server().of("unknown_service:python3")), "service-name-unset", Warning);
    is_silent(healthy(), "service-name-unset");
}
