use proptest::prelude::*;

use std::sync::Arc;

use super::super::brokers::Brokers;
use super::super::routes::name_bytes;
use super::*;
use crate::wire::broker::QueueDepth;

const QUEUES: [&str; 3] = ["celery", "orders", "mail"];

fn at(second: u64) -> Timestamp {
    Timestamp::from_nanos(second * 1_000_000_000)
}

fn look(second: u64) -> Look {
    Look { at: at(second), unacked_complete: true, complete_since: Some(at(second)), ..Look::default() }
}

prop_compose! {
    fn looks(count: std::ops::Range<usize>)(
        looks in proptest::collection::vec(
            (any::<bool>(), proptest::option::of(0..3u64), proptest::array::uniform3(proptest::option::of(any::<bool>()))),
            count,
        ),
    ) -> Vec<Look> {
        (10..).zip(looks).map(|(second, (unacked_complete, since, queues))| {
            let mut look = Look {
                unacked_complete, complete_since: since.map(|ago| at(second - ago)), ..look(second)
            };
            for (name, complete) in QUEUES.into_iter().zip(queues) {
                if let Some(complete) = complete {
                    look.queues.insert(name.into(), QueueDepth { complete, ..QueueDepth::default() });
                }
            }
            look
        }).collect()
    }
}

fn broker_of(looks: impl IntoIterator<Item = Look>) -> Broker {
    let mut broker = Broker::default();
    looks.into_iter().for_each(|look| broker.file(look, usize::MAX));
    broker
}

/// What a broker's bytes are when everything is gone through.
fn recounted(broker: &Broker) -> usize {
    let Routes { exchanges, routing_keys, queues, .. } = &broker.routes;
    let names = [exchanges, routing_keys, queues].into_iter().flatten().map(|name| name_bytes(name));
    let absences = broker.absences.queue_count() * Absences::QUEUE;
    names.sum::<usize>() + absences + broker.looks.iter().map(Look::bytes).sum::<usize>()
}

proptest! {
    #[test]
    fn what_is_gone_is_what_asking_every_look_would_say(
        (looks, order) in looks(1..150).prop_flat_map(|looks| {
            let order: Vec<usize> = (0..looks.len()).collect();
            (Just(looks), Just(order).prop_shuffle())
        }),
        seen in 5..170u64,
    ) {
        let broker = broker_of(order.iter().map(|place| looks[*place].clone()));
        for queue in QUEUES.into_iter().chain(["unknown"]) {
            let asked = looks.iter().any(|look| look.shows_absence_from(queue) > Some(at(seen)));
            prop_assert_eq!(broker.shows_gone(queue, at(seen)), asked, "{}", queue);
        }
        let last = looks.iter().map(|look| look.at).max();
        prop_assert_eq!(broker.last().map(|look| look.at), last, "whoever is seen last still waits");
        prop_assert_eq!(broker.bytes, recounted(&broker));
    }

    #[test]
    fn a_history_of_some_looks_is_the_same_in_any_order(
        (looks, order) in looks(1..Broker::LOOKS + 1).prop_flat_map(|looks| {
            let order: Vec<usize> = (0..looks.len()).collect();
            (Just(looks), Just(order).prop_shuffle())
        }),
    ) {
        let one = broker_of(looks.clone());
        let other = broker_of(order.into_iter().map(|place| looks[place].clone()));
        prop_assert_eq!(one.looks(), other.looks());
        prop_assert_eq!(one.looks().len(), looks.len());
        prop_assert_eq!(one.routes, other.routes);
    }
}

