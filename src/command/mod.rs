//! What each command does. It wires the rooms together, and decides nothing.

mod demo;
mod diagnose;
mod exit;
mod explain;
mod inspect_queue;
mod listen;
mod outputs;
mod place;
mod progress;
mod suggest;

use std::io::Write;

use self::exit::usage;
use self::outputs::Outputs;
use self::place::STDOUT;
use crate::bundle::Notice;
use crate::cli::{Cli, Command, Output};
use crate::live;
use crate::report::text::{safe, safe_lines};

pub use self::exit::{Exit, is_broken_pipe};

/// Runs the command.
///
/// # Errors
///
/// What is wrong with the command line or the environment, with the place and
/// the remedy. Of the environment every output has said it in a report by then,
/// but standard output where a person reads it.
pub fn run(cli: Cli) -> anyhow::Result<Exit> {
    let args = cli.output;
    set_color(args.color);
    let mut outputs = Outputs::default();
    let out = &mut outputs;
    let done = match cli.command {
        Command::InspectQueue(command) => {
            out.open(&args).and_then(|()| inspect_queue::run(&command, &args, out))
        }
        Command::Listen(command) => out.open(&args).and_then(|()| listen::run(&command, &args, out)),
        Command::Diagnose(command) => out.open(&args).and_then(|()| diagnose::run(&command, &args, out)),
        Command::Demo(command) => out.open(&args).and_then(|()| demo::run(&command, &args, out)),
        Command::Explain(command) => explain::run(&command),
        Command::DemoProcess => demo::run_process(),
    };
    if let Err(error) = &done
        && !is_broken_pipe(error)
        && Exit::of_error(error) == Exit::Environment
    {
        outputs.fail(&format!("{error:#}"));
    }
    done
}

/// `--color` comes before `NO_COLOR` and `CLICOLOR_FORCE`, which `auto` heeds.
fn set_color(choice: clap::ColorChoice) {
    match choice {
        clap::ColorChoice::Auto => anstream::ColorChoice::Auto,
        clap::ColorChoice::Always => anstream::ColorChoice::Always,
        clap::ColorChoice::Never => anstream::ColorChoice::Never,
    }
    .write_global();
}

/// Says something on standard error. Names of files, keys and hosts come from
/// outside, so it is made safe for a terminal here, once for all; and nobody who
/// closed the pipe is told so.
pub fn say(text: &str) {
    let _ = writeln!(anstream::stderr(), "{}", safe_lines(text));
}

/// Says the notices of a session on standard error.
#[derive(Debug)]
struct SaidAloud;

impl live::Notices for SaidAloud {
    fn notice(&self, notice: &live::Notice) {
        say(&format!("tracelink: {notice}"));
    }
}

/// Tells on standard error what was passed over, and where.
fn tell_notices(notices: &[Notice], output: &Output) {
    const SHOWN: usize = 10;
    let told: Vec<_> = notices.iter().filter(|notice| output.verbose || !notice.is_expected).collect();
    let shown = if output.verbose { told.len() } else { SHOWN.min(told.len()) };
    for Notice { path, line, what, .. } in &told[..shown] {
        let line = line.map(|line| format!(":{line}")).unwrap_or_default();
        let path = safe(&path.to_string_lossy());
        say(&format!("tracelink: {path}{line}: {}", safe(what)));
    }
    if shown < told.len() {
        say(&format!("tracelink: … and {} more (--verbose)", told.len() - shown));
    }
}
