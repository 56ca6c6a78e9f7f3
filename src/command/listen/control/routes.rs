//! What can be asked, and the answers.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::timeout;

use super::guard;
use super::steering::{Phase, Steering};
use crate::report::FormatName;

/// The largest body of a request in bytes: none is read for what it says.
const BODY: usize = 4 << 10;
/// How long a body may take.
const BODY_TIME: Duration = Duration::from_secs(5);
/// How long a report waits for those that are being made.
const REPORT_TIME: Duration = Duration::from_secs(10);

/// What a connection holds until its answer was sent.
#[derive(Default)]
pub struct Connection {
    report: OnceLock<OwnedSemaphorePermit>,
    answering: OnceLock<watch::Receiver<()>>,
}

type Answer = Response<Full<Bytes>>;

/// The answer to a request.
pub async fn answer(steering: &Arc<Steering>, connection: &Connection, request: Request<Incoming>) -> Answer {
    // Whoever ends the program waits for this one.
    let _ = connection.answering.set(steering.answering());
    let (parts, body) = request.into_parts();
    let mut answer = match guard::check(&parts, steering.address()) {
        Ok(()) => match read(body).await {
            Ok(()) => routed(steering, connection, &parts).await,
            Err(refusal) => refusal,
        },
        Err(reason) => error(StatusCode::FORBIDDEN, reason),
    };
    let headers = answer.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer
}

/// Reads a body to its end, so that the client reads the answer.
async fn read(body: Incoming) -> Result<(), Answer> {
    match timeout(BODY_TIME, Limited::new(body, BODY).collect()).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(_)) => Err(error(StatusCode::PAYLOAD_TOO_LARGE, "the request has a body, and none is needed")),
        Err(_) => Err(error(StatusCode::REQUEST_TIMEOUT, "the body of the request took too long")),
    }
}

async fn routed(steering: &Arc<Steering>, connection: &Connection, parts: &Parts) -> Answer {
    let is_read = parts.method == Method::GET || parts.method == Method::HEAD;
    match parts.uri.path() {
        "/health" if is_read => health(steering),
        "/report" if is_read => report(steering, connection, parts.uri.query().unwrap_or_default()).await,
        "/stop" if parts.method == Method::POST => {
            steering.stop();
            json(StatusCode::ACCEPTED, &json!({"status": "ending"}))
        }
        "/health" | "/report" => wrong_method("GET, HEAD"),
        "/stop" => wrong_method("POST"),
        _ => error(StatusCode::NOT_FOUND, "no such path: there are GET /health, GET /report and POST /stop"),
    }
}

fn health(steering: &Steering) -> Answer {
    match steering.phase() {
        Phase::Listening(ports) => {
            let mut said = json!(ports);
            said["status"] = "listening".into();
            json(StatusCode::OK, &said)
        }
        Phase::Starting => json(StatusCode::SERVICE_UNAVAILABLE, &json!({"status": "starting"})),
        Phase::Ending => json(StatusCode::SERVICE_UNAVAILABLE, &json!({"status": "ending"})),
    }
}

async fn report(steering: &Arc<Steering>, connection: &Connection, query: &str) -> Answer {
    let format = match format(query) {
        Ok(format) => format,
        Err(reason) => return error(StatusCode::BAD_REQUEST, &reason),
    };
    if !matches!(steering.phase(), Phase::Listening(_)) {
        let reason = "the session has not begun or is over: it writes its report where --output says";
        return error(StatusCode::SERVICE_UNAVAILABLE, reason);
    }
    let Ok(permit) = timeout(REPORT_TIME, steering.may_report()).await else {
        let mut busy = error(StatusCode::SERVICE_UNAVAILABLE, "other reports are being made or read");
        busy.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        return busy;
    };
    let _ = connection.report.set(permit);
    let steering = Arc::clone(steering);
    // It waits for the lock of the evidence, and takes as long as there is evidence.
    let made = tokio::task::spawn_blocking(move || steering.report(format));
    match made.await {
        Ok(Ok(text)) => {
            let mut answer = Response::new(Full::from(text));
            let media_type = HeaderValue::from_static(format.writer().media_type());
            answer.headers_mut().insert(CONTENT_TYPE, media_type);
            answer
        }
        _ => error(StatusCode::INTERNAL_SERVER_ERROR, "the report could not be made"),
    }
}

/// The format that a query names; JSON where it names none.
fn format(query: &str) -> Result<FormatName, String> {
    let mut format = FormatName::Json;
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let Some(("format", name)) = pair.split_once('=') else {
            return Err("the query takes one parameter: /report?format=json".to_owned());
        };
        format = FormatName::find(name).ok_or_else(|| {
            let known: Vec<_> = FormatName::ALL.iter().map(|format| format.name()).collect();
            format!("no such format: there are {}", known.join(", "))
        })?;
    }
    Ok(format)
}

fn wrong_method(allowed: &'static str) -> Answer {
    let mut answer =
        error(StatusCode::METHOD_NOT_ALLOWED, &format!("this path takes {allowed}, and no other method"));
    answer.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    answer
}

fn error(status: StatusCode, reason: &str) -> Answer {
    json(status, &json!({"error": reason}))
}

fn json(status: StatusCode, said: &serde_json::Value) -> Answer {
    let mut answer = Response::new(Full::from(format!("{said}\n")));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_names_a_format_of_the_table() {
        for known in FormatName::ALL {
            assert_eq!(format(&format!("format={}", known.name())), Ok(*known));
        }
        assert_eq!(format(""), Ok(FormatName::Json));
        let unknown = format("format=pdf").expect_err("there is none");
        assert!(FormatName::ALL.iter().all(|known| unknown.contains(known.name())), "{unknown}");
        assert!(format("formt=json").is_err() && format("format").is_err());
    }
}
