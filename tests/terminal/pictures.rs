//! The picture of the README, made out of a frame:
//! `UPDATE_PICTURES=1 cargo test --test terminal the_picture`.

use std::fmt::Write;
use std::path::Path;

use ratatui::buffer::{Buffer, Cell};
use ratatui::crossterm::event::KeyCode;
use ratatui::style::{Color, Modifier};

use super::stage::Stage;

/// The size of a cell, in pixels.
const CELL: (f64, f64) = (8.4, 18.0);
const MARGIN: f64 = 14.0;

/// Text in a picture: both themes of a reader are readable, and the text can be found and
/// copied.
fn svg(buffer: &Buffer) -> String {
    let area = buffer.area;
    let (width, height) = (f64::from(area.width) * CELL.0, f64::from(area.height) * CELL.1);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" \
         role=\"img\" aria-label=\"tracelink listen --tui: an order in two traces, with the gap, the \
         evidence and the fix\">\n{STYLE}\
         <rect class=\"window\" width=\"100%\" height=\"100%\" rx=\"8\"/>\n",
        width + 2.0 * MARGIN,
        height + 2.0 * MARGIN,
    );
    for y in 0..area.height {
        let top = MARGIN + f64::from(y) * CELL.1;
        let mut x = 0;
        while x < area.width {
            let cell = &buffer[(x, y)];
            let class = class(cell);
            let mut text = String::new();
            let from = x;
            while x < area.width && self::class(&buffer[(x, y)]) == class {
                text.push_str(buffer[(x, y)].symbol());
                x += 1;
            }
            let columns = f64::from(x - from);
            let left = MARGIN + f64::from(from) * CELL.0;
            if class.contains("chosen") {
                let (width, height) = (columns * CELL.0, CELL.1);
                writeln!(svg, "<rect class=\"bar\" x=\"{left:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"/>")
                    .expect("memory");
            }
            if text.trim().is_empty() {
                continue;
            }
            let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            writeln!(
                svg,
                "<text class=\"{class}\" x=\"{left:.1}\" y=\"{:.1}\" textLength=\"{:.1}\" xml:space=\"preserve\">{text}</text>",
                top + 13.0,
                columns * CELL.0,
            )
            .expect("memory");
        }
    }
    svg.push_str("</svg>\n");
    svg
}

const STYLE: &str = "<style>
text { font: 14px ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace; white-space: pre; fill: #1f2328 }
.window { fill: #ffffff; stroke: #d1d9e0 } .bar { fill: #dbe9f9 }
.bold { font-weight: 700 } .dim { fill: #59636e }
.red { fill: #b4232c } .green { fill: #1a7f37 } .yellow { fill: #8a5a00 } .blue { fill: #0757b5 }
.magenta { fill: #8250df } .cyan { fill: #0b6f7e }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .window { fill: #0d1117; stroke: #3d444d } .bar { fill: #1f3a5f }
.dim { fill: #9198a1 } .red { fill: #ff7b72 } .green { fill: #3fb950 } .yellow { fill: #d29922 }
.blue { fill: #79c0ff } .magenta { fill: #d2a8ff } .cyan { fill: #56d4dd }
}
</style>
";

fn class(cell: &Cell) -> String {
    let colour = match cell.fg {
        Color::Red => "red",
        Color::Green => "green",
        Color::Yellow => "yellow",
        Color::Blue | Color::LightBlue => "blue",
        Color::Magenta => "magenta",
        Color::Cyan => "cyan",
        _ if cell.modifier.contains(Modifier::DIM) => "dim",
        _ => "plain",
    };
    let bold = if cell.modifier.contains(Modifier::BOLD) { " bold" } else { "" };
    let chosen = if cell.modifier.contains(Modifier::REVERSED) { " chosen" } else { "" };
    format!("{colour}{bold}{chosen}")
}

#[test]
#[allow(clippy::disallowed_methods, reason = "as INSTA_UPDATE asks for snapshots")]
fn the_picture_of_the_readme_is_what_is_shown() {
    let mut stage = Stage::new(104, 38);
    for case in ["healthy_auto", "worker_no_sdk", "own536_retry_healthy", "propagator_api_b3multi_worker_w3c"]
    {
        stage.capture(case);
    }
    stage.code(KeyCode::Home);
    let picture = svg(&stage.buffer());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/terminal.svg");
    if std::env::var_os("UPDATE_PICTURES").is_some() {
        std::fs::write(&path, &picture).expect("docs/ can be written");
    }
    let kept = std::fs::read_to_string(&path).expect("UPDATE_PICTURES=1 makes it");
    assert!(
        kept == picture,
        "docs/terminal.svg is old: UPDATE_PICTURES=1 cargo test --test terminal makes it"
    );
}
