//! Which instrumentors of Python a process has, by the scopes of its spans.

use crate::model::Scope;

/// A library whose instrumentor a fix depends on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Library {
    Celery,
    Flask,
    Wsgi,
    Django,
    /// FastAPI, Starlette, or a plain ASGI application.
    Asgi,
}

/// An instrumentor that is at work in a process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Instrumentor {
    pub library: Library,
    /// N of its version 0.N: that of all of a release of OpenTelemetry for Python.
    pub release: Option<u32>,
}

impl Instrumentor {
    pub fn of(scope: &Scope<'_>) -> Option<Self> {
        let library = match scope.name.strip_prefix("opentelemetry.instrumentation.")? {
            "celery" => Library::Celery,
            "flask" => Library::Flask,
            "wsgi" => Library::Wsgi,
            "django" => Library::Django,
            "asgi" | "fastapi" | "starlette" => Library::Asgi,
            _ => return None,
        };
        let release = scope.version.strip_prefix("0.").and_then(|rest| rest.split(['b', '.']).next());
        Some(Self { library, release: release.and_then(|release| release.parse().ok()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_release_is_that_of_the_version() {
        let release = |version: &'static str| {
            let scope =
                Scope { name: "opentelemetry.instrumentation.celery".into(), version: version.into() };
            Instrumentor::of(&scope).expect("an instrumentor").release
        };
        assert_eq!(["0.33b0", "0.66b2", "1.2.0", ""].map(release), [Some(33), Some(66), None, None]);
        assert_eq!(Instrumentor::of(&Scope { name: "shop.api".into(), version: "0.1".into() }), None);
    }
}
