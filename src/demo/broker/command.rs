//! The commands that read and change keys, as <https://redis.io/docs/latest/commands/>
//! describes them. What concerns a connection is the server's.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::pattern::matches;
use super::resp::Reply;
use super::store::{Bytes, Lifetime, Store, Value, WrongType};

type List = VecDeque<Bytes>;
type Hash = BTreeMap<Bytes, Bytes>;
type Set = BTreeSet<Bytes>;
type Sorted = BTreeMap<Bytes, f64>;

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

/// The commands that there are, to tell one that is unknown from one that is
/// called with too few words.
const KNOWN: [&str; 52] = [
    "DBSIZE",
    "DECR",
    "DEL",
    "EXISTS",
    "EXPIRE",
    "GET",
    "HDEL",
    "HEXISTS",
    "HGET",
    "HGETALL",
    "HLEN",
    "HSCAN",
    "HSET",
    "INCR",
    "INFO",
    "KEYS",
    "LINDEX",
    "LLEN",
    "LPOP",
    "LPUSH",
    "LRANGE",
    "LREM",
    "MGET",
    "PERSIST",
    "PEXPIRE",
    "PSETEX",
    "PTTL",
    "RPOP",
    "RPUSH",
    "SADD",
    "SCAN",
    "SCARD",
    "SET",
    "SETEX",
    "SETNX",
    "SISMEMBER",
    "SMEMBERS",
    "SREM",
    "SSCAN",
    "STRLEN",
    "TIME",
    "TTL",
    "TYPE",
    "UNLINK",
    "ZADD",
    "ZCARD",
    "ZCOUNT",
    "ZRANGE",
    "ZRANGEBYSCORE",
    "ZREM",
    "ZREVRANGEBYSCORE",
    "ZSCORE",
];

/// Runs one command.
pub fn run(store: &mut Store, words: &[Bytes]) -> Reply {
    let Some((name, args)) = words.split_first() else { return Reply::Error("ERR empty command".into()) };
    let name = String::from_utf8_lossy(name).to_ascii_uppercase();
    let shown: String = name.chars().filter(char::is_ascii_graphic).take(64).collect();
    match perform(store, &name, args) {
        Ok(reply) => reply,
        Err(refusal) => Reply::Error(match refusal {
            Refusal::WrongType => "WRONGTYPE Operation against a key holding the wrong kind of value".into(),
            Refusal::Syntax => "ERR syntax error".into(),
            Refusal::NotANumber => "ERR value is not an integer or out of range".into(),
            Refusal::Unknown if KNOWN.contains(&&*name) => {
                format!("ERR wrong number of arguments for '{}' command", shown.to_ascii_lowercase())
            }
            Refusal::Unknown => format!(
                "ERR unknown command '{shown}': tracelink's embedded broker is a stage prop; for a whole Redis, give the demo one with --broker"
            ),
            Refusal::Full => "OOM command not allowed when used memory > 'maxmemory'.".into(),
        }),
    }
}

