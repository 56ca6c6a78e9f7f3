//! What else than spans stands in a request: records of other signals, which are counted,
//! and the error with which an API ended its answer.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::request::Request;
use crate::wire::json::{Allowance, List, Object, Step, api_error, each};
use crate::wire::otlp::DecodeError;
use crate::wire::otlp::count::{Holds, ResourceLogs, ResourceMetrics, ResourceProfiles};
use crate::wire::otlp::signal::{OtherRecords, OtherSignal};

/// The records of a request that is held.
pub fn others(request: &Request<'_>) -> Step<OtherRecords> {
    let mut others = OtherRecords::default();
    count::<ResourceLogs>(OtherSignal::Logs, request.resource_logs, &mut others)?;
    count::<ResourceMetrics>(OtherSignal::Metrics, request.resource_metrics, &mut others)?;
    count::<ResourceProfiles>(OtherSignal::Profiles, request.resource_profiles, &mut others)?;
    Ok(others)
}

fn count<'a, T: Holds + Deserialize<'a>>(
    signal: OtherSignal,
    list: List<'a>,
    others: &mut OtherRecords,
) -> Step<()> {
    if list.is_none() {
        return Ok(());
    }
    others.add(signal, 0);
    each(list, |resource: T| {
        others.add(signal, resource.count());
        Ok(())
    })
}

/// Counts the records of a list in a reader: of each resource no more is held than its
/// brackets.
pub struct Counted<'c, T> {
    signal: OtherSignal,
    others: &'c mut OtherRecords,
    allowance: &'c Allowance,
    of: PhantomData<T>,
}

impl<'c, T> Counted<'c, T> {
    pub fn new(signal: OtherSignal, others: &'c mut OtherRecords, allowance: &'c Allowance) -> Self {
        Self { signal, others, allowance, of: PhantomData }
    }
}

impl<'de, T: Holds + Deserialize<'de>> DeserializeSeed<'de> for Counted<'_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T: Holds + Deserialize<'de>> Visitor<'de> for Counted<'_, T> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "a list of {}", self.signal.name())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        self.others.add(self.signal, 0);
        while let Some(Object(resource)) = list.next_element::<Object<T>>()? {
            self.others.add(self.signal, resource.count());
            self.allowance.renew(0);
        }
        Ok(())
    }
}

/// How an API ended its answer, where it says so: Jaeger's streams results, through gRPC's
/// gateway, and may end with an error behind them
/// (<https://github.com/grpc-ecosystem/grpc-gateway/blob/main/runtime/handler.go>,
/// `handleForwardResponseStreamError`).
pub fn failure(error: Option<&RawValue>) -> Option<DecodeError> {
    let error = error.filter(|error| !matches!(error.get(), "null" | "{}" | "\"\"" | "false"))?;
    let whole = format!("{{\"error\":{}}}", error.get());
    Some(DecodeError::Failed(api_error(whole.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::otlp::{Counts, decode_json, decode_json_documents, decode_json_stream};
    use crate::wire::tags::tests::Told;

    fn streamed(text: &str, most: usize) -> Result<Counts, DecodeError> {
        decode_json_stream(text.as_bytes(), most, &mut Told::default(), |_| {})
    }

    #[test]
    fn records_of_other_signals_are_counted_however_long_they_are() {
        let logs = r#"{"scopeLogs": [{"logRecords": [{"body": {}}, {"body": null}]}]}"#;
        let metrics =
            r#"{"scopeMetrics": [{"metrics": [{"name": "a", "sum": {"dataPoints": [{}, {}, {}]}}]}]}"#;
        let profiles = r#"{"scopeProfiles": [{"profiles": [{}]}]}"#;
        let text = format!(
            r#"{{"resourceLogs": [{logs}, {logs}], "resource_metrics": [{metrics}], "resourceProfiles": [{profiles}]}}"#
        );
        let told = |counts: Counts| counts.others.iter().map(|(_, records)| records).collect::<Vec<_>>();
        assert_eq!(told(decode_json(text.as_bytes(), &mut Told::default()).expect("a request")), [4, 3, 1]);
        assert_eq!(told(streamed(&text, 1_000).expect("a request")), [4, 3, 1]);
        let long = format!(r#"{{"resourceLogs": [{}]}}"#, vec![logs; 100].join(", "));
        assert_eq!(told(streamed(&long, 200).expect("a request")), [200]);
        let none = decode_json(b"{\"resourceLogs\": null}", &mut Told::default()).expect("a request");
        assert!(told(none).is_empty());
        assert!(decode_json(br#"{"resourceLogs": 7}"#, &mut Told::default()).is_err());
        assert!(streamed(r#"{"resourceLogs": 7}"#, 200).is_err());
    }

    #[test]
    fn an_answer_that_ends_with_an_error_is_not_whole() {
        let answer = r#"{"result": {"resourceSpans": []}} {"error": {"httpCode": 500, "message": "no\u001b[31m host"}} {"resourceSpans": []}"#;
        let broken = decode_json_documents(answer.as_bytes(), &mut Told::default(), |told| {
            told.lines.push(String::new());
        })
        .expect_err("not whole");
        let told = broken.error.to_string();
        assert!(told.contains("(\"no\u{1b}[31m host\"): the answer is not whole"), "{told}");
        for (answer, message) in [
            (r#"{"error": {"grpc_code": 14, "message": "gone"}}"#, Some("gone")),
            (r#"{"result": {"resourceSpans": []}, "error": "gone"}"#, Some("gone")),
            (r#"{"error": {"code": 7}}"#, None),
        ] {
            let Err(DecodeError::Failed(said)) = streamed(answer, 1_000) else { panic!("{answer}") };
            assert_eq!(said.as_deref(), message);
            assert!(matches!(
                decode_json(answer.as_bytes(), &mut Told::default()),
                Err(DecodeError::Failed(_))
            ));
        }
        assert!(streamed(r#"{"result": {"resourceSpans": []}, "error": null}"#, 1_000).is_ok());
    }
}
