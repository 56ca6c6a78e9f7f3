//! What is kept of a span, by the names that OpenTelemetry and its instrumentors give it.

use super::stored::StoredSpan;
use crate::model::CeleryAction;

impl StoredSpan {
    /// The attributes that are kept, each with its value as raw text: what rules read.
    pub fn attribute_facts(&self) -> Vec<(&'static str, String)> {
        let kept = self.attributes();
        let action = kept.action.map(|action| match action {
            CeleryAction::ApplyAsync => "apply_async",
            CeleryAction::Run => "run",
        });
        let flag = |is_set: bool| is_set.then(|| "true".to_owned());
        let facts = [
            ("celery.action", action.map(str::to_owned)),
            ("celery.task_name", kept.task.as_deref().map(str::to_owned)),
            ("messaging.message.id", self.message_id().map(str::to_owned)),
            ("messaging.destination.name", kept.destination.as_deref().map(str::to_owned)),
            ("celery.exchange", kept.exchange.as_deref().map(str::to_owned)),
            ("celery.hostname", kept.celery_hostname.as_deref().map(str::to_owned)),
            ("celery.retries", kept.retries.map(|retries| retries.to_string())),
            ("redelivered", flag(kept.redelivered)),
            ("task.will_retry", flag(kept.will_retry)),
            ("rejected", flag(kept.rejected)),
            ("http.response.status_code", self.http_status.map(|status| status.to_string())),
            ("status", Some(self.status.label().to_owned())),
            ("status message", Some(self.status_message().to_owned()).filter(|text| !text.is_empty())),
        ];
        present(facts)
    }

    /// The same of the process that sent it.
    pub fn resource_facts(&self) -> Vec<(&'static str, String)> {
        let process = &self.process;
        let text = |text: &Option<Box<str>>| text.as_deref().map(str::to_owned);
        present([
            ("service.name", Some(process.service.to_string())),
            ("service.instance.id", text(&process.instance)),
            ("process.pid", process.pid.map(|pid| pid.to_string())),
            ("host.name", text(&process.host)),
            ("telemetry.sdk.language", text(&process.language)),
            ("telemetry.sdk.version", text(&process.sdk_version)),
            ("telemetry.distro.name", text(&process.distribution)),
        ])
    }

    /// Its events: exceptions are all that is kept of them.
    pub fn event_facts(&self) -> Vec<String> {
        let exceptions = self.exceptions().iter();
        exceptions.map(|exception| format!("exception {}: {}", exception.kind, exception.message)).collect()
    }
}

fn present<const N: usize>(facts: [(&'static str, Option<String>); N]) -> Vec<(&'static str, String)> {
    facts.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}