fn perform(store: &mut Store, name: &str, args: &[Bytes]) -> Result<Reply, Refusal> {
    const GROWS: [&str; 9] = ["SET", "SETEX", "PSETEX", "SETNX", "LPUSH", "RPUSH", "HSET", "SADD", "ZADD"];
    if GROWS.contains(&name) && !store.has_room(args.iter().map(|arg| arg.len() + 32).sum()) {
        return Err(Refusal::Full);
    }
    match (name, args) {
        ("TIME", []) => {
            let parts = [store.now.as_secs().to_string(), store.now.subsec_micros().to_string()];
            Ok(Reply::list(parts.map(String::into_bytes)))
        }
        ("DBSIZE", []) => Ok(Reply::count(store.len())),
        ("INFO", _) => {
            Ok(Reply::bulk("# Server\r\nredis_version:7.0.0\r\nredis_mode:standalone\r\nrole:master\r\n"))
        }
        ("DEL" | "UNLINK", [_, ..]) => Ok(Reply::count(args.iter().filter(|key| store.remove(key)).count())),
        ("EXISTS", [_, ..]) => Ok(Reply::count(args.iter().filter(|key| store.value(key).is_some()).count())),
        ("TYPE", [key]) => Ok(Reply::Simple(store.value(key).map_or("none", Value::kind))),
        ("KEYS", [pattern]) => Ok(Reply::list(
            store.names().filter(|(key, _)| matches(pattern, key)).map(|(key, _)| key.clone()),
        )),
        ("SCAN", [_, options @ ..]) => scan(store, options),
        ("EXPIRE" | "PEXPIRE", [key, time]) => {
            let lives = lives(name == "EXPIRE", time)?;
            Ok(Reply::Int(store.expire(key, Some(lives)).into()))
        }
        ("PERSIST", [key]) => Ok(Reply::Int(store.expire(key, None).into())),
        ("TTL" | "PTTL", [key]) => Ok(Reply::Int(match store.lives(key) {
            Lifetime::Nothing => -2,
            Lifetime::Forever => -1,
            Lifetime::For(lives) if name == "TTL" => i64::try_from(lives.as_secs()).unwrap_or(i64::MAX),
            Lifetime::For(lives) => i64::try_from(lives.as_millis()).unwrap_or(i64::MAX),
        })),
        _ => strings(store, name, args)
            .or_else(|refusal| next(refusal, || lists(store, name, args)))
            .or_else(|refusal| next(refusal, || hashes(store, name, args)))
            .or_else(|refusal| next(refusal, || sets(store, name, args)))
            .or_else(|refusal| next(refusal, || sorted_sets(store, name, args))),
    }
}

/// Where one family does not know a command, the next one may.
fn next(refusal: Refusal, family: impl FnOnce() -> Result<Reply, Refusal>) -> Result<Reply, Refusal> {
    if matches!(refusal, Refusal::Unknown) { family() } else { Err(refusal) }
}

fn strings(store: &mut Store, name: &str, args: &[Bytes]) -> Result<Reply, Refusal> {
    Ok(match (name, args) {
        ("GET", [key]) => store.get::<Bytes>(key)?.map_or(Reply::Nil, |text| Reply::bulk(text.clone())),
        ("MGET", [_, ..]) => {
            let text = |key: &Bytes| store.get::<Bytes>(key).ok().flatten().cloned();
            Reply::List(args.iter().map(|key| text(key).map_or(Reply::Nil, Reply::Bulk)).collect())
        }
        ("STRLEN", [key]) => Reply::count(store.get::<Bytes>(key)?.map_or(0, Vec::len)),
        ("SETEX" | "PSETEX", [key, time, value]) => {
            let lives = lives(name == "SETEX", time)?;
            store.set(key, value.clone(), Some(lives));
            Reply::OK
        }
        ("SETNX", [key, value]) => {
            let is_new = store.value(key).is_none();
            if is_new {
                store.set(key, value.clone(), None);
            }
            Reply::Int(is_new.into())
        }
        ("SET", [key, value, options @ ..]) => set(store, key, value, options)?,
        ("INCR" | "DECR", [key]) => {
            let number = match store.get::<Bytes>(key)? {
                Some(text) => integer(text)?,
                None => 0,
            };
            let step = if name == "INCR" { 1 } else { -1 };
            let number = number.checked_add(step).ok_or(Refusal::NotANumber)?;
            store.change(key, |text: &mut Bytes| *text = number.to_string().into_bytes())?;
            Reply::Int(number)
        }
        _ => return Err(Refusal::Unknown),
    })
}

