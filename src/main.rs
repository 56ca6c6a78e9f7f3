//! Turns the result of a command into an exit code.

use std::process::ExitCode;

use tracelink::cli::Cli;
use tracelink::command;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match command::run(Cli::read()) {
        Ok(exit) => exit.into(),
        Err(error) if command::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            command::say(&format!("tracelink: {error:#}"));
            command::Exit::of_error(&error).into()
        }
    }
}
