//! `tracelink mcp`.

use clap::Args;

/// Answer an agent: a server of the Model Context Protocol on standard input and output
///
/// For a client such as Claude Code, Cursor or VS Code, which starts it and calls its tools:
/// diagnose, inspect_queue, explain, listen_start, listen_status and listen_stop. It ends when
/// its standard input is closed. The configuration applies to each call as to the command.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  claude mcp add tracelink -- tracelink mcp                 for Claude Code
  tracelink mcp --config ci/tracelink.toml                  with this configuration

docs/agents.md says how other clients start it, and when an agent should call what.")]
pub struct Mcp {}