fn set(store: &mut Store, key: &[u8], value: &[u8], options: &[Bytes]) -> Result<Reply, Refusal> {
    let (mut lifetime, mut only_if) = (None, None);
    let mut options = options.iter();
    while let Some(option) = options.next() {
        match option.to_ascii_uppercase().as_slice() {
            b"NX" => only_if = Some(false),
            b"XX" => only_if = Some(true),
            unit @ (b"EX" | b"PX") => {
                let time = options.next().ok_or(Refusal::Syntax)?;
                lifetime = Some(lives(unit == b"EX", time)?);
            }
            _ => return Err(Refusal::Syntax),
        }
    }
    if only_if.is_some_and(|there| store.value(key).is_some() != there) {
        return Ok(Reply::Nil);
    }
    store.set(key, value.to_vec(), lifetime);
    Ok(Reply::OK)
}

fn lists(store: &mut Store, name: &str, args: &[Bytes]) -> Result<Reply, Refusal> {
    Ok(match (name, args) {
        ("LPUSH" | "RPUSH", [key, values @ ..]) if !values.is_empty() => {
            let length = store.change(key, |list: &mut List| {
                for value in values {
                    if name == "LPUSH" {
                        list.push_front(value.clone())
                    } else {
                        list.push_back(value.clone())
                    }
                }
                list.len()
            })?;
            store.grows();
            Reply::count(length)
        }
        ("LPOP" | "RPOP", [key]) => pop(store, key, name == "LPOP")?.map_or(Reply::Nil, Reply::Bulk),
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
        ("LREM", [key, count, value]) => {
            let most = match integer(count)? {
                0 => usize::MAX,
                count => usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX),
            };
            Reply::count(store.change(key, |list: &mut List| {
                let before = list.len();
                let mut left = most;
                list.retain(|entry| {
                    let goes = entry == value && left > 0;
                    left -= usize::from(goes);
                    !goes
                });
                before - list.len()
            })?)
        }
        _ => return Err(Refusal::Unknown),
    })
}

/// Takes an entry off one end of a list.
pub fn pop(store: &mut Store, key: &[u8], first: bool) -> Result<Option<Bytes>, WrongType> {
    store.change(key, |list: &mut List| if first { list.pop_front() } else { list.pop_back() })
}

fn hashes(store: &mut Store, name: &str, args: &[Bytes]) -> Result<Reply, Refusal> {
    Ok(match (name, args) {
        ("HSET", [key, pairs @ ..]) if !pairs.is_empty() && pairs.len() % 2 == 0 => {
            Reply::count(store.change(key, |hash: &mut Hash| {
                let insert = |pair: &[Bytes]| hash.insert(pair[0].clone(), pair[1].clone()).is_none();
                pairs.chunks_exact(2).map(insert).filter(|is_new| *is_new).count()
            })?)
        }
        ("HGET", [key, field]) => {
            let value = store.get::<Hash>(key)?.and_then(|hash| hash.get(field));
            value.map_or(Reply::Nil, |value| Reply::bulk(value.clone()))
        }
        ("HDEL", [key, fields @ ..]) if !fields.is_empty() => {
            let remove =
                |hash: &mut Hash| fields.iter().filter(|field| hash.remove(*field).is_some()).count();
            Reply::count(store.change(key, remove)?)
        }
        ("HLEN", [key]) => Reply::count(store.get::<Hash>(key)?.map_or(0, Hash::len)),
        ("HEXISTS", [key, field]) => {
            Reply::Int(store.get::<Hash>(key)?.is_some_and(|hash| hash.contains_key(field)).into())
        }
        ("HGETALL", [key]) => Reply::Map(pairs(store.get::<Hash>(key)?)),
        ("HSCAN", [key, ..]) => {
            Reply::List(vec![Reply::bulk("0"), Reply::List(pairs(store.get::<Hash>(key)?))])
        }
        _ => return Err(Refusal::Unknown),
    })
}

fn pairs(hash: Option<&Hash>) -> Vec<Reply> {
    hash.into_iter()
        .flatten()
        .flat_map(|(field, value)| [Reply::bulk(field.clone()), Reply::bulk(value.clone())])
        .collect()
}

