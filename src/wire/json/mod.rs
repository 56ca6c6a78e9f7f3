//! What all readers of spans in JSON share: lists that are walked one element at a
//! time, in a text or a reader, values of a type that exporters do not agree on, and halves
//! of surrogates.

mod api_error;
mod list;
mod loose;
mod object;
mod stream;
mod surrogates;

pub use api_error::api_error;
pub use list::{List, Step, each};
pub use loose::Loose;
pub use object::{Object, object};
pub use stream::{Allowance, EachText, without_place};
pub use surrogates::{has_lone_half, mend, without_lone_halves};
