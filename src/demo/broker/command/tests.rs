//! What the commands answer.

use super::*;
use crate::broker::redis::{READ_COMMANDS, WHERE_ALLOWED};

/// What a store answers to commands, one after the other.
fn answers(store: &mut Store, commands: &[&str]) -> Vec<Reply> {
    commands
        .iter()
        .map(|command| {
            let words: Vec<_> = command.split(' ').map(|word| word.as_bytes().to_vec()).collect();
            run(store, &words)
        })
        .collect()
}

fn bulks(words: &[&str]) -> Reply {
    Reply::list(words.iter().map(|word| word.as_bytes().to_vec()))
}

#[test]
fn a_list_is_a_queue_from_its_left_to_its_right() {
    let mut store = Store::default();
    let said = answers(
        &mut store,
        &[
            "LPUSH q a",
            "LPUSH q b c",
            "LRANGE q 0 -1",
            "LRANGE q -2 -1",
            "LRANGE q 5 9",
            "LRANGE q 0 -9",
            "LINDEX q -1",
            "LINDEX q 0",
            "LINDEX q 3",
            "LINDEX q -4",
            "RPUSH q z",
            "LLEN q",
        ],
    );
    let expected = [
        Reply::Int(1),
        Reply::Int(3),
        bulks(&["c", "b", "a"]),
        bulks(&["b", "a"]),
        bulks(&[]),
        bulks(&[]),
        Reply::bulk("a"),
        Reply::bulk("c"),
        Reply::Nil,
        Reply::Nil,
        Reply::Int(4),
        Reply::Int(4),
    ];
    assert_eq!(said, expected);
    assert_eq!(pop(&mut store, b"q"), Ok(Some(b"z".to_vec())));
    assert_eq!(answers(&mut store, &["LLEN q"]), [Reply::Int(3)]);
}

#[test]
fn scores_order_members_and_bound_them() {
    let mut store = Store::default();
    let said = answers(
        &mut store,
        &[
            "ZADD z 3 c",
            "ZADD z 1 a",
            "ZADD z 2 b",
            "ZADD z 2 b",
            "ZRANGE z 0 -1",
            "ZREVRANGEBYSCORE z 2 0 LIMIT 0 10",
            "ZREVRANGEBYSCORE z +inf -inf LIMIT 1 1",
            "ZRANGE z 1 1 WITHSCORES",
            "ZCOUNT z -inf +inf",
            "ZCOUNT z 2 2",
            "ZREM z a",
            "ZREM z x",
            "ZCARD z",
            "ZADD z nan d",
        ],
    );
    assert_eq!(said[..4], [1, 1, 1, 0].map(Reply::Int));
    assert_eq!(said[4..8], [&["a", "b", "c"][..], &["b", "a"], &["b"], &["b", "2"]].map(bulks));
    assert_eq!(said[8..13], [3, 1, 1, 0, 2].map(Reply::Int));
    assert!(matches!(said[13], Reply::Error(_)));
}

/// Every command that tracelink sends is known here, so that it can look at the demo's
/// broker.
#[test]
fn it_answers_every_command_of_the_reader() {
    let mut known: BTreeSet<_> = READ_COMMANDS.into_iter().chain(WHERE_ALLOWED).collect();
    assert_eq!(known, BTreeSet::from(READING));
    known.extend(PUBLISHING);
    for name in known {
        // Called with too few or too many words, it is still known.
        let Reply::Error(text) = &answers(&mut Store::default(), &[&format!("{name} 1 2 3 4 5 6 7")])[0]
        else {
            continue;
        };
        assert!(!text.contains("unknown"), "{text}");
    }
}

#[test]
fn what_is_asked_wrongly_is_refused_in_redis_words() {
    let mut store = Store::default();
    let said = answers(
        &mut store,
        &["SETEX k 9 v", "LPUSH k v", "GET", "EVALSHA x 0", "SETEX k x v", "EXPIRE k -1", "SCAN 0 MATCH *"],
    );
    let errors: Vec<_> = said
        .iter()
        .map(
            |reply| {
                if let Reply::Error(text) = reply { text.split(':').next().unwrap_or_default() } else { "" }
            },
        )
        .collect();
    let no_integer = "ERR value is not an integer or out of range";
    assert_eq!(
        errors,
        [
            "",
            "WRONGTYPE Operation against a key holding the wrong kind of value",
            "ERR wrong number of arguments for 'get' command",
            "ERR unknown command 'EVALSHA'",
            no_integer,
            no_integer,
            "ERR syntax error",
        ]
    );
}

#[test]
fn a_scan_meets_every_key_of_a_type_once() {
    let mut store = Store::default();
    answers(&mut store, &["SADD s m", "LPUSH l m", "SETEX t 9 m", "HSET h f v"]);
    let said = answers(
        &mut store,
        &["SCAN 0 COUNT 1 TYPE list", "SCAN 0 COUNT 1 TYPE zset", "HSCAN h 0", "SSCAN s 0"],
    );
    assert_eq!(said[0], Reply::List(vec![Reply::bulk("0"), bulks(&["l"])]));
    assert_eq!(said[1], Reply::List(vec![Reply::bulk("0"), bulks(&[])]));
    assert_eq!(said[2], Reply::List(vec![Reply::bulk("0"), bulks(&["f", "v"])]));
    assert_eq!(said[3], Reply::List(vec![Reply::bulk("0"), bulks(&["m"])]));
}