fn sets(store: &mut Store, name: &str, args: &[Bytes]) -> Result<Reply, Refusal> {
    let members = |set: Option<&Set>| set.into_iter().flatten().cloned().map(Reply::Bulk).collect::<Vec<_>>();
    Ok(match (name, args) {
        ("SADD", [key, added @ ..]) if !added.is_empty() => {
            let add = |set: &mut Set| added.iter().filter(|member| set.insert((*member).clone())).count();
            Reply::count(store.change(key, add)?)
        }
        ("SREM", [key, removed @ ..]) if !removed.is_empty() => {
            let remove = |set: &mut Set| removed.iter().filter(|member| set.remove(*member)).count();
            Reply::count(store.change(key, remove)?)
        }
        ("SMEMBERS", [key]) => Reply::Set(members(store.get(key)?)),
        ("SCARD", [key]) => Reply::count(store.get::<Set>(key)?.map_or(0, Set::len)),
        ("SISMEMBER", [key, member]) => {
            Reply::Int(store.get::<Set>(key)?.is_some_and(|set| set.contains(member)).into())
        }
        ("SSCAN", [key, ..]) => Reply::List(vec![Reply::bulk("0"), Reply::List(members(store.get(key)?))]),
        _ => return Err(Refusal::Unknown),
    })
}

fn sorted_sets(store: &mut Store, name: &str, args: &[Bytes]) -> Result<Reply, Refusal> {
    Ok(match (name, args) {
        ("ZADD", [key, pairs @ ..]) if !pairs.is_empty() && pairs.len() % 2 == 0 => {
            let scored = pairs
                .chunks_exact(2)
                .map(|pair| Ok((pair[1].clone(), number(&pair[0])?)))
                .collect::<Result<Vec<_>, Refusal>>()?;
            Reply::count(store.change(key, |sorted: &mut Sorted| {
                scored
                    .into_iter()
                    .filter(|(member, score)| sorted.insert(member.clone(), *score).is_none())
                    .count()
            })?)
        }
        ("ZREM", [key, removed @ ..]) if !removed.is_empty() => {
            let remove = |sorted: &mut Sorted| {
                removed.iter().filter(|member| sorted.remove(*member).is_some()).count()
            };
            Reply::count(store.change(key, remove)?)
        }
        ("ZCARD", [key]) => Reply::count(store.get::<Sorted>(key)?.map_or(0, Sorted::len)),
        ("ZSCORE", [key, member]) => {
            let score = store.get::<Sorted>(key)?.and_then(|sorted| sorted.get(member));
            score.map_or(Reply::Nil, |score| Reply::Double(*score))
        }
        ("ZCOUNT", [key, least, most]) => {
            Reply::count(ranked(store, key, bound(least)?, bound(most)?)?.len())
        }
        ("ZRANGE", [key, first, last, options @ ..]) => {
            let all = ranked(store, key, Bound::OPEN, Bound::OPEN)?;
            let (first, count) = range(integer(first)?, integer(last)?, all.len());
            scored(all.into_iter().skip(first).take(count), options)?
        }
        ("ZRANGEBYSCORE", [key, least, most, options @ ..]) => {
            scored(ranked(store, key, bound(least)?, bound(most)?)?.into_iter(), options)?
        }
        ("ZREVRANGEBYSCORE", [key, most, least, options @ ..]) => {
            scored(ranked(store, key, bound(least)?, bound(most)?)?.into_iter().rev(), options)?
        }
        _ => return Err(Refusal::Unknown),
    })
}

/// An end of a range of scores: none, or a score that may be excluded.
#[derive(Clone, Copy)]
struct Bound(Option<(f64, bool)>);

impl Bound {
    const OPEN: Self = Self(None);

