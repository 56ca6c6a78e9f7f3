//! The application, and what it can act out.

use std::path::PathBuf;

use anyhow::Context;

use crate::cli;
use crate::demo::{self, DemoError, Fault, Options, Otlp, Watch};

/// What is acted out: the healthy application, or one with a fault.
pub struct Part(&'static Fault);

/// What the application needs to be acted.
pub struct Stage {
    program: PathBuf,
}

impl Stage {
    /// Makes ready what is needed before anything is acted.
    pub fn prepare() -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("cannot find this program itself")?;
        Ok(Self { program })
    }
}

impl Part {
    /// Everything that can be acted out.
    pub fn all() -> Vec<Self> {
        demo::all().map(Self).collect()
    }

    pub fn find(slug: &str) -> Option<Self> {
        demo::find(slug).map(Self)
    }

    /// The application without a fault.
    pub fn healthy() -> Self {
        Self::find("healthy").expect("the healthy one is in the list")
    }

    pub fn slug(&self) -> &str {
        self.0.slug
    }

    /// What is broken.
    pub fn what(&self) -> &str {
        self.0.what
    }

    /// What a user sees in a backend.
    pub fn seen(&self) -> &str {
        self.0.seen
    }

    /// The diagnoses of which one must be named first; none where the part is
    /// healthy.
    pub fn expects(&self) -> Vec<String> {
        self.0.expects.map(str::to_owned).into_iter().collect()
    }

    /// Acts it out.
    pub fn give(
        &self,
        stage: &Stage,
        args: &cli::Demo,
        otlp: Otlp,
        watch: &mut Watch<'_>,
    ) -> Result<(), DemoError> {
        let options = Options {
            program: stage.program.clone(),
            broker: (args.broker != "embedded").then(|| args.broker.clone()),
            otlp,
            orders: args.orders,
            rate: args.rate,
            pace: args.pace,
            keep: args.keep,
        };
        demo::give(&self.0.play(), &options, watch)
    }
}
