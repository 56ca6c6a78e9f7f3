//! The style sheet and the script, and the policies under which they run.
//!
//! The live server hands both out as files. The self-contained page has them inside, and
//! names them by their hashes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};

/// The style sheet: `text/css`.
pub const STYLE: &str = include_str!("page.css");

/// The script: `text/javascript`, one ES module that imports nothing.
pub const SCRIPT: &str = concat!(
    include_str!("script/passages.js"),
    include_str!("script/everything.js"),
    include_str!("script/reading.js"),
    include_str!("script/live.js"),
);

/// The value of the header `Content-Security-Policy` with which the live page is served:
/// its own style sheet, script and connections, and nothing else.
pub const SERVED_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The policy of the self-contained page: the style sheet and the script of this program,
/// and no connection at all (<https://www.w3.org/TR/CSP3/#grammardef-hash-source>).
pub(super) fn policy_of_file() -> String {
    let [style, script] = [STYLE, SCRIPT].map(|text| STANDARD.encode(digest(&SHA256, text.as_bytes())));
    format!(
        "default-src 'none'; script-src 'sha256-{script}'; style-src 'sha256-{style}'; \
         base-uri 'none'; form-action 'none'"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_them_ends_the_element_that_holds_them() {
        assert!(!STYLE.contains("</") && !STYLE.contains("<!--"));
        assert!(!SCRIPT.contains("</") && !SCRIPT.contains("<!--"));
    }

    #[test]
    fn nothing_in_them_is_loaded_from_elsewhere() {
        for text in [STYLE, SCRIPT] {
            assert!(
                !["http:", "https:", "url(", "@import", "import "].iter().any(|word| text.contains(word))
            );
        }
    }
}
