//! W3C baggage (<https://www.w3.org/TR/baggage/>), of which the keys are told and
//! nothing else; and `tracestate`, which is written alike.

use crate::model::HIDDEN;

/// The keys of a header, in their order. What stands where a key should be and is
/// none may be anything, a value that was cut or a whole secret: it is not told.
pub fn keys(header: &str) -> impl Iterator<Item = &str> {
    let pieces = header.split(',').filter(|piece| !piece.trim().is_empty());
    pieces.map(|piece| {
        let key = piece.split_once('=').map(|(key, _)| key.trim());
        key.filter(|key| is_key(key)).unwrap_or(HIDDEN)
    })
}

/// A token of HTTP, or a key of `tracestate`, which may have an `@` in it.
fn is_key(key: &str) -> bool {
    let is_of_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~@/".contains(&byte);
    !key.is_empty() && key.bytes().all(is_of_token)
}

/// The header with its keys alone.
pub fn without_values(header: &str) -> String {
    let told = keys(header).map(|key| if key == HIDDEN { key.to_owned() } else { format!("{key}={HIDDEN}") });
    told.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_without_a_key_is_not_told() {
        for (header, told) in [
            ("user=bob,tier=1", "user=***,tier=***"),
            (" user = bob ; p=1 , , bob", "user=***,***"),
            ("bob", "***"),
            ("user bob=1,=bob,a;bob=1", "***,***,***"),
            ("vendor=bob,t@sys=1", "vendor=***,t@sys=***"),
            ("", ""),
        ] {
            assert_eq!(without_values(header), told, "{header}");
            assert_eq!(without_values(told), told);
        }
    }
}
