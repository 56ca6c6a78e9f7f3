//! What happens to a session and should be shown at once, apart from its events.
//!
//! The threads of a session print nothing. They hand a [`SessionNotice`] to code that knows
//! where it may be shown, so that no line of theirs tears the terminal's output.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use crate::broker::redis::BrokerError;
use crate::query::clickhouse::QueryError;
use crate::receiver::Sent;

/// Something that happened. Its text is for people, has one or more lines, and contains raw
/// text from outside: whoever shows it makes it safe.
#[derive(Debug)]
pub enum SessionNotice {
    /// The broker cannot be reached or read. It is tried again.
    BrokerAway(BrokerError),
    /// It answers again.
    BrokerBack,
    /// A database that contains nothing of Celery's, by its name, and those of the same
    /// server that do.
    WrongDatabase { broker: String, other_databases: Vec<u32> },
    /// The broker is a node of a Redis Cluster, by its name.
    ClusterNode(String),
    /// A look takes so many commands that the next one waits, to spare the broker.
    LooksSlowly { every: Duration, commands: u64 },
    /// Results cannot be read, and why.
    ResultsFailed(String),
    /// The connection that says `MONITOR` is lost. It is made again.
    MonitorLost(BrokerError),
    /// `MONITOR` is listened to again.
    MonitorBack,
    /// The broker does not answer the last look yet.
    WaitsForBroker,
    /// The broker did not answer the last look in time.
    LastLookMissed,
    /// The store that is watched does not answer, or not what it was asked. It is asked again
    /// after `every`.
    StoreAway { error: QueryError, every: Duration },
    /// It answers again.
    StoreBack,
    /// Its answers take longer than it is asked for.
    StoreIsSlow { every: Duration, took: Duration },
    /// It does not say yet what it counted.
    WaitsForStore,
    /// It did not say what it counted, and why.
    NotCounted(QueryError),
    /// It was asked to end, and waits up to `settle` for what is open.
    Waits { settle: Duration, handoffs: usize },
    /// What became of everything that was to be forwarded.
    Forwarded(Sent),
    /// Something could not be written to the bundle.
    NotSaved(String),
    /// A port that `option` chose is open to other machines. Whoever reaches it may do this.
    OpenToOthers { option: &'static str, address: SocketAddr, may: &'static str },
}

impl SessionNotice {
    /// Says that others than this machine's users may reach a port, where they may.
    pub fn of_port(option: &'static str, address: SocketAddr, may: &'static str) -> Option<Self> {
        (!address.ip().is_loopback()).then_some(Self::OpenToOthers { option, address, may })
    }
}

impl fmt::Display for SessionNotice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BrokerAway(error) => {
                write!(f, "{error}\n  it is tried again; what is received goes on being judged")
            }
            Self::BrokerBack => f.write_str("the broker is back"),
            Self::WrongDatabase { broker, other_databases } => {
                let others: Vec<_> = other_databases.iter().map(u32::to_string).collect();
                write!(
                    f,
                    "{broker} holds nothing of Celery; its keys are in database {} of the same server\n  \
                     write that number at the end of --broker, as Celery's broker_url has it",
                    others.join(" and ")
                )
            }
            Self::ClusterNode(broker) => write!(
                f,
                "{broker} is a node of a Redis Cluster: keys on its other nodes are not seen\n  \
                 nothing is concluded from what is not on this one"
            ),
            Self::LooksSlowly { every, commands } => write!(
                f,
                "a look at this broker takes {commands} commands: it is looked at every {} s, so that it costs a \
                 hundredth of what a Redis can do\n  --broker-monitor sees what comes and goes between two looks; \
                 on a development machine only",
                every.as_secs_f64().ceil()
            ),
            Self::ResultsFailed(why) => write!(f, "results cannot be read: {why}"),
            Self::MonitorLost(error) => {
                write!(f, "{error}\n  it is tried again; until then messages are seen only where they wait")
            }
            Self::MonitorBack => f.write_str("every message is seen again"),
            Self::WaitsForBroker => {
                f.write_str("waiting for the broker's last answer; Ctrl-C again ends now")
            }
            Self::LastLookMissed => {
                f.write_str("the broker did not answer in time: its last look is not in the report")
            }
            Self::StoreAway { error, every } => write!(
                f,
                "{error}\n  it is asked again every {} s, for all that it has by then; until it answers, nothing \
                 counts as missing",
                every.as_secs_f64()
            ),
            Self::StoreBack => f.write_str("the store answers again"),
            Self::StoreIsSlow { every, took } => write!(
                f,
                "the answers took {:.0} s, longer than the {} s of --every: the store is left alone for as long \
                 before it is asked again\n  a shorter --overlap or --margin, --task or --service ask for less",
                took.as_secs_f64().ceil(),
                every.as_secs_f64()
            ),
            Self::WaitsForStore => f.write_str("waiting for what the store counts; Ctrl-C again ends now"),
            Self::NotCounted(error) => {
                write!(f, "what the store counts itself is not in the report: {error}")
            }
            Self::Waits { settle, handoffs } => {
                let many = if *handoffs == 1 { "hand-off" } else { "hand-offs" };
                write!(
                    f,
                    "waiting up to {} s for {handoffs} {many}; Ctrl-C again ends now",
                    settle.as_secs_f64().ceil()
                )
            }
            Self::Forwarded(sent) => write!(f, "{sent}"),
            Self::NotSaved(what) => f.write_str(what),
            Self::OpenToOthers { option, address, may } => write!(
                f,
                "{option} {address} is open to other machines: whoever reaches it {may}, and nobody is asked \
                 for a password"
            ),
        }
    }
}

/// Where notices go. It is called from the threads of a session, and must not wait for
/// them.
pub trait SessionNotices: fmt::Debug + Send + Sync {
    /// Shows a notice, or keeps it to show it later.
    fn notice(&self, notice: &SessionNotice);
}
