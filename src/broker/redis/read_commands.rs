//! The commands that tracelink says to a Redis, for users and their ACLs.

/// Every command that a [`Connection`](super::Connection) can say once it is
/// open, by name. A user with these and no others can do all that tracelink
/// does:
///
/// ```text
/// ACL SETUSER tracelink on ><password> ~* +dbsize +hlen +hscan … +zrange
/// ```
///
/// Before them go `AUTH` and `SELECT`, where the URL has a login and a database
/// other than 0; to Sentinel, `AUTH` and `SENTINEL GET-MASTER-ADDR-BY-NAME`.
/// The driver says nothing of its own: no `HELLO`, no `CLIENT SETINFO`.
pub const READ_COMMANDS: [&str; 14] = [
    "DBSIZE", "HLEN", "HSCAN", "LINDEX", "LLEN", "LRANGE", "MGET", "PTTL", "SCAN", "SSCAN", "STRLEN", "TIME",
    "ZCARD", "ZRANGE",
];

/// What is said besides where a database holds nothing of Celery's, to name the
/// one that does. `INFO` changes nothing, but Redis counts it among the commands
/// that it calls dangerous, so it is not asked of an administrator: a user who may
/// not say it is told less.
pub const WHERE_ALLOWED: [&str; 1] = ["INFO"];
