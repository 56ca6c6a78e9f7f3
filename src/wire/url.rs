//! URLs in texts from outside, such as span names: the location stays, and parts that may
//! hold a secret are removed.

use std::borrow::Cow;

/// A text without the user, the password, the query and the fragment of each URL in it, and
/// without the query of a path.
pub fn without_secrets(text: Cow<'_, str>) -> Cow<'_, str> {
    let may_have = memchr::memchr2(b'?', b'#', text.as_bytes()).is_some() || text.contains("://");
    if !may_have || text.split(char::is_whitespace).all(|word| stripped(word) == word) {
        return text;
    }
    let mut without = String::with_capacity(text.len());
    for word in text.split_inclusive(char::is_whitespace) {
        let (word, space) = word.split_at(word.trim_end().len());
        without.extend([&*stripped(word), space]);
    }
    Cow::Owned(without)
}

/// A word; of a URL only its scheme, host and path.
fn stripped(word: &str) -> Cow<'_, str> {
    let Some(start) = word.find("://").map(|at| at + "://".len()) else {
        let end = if word.starts_with('/') { word.find(['?', '#']) } else { None };
        return Cow::Borrowed(&word[..end.unwrap_or(word.len())]);
    };
    let (scheme, rest) = word.split_at(start);
    // A path with a URL in its query.
    if let Some(end) = scheme.find(['?', '#']) {
        return Cow::Borrowed(&word[..end]);
    }
    // Up to the last `@` before the path. A password with a `/` in it hides it.
    let user = rest.rfind('@').map_or(0, |at| at + 1);
    let place = &rest[user..];
    let place = &place[..place.find(['?', '#']).unwrap_or(place.len())];
    if user == 0 {
        Cow::Borrowed(&word[..start + place.len()])
    } else {
        Cow::Owned(format!("{scheme}{place}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_left_without_what_may_be_a_secret() {
        for (text, expected) in [
            ("GET http://bob:pw@host:80/a/b?token=x#y", "GET http://host:80/a/b"),
            ("GET /orders?card=4111", "GET /orders"),
            ("GET /login?token=x&next=https://host/a", "GET /login"),
            ("GET\t/orders?card=4111\nredis://:pw@host/0 ", "GET\t/orders\nredis://host/0 "),
            ("redis://:pw@host/0 SET", "redis://host/0 SET"),
            ("http://bob:p/w@host/a", "http://host/a"),
            ("SELECT * FROM t WHERE id = ? # one", "SELECT * FROM t WHERE id = ? # one"),
            ("what? why", "what? why"),
            ("http://host/a", "http://host/a"),
            ("", ""),
        ] {
            let stripped = without_secrets(Cow::Borrowed(text));
            assert_eq!(stripped, expected, "{text}");
            assert_eq!(without_secrets(stripped.clone()), stripped);
        }
    }
}
