//! Cuts an answer to a number of bytes, in the order of what matters, and counts what it
//! leaves out. Text from outside is made visible on the way: an agent must not read what a
//! person does not see.

use serde_json::{Map, Value};

use crate::report::text::{acts_on_a_terminal, clip, safe_lines};

/// What was left out, by its name, and how often.
pub type LeftOut = Map<String, Value>;

/// How much of the parts of a finding is kept.
#[derive(Clone, Copy)]
struct Keep {
    /// Characters of a text.
    letters: usize,
    /// Entries of a list.
    entries: usize,
}

const USUAL: Keep = Keep { letters: 500, entries: 10 };
/// Of a finding that does not fit otherwise.
const LITTLE: Keep = Keep { letters: 80, entries: 3 };
/// Of what is no list of findings or queues. A command may name many files.
const OF_THE_REST: Keep = Keep { letters: 1_000, entries: 20 };
/// How many bytes the fixes of one finding may take. They are kept whole or not at all: half a
/// fix is none.
const FIXES: usize = 8 << 10;

/// Counts one thing that was left out.
pub fn count(left_out: &mut LeftOut, what: &str, number: usize) {
    if number > 0 {
        let before = left_out.get(what).and_then(Value::as_u64).unwrap_or_default();
        left_out.insert(what.to_owned(), (before + number as u64).into());
    }
}

/// Cuts a report's document to about `room` bytes. The lists are filled in this order, each
/// from its beginning, as far as there is room.
pub fn fit(document: &mut Map<String, Value>, room: usize, left_out: &mut LeftOut) {
    const LISTS: [&str; 5] = ["/findings", "/baseline/gone", "/queues", "/ignored", "/expired"];
    let mut whole = Value::Object(std::mem::take(document));
    visible(&mut whole);
    let lists = LISTS.map(|list| {
        let taken = whole.pointer_mut(list).and_then(Value::as_array_mut).map(std::mem::take);
        (list, taken.unwrap_or_default())
    });
    count(left_out, "texts", shorten(&mut whole, OF_THE_REST));
    let mut size = length(&whole);
    for (list, entries) in lists {
        let all = entries.len();
        let mut kept = Vec::new();
        for mut entry in entries {
            let shortened =
                if list == "/findings" { fit_finding(&mut entry) } else { shorten(&mut entry, USUAL) };
            let is_first = list == "/findings" && kept.is_empty();
            let again =
                if is_first && size + length(&entry) > room { shorten(&mut entry, LITTLE) } else { 0 };
            if size + length(&entry) + 1 > room {
                break;
            }
            size += length(&entry) + 1;
            count(left_out, "texts", shortened + again);
            kept.push(entry);
        }
        count(left_out, list.rsplit('/').next().unwrap_or_default(), all - kept.len());
        if let Some(place) = whole.pointer_mut(list) {
            *place = kept.into();
        }
    }
    if let Value::Object(fitted) = whole {
        *document = fitted;
    }
}

/// Shortens a finding, except for its fixes. Returns how many of its parts were cut.
fn fit_finding(finding: &mut Value) -> usize {
    let Some(fields) = finding.as_object_mut() else { return 0 };
    // The lines of the first fix, which is among the fixes.
    fields.remove("fix");
    let mut fixes = fields.insert("fixes".to_owned(), Value::Null).unwrap_or_default();
    let mut cut = shorten(finding, USUAL);
    if let Some(fixes) = fixes.as_array_mut() {
        let before = fixes.len();
        let mut size = 0;
        fixes.retain(|fix| {
            size += length(fix);
            size <= FIXES
        });
        cut += before - fixes.len();
    }
    finding["fixes"] = fixes;
    cut
}

/// Shortens every text and list of a value. Returns how many it cut.
fn shorten(value: &mut Value, keep: Keep) -> usize {
    match value {
        Value::String(text) if text.chars().nth(keep.letters).is_some() => {
            *text = clip(text, keep.letters);
            1
        }
        Value::Array(values) => {
            let cut = usize::from(values.len() > keep.entries);
            values.truncate(keep.entries);
            cut + values.iter_mut().map(|value| shorten(value, keep)).sum::<usize>()
        }
        Value::Object(fields) => {
            let is_fix = |name: &str| name == "fixes";
            let names = fields.iter_mut().filter(|(name, _)| !is_fix(name));
            names.map(|(_, value)| shorten(value, keep)).sum()
        }
        _ => 0,
    }
}

/// Writes what acts on a terminal or cannot be seen as `\u{…}`, in texts and in names of
/// fields.
pub fn visible(value: &mut Value) {
    let is_hidden = |text: &str| text.chars().any(|letter| letter != '\n' && acts_on_a_terminal(letter));
    match value {
        Value::String(text) if is_hidden(text) => *text = safe_lines(text),
        Value::Array(values) => values.iter_mut().for_each(visible),
        Value::Object(fields) => {
            if fields.keys().any(|name| is_hidden(name)) {
                let taken = std::mem::take(fields);
                *fields = taken.into_iter().map(|(name, value)| (safe_lines(&name), value)).collect();
            }
            fields.values_mut().for_each(visible);
        }
        _ => {}
    }
}

fn length(value: &Value) -> usize {
    value.to_string().len()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fitted(document: Value, room: usize) -> (Value, LeftOut) {
        let Value::Object(mut document) = document else { unreachable!("a document is an object") };
        let mut left_out = LeftOut::new();
        fit(&mut document, room, &mut left_out);
        (document.into(), left_out)
    }

    fn finding(id: &str, text: &str) -> Value {
        let fix = json!({"title": "paste", "steps": [{"lines": ["x = 1"]}]});
        json!({"id": id, "message": text, "fix": ["x = 1"], "fixes": [fix], "evidence": [{"at": text}]})
    }

    #[test]
    fn the_first_findings_stay_and_the_others_are_counted() {
        let findings: Vec<_> = (0..50).map(|id| finding(&id.to_string(), "short")).collect();
        let (answer, left_out) = fitted(json!({"findings": findings, "queues": [{"name": "celery"}]}), 2_000);
        let kept = answer["findings"].as_array().expect("a list");
        assert!(kept.len() > 5 && kept[0]["id"] == "0" && kept[0].get("fix").is_none());
        assert_eq!(left_out["findings"], 50 - kept.len());
        assert!(answer.to_string().len() <= 2_000);
    }

    #[test]
    fn one_finding_of_any_size_fits_with_its_fixes_whole() {
        let long = "\u{202e}\u{e0041}evil ".repeat(10_000);
        let (answer, left_out) =
            fitted(json!({"verdict": {"command": long}, "findings": [finding("1", &long)]}), 4_000);
        assert_eq!(answer["findings"][0]["fixes"][0]["steps"][0]["lines"], json!(["x = 1"]));
        assert!(left_out["texts"].as_u64().is_some_and(|cut| cut >= 2), "{left_out:?}");
        assert!(answer.to_string().len() <= 4_000 + 500);
        assert!(!answer.to_string().chars().any(acts_on_a_terminal));
    }

    #[test]
    fn half_a_fix_is_none() {
        let lines: Vec<_> = (0..1_000).map(|line| format!("setting_{line} = 1")).collect();
        let mut large = finding("1", "short");
        large["fixes"] = json!([{"title": "paste", "steps": [{"lines": lines}]}]);
        let (answer, left_out) = fitted(json!({"findings": [large]}), 20_000);
        assert_eq!(answer["findings"][0]["fixes"], json!([]));
        assert_eq!(left_out["texts"], 1);
    }
}
