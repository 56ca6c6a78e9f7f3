//! Why there is no environment for the Python application, and what to do about it.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::model::{Blame, Blamed};

/// Why there is no environment; each says what to do about it.
#[derive(Debug, Error)]
pub enum EnvironmentError {
    #[error(
        "cannot write to {}: {why}\n  \
         XDG_CACHE_HOME names another place for the environment of the Python demo",
        folder.display()
    )]
    Folder { folder: PathBuf, why: io::Error },
    #[error(
        "there is no room for the environment of the Python demo in {}: {} MB are free, it takes {} MB\n  \
         XDG_CACHE_HOME names another place for it",
        folder.display(), free / MEGABYTE, ROOM / MEGABYTE
    )]
    NoRoom { folder: PathBuf, free: u64 },
    #[error(
        "the Python demo needs Python 3.10 or later, and there is {found} on the PATH\n  \
         install it (apt install python3 python3-venv, brew install python), or uv, which brings its own: https://docs.astral.sh/uv\n  \
         {WITHOUT}"
    )]
    NoPython { found: String },
    #[error(
        "{python} lacks its module venv, or pip for it\n  \
         install it (apt install python3-venv), or uv, which needs neither: https://docs.astral.sh/uv\n  \
         {WITHOUT}"
    )]
    NoVenv { python: String },
    #[error(
        "{tool} could not make the environment of the Python demo:\n{why}\n  \
         its packages are downloaded once, from PyPI or the index that {tool} is set up for: try again where that is reached\n  \
         {WITHOUT}"
    )]
    Packages { tool: String, why: String },
    #[error(
        "there is no redis-server on the PATH, and none could be got:\n{why}\n  \
         install Redis (apt install redis-server, brew install redis), or name one with an empty database: --broker redis://127.0.0.1:6379/15\n  \
         {WITHOUT}"
    )]
    NoRedis { why: String },
    #[error("{tool} could not be run: {why}")]
    Tool { tool: String, why: io::Error },
}

impl Blamed for EnvironmentError {
    fn blame(&self) -> Blame {
        Blame::Environment
    }
}

/// What can be had on any machine.
const WITHOUT: &str = "`tracelink demo` without --app needs none of this";

const MEGABYTE: u64 = 1 << 20;
/// What the environment takes, with a `redis-server`, and what it takes to make it.
pub const ROOM: u64 = 160 * MEGABYTE;
