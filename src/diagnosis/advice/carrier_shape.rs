//! Where in the headers of its messages an application puts a context, and in which
//! form; and the lines that put one there.

use super::plain_name::plain_name;
use crate::model::{CarriedContext, EmptyCarrier, Encoding, Place, Text};

/// How an application's own carrier lies in the headers of its messages: whoever
/// reads it looks there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CarrierShape {
    /// Each entry under its own name, as the instrumentor has it.
    Flat,
    /// An object under this key.
    Object(String),
    /// A JSON text under this key.
    Json(String),
    /// Somewhere else, or under a key that no line repeats.
    Other,
}

impl CarrierShape {
    pub fn of(found: &CarriedContext) -> Self {
        match (&found.place, found.encoding) {
            (Place::Header, _) => Self::Flat,
            (Place::NestedHeaders, Encoding::Object) => Self::under("headers", Self::Object),
            (Place::Carrier(key), Encoding::Object) => Self::under(key, Self::Object),
            (Place::Carrier(key), Encoding::JsonText) => Self::under(key, Self::Json),
            _ => Self::Other,
        }
    }

    /// The shape in which whoever reads this carrier by its key expects it: a text, where
    /// it is no object. `None` where it has no key of its own, or one that may not stand
    /// in a line.
    pub fn under_its_key(found: &CarriedContext) -> Option<Self> {
        let Place::Carrier(key) = &found.place else { return None };
        let shape = if found.encoding == Encoding::Object { Self::Object } else { Self::Json };
        Some(Self::under(key, shape)).filter(|shape| *shape != Self::Other)
    }

    /// The same carrier as JSON text, encoded once.
    #[must_use]
    pub fn into_json(self) -> Self {
        match self {
            Self::Object(key) => Self::Json(key),
            other => other,
        }
    }

    pub fn of_empty(found: &EmptyCarrier) -> Self {
        let key = found.at.strip_prefix("headers.").unwrap_or_default();
        if &*found.text == "{}" { Self::under(key, Self::Object) } else { Self::under(key, Self::Json) }
    }

    fn under(key: &str, shape: fn(String) -> Self) -> Self {
        let key = plain_name(key, b"-_.", "").trim();
        if key.is_empty() { Self::Other } else { shape(key.to_owned()) }
    }

    /// Lines of Python that put the current context into the headers, and what they
    /// import. `None` where no line can.
    pub(super) fn python(&self) -> Option<(Vec<Text>, Vec<Text>)> {
        let propagate = Text::from("from opentelemetry import propagate");
        let filled = || ["carrier = {}".into(), "propagate.inject(carrier)".into()];
        let (imports, put) = match self {
            Self::Flat => (vec![propagate], vec!["propagate.inject(headers)".into()]),
            Self::Object(key) => {
                let put = format!("headers[\"{key}\"] = carrier").into();
                (vec![propagate], filled().into_iter().chain([put]).collect())
            }
            Self::Json(key) => {
                let put = format!("headers[\"{key}\"] = json.dumps(carrier)").into();
                let imports = vec!["import json".into(), "".into(), propagate];
                (imports, filled().into_iter().chain([put]).collect())
            }
            Self::Other => return None,
        };
        Some((imports, put))
    }

    /// The same in JavaScript. In a block, since what it declares may be declared,
    /// and used, around it.
    pub(super) fn javascript(&self) -> Option<Vec<Text>> {
        let put = match self {
            Self::Flat => {
                return Some(block(["propagation.inject(context.active(), headers);".into()]));
            }
            Self::Object(key) => format!("headers['{key}'] = carrier;"),
            Self::Json(key) => format!("headers['{key}'] = JSON.stringify(carrier);"),
            Self::Other => return None,
        };
        let carried = ["const carrier = {};", "propagation.inject(context.active(), carrier);"];
        Some(block(carried.map(Text::from).into_iter().chain([put.into()])))
    }
}

fn block(lines: impl IntoIterator<Item = Text>) -> Vec<Text> {
    let import = "const { context, propagation } = require('@opentelemetry/api');";
    let lines = std::iter::once(import.into()).chain(lines).map(|line| format!("  {line}").into());
    std::iter::once("{".into()).chain(lines).chain(["}".into()]).collect()
}