#[test]
fn hours_of_looks_take_the_memory_of_a_few_and_recent_ones_are_dense() {
    let mut brokers = Brokers::default();
    let mut bytes = 0;
    for second in 0..36_000 {
        let mut look = look(second);
        look.queues.insert("celery".into(), QueueDepth { ready: second, ..QueueDepth::default() });
        look.routes.exchanges.insert("celery".into());
        brokers.insert("redis", look);
        if second == 1000 {
            bytes = brokers.bytes();
        }
    }
    assert_eq!(brokers.bytes(), bytes);
    assert_eq!(brokers.looks(), 36_000);
    let looks = brokers.get("redis").expect("it was looked at").looks();
    assert_eq!(looks.len(), Broker::LOOKS);
    assert_eq!((looks[0].at, looks[looks.len() - 1].at), (at(0), at(35_999)));
    for age in [3, 10, 100, 1000, 10_000] {
        // A look that is not older than half as much again.
        let young = looks.iter().rev().take_while(|look| at(35_999).since(look.at).as_secs() < age);
        let next = at(35_999).since(looks[looks.len() - 1 - young.count()].at).as_secs();
        assert!((age..=age + age / 2 + 2).contains(&next), "{age} s: {next} s");
    }
}

#[test]
fn where_messages_went_is_known_from_looks_that_were_let_go() {
    let mut broker = Broker::default();
    for second in 0..1000 {
        let mut look = look(second);
        if second == 500 {
            look.routes.exchanges.insert("shop".into());
            look.queues.insert("orders".into(), QueueDepth::default());
        }
        broker.file(look, usize::MAX);
    }
    assert!(broker.looks().iter().all(|look| look.at != at(500)), "it was let go");
    assert!(broker.routes(Some("shop"), "any") && broker.routes(None, "orders"));
    assert!(!broker.routes(Some("other"), "orders") && !broker.routes(None, "mail"));
    assert_eq!(broker.looked_everywhere_since(), Some(at(999)));
}

#[test]
fn more_names_than_are_kept_say_nothing() {
    let mut broker = Broker::default();
    let mut look = look(1);
    look.unacked_complete = true;
    for number in 0..=Routes::NAMES {
        look.queues.insert(format!("q{number:06}").into(), QueueDepth::default());
    }
    broker.file(look, usize::MAX);
    assert!(broker.routes(None, "unheard of"), "it may be among those that were let go");
    assert!(broker.shows_gone("q000000", at(0)) && !broker.shows_gone("unheard of", at(0)));
}

/// A thousand queues, every hundredth of which holds a message.
fn wide(second: u64) -> Look {
    let queue = |number: u64| {
        let ready = u64::from(number.is_multiple_of(100));
        let depth = QueueDepth { ready, read: ready, ..QueueDepth::default() };
        (Arc::from(format!("queue-{number:04}")), depth)
    };
    let at = Timestamp::from_nanos(second * 1_000_000_000);
    let queues = (0..1_000).map(queue).collect();
    Look { at, queues, unacked_complete: true, complete_since: Some(at), ..Look::default() }
}

#[test]
fn a_bound_lets_looks_go_and_leaves_names_out() {
    const BOUND: usize = 256 << 10;
    let mut brokers = Brokers::default();
    brokers.bound(BOUND);
    for second in 1..200 {
        brokers.insert("redis", wide(second));
    }
    assert!(brokers.bytes() <= BOUND + size_of::<Broker>(), "{} bytes", brokers.bytes());
    assert!(brokers.looks_let_go() > 100 && brokers.names_left_out() > 0);
    let last = brokers.last_looks().next().expect("the last look stays");
    assert_eq!(last.at, wide(199).at);
    // What holds something stays before what is empty.
    assert_eq!(last.queues.values().filter(|depth| depth.ready > 0).count(), 10);
    // Nothing is said of the absence of what may have been left out.
    let broker = brokers.get("redis").expect("there");
    assert!(broker.routes(None, "queue-0999"));
}

#[test]
fn a_look_that_leaves_full_queues_out_shows_no_absence() {
    let mut look = wide(1);
    assert!(look.leave_out(1 << 20) == 0 && look.complete_since.is_some());
    assert_eq!(look.leave_out(600), 1_000 - look.queues.len() as u64);
    assert!(look.queues.len() < 10);
    assert_eq!(look.shows_absence_from("queue-0000"), None);
}
