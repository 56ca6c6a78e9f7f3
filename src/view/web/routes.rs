//! What can be asked, and the answers. Everything can be read, and nothing changed.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use http::header::{ALLOW, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, ETAG, IF_NONE_MATCH};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use rustc_hash::FxHasher;

use super::changes::Changes;
use super::feed::Feed;
use super::pieces;
use crate::local_http::{Answer, EventStream, Response, Service, text};
use crate::report::html::{assets, live};
use crate::report::{FormatName, Subject};

const HTML: &str = "text/html; charset=utf-8";

/// Answers browsers.
pub struct Site(Arc<Feed>);

impl Site {
    pub const fn new(feed: Arc<Feed>) -> Self {
        Self(feed)
    }

    fn answered(&self, request: &Parts) -> Answer {
        if request.method != Method::GET && request.method != Method::HEAD {
            let reason = "this is to be read: GET and HEAD, and no other method";
            let mut refusal = refused(request, StatusCode::METHOD_NOT_ALLOWED, reason);
            refusal.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return Answer::Now(refusal);
        }
        let path = request.uri.path();
        match path {
            "/" => self.made(|feed| html(pieces::page(feed))),
            "/details" if request.uri.query() == Some("all") => {
                self.made(|feed| html(pieces::everything(feed)))
            }
            "/details" => self.made(|feed| html(pieces::details(feed))),
            "/events" => self.events(request),
            "/report.html" => self.download(FormatName::Html),
            "/report.json" => self.download(FormatName::Json),
            // Browsers ask for it, whatever a page says.
            "/favicon.ico" => Answer::Now(text(StatusCode::NO_CONTENT, "image/x-icon", "")),
            "/assets/app.css" => {
                Answer::Now(asset(&request.headers, "text/css; charset=utf-8", assets::STYLE))
            }
            "/assets/app.js" => {
                Answer::Now(asset(&request.headers, "text/javascript; charset=utf-8", assets::SCRIPT))
            }
            _ => self.element(path, request.uri.query()).unwrap_or_else(|| {
                Answer::Now(refused(request, StatusCode::NOT_FOUND, "there is no such page"))
            }),
        }
    }

    /// An element that the page asks for by its number or name.
    fn element(&self, path: &str, query: Option<&str>) -> Option<Answer> {
        if let Some(number) = path.strip_prefix("/passage/") {
            let number = number.parse().ok()?;
            let all = query == Some("all");
            return Some(self.element_of(move |feed| pieces::detail(feed, number, all)));
        }
        let name = path.strip_prefix("/finding/")?;
        let name = percent_encoding::percent_decode_str(name).decode_utf8().ok()?.into_owned();
        Some(self.element_of(move |feed| pieces::finding(feed, &name)))
    }

    fn element_of(&self, piece: impl FnOnce(&Feed) -> Option<String> + Send + 'static) -> Answer {
        self.made(|feed| {
            let gone = || text(StatusCode::NOT_FOUND, TEXT, "it is no longer held\n");
            piece(feed).map_or_else(gone, html)
        })
    }

    fn made(&self, make: impl FnOnce(&Feed) -> Response + Send + 'static) -> Answer {
        let feed = Arc::clone(&self.0);
        Answer::Made(Box::new(move || secured(make(&feed))))
    }

    /// What came since the page was made, or since it lost its connection.
    fn events(&self, request: &Parts) -> Answer {
        const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
        let last = request.headers.get(LAST_EVENT_ID).map(|last| last.to_str().unwrap_or_default());
        let in_query = || {
            let query = request.uri.query()?;
            query.split('&').find_map(|pair| pair.strip_prefix("after="))
        };
        let changes = Changes::after(Arc::clone(&self.0), last.or_else(in_query));
        Answer::Events(EventStream::new(Box::new(changes), self.0.bell()))
    }

    /// The report as of now, to be kept.
    fn download(&self, format: FormatName) -> Answer {
        self.made(move |feed| {
            let Some(report) = feed.report() else {
                return text(StatusCode::SERVICE_UNAVAILABLE, TEXT, "the evidence is still being read\n");
            };
            let mut written = Vec::new();
            let mut writer = format.writer();
            if writer.report(&report, Subject::Handoffs, feed.view(), &mut written).is_err() {
                return text(StatusCode::INTERNAL_SERVER_ERROR, TEXT, "the report could not be made\n");
            }
            let mut response = text(StatusCode::OK, writer.media_type(), written);
            let name = format!("attachment; filename=\"tracelink.{}\"", format.name());
            let name = HeaderValue::try_from(name).expect("the name of a format is a word");
            response.headers_mut().insert(CONTENT_DISPOSITION, name);
            response
        })
    }
}

impl Service for Site {
    fn answer(&self, request: &Parts) -> Answer {
        match self.answered(request) {
            Answer::Now(response) => Answer::Now(secured(response)),
            later => later,
        }
    }

    fn refusal(&self, request: &Parts, status: StatusCode, reason: &str) -> Response {
        secured(refused(request, status, reason))
    }
}

const TEXT: &str = "text/plain; charset=utf-8";

fn html(page: String) -> Response {
    text(StatusCode::OK, HTML, page)
}

/// Whatever a page contains, a browser that shows it runs nothing but its own script, and asks
/// nobody else.
fn secured(mut response: Response) -> Response {
    let policy = HeaderValue::from_static(assets::SERVED_POLICY);
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    response
}

/// Says why there is no answer, as a page to a person who went there.
fn refused(request: &Parts, status: StatusCode, reason: &str) -> Response {
    const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");
    if request.headers.get(SEC_FETCH_DEST).is_some_and(|dest| dest == "document") {
        text(status, HTML, live::error(reason))
    } else {
        text(status, TEXT, format!("{reason}\n"))
    }
}

/// A file of the page. A browser that has it asks whether it is still the same: another
/// tracelink may listen here tomorrow.
fn asset(headers: &HeaderMap, media_type: &'static str, content: &'static str) -> Response {
    let mut hasher = FxHasher::default();
    content.hash(&mut hasher);
    let tag = format!("\"{:016x}\"", hasher.finish());
    let has_it = headers.get_all(IF_NONE_MATCH).iter().any(|tags| {
        let tags = tags.to_str().unwrap_or_default().split(',');
        tags.map(|known| known.trim().trim_start_matches("W/")).any(|known| known == tag || known == "*")
    });
    let mut response = if has_it {
        text(StatusCode::NOT_MODIFIED, media_type, "")
    } else {
        text(StatusCode::OK, media_type, content)
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(ETAG, HeaderValue::try_from(tag).expect("hexadecimal digits"));
    response
}
