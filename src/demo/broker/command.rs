//! The commands that read and change keys, as <https://redis.io/docs/latest/commands/>
//! describes them. Each is here because something sends it: the native application
//! ([`PUBLISHING`]), or tracelink's reader ([`READING`]).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::resp::Reply;
use super::store::{Bytes, Lifetime, Store, Value, WrongType};

type List = VecDeque<Bytes>;
type Hash = BTreeMap<Bytes, Bytes>;
type Set = BTreeSet<Bytes>;
type Sorted = BTreeMap<Bytes, f64>;

/// Sent by the native application, except those that a connection handles itself (`BRPOP`,
/// `MULTI`, `EXEC`).
const PUBLISHING: [&str; 18] = [
    "DEL",
    "EXPIRE",
    "GET",
    "HDEL",
    "HGET",
    "HSET",
    "LPUSH",
    "PUBLISH",
    "RPUSH",
    "SADD",
    "SETEX",
    "SMEMBERS",
    "SREM",
    "ZADD",
    "ZCOUNT",
    "ZRANGE",
    "ZREM",
    "ZREVRANGEBYSCORE",
];

/// Sent by tracelink's reader: its list of reading commands, and `INFO`.
const READING: [&str; 15] = [
    "DBSIZE", "HLEN", "HSCAN", "INFO", "LINDEX", "LLEN", "LRANGE", "MGET", "PTTL", "SCAN", "SSCAN", "STRLEN",
    "TIME", "ZCARD", "ZRANGE",
];

/// Why a command is refused.
enum Refusal {
    WrongType,
    Syntax,
    NotANumber,
    Unknown,
    Full,
}

impl From<WrongType> for Refusal {
    fn from(_: WrongType) -> Self {
        Self::WrongType
    }
}

/// Runs one command.
pub fn run(store: &mut Store, words: &[Bytes]) -> Reply {
    let Some((name, args)) = words.split_first() else { return Reply::Error("ERR empty command".into()) };
    let name = String::from_utf8_lossy(name).to_ascii_uppercase();
    let shown: String = name.chars().filter(char::is_ascii_graphic).take(64).collect();
    perform(store, &name, args).unwrap_or_else(|refusal| {
        Reply::Error(match refusal {
            Refusal::WrongType => "WRONGTYPE Operation against a key holding the wrong kind of value".into(),
            Refusal::Syntax => "ERR syntax error".into(),
            Refusal::NotANumber => "ERR value is not an integer or out of range".into(),
            Refusal::Unknown if PUBLISHING.contains(&&*name) || READING.contains(&&*name) => {
                format!("ERR wrong number of arguments for '{}' command", shown.to_ascii_lowercase())
            }
            Refusal::Unknown => format!(
                "ERR unknown command '{shown}': tracelink's embedded broker is a stage prop; for a whole Redis, give the demo one with --broker"
            ),
            Refusal::Full => "OOM command not allowed when used memory > 'maxmemory'.".into(),
        })
    })
}

fn perform(store: &mut Store, name: &str, args: &[Bytes]) -> Result<Reply, Refusal> {
    const GROWS: [&str; 6] = ["SETEX", "LPUSH", "RPUSH", "HSET", "SADD", "ZADD"];
    if GROWS.contains(&name) && !store.has_room(args.iter().map(|arg| arg.len() + 32).sum()) {
        return Err(Refusal::Full);
    }
    match name.as_bytes().first() {
        Some(b'L' | b'R') => lists(store, name, args),
        Some(b'H') => hashes(store, name, args),
        Some(b'Z') => sorted_sets(store, name, args),
        _ => keys(store, name, args),
    }
}

