//! What each command does. It wires the rooms together, and decides nothing.

mod asking;
mod broker_beside;
mod broker_look;
mod called;
mod config;
mod demo;
mod diagnose;
mod diagnose_store;
mod evidence_files;
mod exit;
mod explain;
mod figures;
mod inspect_queue;
mod interruption;
mod listen;
mod mcp;
mod outputs;
mod place;
mod policy;
mod progress;
mod shell;
mod stderr;
mod stored_page;
mod web;

use self::called::{called, quoted};
use self::exit::usage;
use self::outputs::Outputs;
use self::place::STDOUT;
use self::stderr::{SaidAloud, tell_skipped};
use crate::cli::{Cli, Command, Read};
use crate::config::Config;

pub use self::exit::{Exit, is_broken_pipe};
pub use self::stderr::say;

/// Runs the command.
///
/// # Errors
///
/// What is wrong with the command line or the environment, with the place and the remedy.
/// Errors of the environment are also written as a report to every output, except standard
/// output if a person reads it.
pub fn run(Read { cli, config }: Read) -> anyhow::Result<Exit> {
    let Cli { command, output: args } = cli;
    set_color(args.color);
    let mut outputs = Outputs::default();
    let out = &mut outputs;
    let mut open = |config: Result<Config, _>| {
        out.open(&args)?;
        out.policy = policy::policy(&args, config?)?;
        anyhow::Ok(())
    };
    let done = match command {
        Command::InspectQueue(command) => {
            open(config).and_then(|()| inspect_queue::run(&command, &args, out))
        }
        Command::Listen(command) => open(config).and_then(|()| listen::run(&command, &args, out)),
        Command::Diagnose(command) => open(config).and_then(|()| diagnose::run(&command, &args, out)),
        Command::Demo(command) => open(config).and_then(|()| demo::run(&command, &args, out)),
        Command::Mcp(_) => mcp::run(&args),
        Command::Explain(command) => explain::run(&command, &args),
        Command::Config(command) => {
            config.map_err(anyhow::Error::from).and_then(|config| config::run(&command, &args, &config))
        }
        Command::Completions(command) => shell::completions(&command),
        Command::Man(command) => shell::man(&command),
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

/// `--color` comes before `NO_COLOR` and `CLICOLOR_FORCE`, which `auto` obeys.
fn set_color(choice: clap::ColorChoice) {
    match choice {
        clap::ColorChoice::Auto => anstream::ColorChoice::Auto,
        clap::ColorChoice::Always => anstream::ColorChoice::Always,
        clap::ColorChoice::Never => anstream::ColorChoice::Never,
    }
    .write_global();
}
