//! The cases of both applications in a common form, and what is needed to run them.

use std::cell::Cell;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::{self, App, Output};
use crate::demo::native::{self, Fault};
use crate::demo::python_app::{self, Entry, Environment, SetupStep};
use crate::demo::{DemoError, Listener, OtlpEndpoints};
use crate::model::{Fix, Report};
use crate::report::text::safe;

/// An application, healthy or with a fault.
pub enum Case {
    Native(&'static Fault),
    Python(&'static Entry),
}

/// What an application needs to be ran.
pub enum ReadyApp {
    Native { program: PathBuf },
    Python(Environment),
}

impl ReadyApp {
    /// Prepares what the case needs; `None` if that was interrupted.
    pub fn prepare(
        args: &cli::Demo,
        output: &Output,
        interrupted: &AtomicBool,
    ) -> anyhow::Result<Option<Self>> {
        if args.app == App::Native {
            let program = std::env::current_exe().context("cannot find this program itself")?;
            return Ok(Some(Self::Native { program }));
        }
        let cache = python_app::cache_folder(args.cache.as_deref(), args.home.as_deref())
            .context("there is no folder for the Python environment: set HOME or XDG_CACHE_HOME")?;
        let shown = Shown::new(output);
        let with_redis = &*args.broker == "embedded";
        let made = python_app::prepare(&cache, with_redis, &mut |step| {
            shown.show(&step, &cache);
            if interrupted.load(Ordering::Relaxed) {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        shown.bar.finish_and_clear();
        Ok(made?.map(Self::Python))
    }
}

/// Shows how far the environment is, if a person waits for it.
struct Shown {
    bar: ProgressBar,
    /// Whether to announce the beginning in a line, because there is no progress bar.
    in_lines: bool,
    has_told_of_waiting: Cell<bool>,
}

impl Shown {
    fn new(output: &Output) -> Self {
        let bar = if output.quiet { ProgressBar::hidden() } else { ProgressBar::new(0) };
        bar.set_style(ProgressStyle::with_template("{spinner} {wide_msg}").expect("the template is valid"));
        let in_lines = bar.is_hidden() && !output.quiet;
        Self { bar, in_lines, has_told_of_waiting: Cell::new(false) }
    }

    fn show(&self, step: &SetupStep, cache: &Path) {
        const MAKING: &str = "making the Python environment, once";
        match step {
            SetupStep::Waiting => {
                const WAITING: &str = "another tracelink makes the Python environment";
                if self.in_lines && !self.has_told_of_waiting.replace(true) {
                    anstream::eprintln!("tracelink: {WAITING}: this one waits for it");
                }
                self.bar.set_message(WAITING);
            }
            SetupStep::Begun { with } => {
                let place = safe(&cache.display().to_string());
                if self.in_lines {
                    anstream::eprintln!("tracelink: {MAKING}, with {with} in {place}: a minute or two");
                }
                self.bar.set_message(format!("{MAKING}, with {with} in {place}"));
            }
            SetupStep::Package { name, number, of } => {
                self.bar.set_message(format!("{MAKING}: {name} ({number} of about {of})"));
            }
            SetupStep::Installing => self.bar.set_message(format!("{MAKING}: installing")),
            SetupStep::RedisServer => self.bar.set_message("looking for a redis-server"),
            SetupStep::Working => {}
        }
        self.bar.tick();
    }
}

impl Case {
    /// All cases of an application.
    pub fn all(app: App) -> Vec<Self> {
        match app {
            App::Native => native::all().map(Self::Native).collect(),
            App::Python => python_app::manifest().entries.iter().map(Self::Python).collect(),
        }
    }

    pub fn find(app: App, slug: &str) -> Option<Self> {
        match app {
            App::Native => native::find(slug).map(Self::Native),
            App::Python => python_app::manifest().find(slug).map(Self::Python),
        }
    }

    /// An application without a fault.
    pub fn healthy(app: App) -> Self {
        Self::find(app, "healthy").expect("the healthy one is in the list")
    }

    pub fn slug(&self) -> &str {
        match self {
            Self::Native(fault) => fault.slug,
            Self::Python(entry) => &entry.slug,
        }
    }

    /// What is broken.
    pub fn what(&self) -> &str {
        match self {
            Self::Native(fault) => fault.what,
            Self::Python(entry) => &entry.what,
        }
    }

    /// What a user sees in a tracing backend.
    pub fn seen(&self) -> &str {
        match self {
            Self::Native(fault) => fault.seen,
            Self::Python(entry) => &entry.seen,
        }
    }

    /// The diagnoses of which one must be named first; none if the case is healthy.
    pub fn expects(&self) -> Vec<String> {
        match self {
            Self::Native(fault) => fault.expects.map(str::to_owned).into_iter().collect(),
            Self::Python(entry) => entry.expect.iter().chain(&entry.or).cloned().collect(),
        }
    }

    /// The diagnoses that must be among the notes.
    pub fn notes(&self) -> &[String] {
        match self {
            Self::Native(_) => &[],
            Self::Python(entry) => &entry.notes,
        }
    }

    /// Whether a report says about it what it must.
    pub fn is_right(&self, report: &Report) -> bool {
        match self {
            Self::Native(fault) => fault.is_right(report),
            Self::Python(entry) => entry.is_right(report),
        }
    }

    /// Whether the user may choose the number of orders.
    pub fn takes_orders(&self) -> bool {
        match self {
            Self::Native(fault) => fault.scenario().takes_orders(),
            Self::Python(entry) => entry.takes_orders(),
        }
    }

    /// Whether its processes disappear from the broker before they report their end. Then
    /// the last look is taken as soon as all tasks are done.
    pub const fn leaves_early(&self) -> bool {
        matches!(self, Self::Python(_))
    }

    /// Runs it, with a fix pasted into its programs first.
    pub fn run(
        &self,
        app: &ReadyApp,
        args: &cli::Demo,
        fix: Option<&Fix>,
        otlp: OtlpEndpoints,
        listener: &mut Listener<'_>,
    ) -> Result<(), DemoError> {
        let broker = (&*args.broker != "embedded").then(|| args.broker.to_string());
        let cli::Demo { orders, rate, pace, keep, .. } = *args;
        match (self, app) {
            (Self::Native(fault), ReadyApp::Native { program }) => {
                let program = program.clone();
                let options = native::Options { program, broker, otlp, orders, rate, pace, keep };
                native::run(&fault.scenario(), &options, listener)
            }
            (Self::Python(entry), ReadyApp::Python(environment)) => {
                let options =
                    python_app::Options { environment, broker, otlp, orders, rate, pace, keep, fix };
                python_app::run(entry, &options, listener)
            }
            _ => unreachable!("a case is run by its own application"),
        }
    }
}
