//! The book in `docs/`: what is written about the diagnoses is written once, in their
//! sources; each page is in the table of contents, each link leads somewhere, and each
//! command is one that tracelink understands. `tests/cli` runs the `console` blocks.

mod commands;
mod contents;
mod diagnoses;
mod pages;
mod publisher;
mod shell;
mod versions;
mod yaml;

use std::path::Path;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