/// Keys of any type, strings, sets, and the server itself.
fn keys(store: &mut Store, name: &str, args: &[Bytes]) -> Result<Reply, Refusal> {
    Ok(match (name, args) {
        ("TIME", []) => {
            let parts = [store.now.as_secs().to_string(), store.now.subsec_micros().to_string()];
            Reply::list(parts.map(String::into_bytes))
        }
        ("DBSIZE", []) => Reply::count(store.len()),
        ("INFO", _) => {
            Reply::bulk("# Server\r\nredis_version:7.0.0\r\nredis_mode:standalone\r\nrole:master\r\n")
        }
        // Nobody can subscribe.
        ("PUBLISH", [_, _]) => Reply::Int(0),
        ("SCAN", [_, options @ ..]) => scan(store, options)?,
        ("DEL", [_, ..]) => Reply::count(args.iter().filter(|key| store.remove(key)).count()),
        ("EXPIRE", [key, time]) => {
            let lifetime = seconds(time)?;
            Reply::Int(store.expire(key, lifetime).into())
        }
        ("PTTL", [key]) => Reply::Int(match store.expires_in(key) {
            Lifetime::NoSuchKey => -2,
            Lifetime::Unlimited => -1,
            Lifetime::Left(left) => i64::try_from(left.as_millis()).unwrap_or(i64::MAX),
        }),
        ("GET", [key]) => store.get::<Bytes>(key)?.map_or(Reply::Nil, |text| Reply::bulk(text.clone())),
        ("MGET", [_, ..]) => {
            let text = |key: &Bytes| store.get::<Bytes>(key).ok().flatten().cloned();
            Reply::List(args.iter().map(|key| text(key).map_or(Reply::Nil, Reply::Bulk)).collect())
        }
        ("STRLEN", [key]) => Reply::count(store.get::<Bytes>(key)?.map_or(0, Vec::len)),
        ("SETEX", [key, time, value]) => {
            let lifetime = seconds(time)?;
            store.set(key, value.clone(), lifetime);
            Reply::OK
        }
        ("SADD", [key, added @ ..]) if !added.is_empty() => {
            let add = |set: &mut Set| added.iter().filter(|member| set.insert((*member).clone())).count();
            Reply::count(store.change(key, add)?)
        }
        ("SREM", [key, removed @ ..]) if !removed.is_empty() => {
            let remove = |set: &mut Set| removed.iter().filter(|member| set.remove(*member)).count();
            Reply::count(store.change(key, remove)?)
        }
        ("SMEMBERS", [key]) => members(store, key)?,
        ("SSCAN", [key, ..]) => Reply::whole_scan(members(store, key)?),
        _ => return Err(Refusal::Unknown),
    })
}

fn members(store: &Store, key: &[u8]) -> Result<Reply, Refusal> {
    Ok(Reply::list(store.get::<Set>(key)?.into_iter().flatten().cloned()))
}

/// All names in one step, whatever count was requested: the capacity bounds them.
fn scan(store: &Store, options: &[Bytes]) -> Result<Reply, Refusal> {
    let mut kind = None;
    for pair in options.chunks(2) {
        let [option, value] = pair else { return Err(Refusal::Syntax) };
        match option.to_ascii_uppercase().as_slice() {
            b"COUNT" => {}
            b"TYPE" => kind = Some(value),
            _ => return Err(Refusal::Syntax),
        }
    }
    let is_wanted =
        |value: &Value| kind.is_none_or(|kind| kind.eq_ignore_ascii_case(value.kind().as_bytes()));
    let names = store.names().filter(|(_, value)| is_wanted(value)).map(|(key, _)| key.clone());
    Ok(Reply::whole_scan(Reply::list(names)))
}

fn lists(store: &mut Store, name: &str, args: &[Bytes]) -> Result<Reply, Refusal> {
    Ok(match (name, args) {
        ("LPUSH" | "RPUSH", [key, values @ ..]) if !values.is_empty() => {
            Reply::count(store.change(key, |list: &mut List| {
                for value in values {
                    if name == "LPUSH" {
                        list.push_front(value.clone())
                    } else {
                        list.push_back(value.clone())
                    }
                }
                list.len()
            })?)
        }
        ("LLEN", [key]) => Reply::count(store.get::<List>(key)?.map_or(0, List::len)),
        ("LINDEX", [key, index]) => {
            let index = integer(index)?;
            let list = store.get::<List>(key)?;
            let entry = list.and_then(|list| list.get(place(index, list.len())?));
            entry.map_or(Reply::Nil, |entry| Reply::bulk(entry.clone()))
        }
        ("LRANGE", [key, first, last]) => {
            let (first, last) = (integer(first)?, integer(last)?);
            let list = store.get::<List>(key)?;
            Reply::list(list.into_iter().flat_map(|list| {
                let (first, count) = range(first, last, list.len());
                list.iter().skip(first).take(count).cloned()
            }))
        }
        _ => return Err(Refusal::Unknown),
    })
}

/// Takes the entry off the right end of a list.
pub fn pop(store: &mut Store, key: &[u8]) -> Result<Option<Bytes>, WrongType> {
    store.change(key, List::pop_back)
}

fn hashes(store: &mut Store, name: &str, args: &[Bytes]) -> Result<Reply, Refusal> {
    Ok(match (name, args) {
        ("HSET", [key, field, value]) => {
            let set = |hash: &mut Hash| hash.insert(field.clone(), value.clone()).is_none();
            Reply::Int(store.change(key, set)?.into())
        }
        ("HGET", [key, field]) => {
            let value = store.get::<Hash>(key)?.and_then(|hash| hash.get(field));
            value.map_or(Reply::Nil, |value| Reply::bulk(value.clone()))
        }
        ("HDEL", [key, field]) => {
            let remove = |hash: &mut Hash| hash.remove(field).is_some();
            Reply::Int(store.change(key, remove)?.into())
        }
        ("HLEN", [key]) => Reply::count(store.get::<Hash>(key)?.map_or(0, Hash::len)),
        ("HSCAN", [key, ..]) => {
            let hash = store.get::<Hash>(key)?.into_iter().flatten();
            let pairs = hash.flat_map(|(field, value)| [field.clone(), value.clone()]);
            Reply::whole_scan(Reply::list(pairs))
        }
        _ => return Err(Refusal::Unknown),
    })
}

