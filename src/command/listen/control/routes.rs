//! What can be asked, and the answers.

use std::sync::Arc;

use http::header::ALLOW;
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode};
use serde_json::json;

use super::steering::{Phase, Steering};
use crate::local_http::{Answer, Response, Service, text};
use crate::report::FormatName;

/// Answers a script.
pub struct Routes(Arc<Steering>);

impl Routes {
    pub const fn new(steering: Arc<Steering>) -> Self {
        Self(steering)
    }

    fn health(&self) -> Response {
        match self.0.phase() {
            Phase::Listening(ports) => {
                let mut said = json!(ports);
                said["status"] = "listening".into();
                json(StatusCode::OK, &said)
            }
            Phase::Starting => json(StatusCode::SERVICE_UNAVAILABLE, &json!({"status": "starting"})),
            Phase::Ending => json(StatusCode::SERVICE_UNAVAILABLE, &json!({"status": "ending"})),
        }
    }

    fn report(&self, query: &str) -> Answer {
        let format = match format(query) {
            Ok(format) => format,
            Err(reason) => return Answer::Now(error(StatusCode::BAD_REQUEST, &reason)),
        };
        if !matches!(self.0.phase(), Phase::Listening(_)) {
            let reason = "the session has not begun or is over: it writes its report where --output says";
            return Answer::Now(error(StatusCode::SERVICE_UNAVAILABLE, reason));
        }
        let steering = Arc::clone(&self.0);
        // It waits for the lock of the evidence, and takes as long as there is evidence.
        Answer::Made(Box::new(move || match steering.report(format) {
            Ok(report) => text(StatusCode::OK, format.writer().media_type(), report),
            Err(_) => error(StatusCode::INTERNAL_SERVER_ERROR, "the report could not be made"),
        }))
    }
}

impl Service for Routes {
    fn answer(&self, request: &Parts) -> Answer {
        let is_read = request.method == Method::GET || request.method == Method::HEAD;
        Answer::Now(match request.uri.path() {
            "/health" if is_read => self.health(),
            "/report" if is_read => return self.report(request.uri.query().unwrap_or_default()),
            "/stop" if request.method == Method::POST => {
                self.0.stop();
                json(StatusCode::ACCEPTED, &json!({"status": "ending"}))
            }
            "/health" | "/report" => wrong_method("GET, HEAD"),
            "/stop" => wrong_method("POST"),
            _ => {
                let reason = "no such path: there are GET /health, GET /report and POST /stop";
                error(StatusCode::NOT_FOUND, reason)
            }
        })
    }

    fn refusal(&self, _: &Parts, status: StatusCode, reason: &str) -> Response {
        error(status, reason)
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

fn wrong_method(allowed: &'static str) -> Response {
    let mut answer =
        error(StatusCode::METHOD_NOT_ALLOWED, &format!("this path takes {allowed}, and no other method"));
    answer.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    answer
}

fn error(status: StatusCode, reason: &str) -> Response {
    json(status, &json!({"error": reason}))
}

fn json(status: StatusCode, said: &serde_json::Value) -> Response {
    text(status, "application/json", format!("{said}\n"))
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
