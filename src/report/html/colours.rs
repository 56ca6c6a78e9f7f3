//! Which colour a service has.

use std::collections::BTreeMap;

/// How many colours `page.css` has, as the classes `s0` to `s7`.
const COLOURS: usize = 8;

/// The colours of the services that are drawn together.
pub(super) struct Colours(BTreeMap<String, usize>);

impl Colours {
    /// A service has the colour that its name gives it, so that it looks the same in every
    /// drawing; where two would look alike in this one, the later name takes the next
    /// colour that is free.
    pub(super) fn over<'n>(names: impl IntoIterator<Item = &'n str>) -> Self {
        let names: std::collections::BTreeSet<_> = names.into_iter().collect();
        let mut taken = [0_usize; COLOURS];
        let mut colours = BTreeMap::new();
        for name in names {
            let own = own_colour(name);
            let free = (0..COLOURS).map(|step| (own + step) % COLOURS).min_by_key(|colour| taken[*colour]);
            let colour = free.unwrap_or(own);
            taken[colour] += 1;
            colours.insert(name.to_owned(), colour);
        }
        Self(colours)
    }

    /// The class of a service's colour.
    pub(super) fn class(&self, name: &str) -> &'static str {
        const CLASSES: [&str; COLOURS] = ["s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7"];
        CLASSES[self.0.get(name).copied().unwrap_or_else(|| own_colour(name))]
    }
}

/// FNV-1a over the beginning of a name: the same in every run and on every machine.
fn own_colour(name: &str) -> usize {
    let hash = name.bytes().take(200).fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    usize::try_from((hash >> 32) % COLOURS as u64).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_of_one_drawing_differ_as_long_as_there_are_colours() {
        let names: Vec<_> = (0..COLOURS).map(|number| format!("service-{number}")).collect();
        let colours = Colours::over(names.iter().map(String::as_str));
        let classes: std::collections::BTreeSet<_> = names.iter().map(|name| colours.class(name)).collect();
        assert_eq!(classes.len(), COLOURS);
    }

    #[test]
    fn a_service_alone_has_its_own_colour() {
        let alone = Colours::over(["order-api"]);
        assert_eq!(alone.class("order-api"), Colours::over([]).class("order-api"));
    }
}
