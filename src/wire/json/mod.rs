//! What all readers of spans in JSON share: lists that are walked one element at a
//! time, values of a type that exporters do not agree on, and halves of surrogates.

mod list;
mod loose;
mod surrogates;

pub use list::{List, Step, each};
pub use loose::Loose;
pub use surrogates::{has_lone_half, mend, without_lone_halves};
