//! What is shipped beside the program: the GitHub Action, whose scripts are run as a runner
//! runs them; the Dockerfile, the compose file and the manifests, which programs that are not
//! ours read; the archive of a release.

mod action;
mod archive;
mod composite;
mod readers;
mod runner;

#[path = "../support/mod.rs"]
mod support;

use std::path::Path;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
