//! `tracelink explain`.

use clap::Args;

use super::values::named_diagnosis;

/// What a diagnosis means, what shows it, how to fix it
///
/// Without a name, lists them all by station. `--format json` has the fixes as a
/// report has them.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  tracelink explain
  tracelink explain TL301
  tracelink explain worker-silent")]
pub struct Explain {
    /// A code or a slug
    #[arg(value_name = "CODE|SLUG", value_parser = named_diagnosis(|name| Ok(name.to_owned())), hide_possible_values = true)]
    pub name: Option<String>,
}
