//! The names of Redis keys, and what kombu and Celery keep under them.
//!
//! No other file reads the name of a key or makes one, except the demo, which plays the
//! application. The names are those of kombu's `transport/redis.py` and of Celery's
//! `backends/base.py`.

/// What separates the parts of a binding and of a priority list's name.
pub const SEPARATOR: &str = "\u{6}\u{16}";
/// The priority steps of kombu's Redis transport.
pub const PRIORITY_STEPS: [u32; 4] = [0, 3, 6, 9];

const BINDING: &str = "_kombu.binding.";
const PIDBOX: &str = ".pidbox";
/// The beginning of reply mailboxes. They belong to clients that ask, not to workers.
const REPLY: &str = "reply.";
const RESULT: &str = "celery-task-meta-";
/// The prefix of RedBeat's keys, unless `redbeat_key_prefix` is set.
const REDBEAT: &str = "redbeat:";
const UNACKED: &str = "unacked";
/// What is added to the name of `unacked` for its index.
const INDEX: &str = "_index";
/// The queue, and the exchange, of an application that sets none.
pub const DEFAULT_QUEUE: &str = "celery";

/// What a key is, by its name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Key<'a> {
    /// `_kombu.binding.<exchange>`: a set of bindings.
    Binding { exchange: &'a str },
    /// `_kombu.binding.<name>.pidbox`: a member for each live worker. The name is
    /// the application's `control_exchange`, `celery` unless it is set.
    Workers,
    /// `_kombu.binding_…`, `unacked_mutex`: internal to kombu.
    Internal,
    /// `unacked`: what workers hold.
    Unacked,
    /// `unacked_index`: since when they hold it.
    UnackedIndex,
    /// `celery-task-meta-<id>`.
    Result { task_id: &'a str },
    /// `<uuid>.reply.<name>.pidbox`, `celeryev.…`: kombu envelopes that are no tasks.
    Control,
    /// `redbeat:<name>`: an entry of RedBeat's schedule, a hash.
    ScheduleEntry,
    /// Anything else. A list among them may be a queue.
    Other,
}

/// What a key is. Every broker key may have a `global_keyprefix` before it,
/// and the result backend one of its own, so names are known by their end.
pub fn classify(name: &str) -> Key<'_> {
    if let Some(at) = name.find(RESULT) {
        return Key::Result { task_id: &name[at + RESULT.len()..] };
    }
    if let Some(at) = name.find(BINDING) {
        let exchange = &name[at + BINDING.len()..];
        let is_workers = exchange.ends_with(PIDBOX) && !exchange.starts_with(REPLY);
        return if is_workers { Key::Workers } else { Key::Binding { exchange } };
    }
    if name.contains("_kombu.binding_") || name.ends_with("unacked_mutex") {
        return Key::Internal;
    }
    if name.strip_suffix(INDEX).is_some_and(|key| key.ends_with(UNACKED)) {
        return Key::UnackedIndex;
    }
    if name.ends_with(UNACKED) {
        return Key::Unacked;
    }
    // Its schedule and its lock have a second colon.
    if name.find(REDBEAT).is_some_and(|at| !name[at + REDBEAT.len()..].starts_with(':')) {
        return Key::ScheduleEntry;
    }
    if name.ends_with(PIDBOX) || name.contains("celeryev.") {
        return Key::Control;
    }
    Key::Other
}

/// The hash of what workers hold: `<prefix>unacked`.
pub fn unacked(prefix: &str) -> String {
    format!("{prefix}{UNACKED}")
}

/// The sorted set that says since when, by the name of its `unacked`.
pub fn index_of(unacked: &str) -> String {
    format!("{unacked}{INDEX}")
}

/// The key of an exchange's bindings.
pub fn bindings_of(prefix: &str, exchange: &str) -> String {
    format!("{prefix}{BINDING}{exchange}")
}

/// The keys of bindings that every Celery application has, unless it renames its queue or
/// its control exchange: those of the queue and of the workers.
pub fn usual_bindings(prefix: &str) -> [String; 2] {
    [bindings_of(prefix, DEFAULT_QUEUE), bindings_of(prefix, &format!("{DEFAULT_QUEUE}{PIDBOX}"))]
}

/// The list of a queue's messages of one priority step.
pub fn list_of(prefix: &str, queue: &str, step: u32) -> String {
    match step {
        0 => format!("{prefix}{queue}"),
        step => format!("{prefix}{queue}{SEPARATOR}{step}"),
    }
}

/// The key of a task's result.
pub fn result_of(prefix: &str, task_id: &str) -> String {
    format!("{prefix}{RESULT}{task_id}")
}

/// Whether an exchange is for remote control or for events: what is bound to it is no task
/// queue.
pub fn is_control(exchange: &str) -> bool {
    exchange.ends_with(&PIDBOX[1..]) || exchange.starts_with("celeryev")
}

/// The `global_keyprefix` that a binding's key shows.
pub fn prefix_of(binding_key: &str) -> &str {
    binding_key.find(BINDING).map_or("", |at| &binding_key[..at])
}

/// The routing key and the queue in a member of a binding:
/// `routing_key<sep>pattern<sep>queue`.
///
/// The separator is configured on the application's side; any that splits the
/// member into three is taken where the given one does not.
pub fn split_binding<'a>(member: &'a str, separator: &str) -> Option<(&'a str, &'a str)> {
    let split = |separator: &str| {
        let mut parts = member.split(separator);
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(routing_key), Some(_pattern), Some(queue), None) => Some((routing_key, queue)),
            _ => None,
        }
    };
    split(separator).or_else(|| [SEPARATOR, ":", "|", "#"].into_iter().find_map(split))
}

