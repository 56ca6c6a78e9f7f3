//! What a server replies, and the types that callers read a reply as.

/// One reply of the protocol, version 2 or 3:
/// <https://redis.io/docs/latest/develop/reference/protocol-spec/>.
///
/// Pushes are not replies, and attributes only describe one. Neither is kept.
#[derive(Clone, PartialEq, Debug)]
pub enum Reply {
    /// Nothing: a null of version 3, or a bulk string or an array of length -1.
    Null,
    Integer(i64),
    /// A line, such as `OK`.
    Status(String),
    /// A bulk string, or the text of a verbatim string without its format.
    Bulk(Vec<u8>),
    Array(Vec<Reply>),
    Map(Vec<(Reply, Reply)>),
    Set(Vec<Reply>),
    Double(f64),
    Boolean(bool),
    /// An integer of any length, in decimal digits, as it was written.
    BigNumber(String),
    Error(ServerError),
}

/// An error that a server replies.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServerError {
    /// The first word, such as `WRONGTYPE`.
    pub code: String,
    /// The rest.
    pub message: String,
}

impl ServerError {
    /// Parses the whole text, without the `-` before it.
    pub fn parse(text: &str) -> Self {
        let (code, message) = text.split_once(' ').unwrap_or((text, ""));
        Self { code: code.to_owned(), message: message.to_owned() }
    }
}

impl Reply {
    /// A reply of one line, without its end: a status or an error. `None` where it is
    /// neither.
    pub fn of_line(line: &[u8]) -> Option<Self> {
        let (sign, text) = line.split_first()?;
        let text = std::str::from_utf8(text).ok()?;
        match sign {
            b'+' => Some(Self::Status(text.to_owned())),
            b'-' => Some(Self::Error(ServerError::parse(text))),
            _ => None,
        }
    }
}

/// A type that a reply can be read as. Version 3 has types for some replies that are bulk
/// strings or flat arrays in version 2; both forms are read.
pub trait FromReply: Sized {
    /// `None` where the reply has another form.
    fn of(reply: Reply) -> Option<Self>;
}

impl FromReply for u64 {
    fn of(reply: Reply) -> Option<Self> {
        match reply {
            Reply::Integer(number) => number.try_into().ok(),
            other => number(&other),
        }
    }
}

impl FromReply for i64 {
    fn of(reply: Reply) -> Option<Self> {
        match reply {
            Reply::Integer(number) => Some(number),
            other => number(&other),
        }
    }
}

impl FromReply for f64 {
    fn of(reply: Reply) -> Option<Self> {
        match reply {
            Reply::Double(double) => Some(double),
            #[expect(clippy::cast_precision_loss, reason = "a score is a double at the server too")]
            Reply::Integer(number) => Some(number as Self),
            other => number(&other),
        }
    }
}

/// A number written as text.
fn number<T: std::str::FromStr>(reply: &Reply) -> Option<T> {
    match reply {
        Reply::Bulk(bytes) => std::str::from_utf8(bytes).ok()?.parse().ok(),
        Reply::Status(text) | Reply::BigNumber(text) => text.parse().ok(),
        _ => None,
    }
}

impl FromReply for Vec<u8> {
    fn of(reply: Reply) -> Option<Self> {
        match reply {
            Reply::Bulk(bytes) => Some(bytes),
            Reply::Status(text) => Some(text.into_bytes()),
            _ => None,
        }
    }
}

impl<T: FromReply> FromReply for Option<T> {
    fn of(reply: Reply) -> Option<Self> {
        if reply == Reply::Null { Some(None) } else { T::of(reply).map(Some) }
    }
}

impl<T: FromReply> FromReply for Vec<T> {
    fn of(reply: Reply) -> Option<Self> {
        match reply {
            Reply::Array(replies) | Reply::Set(replies) => replies.into_iter().map(T::of).collect(),
            _ => None,
        }
    }
}

impl<A: FromReply, B: FromReply> FromReply for (A, B) {
    fn of(reply: Reply) -> Option<Self> {
        let Reply::Array(replies) = reply else { return None };
        let [first, second] = <[Reply; 2]>::try_from(replies).ok()?;
        Some((A::of(first)?, B::of(second)?))
    }
}

/// Pairs of a name and a value: fields of a hash, or members of a sorted set with their
/// scores.
#[derive(Debug)]
pub struct Pairs<V>(pub Vec<(Vec<u8>, V)>);

impl<V: FromReply> FromReply for Pairs<V> {
    fn of(reply: Reply) -> Option<Self> {
        let replies = match reply {
            Reply::Map(pairs) => {
                let pair = |(name, value)| Some((Vec::<u8>::of(name)?, V::of(value)?));
                return pairs.into_iter().map(pair).collect::<Option<_>>().map(Self);
            }
            Reply::Array(replies) => replies,
            _ => return None,
        };
        // One array for each pair, or one array of all.
        if matches!(replies.first(), Some(Reply::Array(_))) {
            return replies.into_iter().map(FromReply::of).collect::<Option<_>>().map(Self);
        }
        let mut pairs = Vec::with_capacity(replies.len() / 2);
        let mut replies = replies.into_iter();
        while let Some(name) = replies.next() {
            pairs.push((Vec::<u8>::of(name)?, V::of(replies.next()?)?));
        }
        Some(Self(pairs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Reply {
        Reply::Bulk(text.as_bytes().to_vec())
    }

    #[test]
    fn both_versions_of_the_protocol_are_taken_for_the_same() {
        let pairs = |reply| Pairs::<f64>::of(reply).map(|pairs| pairs.0);
        let expected = Some(vec![(b"a".to_vec(), 1.5), (b"b".to_vec(), 2.0)]);
        assert_eq!(pairs(Reply::Array(vec![bulk("a"), bulk("1.5"), bulk("b"), bulk("2")])), expected);
        let pair = |name: &str, score| Reply::Array(vec![bulk(name), Reply::Double(score)]);
        assert_eq!(pairs(Reply::Array(vec![pair("a", 1.5), pair("b", 2.0)])), expected);
        let map = vec![(bulk("a"), Reply::Double(1.5)), (bulk("b"), Reply::Integer(2))];
        assert_eq!(pairs(Reply::Map(map)), expected);
        assert_eq!(pairs(Reply::Array(vec![bulk("a")])), None);
        assert_eq!(Option::<Vec<u8>>::of(Reply::Null), Some(None));
        assert_eq!(Vec::<Vec<u8>>::of(Reply::Set(vec![bulk("a")])), Some(vec![b"a".to_vec()]));
        assert_eq!(<(u64, u64)>::of(Reply::Array(vec![bulk("7"), Reply::Integer(8)])), Some((7, 8)));
    }

    #[test]
    fn what_was_not_asked_for_is_no_answer() {
        for reply in [
            Reply::Null,
            Reply::Integer(-1),
            Reply::Boolean(true),
            Reply::Double(1.0),
            Reply::Map(Vec::new()),
            bulk("one"),
        ] {
            assert_eq!(u64::of(reply.clone()), None, "{reply:?}");
        }
        assert_eq!(Vec::<u8>::of(Reply::Null), None);
        assert_eq!(Vec::<Vec<u8>>::of(Reply::Null), None);
        assert_eq!(<(u64, u64)>::of(Reply::Array(vec![Reply::Integer(1)])), None);
        assert_eq!(u64::of(Reply::BigNumber("18446744073709551615".to_owned())), Some(u64::MAX));
    }
}
