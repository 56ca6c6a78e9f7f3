//! What each key does, as people know it from other programs.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

/// What a key asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    Up,
    Down,
    PageUp,
    PageDown,
    First,
    Last,
    Open,
    Back,
    Fold,
    NextPane,
    PreviousPane,
    Filter,
    BrokenOnly,
    Pause,
    Follow,
    Attributes,
    Everything,
    Zoom,
    CopyFix,
    CopyTrace,
    Help,
    Suspend,
    Quit,
}

/// The keys with what they do, as the help shows them.
pub const HELP: [(&str, &str); 17] = [
    ("↑ ↓  j k", "choose"),
    ("PgUp PgDn  Home End", "go a page, to the first, to the last"),
    ("Enter", "open: all spans of it, and the keys go there"),
    ("Esc", "back; clear the filter"),
    ("Tab", "the next pane"),
    ("Space", "fold what lies below a span, or unfold"),
    ("e", "every span, or alike ones folded"),
    ("a", "attributes, events and links of the span"),
    ("y", "copy the fix"),
    ("t", "copy the whole trace id"),
    ("/", "filter: words, service:NAME, task:NAME"),
    ("b", "broken only"),
    ("p", "pause: nothing moves; it goes on being judged"),
    ("f", "follow: choose the newest as it comes"),
    ("z", "one pane alone, or all"),
    ("Ctrl-Z", "suspend; `fg` comes back"),
    ("q  Ctrl-C", "end with the report; again: without waiting"),
];

/// What a key does while a person looks.
pub fn action(key: KeyEvent) -> Option<Action> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return match key.code {
            KeyCode::Char('c') => Some(Action::Quit),
            KeyCode::Char('z') => Some(Action::Suspend),
            KeyCode::Char('n') => Some(Action::Down),
            KeyCode::Char('p') => Some(Action::Up),
            KeyCode::Char('d' | 'f') => Some(Action::PageDown),
            KeyCode::Char('u' | 'b') => Some(Action::PageUp),
            _ => None,
        };
    }
    Some(match key.code {
        KeyCode::Up | KeyCode::Char('k') => Action::Up,
        KeyCode::Down | KeyCode::Char('j') => Action::Down,
        KeyCode::PageUp => Action::PageUp,
        KeyCode::PageDown => Action::PageDown,
        KeyCode::Home | KeyCode::Char('g') => Action::First,
        KeyCode::End | KeyCode::Char('G') => Action::Last,
        KeyCode::Enter | KeyCode::Right | KeyCode::Char('l') => Action::Open,
        KeyCode::Esc | KeyCode::Left | KeyCode::Char('h') => Action::Back,
        KeyCode::Char(' ') => Action::Fold,
        KeyCode::Tab => Action::NextPane,
        KeyCode::BackTab => Action::PreviousPane,
        KeyCode::Char('/') => Action::Filter,
        KeyCode::Char('b') => Action::BrokenOnly,
        KeyCode::Char('p') => Action::Pause,
        KeyCode::Char('f') => Action::Follow,
        KeyCode::Char('a') => Action::Attributes,
        KeyCode::Char('e') => Action::Everything,
        KeyCode::Char('z') => Action::Zoom,
        KeyCode::Char('y') => Action::CopyFix,
        KeyCode::Char('t') => Action::CopyTrace,
        KeyCode::Char('?') | KeyCode::F(1) => Action::Help,
        KeyCode::Char('q') => Action::Quit,
        _ => return None,
    })
}

/// What a key does to a text that is typed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Edit {
    Add(char),
    DeleteLast,
    Clear,
    Keep,
    Cancel,
    Quit,
}

pub fn edit(key: KeyEvent) -> Option<Edit> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    let has_control = key.modifiers.contains(KeyModifiers::CONTROL);
    Some(match key.code {
        KeyCode::Char('c') if has_control => Edit::Quit,
        KeyCode::Char('u' | 'w') if has_control => Edit::Clear,
        KeyCode::Char(letter) if !has_control => Edit::Add(letter),
        KeyCode::Backspace => Edit::DeleteLast,
        KeyCode::Enter => Edit::Keep,
        KeyCode::Esc => Edit::Cancel,
        _ => return None,
    })
}
