//! Colour with meaning, as in `report/human/style.rs`. Without colour everything can still
//! be read: marks and words say the same.

use ratatui::style::{Color, Modifier, Style};

use crate::model::{Severity, StationState};
use crate::report::stitched::Health;

/// The styles, by what they mean.
#[derive(Clone, Copy, Debug)]
pub struct Theme {
    has_colour: bool,
}

impl Theme {
    pub const fn new(has_colour: bool) -> Self {
        Self { has_colour }
    }

    const fn in_colour(self, colour: Color) -> Style {
        let style = Style::new();
        if self.has_colour { style.fg(colour) } else { style }
    }

    pub const fn broken(self) -> Style {
        self.in_colour(Color::Red).add_modifier(Modifier::BOLD)
    }

    pub const fn damaged(self) -> Style {
        self.in_colour(Color::Yellow).add_modifier(Modifier::BOLD)
    }

    pub const fn intact(self) -> Style {
        self.in_colour(Color::Green)
    }

    pub const fn faint(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    pub const fn strong(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    pub const fn key(self) -> Style {
        self.in_colour(Color::Cyan)
    }

    /// A row that is chosen: marked most where the keys go.
    pub const fn chosen(self, has_focus: bool) -> Style {
        let modifier = if has_focus { Modifier::REVERSED } else { Modifier::BOLD };
        Style::new().add_modifier(modifier)
    }

    pub const fn by_health(self, health: Health) -> Style {
        match health {
            Health::Whole => self.intact(),
            Health::Waits => self.faint(),
            Health::Unproven | Health::Damaged => self.damaged(),
            Health::Broken => self.broken(),
        }
    }

    pub const fn by_state(self, state: StationState) -> Style {
        match state {
            StationState::Intact => self.intact(),
            StationState::Broken => self.broken(),
            StationState::NotSeen => self.damaged(),
            StationState::CannotSee => self.faint(),
        }
    }

    pub const fn by_severity(self, severity: Severity) -> Style {
        match severity {
            Severity::Error => self.broken(),
            Severity::Warning => self.damaged(),
            Severity::Note => self.key(),
        }
    }

    /// The colour of a service: the same each time that it is drawn.
    pub fn by_service(self, service: &str) -> Style {
        const COLOURS: [Color; 6] =
            [Color::Blue, Color::Magenta, Color::Cyan, Color::Green, Color::Yellow, Color::LightBlue];
        let sum = service.bytes().fold(0_usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
        self.in_colour(COLOURS[sum % COLOURS.len()])
    }
}
