//! `tracelink completions`.

use clap::Args;
use clap_complete::Shell;

/// Print a script that makes a shell complete options, slugs, codes and formats
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  source <(tracelink completions bash)                      for this shell
  tracelink completions bash > ~/.local/share/bash-completion/completions/tracelink
  tracelink completions zsh > ~/.zfunc/_tracelink           a folder of your fpath
  tracelink completions fish > ~/.config/fish/completions/tracelink.fish")]
pub struct Completions {
    #[arg(value_enum)]
    pub shell: Shell,
}
