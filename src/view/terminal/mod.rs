//! The live view at a terminal: the passages as they come, the chosen one as the one trace
//! that it should have been, its finding with the fix, and the queues.
//!
//! It takes keys and draws frames, and does no I/O: `command/` reads the one and shows the
//! other. Each text from outside goes through [`crate::report::text`] before it is drawn.

mod app;
mod clipboard;
mod finding;
mod footer;
mod header;
mod help;
mod keys;
mod layout;
mod list;
mod opened;
mod paint;
mod queues;
mod screen;
mod snapshot;
mod styled_text;
mod theme;
mod tree;

pub use self::app::{App, Wish};
pub use self::clipboard::osc52;
pub use self::header::About;
pub use self::screen::Screen;
pub use self::theme::Theme;
