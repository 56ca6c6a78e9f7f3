//! Where evidence lies: a path, or the URL of a store, which may hold a password.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::config::masked;

/// A place of evidence as it was typed. `Debug` does not show the password of a URL.
#[derive(Clone)]
pub struct EvidencePlace(PathBuf);

impl EvidencePlace {
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The words of a URL; `None` for a path.
    pub fn url(&self) -> Option<&str> {
        self.0.to_str().filter(|text| text.contains("://"))
    }

    /// It, with the user and the password of a URL hidden.
    pub fn shown(&self) -> PathBuf {
        match self.url() {
            Some(url) => masked(url).into(),
            None => self.0.clone(),
        }
    }
}

impl From<OsString> for EvidencePlace {
    fn from(typed: OsString) -> Self {
        Self(typed.into())
    }
}

impl fmt::Debug for EvidencePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shown().fmt(f)
    }
}
