//! The commands that tracelink sends to a Redis, for users and their ACLs.

/// Every command that an open [`Connection`](super::Connection) can send, by name. A user
/// who may send these and no others can do all that tracelink does:
///
/// ```text
/// ACL SETUSER tracelink on ><password> ~* +dbsize +hlen +hscan … +zrange
/// ```
///
/// Before them come `AUTH` and `SELECT`, where the URL has a login and a database other
/// than 0, and for Sentinel `AUTH` and `SENTINEL GET-MASTER-ADDR-BY-NAME`. The connection
/// sends nothing else on its own: no `HELLO`, no `CLIENT SETINFO`.
pub const READ_COMMANDS: [&str; 14] = [
    "DBSIZE", "HLEN", "HSCAN", "LINDEX", "LLEN", "LRANGE", "MGET", "PTTL", "SCAN", "SSCAN", "STRLEN", "TIME",
    "ZCARD", "ZRANGE",
];

/// A command sent besides, where a database holds none of Celery's keys, to name the
/// database that does. `INFO` changes nothing, but Redis counts it as dangerous, so
/// administrators are not asked to allow it. A user who may not send it is told less.
pub const WHERE_ALLOWED: [&str; 1] = ["INFO"];
