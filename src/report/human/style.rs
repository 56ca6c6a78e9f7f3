//! Colour with meaning. Without colour everything can still be read: the marks `✓`, `✗` and
//! `!` say the same. `anstream` strips colour for outputs without it.

use std::fmt::{self, Display};

use anstyle::{AnsiColor, Style};

use crate::model::{Severity, StationState};

const BROKEN: Style = AnsiColor::Red.on_default().bold();
const DAMAGED: Style = AnsiColor::Yellow.on_default().bold();
const WORTH_KNOWING: Style = AnsiColor::Cyan.on_default().bold();
const INTACT: Style = AnsiColor::Green.on_default().bold();
const FAINT: Style = Style::new().dimmed();
const STRONG: Style = Style::new().bold();
const CODE: Style = AnsiColor::Cyan.on_default();

/// Something to write, in a style.
#[derive(Clone, Copy, Debug)]
pub struct Styled<T>(T, Style);

impl<T: Display> Display for Styled<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{}", self.1.render(), self.0, self.1.render_reset())
    }
}

/// A text for an output without colour. Text from outside has no escape sequences by now,
/// so each one begins or ends a style.
pub fn without_styles(styled: &str) -> String {
    let mut pieces = styled.split('\u{1b}');
    let first = pieces.next().unwrap_or_default();
    let others = pieces.map(|piece| piece.split_once('m').map_or("", |(_, text)| text));
    std::iter::once(first).chain(others).collect()
}

/// The styles, by what they mean.
pub trait Stylize: Sized {
    fn broken(self) -> Styled<Self> {
        Styled(self, BROKEN)
    }

    fn intact(self) -> Styled<Self> {
        Styled(self, INTACT)
    }

    fn faint(self) -> Styled<Self> {
        Styled(self, FAINT)
    }

    fn strong(self) -> Styled<Self> {
        Styled(self, STRONG)
    }

    fn code(self) -> Styled<Self> {
        Styled(self, CODE)
    }

    fn by_severity(self, severity: Severity) -> Styled<Self> {
        let style = match severity {
            Severity::Error => BROKEN,
            Severity::Warning => DAMAGED,
            Severity::Note => WORTH_KNOWING,
        };
        Styled(self, style)
    }

    fn by_state(self, state: StationState) -> Styled<Self> {
        let style = match state {
            StationState::Intact => INTACT,
            StationState::Broken => BROKEN,
            StationState::NotSeen => DAMAGED,
            StationState::CannotSee => FAINT,
        };
        Styled(self, style)
    }
}

impl<T: Display> Stylize for T {}

/// The mark of a severity.
pub const fn mark(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "✗",
        Severity::Warning => "!",
        Severity::Note => "·",
    }
}
