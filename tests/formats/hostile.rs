//! Reports in which every text that comes from outside is hostile.

use std::borrow::Cow;
use std::collections::BTreeSet;

use tracelink::model::{
    Alternative, Context, Fix, MessageReport, QueueReport, Report, Sentence, ShareReport, key,
};
use tracelink::report::text::safe;

use crate::reports::{golden, queue};

/// The first is harmless: with it, every other has to have one shape.
pub fn texts() -> Vec<String> {
    let short = [
        "x",
        "a|b",
        "\\| \\` \\",
        "`",
        "```\n```\n# head",
        "<script>alert(1)</script>",
        "</details></summary></code></pre><b>",
        "<!-- -->",
        "&lt;b&gt; &#124; &amp;",
        "]]>",
        "]]><x/><![CDATA[",
        "\" onmouseover=\"x\" 'y'",
        "\u{0}\u{1}\u{b}\u{fffe}\u{ffff}",
        "\u{1b}[31mred\u{1b}]8;;http://x\u{7}",
        "a\r\nb\n::error::c\n\n| d |\n|---|",
        "::error title=x::y",
        "::stop-commands::t",
        "##[error]x",
        "%0A::error::%25%3A",
        "\u{202e}gpj\u{2066}\u{200b}",
        "[x](javascript:alert(1)) ![x](http://x/y.png)",
        "@octocat #1 octo/cat#1",
        "https://evil.example www.evil.example a@evil.example",
        "***b*** __u__ ~~s~~ $x$ :tada:",
        "{0} {{1}} {",
        " lead and trail ",
        "- [ ] task",
        "",
        "🦀é漢字",
    ];
    let largest = ["|", "\u{e0041}"].map(|piece| piece.repeat((1 << 20) / piece.len()));
    let large = ["x", "`", "\u{301}", "]]>", "<b>", "a\n", "%", "{"].map(|piece| piece.repeat(4_000));
    short.map(str::to_owned).into_iter().chain(largest).chain(large).collect()
}

/// The beginning of what a reader sees of it.
pub fn shown(text: &str) -> String {
    safe(&text.chars().take(30).collect::<String>())
}

/// The one report, with a queue, and this in every place that has a text from outside.
pub fn report(text: &str) -> Report {
    let one = || text.to_owned();
    let set = || BTreeSet::from([text.to_owned()]);
    let mut report = golden();
    for finding in &mut report.findings {
        finding.sentence =
            Sentence::new("it failed: {exception}", Context::from([(key::EXCEPTION, text.into())]));
        finding.message = finding.sentence.to_string();
        [finding.tasks, finding.services, finding.queues, finding.origins] = [set(), set(), set(), set()];
        for quote in &mut finding.evidence {
            [quote.at, quote.text, quote.note] = [one(), one(), one()];
            quote.marks.clear();
        }
        finding.needs = vec![one()];
        finding.alternatives = vec![Alternative { slug: "worker-silent", why: one() }];
        for fix in &mut finding.fixes {
            fix.title = Cow::Owned(one());
            for step in &mut fix.steps {
                step.lines.iter_mut().chain(&mut step.needs).for_each(|line| *line = Cow::Owned(one()));
            }
        }
        finding.fix = finding.fixes.first().map(Fix::lines).unwrap_or_default();
    }
    for handoff in &mut report.handoffs {
        [handoff.task_id, handoff.task] = [one(), one()];
    }
    for spans in report.traces.iter_mut().map(|trace| &mut trace.spans) {
        for (number, span) in spans.iter_mut().enumerate() {
            // One large name a trace is enough.
            let text = if number == 0 { one() } else { text.chars().take(200).collect() };
            [span.service, span.name] = [text.clone(), text.clone()];
            span.exception = Some(text);
        }
    }
    let queue = queue();
    report.queues = queue.queues.into_iter().map(|queue| QueueReport { name: one(), ..queue }).collect();
    report.tasks = queue.tasks.into_iter().map(|share| ShareReport { task: one(), ..share }).collect();
    let messages = queue.messages.into_iter();
    report.messages = messages
        .map(|message| MessageReport { queue: one(), task: one(), id: one(), origin: Some(one()), ..message })
        .collect();
    report
}
