//! The two applications, and what each can act out, in one form.

use std::path::PathBuf;

use anyhow::Context;

use crate::cli::{self, Output};
use crate::demo::{self, DemoError, Fault, Options, Otlp, Play, Watch};

/// One of the applications.
pub enum Application {
    Native,
}

/// What is acted out: the healthy application, or one with a fault.
pub enum Part {
    Native(&'static Fault),
}

/// What an application needs to be acted.
pub enum Stage {
    Native { program: PathBuf },
}

impl Application {
    pub fn of(app: cli::App) -> Self {
        match app {
            cli::App::Native | cli::App::Python => Self::Native,
        }
    }

    /// Everything that it can act out.
    pub fn parts(&self) -> Vec<Part> {
        demo::all().map(Part::Native).collect()
    }

    pub fn find(&self, slug: &str) -> Option<Part> {
        demo::find(slug).map(Part::Native)
    }

    /// The application without a fault.
    pub fn healthy(&self) -> Part {
        self.find("healthy").expect("the healthy one is in the list")
    }

    /// Makes ready what is needed before any of it is acted.
    pub fn prepare(&self, _args: &cli::Demo, _output: &Output) -> anyhow::Result<Stage> {
        let program = std::env::current_exe().context("cannot find this program itself")?;
        Ok(Stage::Native { program })
    }
}

impl Part {
    pub fn slug(&self) -> &str {
        match self {
            Self::Native(fault) => fault.slug,
        }
    }

    /// What is broken.
    pub fn what(&self) -> &str {
        match self {
            Self::Native(fault) => fault.what,
        }
    }

    /// What a user sees in a backend.
    pub fn seen(&self) -> &str {
        match self {
            Self::Native(fault) => fault.seen,
        }
    }

    /// The diagnoses of which one must be named first; none where the part is
    /// healthy.
    pub fn expects(&self) -> Vec<String> {
        match self {
            Self::Native(fault) => fault.expects.map(str::to_owned).into_iter().collect(),
        }
    }

    /// Acts it out.
    pub fn give(
        &self,
        stage: &Stage,
        args: &cli::Demo,
        otlp: Otlp,
        watch: &mut Watch<'_>,
    ) -> Result<(), DemoError> {
        match (self, stage) {
            (Self::Native(fault), Stage::Native { program }) => {
                let options = Options {
                    program: program.clone(),
                    broker: (args.broker != "embedded").then(|| args.broker.clone()),
                    otlp,
                    orders: args.orders,
                    rate: args.rate,
                    pace: args.pace,
                    keep: args.keep,
                };
                let play: Play = fault.play();
                demo::give(&play, &options, watch)
            }
        }
    }
}
