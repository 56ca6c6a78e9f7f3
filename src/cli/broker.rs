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