fn sorted_sets(store: &mut Store, name: &str, args: &[Bytes]) -> Result<Reply, Refusal> {
    Ok(match (name, args) {
        ("ZADD", [key, score, member]) => {
            let score = number(score)?;
            let add = |sorted: &mut Sorted| sorted.insert(member.clone(), score).is_none();
            Reply::Int(store.change(key, add)?.into())
        }
        ("ZREM", [key, member]) => {
            let remove = |sorted: &mut Sorted| sorted.remove(member).is_some();
            Reply::Int(store.change(key, remove)?.into())
        }
        ("ZCARD", [key]) => Reply::count(store.get::<Sorted>(key)?.map_or(0, Sorted::len)),
        ("ZCOUNT", [key, least, most]) => {
            Reply::count(ranked(store, key, number(least)?, number(most)?)?.len())
        }
        ("ZRANGE", [key, first, last, options @ ..]) => {
            let all = ranked(store, key, f64::NEG_INFINITY, f64::INFINITY)?;
            let (first, count) = range(integer(first)?, integer(last)?, all.len());
            let with_scores = match options {
                [] => false,
                [option] if option.eq_ignore_ascii_case(b"WITHSCORES") => true,
                _ => return Err(Refusal::Syntax),
            };
            Reply::list(all.into_iter().skip(first).take(count).flat_map(|(member, score)| {
                [Some(member), with_scores.then(|| score.to_string().into_bytes())].into_iter().flatten()
            }))
        }
        ("ZREVRANGEBYSCORE", [key, most, least, limit, skip, take]) => {
            if !limit.eq_ignore_ascii_case(b"LIMIT") {
                return Err(Refusal::Syntax);
            }
            let [skip, take] = [skip, take].map(|number| integer(number).map(usize::try_from));
            let (skip, take) = (skip?.unwrap_or(usize::MAX), take?.unwrap_or(usize::MAX));
            let found = ranked(store, key, number(least)?, number(most)?)?.into_iter().rev();
            Reply::list(found.skip(skip).take(take).map(|(member, _)| member))
        }
        _ => return Err(Refusal::Unknown),
    })
}

/// Members whose scores lie within, by score and then by name.
fn ranked(store: &Store, key: &[u8], least: f64, most: f64) -> Result<Vec<(Bytes, f64)>, Refusal> {
    let sorted = store.get::<Sorted>(key)?.into_iter().flatten();
    let within = sorted.filter(|(_, score)| (least..=most).contains(*score));
    let mut all: Vec<_> = within.map(|(member, score)| (member.clone(), *score)).collect();
    all.sort_by(|one, other| one.1.total_cmp(&other.1));
    Ok(all)
}

fn integer(text: &[u8]) -> Result<i64, Refusal> {
    std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).ok_or(Refusal::NotANumber)
}

fn number(text: &[u8]) -> Result<f64, Refusal> {
    let number = std::str::from_utf8(text).ok().and_then(|text| text.parse::<f64>().ok());
    number.filter(|number| !number.is_nan()).ok_or(Refusal::NotANumber)
}

fn seconds(time: &[u8]) -> Result<Duration, Refusal> {
    let time = u32::try_from(integer(time)?).map_err(|_| Refusal::NotANumber)?;
    Ok(Duration::from_secs(time.into()))
}

/// An index, which counts from the end if it is negative.
fn place(index: i64, len: usize) -> Option<usize> {
    match usize::try_from(index) {
        Ok(index) => Some(index).filter(|index| *index < len),
        Err(_) => len.checked_sub(usize::try_from(index.unsigned_abs()).ok()?),
    }
}

/// Where a range begins, and how many it takes; both ends are included.
fn range(first: i64, last: i64, len: usize) -> (usize, usize) {
    let from_start = |index: i64| match usize::try_from(index) {
        Ok(index) => Some(index),
        Err(_) => len.checked_sub(usize::try_from(index.unsigned_abs()).unwrap_or(usize::MAX)),
    };
    let first = from_start(first).unwrap_or(0);
    let Some(last) = from_start(last) else { return (0, 0) };
    (first, (last.saturating_add(1)).min(len).saturating_sub(first))
}

#[cfg(test)]
mod tests;
