//! Which broker, and how an application names what it keeps there.

use std::convert::Infallible;

use clap::Args;

use super::secret::Secret;

pub const LOCAL_REDIS: &str = "redis://127.0.0.1:6379/0";

#[expect(clippy::unnecessary_wraps, reason = "what clap asks for")]
pub fn or_local_redis(url: &str) -> Result<Secret, Infallible> {
    Ok(Secret(if url.is_empty() { LOCAL_REDIS } else { url }.to_owned()))
}

/// How the application names its keys, where it is configured so.
#[derive(Args, Clone, Debug)]
pub struct Naming {
    /// `global_keyprefix`; found automatically if a queue is bound
    #[arg(long, value_name = "PREFIX")]
    pub key_prefix: Option<String>,
    /// `sep` of broker_transport_options
    #[arg(long, value_name = "SEP")]
    pub separator: Option<String>,
    /// `priority_steps` of broker_transport_options
    #[arg(long, value_name = "N,N,…", value_delimiter = ',')]
    pub priority_steps: Option<Vec<u32>>,
}

/// A broker that is looked at beside evidence of another time. It is named on the command
/// line alone: who reads files asks for no connection.
#[derive(Args, Clone, Debug, Default)]
pub struct BesideBroker {
    /// Look at this broker too, read-only: its messages that wait now are joined to the spans
    #[arg(long, value_name = "URL")]
    pub broker: Option<Secret>,
    /// The result backend, if it is not the broker; results are read by known task id only
    #[arg(long, value_name = "URL", requires = "broker")]
    pub result_backend: Option<Secret>,
    /// The name of Sentinel's master
    #[arg(long, value_name = "NAME", requires = "broker")]
    pub sentinel_master: Option<String>,
}
