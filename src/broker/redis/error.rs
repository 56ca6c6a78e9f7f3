//! What can be wrong with a broker, and how to fix each.

use std::io;
use std::path::PathBuf;

use super::connection::{ReplyError, ServerError};
use super::read_commands::READ_COMMANDS;
use crate::model::{Blame, Blamed};

/// Why a broker could not be read. Each message names the broker without its password,
/// says what is wrong, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    #[error("{broker} cannot be reached: {why}. Is Redis running there, and are host and port right?")]
    Unreachable { broker: String, why: String },
    #[error("{broker} did not answer {command} in time. Is the server overloaded, or a firewall in between?")]
    Timeout { broker: String, command: &'static str },
    #[error("{broker} ended the connection at {command}: {why}. Try again; the server's log says why it did")]
    Lost { broker: String, command: &'static str, why: String },
    #[error(
        "{broker} does not answer as Redis does. If it needs TLS, write rediss:// in place of redis://; \
         otherwise check host and port"
    )]
    NotRedis { broker: String },
    #[error(
        "{broker}: no TLS connection: {why}. For a port without TLS write redis://; for a certificate \
         of your own add ?ssl_ca_certs=<file> or, to accept any, ?ssl_cert_reqs=none"
    )]
    Tls { broker: String, why: String },
    #[error("cannot read {path}", path = path.display())]
    File { path: PathBuf, source: io::Error },
    #[error(
        "{broker} requires a password: write redis://:<password>@host:port/db, \
         or redis://<user>:<password>@… for a user of its ACL"
    )]
    PasswordMissing { broker: String },
    #[error(
        "{broker} refuses the login: {says}. Check user and password in the URL \
         (`/`, `@`, `:` and `#` in them are written %2F, %40, %3A and %23)"
    )]
    PasswordWrong { broker: String, says: String },
    #[error(
        "{broker}: the user may not send {command}{key}. tracelink only reads; let an administrator \
         run ACL SETUSER <user> ~* {rules}",
        key = key.as_ref().map(|key| format!(" for the key `{key}`")).unwrap_or_default(),
        rules = rules(),
    )]
    NoPermission {
        broker: String,
        command: &'static str,
        /// `None` where the user may not send the command for any key.
        key: Option<String>,
    },
    #[error(
        "{broker}: the user may not send MONITOR, which only --broker-monitor needs; let an \
         administrator run ACL SETUSER <user> +monitor, or leave the option out: messages that wait are seen without it"
    )]
    MonitorForbidden { broker: String },
    #[error(
        "{broker}: tracelink does not use MONITOR over TLS: it is for a Redis on a development machine. Leave out \
         --broker-monitor, or name the Redis without TLS (redis:// or redis+socket://)"
    )]
    MonitorOverTls { broker: String },
    #[error(
        "{broker}: the key `{key}` is not a {expected}, so it belongs to another program. Name a queue, or none to let tracelink find them"
    )]
    WrongType { broker: String, key: String, expected: &'static str },
    #[error(
        "{broker} has no such database: {says}. The number at the end of the URL is that of Celery's broker_url"
    )]
    NoDatabase { broker: String, says: String },
    #[error(
        "{broker}: none of its {keys} keys is a Celery broker's: no binding, no queue, no `unacked`. \
         {}",
        the_right_one(.other_databases)
    )]
    NotCelery {
        broker: String,
        keys: u64,
        /// The databases of the same server that hold Celery's keys.
        other_databases: Vec<u32>,
    },
    #[error("{broker} is loading its data into memory. Try again when it has started")]
    Loading { broker: String },
    #[error(
        "{broker} runs a script that does not end, and answers nothing else. Try again when it is done; \
         SCRIPT KILL ends it, and tracelink never sends that"
    )]
    Busy { broker: String },
    #[error(
        "{broker} is a replica that has lost its master, and refuses to be read. Name the master, as Celery's \
         broker_url has it; or let the replica answer with the data it has (replica-serve-stale-data yes)"
    )]
    MasterDown { broker: String },
    #[error(
        "{broker} is a node of a Redis Cluster, and {what} lies on another node, {node}. Celery uses one node of \
         a cluster: name the one that has its keys (CLUSTER KEYSLOT <key> and CLUSTER SLOTS show which)",
        what = key.as_ref().map_or_else(|| "what is asked for".to_owned(), |key| format!("the key `{key}`")),
    )]
    OtherNode { broker: String, key: Option<String>, node: String },
    #[error(
        "{broker} is a node of a Redis Cluster, and none of its {keys} keys is a Celery broker's. \
         They may lie on another node: name the one that has them{}", such_as(.nodes)
    )]
    NotOnThisNode {
        broker: String,
        keys: u64,
        /// Other nodes, as the server named them.
        nodes: Vec<String>,
    },
    #[error(
        "{broker} belongs to a Redis Cluster that is down: {says}. Try again when each slot has a node \
         (CLUSTER INFO says cluster_state:ok then)"
    )]
    ClusterDown { broker: String, says: String },
    #[error(
        "{broker} is a node of a Redis Cluster, which has no database but 0: leave out the number at the end of \
         the URL"
    )]
    ClusterDatabase { broker: String },
    #[error("{broker} is a node of a Redis Cluster, and refuses {command} for keys of several slots: {says}")]
    CrossSlot { broker: String, command: &'static str, says: String },
    #[error(
        "Sentinel needs the name of the master: give --sentinel-master (master_name of Celery's broker_transport_options)"
    )]
    MasterUnnamed,
    #[error(
        "no sentinel of {sentinels} knows a master `{master}`. Check --sentinel-master; SENTINEL MASTERS lists the names"
    )]
    MasterUnknown { master: String, sentinels: String },
    #[error("{broker} refuses {command}: {says}. tracelink needs Redis 6.0 or later, or a compatible server")]
    Refused { broker: String, command: &'static str, says: String },
    #[error(
        "{broker} answers {command} with more than 256 MiB. Read fewer messages at a time: --limit 1 takes one"
    )]
    TooMuch { broker: String, command: &'static str },
    #[error("{broker} does not answer {command} as Redis does. Is a proxy in between?")]
    Unreadable { broker: String, command: &'static str },
}

impl Blamed for BrokerError {
    fn blame(&self) -> Blame {
        match self {
            // Whatever is there, Sentinel needs the name of a master.
            Self::MasterUnnamed => Blame::Usage,
            _ => Blame::Environment,
        }
    }
}

/// Says which database to name instead.
fn the_right_one(other_databases: &[u32]) -> String {
    match other_databases {
        [] => "Is it the database of Celery's broker_url? Its number is the end of the URL: redis://host:6379/<number>"
            .to_owned(),
        found => format!(
            "{} of the same server: write that number at the end of the URL, as Celery's broker_url has it",
            told(found)
        ),
    }
}

/// Names other nodes of a cluster, where any are known.
fn such_as(nodes: &[String]) -> String {
    const SHOWN: usize = 3;
    let shown: Vec<_> = nodes.iter().take(SHOWN).map(String::as_str).collect();
    if shown.is_empty() { String::new() } else { format!(", such as {}", shown.join(" or ")) }
}

/// Says that these databases hold Celery's keys.
fn told(databases: &[u32]) -> String {
    let numbers: Vec<_> = databases.iter().map(u32::to_string).collect();
    match databases {
        [_] => format!("Celery's keys are in database {}", numbers.join("")),
        _ => format!("Celery's keys are in the databases {}", numbers.join(", ")),
    }
}

impl BrokerError {
    /// Whether the connection is no longer of use. A command that was refused has had its
    /// answer, and the next one may be allowed.
    pub(super) const fn ends_the_connection(&self) -> bool {
        !matches!(
            self,
            Self::NoPermission { .. }
                | Self::WrongType { .. }
                | Self::Loading { .. }
                | Self::Busy { .. }
                | Self::MasterDown { .. }
                | Self::OtherNode { .. }
                | Self::ClusterDown { .. }
                | Self::CrossSlot { .. }
                | Self::Refused { .. }
        )
    }

    /// The error for a connection that was never opened.
    pub(super) fn unreachable(broker: &str, error: &io::Error) -> Self {
        Self::Unreachable { broker: broker.to_owned(), why: tame(&error.to_string()) }
    }

    /// The error for certificates or TLS.
    pub(super) fn tls(broker: &str, why: &str) -> Self {
        Self::Tls { broker: broker.to_owned(), why: tame(why) }
    }

    /// The error for a command that got no reply.
    pub(super) fn no_reply(broker: &str, command: &'static str, error: ReplyError) -> Self {
        let broker_name = || broker.to_owned();
        match error {
            ReplyError::TimedOut => Self::Timeout { broker: broker_name(), command },
            ReplyError::TooLong => Self::TooMuch { broker: broker_name(), command },
            ReplyError::NotRedis => Self::Unreadable { broker: broker_name(), command },
            ReplyError::Io(error) => Self::lost(broker, command, &error),
        }
    }

    /// The error for a connection that was lost.
    fn lost(broker: &str, command: &'static str, error: &io::Error) -> Self {
        use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof, WriteZero};

        let (broker, why) = (broker.to_owned(), tame(&error.to_string()));
        match error.kind() {
            BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof | WriteZero => {
                Self::Lost { broker, command, why }
            }
            // TLS: an open socket has no other errors of its own.
            _ => Self::Tls { broker, why },
        }
    }

    /// The error for a reply that is one, by the code at its start:
    /// <https://redis.io/docs/latest/develop/reference/protocol-spec/#simple-errors>.
    pub(super) fn refused(
        broker: &str,
        command: &'static str,
        key: Option<&[u8]>,
        expected: &'static str,
        error: &ServerError,
    ) -> Self {
        let broker = broker.to_owned();
        let says = tame(&error.message);
        let key = key.map(|key| tame(&String::from_utf8_lossy(key)));
        match error.code.as_str() {
            // "this user has no permissions to run the 'llen' command": this is not about
            // one key, so trying others does not help.
            "NOPERM" if says.contains("to run the") => Self::NoPermission { broker, command, key: None },
            "NOPERM" => Self::NoPermission { broker, command, key },
            "NOAUTH" => Self::PasswordMissing { broker },
            // These come in place of any answer, even of the answer to a login.
            "LOADING" => Self::Loading { broker },
            "BUSY" => Self::Busy { broker },
            "MASTERDOWN" => Self::MasterDown { broker },
            // "3999 127.0.0.1:6381": <https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#moved-redirection>.
            "MOVED" | "ASK" => {
                let node = says.split_once(' ').map_or(says.as_str(), |(_, node)| node).to_owned();
                Self::OtherNode { broker, key, node }
            }
            "CLUSTERDOWN" => Self::ClusterDown { broker, says },
            "CROSSSLOT" | "TRYAGAIN" => Self::CrossSlot { broker, command, says },
            "DENIED" => Self::Refused { broker, command, says },
            _ if says.starts_with("max number of clients") => Self::Refused { broker, command, says },
            _ if command == "AUTH" => Self::PasswordWrong { broker, says },
            "WRONGTYPE" => Self::WrongType { broker, key: key.unwrap_or_default(), expected },
            _ if command == "SELECT" && says.contains("cluster mode") => Self::ClusterDatabase { broker },
            _ if command == "SELECT" => Self::NoDatabase { broker, says },
            _ => Self::Refused { broker, command, says },
        }
    }
}

/// The rules of an ACL that allow a user what tracelink does, and no more.
fn rules() -> String {
    READ_COMMANDS.map(|command| format!("+{}", command.to_ascii_lowercase())).join(" ")
}

/// Makes a server's text short and one line long, without control characters.
fn tame(text: &str) -> String {
    const LETTERS: usize = 200;
    let tame: String = text.chars().take(LETTERS).collect();
    tame.trim_end_matches('.').escape_debug().to_string().replace("\\'", "'").replace("\\\"", "\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_a_server_is_tamed() {
        assert_eq!(tame("it's \"so\"\u{1b}[2J."), "it's \"so\"\\u{1b}[2J");
        assert_eq!(tame(&"x".repeat(1000)).len(), 200);
    }

    #[test]
    fn a_refusal_names_the_rules_that_are_wanting() {
        let error = BrokerError::NoPermission {
            broker: "redis://host:6379/0".to_owned(),
            command: "LRANGE",
            key: Some("celery".to_owned()),
        };
        let text = error.to_string();
        assert!(text.contains("may not send LRANGE for the key `celery`"), "{text}");
        assert!(text.contains("+llen +lrange +mget"), "{text}");
    }
}