    fn holds(self, score: f64, is_least: bool) -> bool {
        self.0.is_none_or(|(bound, excluded)| {
            if excluded && score.total_cmp(&bound).is_eq() {
                return false;
            }
            if is_least { score >= bound } else { score <= bound }
        })
    }
}

fn bound(text: &[u8]) -> Result<Bound, Refusal> {
    let (text, excluded) = text.strip_prefix(b"(").map_or((text, false), |text| (text, true));
    Ok(Bound(Some((number(text)?, excluded))))
}

/// Members by score, then by name.
fn ranked(store: &Store, key: &[u8], least: Bound, most: Bound) -> Result<Vec<(Bytes, f64)>, Refusal> {
    let sorted = store.get::<Sorted>(key)?;
    let within = |(_, score): &(&Bytes, &f64)| least.holds(**score, true) && most.holds(**score, false);
    let mut all: Vec<_> =
        sorted.into_iter().flatten().filter(within).map(|(member, score)| (member.clone(), *score)).collect();
    all.sort_by(|one, other| one.1.total_cmp(&other.1));
    Ok(all)
}

fn scored(members: impl Iterator<Item = (Bytes, f64)>, options: &[Bytes]) -> Result<Reply, Refusal> {
    let (mut with_scores, mut skip, mut take) = (false, 0, usize::MAX);
    let mut options = options.iter();
    while let Some(option) = options.next() {
        match option.to_ascii_uppercase().as_slice() {
            b"WITHSCORES" => with_scores = true,
            b"LIMIT" => {
                let (Some(from), Some(most)) = (options.next(), options.next()) else {
                    return Err(Refusal::Syntax);
                };
                skip = usize::try_from(integer(from)?).unwrap_or(usize::MAX);
                take = usize::try_from(integer(most)?).unwrap_or(usize::MAX);
            }
            _ => return Err(Refusal::Syntax),
        }
    }
    let members = members.skip(skip).take(take);
    Ok(Reply::List(if with_scores {
        members.flat_map(|(member, score)| [Reply::Bulk(member), Reply::Double(score)]).collect()
    } else {
        members.map(|(member, _)| Reply::Bulk(member)).collect()
    }))
}

/// All names in one step, however many were asked for: the capacity bounds them.
fn scan(store: &Store, options: &[Bytes]) -> Result<Reply, Refusal> {
    let (mut pattern, mut kind) = (None, None);
    for pair in options.chunks(2) {
        let [option, value] = pair else { return Err(Refusal::Syntax) };
        match option.to_ascii_uppercase().as_slice() {
            b"COUNT" => {}
            b"MATCH" => pattern = Some(value),
            b"TYPE" => kind = Some(value),
            _ => return Err(Refusal::Syntax),
        }
    }
    let is_wanted = |key: &[u8], value: &Value| {
        pattern.is_none_or(|pattern| matches(pattern, key))
            && kind.is_none_or(|kind| kind.eq_ignore_ascii_case(value.kind().as_bytes()))
    };
    let names = store.names().filter(|(key, value)| is_wanted(key, value)).map(|(key, _)| key.clone());
    Ok(Reply::List(vec![Reply::bulk("0"), Reply::list(names)]))
}

fn integer(text: &[u8]) -> Result<i64, Refusal> {
    std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).ok_or(Refusal::NotANumber)
}

fn number(text: &[u8]) -> Result<f64, Refusal> {
    let number = std::str::from_utf8(text).ok().and_then(|text| text.parse::<f64>().ok());
    number.filter(|number| !number.is_nan()).ok_or(Refusal::NotANumber)
}

fn lives(in_seconds: bool, time: &[u8]) -> Result<Duration, Refusal> {
    let time = u32::try_from(integer(time)?).map_err(|_| Refusal::NotANumber)?;
    Ok(if in_seconds { Duration::from_secs(time.into()) } else { Duration::from_millis(time.into()) })
}

/// The place of an index that counts from the end where it is negative.
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
