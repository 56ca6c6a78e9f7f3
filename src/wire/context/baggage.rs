//! W3C baggage (<https://www.w3.org/TR/baggage/>), of which only the keys are reported; and
//! `tracestate`, which has the same syntax.

use crate::model::HIDDEN;

/// The keys of a header, in order. If something stands where a key should be and is not
/// one, it may be anything (part of a value, a whole secret), so it is not reported.
pub fn keys(header: &str) -> impl Iterator<Item = &str> {
    let pieces = header.split(',').filter(|piece| !piece.trim().is_empty());
    pieces.map(|piece| {
        let key = piece.split_once('=').map(|(key, _)| key.trim());
        key.filter(|key| is_key(key)).unwrap_or(HIDDEN)
    })
}

/// An HTTP token, or a key of `tracestate`, which may contain an `@`.
fn is_key(key: &str) -> bool {
    let is_of_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~@/".contains(&byte);
    !key.is_empty() && key.bytes().all(is_of_token)
}

/// The header with only its keys.
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
