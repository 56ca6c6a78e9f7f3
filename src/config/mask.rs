//! Hides passwords in URLs.

/// The text, with the user and the password of a URL hidden.
pub fn masked(text: &str) -> String {
    let inside = text.find("://").map(|scheme| scheme + 3).zip(text.rfind('@'));
    match inside.filter(|(start, end)| start <= end) {
        Some((start, end)) => format!("{}***{}", &text[..start], &text[end..]),
        None => text.to_owned(),
    }
}
