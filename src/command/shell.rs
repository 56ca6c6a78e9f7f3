//! `tracelink completions` and `tracelink man`: what packagers install.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use anyhow::Context;
use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Command, CommandFactory};
use clap_mangen::Man;

use super::demo::fault_names;
use super::{Exit, STDOUT, usage};
use crate::cli::{self, Cli};
use crate::policy::suggest::did_you_mean;

/// The version and its date, which stands on each page of the manual. A test holds it to
/// the version that is built.
const RELEASE: (&str, &str) = ("0.1.0", "2026-11-29");

/// Prints the completions of a shell.
pub fn completions(args: &cli::Completions) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    let mut command = public(Cli::command()).mut_subcommand("demo", |demo| {
        demo.mut_arg("fault", |fault| {
            // The faults belong to the demo, which the parser does not know.
            let names = fault_names().into_iter().map(|(name, what)| PossibleValue::new(name).help(what));
            fault.value_parser(PossibleValuesParser::new(names))
        })
    });
    clap_complete::generate(args.shell, &mut command, "tracelink", &mut script);
    let mut out = anstream::stdout();
    out.write_all(&script).and_then(|()| out.flush()).context(STDOUT)?;
    Ok(Exit::Fine)
}

/// Prints a page of the manual, or writes all of them.
pub fn man(args: &cli::Man) -> anyhow::Result<Exit> {
    let mut command = public(Cli::command());
    // This gives the commands their full names, and the global options.
    command.build();
    if let Some(folder) = &args.dir {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        for page in std::iter::once(&command).chain(commands(&command)) {
            write_page(page, folder)?;
        }
        return Ok(Exit::Fine);
    }
    let page = match &args.page {
        None => &command,
        Some(name) => {
            commands(&command).into_iter().find(|command| command.get_name() == name).ok_or_else(|| {
                let hint = did_you_mean(name, commands(&command).into_iter().map(Command::get_name));
                usage(format!("there is no command `{name}`{hint}"))
            })?
        }
    };
    let mut out = anstream::stdout();
    out.write_all(&rendered(page)?).and_then(|()| out.flush()).context(STDOUT)?;
    Ok(Exit::Fine)
}

/// The command without its hidden parts, which nobody is to type.
fn public(command: Command) -> Command {
    let hidden: Vec<_> = command
        .get_subcommands()
        .filter(|command| command.is_hide_set())
        .map(|command| command.get_name().to_owned())
        .collect();
    let shown: Vec<_> = command
        .get_subcommands()
        .filter(|command| !hidden.iter().any(|name| name == command.get_name()))
        .cloned()
        .collect();
    let mut without = Command::new("tracelink").version(env!("CARGO_PKG_VERSION"));
    if let Some(about) = command.get_about() {
        without = without.about(about.clone());
    }
    if let Some(examples) = command.get_after_help() {
        without = without.after_help(examples.clone());
    }
    without.subcommand_required(true).args(command.get_arguments().cloned()).subcommands(shown)
}

/// The commands that have a page. `help`, which clap adds, has none.
fn commands(command: &Command) -> Vec<&Command> {
    command.get_subcommands().filter(|command| command.get_name() != "help").collect()
}

fn write_page(page: &Command, folder: &Path) -> anyhow::Result<()> {
    let name = page.get_display_name().unwrap_or_else(|| page.get_name());
    let path = folder.join(format!("{name}.1"));
    fs::write(&path, rendered(page)?).with_context(|| format!("cannot write {}", path.display()))
}

fn rendered(page: &Command) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    Man::new(page.clone()).date(RELEASE.1).render(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::RELEASE;

    #[test]
    fn the_manual_has_the_date_of_this_version() {
        assert_eq!(RELEASE.0, env!("CARGO_PKG_VERSION"), "a new version has a new date");
    }
}
