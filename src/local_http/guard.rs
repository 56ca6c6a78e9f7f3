//! Which requests are answered at all. A page of any site may send requests to this
//! machine from a browser that runs here, and a name of that site may come to mean this
//! machine (DNS rebinding). So what a browser says of the page is checked, and a name
//! other than `localhost` is refused.

use std::net::{IpAddr, SocketAddr};

use http::header::{HOST, ORIGIN};
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderMap, HeaderName, Uri};

/// Why a request is refused.
pub type Reason = &'static str;

const NO_HOST: Reason = "the request does not say by one Host header which host it asks for";
const FOREIGN_HOST: Reason = "the Host header does not name this machine: ask by localhost or by its \
    IP address. Another name may lead here by DNS rebinding";
const FOREIGN_ORIGIN: Reason = "the Origin header names another site: a page of it may not ask tracelink";
const CROSS_SITE: Reason = "a page of another site sent this request, and may not ask tracelink";

/// Says of browsers how the page is related to what it asks for:
/// <https://www.w3.org/TR/fetch-metadata/#sec-fetch-site-header>.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// Says how it is asked for, and what for.
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// Refuses what a foreign page may have sent. With `answers_links` a page may lead here by a
/// link: the browser goes to the answer then, and that page does not see it.
///
/// # Errors
///
/// The reason, in words for whoever sent it.
pub fn check(parts: &Parts, listens_at: SocketAddr, answers_links: bool) -> Result<(), Reason> {
    let host = host_of(&parts.headers).ok_or(NO_HOST)?;
    // A request to a proxy names the host in its first line too.
    let hosts = [Some(&host), parts.uri.authority()];
    if !hosts.into_iter().flatten().all(|host| is_here(host, listens_at.ip())) {
        return Err(FOREIGN_HOST);
    }
    let is_own = |origin: &http::HeaderValue| {
        let origin = origin.to_str().ok().and_then(|origin| origin.parse::<Uri>().ok());
        origin.is_some_and(|origin| {
            origin.scheme_str() == Some("http")
                && origin.authority().is_some_and(|of| of.as_str().eq_ignore_ascii_case(host.as_str()))
        })
    };
    if !parts.headers.get_all(ORIGIN).iter().all(is_own) {
        return Err(FOREIGN_ORIGIN);
    }
    let is_foreign = |site: &http::HeaderValue| site != "same-origin" && site != "none";
    if parts.headers.get_all(SEC_FETCH_SITE).iter().any(is_foreign)
        && !(answers_links && follows_link(&parts.headers))
    {
        return Err(CROSS_SITE);
    }
    Ok(())
}

/// Whether a browser goes to the answer, and puts it into no frame of another page.
fn follows_link(headers: &HeaderMap) -> bool {
    let says = |name, value: &str| {
        let mut said = headers.get_all(name).iter();
        said.next().is_some_and(|said| said == value) && said.next().is_none()
    };
    says(SEC_FETCH_MODE, "navigate") && says(SEC_FETCH_DEST, "document")
}

fn host_of(headers: &HeaderMap) -> Option<Authority> {
    let mut hosts = headers.get_all(HOST).iter();
    let host = hosts.next()?.to_str().ok()?.parse().ok()?;
    hosts.next().is_none().then_some(host)
}

