//! Exceptions, and what of their texts may be kept and shown.
//!
//! The message of an exception is the application's own: it quotes rows, addresses and
//! connection strings. Its type is not private, nor are the fixed texts of libraries, by
//! which a diagnosis recognises the failure.

/// Replaces a text that is withheld.
pub const HIDDEN: &str = "***";

/// An exception as Celery or a span names it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Exception {
    /// The class name, without its module.
    pub kind: Box<str>,
    /// The message, 512 bytes at most.
    pub message: Box<str>,
}

impl Exception {
    /// Celery's `TaskRevokedError` for a task that expired.
    pub const EXPIRED: &str = "expired";
    /// The same for a task that was ended while it ran.
    pub const TERMINATED: &str = "terminated";
    /// Python's `AttributeError`, where `request.headers` is `None`.
    pub const NONE_HAS_NO_GET: &str = "'NoneType' object has no attribute 'get'";
    /// What `json.loads` raises for a dict.
    pub const JSON_MUST_BE: &str = "JSON object must be";

    /// The texts of libraries that diagnoses read.
    const PHRASES: [&str; 4] = [Self::EXPIRED, Self::TERMINATED, Self::NONE_HAS_NO_GET, Self::JSON_MUST_BE];

    /// Whether it is no failure but a way for a task to tell Celery what to do:
    /// `celery.exceptions.Ignore`, `Reject` and `Retry`.
    pub fn steers_celery(&self) -> bool {
        matches!(&*self.kind, "Ignore" | "Reject" | "Retry")
    }

    /// The exception without the application's text: its type, and what diagnoses read of
    /// its message. Redacting it again changes nothing.
    #[must_use]
    pub fn redacted(&self) -> Self {
        // Celery's own exception names the task that it does not know.
        let names_task = &*self.kind == "NotRegistered" && is_name(&self.message);
        let message = match &*self.message {
            message @ "" => message.into(),
            message if names_task => message.into(),
            message => redacted(message).into(),
        };
        Self { kind: self.kind.clone(), message }
    }
}

/// A message reduced to the texts of libraries.
fn redacted(message: &str) -> String {
    let mut phrases: Vec<_> =
        Exception::PHRASES.into_iter().filter_map(|phrase| Some((message.find(phrase)?, phrase))).collect();
    phrases.sort_unstable();
    let (mut redacted, mut end) = (String::new(), 0);
    for (at, phrase) in phrases {
        if at > end {
            redacted.push('…');
        }
        redacted.push_str(phrase);
        end = at + phrase.len();
    }
    match end {
        0 => return HIDDEN.to_owned(),
        end if end < message.len() => redacted.push('…'),
        _ => {}
    }
    redacted
}

/// The name of a task as Celery quotes it.
fn is_name(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-'\"".contains(&byte))
}

/// The status message of a span without the application's text: SDKs write the exception's
/// type first.
pub fn redacted_status(message: &str) -> String {
    let first = message.lines().next().unwrap_or_default().trim();
    let kind = first.split([':', '(']).next().unwrap_or_default().trim_end();
    match first {
        "" => String::new(),
        _ if !is_exception(kind) => HIDDEN.to_owned(),
        first if first == kind => kind.to_owned(),
        _ => format!("{kind}: {HIDDEN}"),
    }
}

/// Whether a name looks like the path of a Python exception class.
fn is_exception(name: &str) -> bool {
    const ENDS: [&str; 8] =
        ["Error", "Exception", "Retry", "Reject", "Ignore", "Warning", "Exceeded", "NotRegistered"];
    let class = name.rsplit('.').next().unwrap_or_default();
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.".contains(&byte))
        && class.starts_with(|letter: char| letter.is_ascii_uppercase())
        && ENDS.iter().any(|end| class.ends_with(end))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn exception(kind: &str, message: &str) -> Exception {
        Exception { kind: kind.into(), message: message.into() }
    }

    #[test]
    fn what_a_library_says_stays_and_what_an_application_says_does_not() {
        for (kind, message, redacted) in [
            ("ValueError", "no card 4111 of bob", "***"),
            ("ValueError", "", ""),
            ("TaskRevokedError", "expired", "expired"),
            ("CardError", "the card of bob expired", "…expired"),
            (
                "AttributeError",
                "'NoneType' object has no attribute 'get'",
                "'NoneType' object has no attribute 'get'",
            ),
            ("AttributeError", "'Customer' object has no attribute 'get'", "***"),
            (
                "TypeError",
                "the JSON object must be str, bytes or bytearray, not dict",
                "…JSON object must be…",
            ),
            ("NotRegistered", "'orders.process_order'", "'orders.process_order'"),
            ("NotRegistered", "bob@example.org", "***"),
            ("KeyError", "'orders.process_order'", "***"),
        ] {
            assert_eq!(&*exception(kind, message).redacted().message, redacted, "{kind}: {message}");
        }
    }

    #[test]
    fn of_a_status_the_type_stays() {
        for (message, redacted) in [
            ("", ""),
            ("bob", "***"),
            ("ValueError: no card 4111", "ValueError: ***"),
            ("shop.errors.CardError", "shop.errors.CardError"),
            ("Retry in 3s: CardError('4111')", "***"),
            ("Retry: Retry in 3s: CardError('4111')", "Retry: ***"),
            ("TimeLimitExceeded(1)\nbob", "TimeLimitExceeded: ***"),
            ("PasswordError", "PasswordError"),
            ("{\"error\": \"bob\"}", "***"),
        ] {
            assert_eq!(redacted_status(message), redacted, "{message}");
        }
    }

    proptest! {
        #[test]
        fn to_redact_again_changes_nothing(text in "(expired|terminated|JSON object must be|Error|[a-zA-Z:.' …]){0,8}") {
            for kind in ["E", "NotRegistered"] {
                let redacted = exception(kind, &text).redacted();
                prop_assert_eq!(redacted.redacted(), redacted);
            }
            let redacted = redacted_status(&text);
            prop_assert_eq!(redacted_status(&redacted), redacted);
        }
    }
}