/// The highest priority that AMQP, and so kombu, knows.
const HIGHEST_PRIORITY: u32 = 255;

/// The queue and the priority step in a list's name.
///
/// `celery<sep>3` is step 3 of `celery` where the separator is given or kombu's
/// own, which no other name holds. An unknown separator is one or two
/// characters and no letters, and what stands before it must be a queue.
pub fn split_priority<'a>(
    name: &'a str,
    separator: Option<&str>,
    is_queue: impl Fn(&str) -> bool,
) -> (&'a str, u32) {
    let stem = name.trim_end_matches(|letter: char| letter.is_ascii_digit());
    let step = name[stem.len()..].parse().ok().filter(|step| *step <= HIGHEST_PRIORITY);
    let queue = match separator {
        Some(separator) => stem.strip_suffix(separator),
        None => stem.strip_suffix(SEPARATOR).or_else(|| {
            let borders = stem.char_indices().rev().take(2);
            let borders = borders.take_while(|(_, letter)| !letter.is_alphanumeric());
            borders.map(|(at, _)| &stem[..at]).find(|queue| is_queue(queue))
        }),
    };
    match (queue, step) {
        (Some(queue), Some(step)) if !queue.is_empty() => (queue, step),
        _ => (name, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_known_with_and_without_a_prefix() {
        for prefix in ["", "shop:"] {
            let known = |name: &str| classify(format!("{prefix}{name}").leak());
            assert_eq!(known("_kombu.binding.celery"), Key::Binding { exchange: "celery" });
            assert_eq!(known("_kombu.binding.celery.pidbox"), Key::Workers);
            assert_eq!(known("_kombu.binding.shop.pidbox"), Key::Workers);
            let replies = "reply.shop.pidbox";
            assert_eq!(known("_kombu.binding.reply.shop.pidbox"), Key::Binding { exchange: replies });
            assert_eq!(known("_kombu.binding_deadlines"), Key::Internal);
            assert_eq!(known("unacked"), Key::Unacked);
            assert_eq!(known("unacked_index"), Key::UnackedIndex);
            assert_eq!(known("celery-task-meta-a1"), Key::Result { task_id: "a1" });
            assert_eq!(known("3ad9.reply.celery.pidbox"), Key::Control);
            assert_eq!(known("3ad9.reply.shop.pidbox"), Key::Control);
            assert_eq!(known("9f.celeryev.9a728d55"), Key::Control);
            assert_eq!(known("redbeat:every-minute"), Key::ScheduleEntry);
            assert_eq!(known("redbeat::schedule"), Key::Other);
            assert_eq!(known("orders"), Key::Other);
            assert_eq!(known("celeryevents"), Key::Other);
        }
        assert_eq!(prefix_of("shop:_kombu.binding.celery"), "shop:");
    }

    #[test]
    fn a_key_that_is_made_is_known_for_what_it_is() {
        let unacked = unacked("shop:");
        assert_eq!(classify(&unacked), Key::Unacked);
        assert_eq!(classify(&index_of(&unacked)), Key::UnackedIndex);
        let [bindings, workers] = usual_bindings("shop:");
        assert_eq!(classify(&bindings), Key::Binding { exchange: "celery" });
        assert_eq!(classify(&workers), Key::Workers);
        assert_eq!(classify(&result_of("shop:", "a1")), Key::Result { task_id: "a1" });
        let list = list_of("shop:", "orders", 9);
        assert_eq!(classify(&list), Key::Other);
        assert_eq!(split_priority(&list, None, |_| false), ("shop:orders", 9));
        assert_eq!(list_of("", "orders", 0), "orders");
        assert!(is_control("reply.celery.pidbox") && is_control("celeryev") && !is_control("celery"));
    }

    #[test]
    fn priority_lists_belong_to_their_queue() {
        let is_queue = |name: &str| name == "celery" || name == "prod:celery";
        assert_eq!(split_priority("celery\u{6}\u{16}3", None, is_queue), ("celery", 3));
        assert_eq!(split_priority("celery:1", None, is_queue), ("celery", 1));
        assert_eq!(split_priority("prod:celery:5", None, is_queue), ("prod:celery", 5));
        assert_eq!(split_priority("orders:5", None, is_queue), ("orders:5", 0));
        assert_eq!(split_priority("orders:5", Some(":"), is_queue), ("orders", 5));
        assert_eq!(split_priority("celery3", None, is_queue), ("celery3", 0));
        assert_eq!(split_priority("celery-2026", None, is_queue), ("celery-2026", 0));
        assert_eq!(split_priority("\u{6}\u{16}3", None, is_queue), ("\u{6}\u{16}3", 0));
        assert_eq!(split_priority("7", None, is_queue), ("7", 0));
    }

    #[test]
    fn a_binding_names_its_routing_key_and_its_queue() {
        assert_eq!(
            split_binding("celery\u{6}\u{16}\u{6}\u{16}orders", SEPARATOR),
            Some(("celery", "orders"))
        );
        assert_eq!(split_binding("a::b", SEPARATOR), Some(("a", "b")));
        assert_eq!(split_binding("nothing", SEPARATOR), None);
    }
}