/// Whether a host is this machine, by a name that no DNS server can give away. An IP
/// address is not looked up; one that is not the loopback is right only where it listens
/// for other machines too.
fn is_here(host: &Authority, listens_at: IpAddr) -> bool {
    if host.as_str().contains('@') {
        return false;
    }
    let name = host.host();
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    match address.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback() || !listens_at.is_loopback(),
        Err(_) => name.eq_ignore_ascii_case("localhost"),
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn checked(listens_at: &str, uri: &str, headers: &[(&str, &str)]) -> Result<(), Reason> {
        checked_for(false, listens_at, uri, headers)
    }

    fn checked_for(
        answers_links: bool,
        listens_at: &str,
        uri: &str,
        headers: &[(&str, &str)],
    ) -> Result<(), Reason> {
        let mut request = Request::builder().uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let listens_at: SocketAddr = listens_at.parse().expect("an address");
        check(&request.body(()).expect("a request").into_parts().0, listens_at, answers_links)
    }

    #[test]
    fn only_names_of_this_machine_are_answered() {
        let host = |host: &str| checked("127.0.0.1:9000", "/health", &[("host", host)]);
        for here in
            ["localhost:9000", "LOCALHOST", "127.0.0.1:9000", "127.0.0.1", "[::1]:9000", "127.8.8.8:1"]
        {
            assert_eq!(host(here), Ok(()), "{here}");
        }
        for foreign in [
            "example.com",
            "localhost.example.com:9000",
            "127.0.0.1.example.com",
            "localhost.",
            "192.168.1.7:9000",
            "me@localhost",
            "[::ffff:10.0.0.1]",
            "0x7f.1",
        ] {
            assert_eq!(host(foreign), Err(FOREIGN_HOST), "{foreign}");
        }
        assert_eq!(host(""), Err(NO_HOST));
        assert_eq!(checked("127.0.0.1:9000", "/health", &[]), Err(NO_HOST));
        let twice = [("host", "localhost"), ("host", "example.com")];
        assert_eq!(checked("127.0.0.1:9000", "/health", &twice), Err(NO_HOST));
        let proxied = [("host", "localhost")];
        assert_eq!(checked("127.0.0.1:9000", "http://example.com/health", &proxied), Err(FOREIGN_HOST));
    }

    #[test]
    fn where_other_machines_may_ask_they_ask_by_address() {
        let host = |host: &str| checked("0.0.0.0:9000", "/health", &[("host", host)]);
        assert_eq!(host("192.168.1.7:9000"), Ok(()));
        assert_eq!(host("tracelink:9000"), Err(FOREIGN_HOST));
    }

    #[test]
    fn pages_of_other_sites_are_refused() {
        let with = |name: &str, value: &str| {
            checked("127.0.0.1:9000", "/stop", &[("host", "127.0.0.1:9000"), (name, value)])
        };
        assert_eq!(with("origin", "http://127.0.0.1:9000"), Ok(()));
        for foreign in ["null", "http://example.com", "http://127.0.0.1:3000", "https://127.0.0.1:9000", ""] {
            assert_eq!(with("origin", foreign), Err(FOREIGN_ORIGIN), "{foreign}");
        }
        assert_eq!(with("sec-fetch-site", "none"), Ok(()));
        assert_eq!(with("sec-fetch-site", "cross-site"), Err(CROSS_SITE));
        assert_eq!(with("sec-fetch-site", "same-site"), Err(CROSS_SITE));
    }

    #[test]
    fn a_link_of_another_site_may_lead_to_a_page_and_to_nothing_else() {
        let asked = |answers_links, mode, dest| {
            let headers = [
                ("host", "127.0.0.1:9000"),
                ("sec-fetch-site", "cross-site"),
                ("sec-fetch-mode", mode),
                ("sec-fetch-dest", dest),
            ];
            checked_for(answers_links, "127.0.0.1:9000", "/", &headers)
        };
        assert_eq!(asked(true, "navigate", "document"), Ok(()));
        assert_eq!(asked(false, "navigate", "document"), Err(CROSS_SITE));
        for (mode, dest) in
            [("navigate", "iframe"), ("no-cors", "script"), ("cors", "empty"), ("no-cors", "document")]
        {
            assert_eq!(asked(true, mode, dest), Err(CROSS_SITE), "{mode} {dest}");
        }
        let foreign =
            [("host", "example.com"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
        assert_eq!(checked_for(true, "127.0.0.1:9000", "/", &foreign), Err(FOREIGN_HOST));
    }
}
