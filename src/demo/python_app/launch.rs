//! Starts the programs of an entry, with the variables and the ports that they need.

use std::collections::BTreeMap;

use super::manifest::{Entry, Program};
use super::paste_fix::FixExtras;
use super::ports;
use super::process::{Process, SharedReaper};
use super::programs::{self, Programs};
use super::run_options::Options;
use crate::demo::error::DemoError;
use crate::demo::timing::PYTHON_EXPORT_DELAY_MS;

const LOOPBACK: &str = "127.0.0.1,localhost";

/// Starts processes of one entry.
pub struct Launcher<'o> {
    entry: &'o Entry,
    options: &'o Options<'o>,
    reaper: SharedReaper,
    programs: Programs,
    extras: FixExtras,
    broker: String,
    ports: BTreeMap<String, u16>,
}

impl<'o> Launcher<'o> {
    pub const fn new(
        entry: &'o Entry,
        options: &'o Options<'o>,
        reaper: SharedReaper,
        programs: Programs,
        extras: FixExtras,
        broker: String,
    ) -> Self {
        Self { entry, options, reaper, programs, extras, broker, ports: BTreeMap::new() }
    }

    /// The broker's URL, in which a password may stand.
    pub fn broker(&self) -> &str {
        &self.broker
    }

    /// The port of a program that serves HTTP, once it was started.
    pub fn port(&self, name: &str) -> Option<u16> {
        self.ports.get(name).copied()
    }

    /// Gives up a port that another process has taken: the next start chooses another.
    pub fn forget_port(&mut self, name: &str) {
        self.ports.remove(name);
    }

    /// Starts a program under that name.
    pub fn launch(&mut self, name: &str, program: &Program) -> Result<Process, DemoError> {
        if program.http && !self.ports.contains_key(name) {
            self.ports.insert(name.to_owned(), ports::free()?);
        }
        let mut command = programs::python(self.options.environment);
        command
            .args(program.args.iter().map(|argument| self.filled_in(argument)))
            .args(self.extras.arguments(name))
            .current_dir(self.programs.of(name))
            .env("TRACELINK_DEMO_BROKER", &self.broker)
            .env("TRACELINK_DEMO_WORK_SCALE", self.options.pace.to_string())
            .env("TRACELINK_DEMO_OTLP_HTTP", &self.options.otlp.http)
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", &self.options.otlp.grpc)
            .env("OTEL_BSP_SCHEDULE_DELAY", PYTHON_EXPORT_DELAY_MS.to_string())
            .env("UVICORN_HOST", "127.0.0.1")
            .env("UVICORN_PORT", self.port(name).unwrap_or_default().to_string())
            .env("UVICORN_LOG_LEVEL", "warning")
            // A proxy for the internet must not be used for the loopback.
            .env("NO_PROXY", LOOPBACK)
            .env("no_proxy", LOOPBACK);
        for (name, value) in self.entry.env.iter().chain(&program.env) {
            command.env(name, self.filled_in(value));
        }
        command.envs(self.extras.environment(name));
        Ok(Process::start(command, &self.reaper, |_| {})?)
    }

    /// An argument or a value with the addresses of this run filled in.
    fn filled_in(&self, text: &str) -> String {
        let tools = self.options.environment.tools().to_string_lossy().into_owned();
        let ports = self.ports.iter().map(|(name, port)| (&**name, format!("http://127.0.0.1:{port}")));
        let known = [("otlp_http", self.options.otlp.http.clone()), ("bin", tools)].into_iter().chain(ports);
        known.fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), &value))
    }
}
