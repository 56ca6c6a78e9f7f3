//! Where a ClickHouse is: `clickhouse://user:password@host:8123/database`, or
//! `clickhouses://` with TLS.

use std::fmt;

use percent_encoding::percent_decode_str;

use super::error::QueryError;

/// The address of ClickHouse's HTTP interface, and the login. Its `Display` masks the
/// password, and it has no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct ClickhouseUrl {
    pub(super) is_tls: bool,
    /// A name or an address; an IPv6 address with its brackets.
    host: String,
    port: u16,
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
    /// `None` where any database may have the table.
    pub(super) database: Option<String>,
}

const PORT: u16 = 8123;
const TLS_PORT: u16 = 8443;
/// What people write, and whether it means TLS.
const SCHEMES: [(&str, bool); 2] = [("clickhouse", false), ("clickhouses", true)];

/// Whether a word means to be such a URL, right or wrong.
pub fn is_clickhouse(word: &str) -> bool {
    let scheme = word.split_once("://").map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| SCHEMES.iter().any(|(known, _)| scheme.eq_ignore_ascii_case(known)))
}

impl ClickhouseUrl {
    /// Reads a URL. Without a port it is 8123, and with TLS 8443.
    ///
    /// # Errors
    ///
    /// [`QueryError::Url`], which repeats nothing that may be a password.
    pub fn parse(url: &str) -> Result<Self, QueryError> {
        let wrong = |why: &'static str| QueryError::Url { why };
        let (scheme, rest) = url.trim().split_once("://").ok_or_else(|| wrong("it has no scheme"))?;
        let known = SCHEMES.iter().find(|(known, _)| scheme.eq_ignore_ascii_case(known));
        let (_, is_tls) = known.ok_or_else(|| wrong("its scheme is neither clickhouse nor clickhouses"))?;
        if rest.contains(['?', '#']) {
            return Err(wrong("it has a `?` or a `#`: write them in a password as %3F and %23"));
        }
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, place) =
            authority.rsplit_once('@').map_or((None, authority), |(login, place)| (Some(login), place));
        if path.contains('@') {
            return Err(wrong("there is an `@` behind a `/`: write `/` in a password as %2F"));
        }
        let end = place.rfind(']').map_or(0, |at| at + 1);
        let (host, port) = match place[end..].split_once(':') {
            Some((rest, port)) => {
                let port = port.parse().map_err(|_| wrong("its port is no number up to 65535"))?;
                (&place[..end + rest.len()], port)
            }
            None => (place, if *is_tls { TLS_PORT } else { PORT }),
        };
        // It is shown as it is, so nothing in it may act on a terminal.
        let is_name = |letter: char| letter.is_ascii_alphanumeric() || "-._:[]%".contains(letter);
        if host.is_empty() || !host.chars().all(is_name) {
            return Err(wrong("it names no host"));
        }
        let (user, password) = match login.map(|login| login.split_once(':').unwrap_or((login, ""))) {
            Some((user, password)) => (decoded(user)?, decoded(password)?),
            None => (None, None),
        };
        let database = decoded(path.trim_end_matches('/'))?;
        Ok(Self { is_tls: *is_tls, host: host.to_owned(), port, user, password, database })
    }

    /// Where requests go.
    pub(super) fn endpoint(&self) -> String {
        let scheme = if self.is_tls { "https" } else { "http" };
        format!("{scheme}://{}:{}/", self.host, self.port)
    }
}

/// A part that is percent-encoded; `None` if it is empty.
fn decoded(text: &str) -> Result<Option<String>, QueryError> {
    let decoded = percent_decode_str(text).decode_utf8();
    let decoded = decoded.map_err(|_| QueryError::Url { why: "a part of it is not UTF-8" })?;
    Ok(Some(decoded.into_owned()).filter(|part| !part.is_empty()))
}

impl fmt::Display for ClickhouseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_tls { "clickhouses" } else { "clickhouse" };
        write!(f, "{scheme}://")?;
        if let Some(user) = &self.user {
            let password = if self.password.is_some() { ":***" } else { "" };
            write!(f, "{}{password}@", user.escape_debug())?;
        }
        write!(f, "{}:{}", self.host, self.port)?;
        match &self.database {
            Some(database) => write!(f, "/{}", database.escape_debug()),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_read_and_shown_without_its_password() {
        for (url, shown, endpoint) in [
            ("clickhouse://host", "clickhouse://host:8123", "http://host:8123/"),
            ("clickhouses://host/otel/", "clickhouses://host:8443/otel", "https://host:8443/"),
            ("CLICKHOUSE://u:secret@h:1/otel", "clickhouse://u:***@h:1/otel", "http://h:1/"),
            ("clickhouse://u@[::1]:9/a%20b", "clickhouse://u@[::1]:9/a b", "http://[::1]:9/"),
            ("clickhouse://u:s%2Fec%40ret@[::1]", "clickhouse://u:***@[::1]:8123", "http://[::1]:8123/"),
        ] {
            let read = ClickhouseUrl::parse(url).unwrap_or_else(|error| panic!("{url}: {error}"));
            assert_eq!((read.to_string(), read.endpoint()), (shown.to_owned(), endpoint.to_owned()), "{url}");
        }
        let read = ClickhouseUrl::parse("clickhouse://u%3A:s%2Fe@h").expect("a URL");
        assert_eq!((read.user.as_deref(), read.password.as_deref()), (Some("u:"), Some("s/e")));
    }

    #[test]
    fn what_is_wrong_is_said_and_no_password_is() {
        for url in [
            "clickhouse://u:secret@",
            "clickhouse://u:secret@h:x",
            "clickhouse://u:secret@h:99999/otel",
            "clickhouse://u:sec/ret@h",
            "clickhouse://u:secret?@h",
            "clickhouse://u:secret#@h",
            "clickhouse://u:secret@h\u{1b}[2J/otel",
            "http://u:secret@h",
            "secret",
        ] {
            let error = ClickhouseUrl::parse(url).err().map(|error| error.to_string()).expect(url);
            assert!(error.contains("clickhouse://user:password@host:8123/database"), "{error}");
            assert!(
                !error.contains("secret") && !error.contains("ret@") && !error.contains('\u{1b}'),
                "{error}"
            );
        }
        assert!(is_clickhouse("clickhouses://h") && is_clickhouse("ClickHouse://u@h/x"));
        assert!(!is_clickhouse("spans.jsonl") && !is_clickhouse("redis://h"));
    }
}
