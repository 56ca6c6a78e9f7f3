//! What the commands answer.

use super::*;

/// What a store answers to commands of words, one after the other.
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
            "RPOP q",
            "LLEN q",
            "LREM q 0 c",
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
        Reply::bulk("a"),
        Reply::Int(2),
        Reply::Int(1),
        Reply::Int(1),
    ];
    assert_eq!(said, expected);
}

#[test]
fn scores_order_members_and_bound_them() {
    let mut store = Store::default();
    let said = answers(
        &mut store,
        &[
            "ZADD z 3 c 1 a 2 b",
            "ZRANGE z 0 -1",
            "ZREVRANGEBYSCORE z 2 0",
            "ZRANGEBYSCORE z (1 +inf",
            "ZREVRANGEBYSCORE z +inf -inf LIMIT 1 1 WITHSCORES",
            "ZCOUNT z -inf +inf",
            "ZREM z a x",
            "ZADD z nan d",
        ],
    );
    assert_eq!(said[1], bulks(&["a", "b", "c"]));
    assert_eq!(said[2], bulks(&["b", "a"]));
    assert_eq!(said[3], bulks(&["b", "c"]));
    assert_eq!(said[4], Reply::List(vec![Reply::bulk("b"), Reply::Double(2.0)]));
    assert_eq!((&said[5], &said[6]), (&Reply::Int(3), &Reply::Int(1)));
    assert!(matches!(said[7], Reply::Error(_)));
}

#[test]
fn what_is_asked_wrongly_is_refused_in_redis_words() {
    let mut store = Store::default();
    let said =
        answers(&mut store, &["SET k v", "LPUSH k v", "GET", "EVALSHA x 0", "SET k v EX", "EXPIRE k -1"]);
    let errors: Vec<_> = said
        .iter()
        .filter_map(|reply| if let Reply::Error(text) = reply { text.split(' ').next() } else { None })
        .collect();
    assert_eq!(errors, ["WRONGTYPE", "ERR", "ERR", "ERR", "ERR"]);
    assert!(
        matches!(&said[2], Reply::Error(text) if text.contains("unknown command") || text.contains("arguments"))
    );
}

#[test]
fn a_scan_meets_every_key_of_a_type_once() {
    let mut store = Store::default();
    answers(&mut store, &["SADD s m", "LPUSH l m", "SET t m", "HSET h f v"]);
    let said = answers(
        &mut store,
        &["SCAN 0 COUNT 1 TYPE list", "SCAN 0 MATCH [x TYPE zset", "HSCAN h 0", "SSCAN s 0"],
    );
    assert_eq!(said[0], Reply::List(vec![Reply::bulk("0"), bulks(&["l"])]));
    assert_eq!(said[1], Reply::List(vec![Reply::bulk("0"), bulks(&[])]));
    assert_eq!(said[2], Reply::List(vec![Reply::bulk("0"), bulks(&["f", "v"])]));
    assert_eq!(said[3], Reply::List(vec![Reply::bulk("0"), bulks(&["m"])]));
}
