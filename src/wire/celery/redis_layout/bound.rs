//! The bound queues, as needed by code that goes through the names in a database.

use std::collections::{BTreeMap, BTreeSet};

use super::keys;
use crate::wire::snapshot::{KeyContent, KeyLine};

/// The queues that are bound or named, by the prefix of their keys.
#[derive(PartialEq, Eq, Debug)]
pub struct Bound(BTreeMap<String, BTreeSet<String>>);

impl Bound {
    pub fn of(bindings: &[KeyLine<'_>], named: &[String]) -> Self {
        let mut bound: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        bound.insert(String::new(), named.iter().cloned().collect());
        for binding in bindings {
            let (Some(prefix), KeyContent::Set(members)) = (prefix(binding), &binding.content) else {
                continue;
            };
            let members = members.iter().filter_map(|member| std::str::from_utf8(member).ok());
            let queues = members.filter_map(|member| keys::split_binding(member, keys::SEPARATOR));
            let queues = queues.map(|(_, queue)| queue.to_owned()).filter(|queue| !queue.is_empty());
            bound.entry(prefix.to_owned()).or_default().extend(queues.chain(named.iter().cloned()));
        }
        Self(bound)
    }

    /// The queues of each prefix.
    pub fn queues(&self) -> impl Iterator<Item = (&str, &BTreeSet<String>)> {
        self.0.iter().map(|(prefix, queues)| (prefix.as_str(), queues))
    }

    /// Whether a list is a bound queue or may be one of its priorities. The application's
    /// separator is not known here.
    pub fn is_queue(&self, list: &str) -> bool {
        self.0.iter().any(|(prefix, queues)| {
            let Some(name) = list.strip_prefix(prefix.as_str()) else { return false };
            let stem = name.trim_end_matches(|letter: char| letter.is_ascii_digit());
            queues.contains(name)
                || (stem.len() < name.len() && queues.iter().any(|queue| stem.starts_with(queue)))
        })
    }
}

fn prefix<'k>(binding: &'k KeyLine<'_>) -> Option<&'k str> {
    std::str::from_utf8(&binding.key).ok().map(keys::prefix_of)
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    fn binding(key: &str, members: &[&str]) -> KeyLine<'static> {
        KeyLine {
            db: 0,
            key: Cow::Owned(key.as_bytes().to_vec()),
            pttl: -1,
            content: KeyContent::Set(
                members.iter().map(|member| Cow::Owned(member.as_bytes().to_vec())).collect(),
            ),
            len: None,
            from: 0,
            complete: true,
        }
    }

    #[test]
    fn a_bound_queue_is_known_with_its_prefix_and_its_priorities() {
        let member = "orders\u{6}\u{16}\u{6}\u{16}orders";
        let bound = Bound::of(&[binding("shop:_kombu.binding.orders", &[member])], &[]);
        for list in ["shop:orders", "shop:orders\u{6}\u{16}9", "shop:orders:3"] {
            assert!(bound.is_queue(list), "{list}");
        }
        for list in ["orders", "shop:orders-archive", "shop:order", "shop:3"] {
            assert!(!bound.is_queue(list), "{list}");
        }
    }
}
