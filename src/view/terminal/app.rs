//! What is chosen, opened, folded and filtered, and how keys change it.

use std::time::Duration;

use ratatui::Frame;
use ratatui::crossterm::event::KeyEvent;

use super::finding::DetailLines;
use super::footer::{self, Footer};
use super::header::{self, About};
use super::keys::{self, Action, Edit};
use super::layout::{Areas, Pane, Wanted};
use super::opened::Opened;
use super::paint::window;
use super::snapshot::Snapshot;
use super::theme::Theme;
use super::{help, list, queues, tree};
use crate::model::{SpanId, TraceId};
use crate::report::View;
use crate::report::stitched::Detail;
use crate::report::text::safe;
use crate::view::board::{Filter, SharedBoard};
use crate::view::{Source, SpanFacts};

/// What the one who reads the keys is asked to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Wish {
    Quit,
    Suspend,
    /// Copy this text, and say that it was done.
    Copy(String),
}

/// The state of the view.
pub struct App {
    theme: Theme,
    has_colour: bool,
    /// How a finding is written.
    view: View,
    about: About,
    /// How many spans of one passage are opened at most.
    most_spans: usize,

    seen: Snapshot,
    filter: Filter,
    /// The text of the filter, and whether it is being typed.
    typed: String,
    is_typing: bool,
    shows_help: bool,
    is_paused: bool,

    focus: Pane,
    is_alone: bool,
    /// Whether the newest is chosen as it comes.
    follows: bool,
    chosen: Option<u64>,
    list_top: usize,
    opened: Option<Opened>,
    /// Whether all spans of the opened one were asked for.
    is_filled: bool,
    /// When a large one was laid out last.
    filled_at: Option<Duration>,
    shows_span: bool,
    /// What is kept of this span.
    facts: Option<((TraceId, SpanId), Option<SpanFacts>)>,
    detail: Option<DetailLines>,
    /// What `detail` was made of.
    detail_of: Option<DetailKey>,
    detail_top: usize,
    queues_top: usize,

    /// What was just done, and until when it is shown.
    said: Option<(String, Duration)>,
    /// The notice that was read, as a key was pressed since.
    noticed: Option<String>,
    /// Where everything was in the last frame.
    areas: Areas,
}

/// What the lines of the pane below the tree follow from.
#[derive(Clone, PartialEq, Debug)]
struct DetailKey {
    passage: u64,
    version: u64,
    /// That of the finding, and whether it is resolved.
    finding: Option<(String, u64, bool)>,
    span: Option<(TraceId, SpanId)>,
    width: usize,
}

impl App {
    /// How long it says what was done.
    const SAID: Duration = Duration::from_secs(3);
    /// A passage with more spans than this is laid out anew no more often than once in
    /// [`Self::SELDOM`].
    const LARGE: usize = 1_000;
    const SELDOM: Duration = Duration::from_secs(2);

    /// `view` says how findings are written, and `most_spans` how many spans of one passage
    /// may be opened.
    pub fn new(view: View, has_colour: bool, most_spans: usize) -> Self {
        Self {
            theme: Theme::new(has_colour),
            has_colour,
            view,
            about: About::default(),
            most_spans,
            seen: Snapshot::default(),
            filter: Filter::default(),
            typed: String::new(),
            is_typing: false,
            shows_help: false,
            is_paused: false,
            focus: Pane::List,
            is_alone: false,
            follows: true,
            chosen: None,
            list_top: 0,
            opened: None,
            is_filled: false,
            filled_at: None,
            shows_span: false,
            facts: None,
            detail: None,
            detail_of: None,
            detail_top: 0,
            queues_top: 0,
            said: None,
            noticed: None,
            areas: Areas::default(),
        }
    }

    /// Says where it listens.
    pub fn listens(&mut self, about: About) {
        self.about = about;
    }

    /// Says that a wish was fulfilled, or why it was not.
    pub fn say(&mut self, text: impl Into<String>, now: Duration) {
        self.said = Some((text.into(), now + Self::SAID));
    }

    /// Whether there is something on the board that the last [`Self::refresh`] has not seen.
    pub fn is_behind(&self, board: &SharedBoard) -> bool {
        !self.is_paused && board.lock().version() != self.seen.version
    }

    /// Looks at the board again, unless it is paused.
    pub fn refresh(&mut self, board: &SharedBoard, source: &dyn Source, now: Duration) {
        if self.is_behind(board) {
            self.seen = Snapshot::take(board, &self.filter);
            if let Some(id) = self.chosen.filter(|id| self.seen.place(*id).is_none()) {
                let grown_into = board.lock().successor(id).map(|passage| passage.id);
                self.chosen = grown_into.filter(|id| self.seen.place(*id).is_some()).or(Some(id));
            }
        }
        if self.said.as_ref().is_some_and(|(_, until)| *until <= now) {
            self.said = None;
        }
        self.open(source, now);
    }

    /// The place of the chosen passage among those that are shown.
    fn place(&self) -> usize {
        match self.chosen {
            Some(id) if !self.follows => self.seen.nearest(id),
            _ => 0,
        }
    }

    /// Lays the chosen passage out, if that is not done.
    fn open(&mut self, source: &dyn Source, now: Duration) {
        let Some(passage) = self.seen.shown.get(self.place()) else {
            self.opened = None;
            return;
        };
        match &mut self.opened {
            Some(opened) if opened.passage.id == passage.id => {
                let is_large = opened.stitched.rows.len() > Self::LARGE;
                let is_early = self.filled_at.is_some_and(|at| now.saturating_sub(at) < Self::SELDOM);
                if opened.passage.version != passage.version && !(is_large && is_early) {
                    opened.update(passage.clone());
                    self.filled_at = Some(now);
                }
            }
            _ => {
                let detail = self.opened.as_ref().map_or(Detail::Folded, |opened| opened.detail);
                self.opened = Some(Opened::new(passage.clone(), detail));
                self.is_filled = false;
                self.detail_top = 0;
            }
        }
        if self.is_filled
            && let Some(opened) = &mut self.opened
        {
            opened.fill(source, self.most_spans);
        }
        self.ask_for_facts(source);
    }

    fn ask_for_facts(&mut self, source: &dyn Source) {
        let span = self.opened.as_ref().filter(|_| self.shows_span).and_then(Opened::chosen_span);
        if self.facts.as_ref().map(|(span, _)| *span) != span {
            self.facts = span.map(|(trace, id)| ((trace, id), source.span(trace, id)));
        }
    }

    /// Takes a key. What it changes is seen after the next [`Self::refresh`].
    pub fn key(&mut self, key: KeyEvent, now: Duration) -> Option<Wish> {
        self.said = None;
        self.noticed = self.seen.notices.last().cloned();
        if self.is_typing {
            return self.edit(keys::edit(key)?);
        }
        let action = keys::action(key);
        if std::mem::take(&mut self.shows_help) && action != Some(Action::Quit) {
            return None;
        }
        match action? {
            Action::Quit => return Some(Wish::Quit),
            Action::Suspend => return Some(Wish::Suspend),
            Action::CopyFix => return self.copied_fix(now),
            Action::CopyTrace => {
                let trace = self.opened.as_ref().and_then(Opened::chosen_trace);
                return trace.map(|trace| Wish::Copy(trace.to_string()));
            }
            Action::Help => self.shows_help = true,
            Action::Filter => self.is_typing = true,
            Action::BrokenOnly => {
                self.filter.broken_only = !self.filter.broken_only;
                self.seen.filter(&self.filter);
            }
            Action::Pause => {
                self.is_paused = !self.is_paused;
                self.follows &= !self.is_paused;
                self.hold();
            }
            Action::Follow => {
                self.hold();
                self.follows = !self.follows;
            }
            Action::Attributes => {
                self.shows_span = !self.shows_span;
                self.detail_top = 0;
            }
            Action::Everything => {
                if let Some(opened) = &mut self.opened {
                    let is_folded = opened.detail == Detail::Folded;
                    opened.set_detail(if is_folded { Detail::Everything } else { Detail::Folded });
                }
            }
            Action::Zoom => self.is_alone = !self.is_alone,
            Action::Open => self.open_deeper(),
            Action::Back => self.back(),
            Action::Fold => match &mut self.opened {
                Some(opened) if self.focus == Pane::Tree => opened.toggle(),
                _ => {}
            },
            Action::NextPane => self.turn(1),
            Action::PreviousPane => self.turn(-1),
            Action::Up => self.go(-1),
            Action::Down => self.go(1),
            Action::PageUp => self.go(-self.page()),
            Action::PageDown => self.go(self.page()),
            Action::First => self.go(isize::MIN),
            Action::Last => self.go(isize::MAX),
        }
        None
    }

    fn edit(&mut self, edit: Edit) -> Option<Wish> {
        /// How long a filter may be, in characters.
        const LONGEST: usize = 200;
        match edit {
            Edit::Quit => return Some(Wish::Quit),
            Edit::Add(letter) if self.typed.chars().count() < LONGEST => self.typed.push(letter),
            Edit::Add(_) => {}
            Edit::DeleteLast => {
                self.typed.pop();
            }
            Edit::Clear => self.typed.clear(),
            Edit::Keep => self.is_typing = false,
            Edit::Cancel => {
                self.is_typing = false;
                self.typed.clear();
            }
        }
        self.filter = Filter { broken_only: self.filter.broken_only, ..Filter::parse(&self.typed) };
        self.seen.filter(&self.filter);
        None
    }

    /// The fix of the finding that is shown, line by line, as it is safe to paste.
    fn copied_fix(&mut self, now: Duration) -> Option<Wish> {
        let passage = self.seen.shown.get(self.place())?;
        let fix = self.seen.finding_of(passage).map(|known| &known.finding.fix).filter(|fix| !fix.is_empty());
        let Some(fix) = fix else {
            self.say("nothing to copy: no finding with a fix is chosen", now);
            return None;
        };
        let lines: Vec<_> = fix.iter().map(|line| safe(&self.view.as_typed(line))).collect();
        Some(Wish::Copy(lines.join("\n") + "\n"))
    }

    /// From now on the passage stays chosen that is chosen now.
    fn hold(&mut self) {
        self.chosen = self.seen.shown.get(self.place()).map(|passage| passage.id);
    }

    fn open_deeper(&mut self) {
        match self.focus {
            Pane::List if self.opened.is_some() => {
                self.hold();
                self.follows = false;
                self.is_filled = true;
                self.focus = Pane::Tree;
            }
            Pane::Tree if self.opened.as_ref().is_some_and(|opened| !opened.has_all()) => {
                self.is_filled = true;
            }
            Pane::Tree => {
                self.shows_span = true;
                self.detail_top = 0;
            }
            Pane::List | Pane::Detail | Pane::Queues => {}
        }
    }

    fn back(&mut self) {
        if self.shows_span {
            self.shows_span = false;
        } else if self.focus != Pane::List {
            self.focus = Pane::List;
        } else {
            self.typed.clear();
            self.filter = Filter::default();
            self.seen.filter(&self.filter);
        }
    }

    /// The next pane that has something to show, or the one before.
    fn turn(&mut self, by: isize) {
        let wanted = self.wanted();
        let there = [
            (Pane::List, true),
            (Pane::Tree, wanted.tree.is_some()),
            (Pane::Detail, wanted.detail.is_some()),
            (Pane::Queues, wanted.queues.is_some()),
        ];
        let there: Vec<_> =
            there.into_iter().filter_map(|(pane, is_there)| is_there.then_some(pane)).collect();
        let place = there.iter().position(|pane| *pane == self.focus).unwrap_or_default();
        let next = place.checked_add_signed(by).unwrap_or(there.len() - 1) % there.len();
        self.focus = there[next];
    }

    /// How many rows a page of the pane has that the keys go to.
    fn page(&self) -> isize {
        let rules = if self.focus == Pane::Tree { 2 } else { 1 };
        let rows =
            self.areas.get(self.focus).map_or(1, |area| usize::from(area.height).saturating_sub(rules + 1));
        isize::try_from(rows.max(1)).unwrap_or(1)
    }

    fn go(&mut self, by: isize) {
        let moved = |from: usize, all: usize| match by {
            isize::MIN => 0,
            isize::MAX => all.saturating_sub(1),
            _ => from.saturating_add_signed(by).min(all.saturating_sub(1)),
        };
        match (self.focus, &mut self.opened) {
            (Pane::List, _) => {
                let place = moved(self.place(), self.seen.shown.len());
                self.follows = by == isize::MIN && !self.is_paused;
                self.chosen = self.seen.shown.get(place).map(|passage| passage.id);
            }
            (Pane::Tree, Some(opened)) => opened.chosen = moved(opened.chosen, opened.len()),
            (Pane::Tree, None) => {}
            (Pane::Detail, _) => {
                let lines = self.detail.as_ref().map_or(0, |detail| detail.lines.len());
                self.detail_top = moved(self.detail_top, lines);
            }
            (Pane::Queues, _) => self.queues_top = moved(self.queues_top, self.seen.queues.len()),
        }
    }

    fn wanted(&self) -> Wanted {
        let has_queues = !self.seen.queues.is_empty();
        Wanted {
            list: self.seen.shown.len(),
            tree: self.opened.as_ref().map(Opened::len),
            detail: self.detail.as_ref().map(|detail| detail.lines.len()),
            queues: has_queues.then_some(self.seen.queues.len()),
        }
    }

    /// Draws a frame. Its cost follows from the size of the window, not from how much there
    /// is.
    pub fn draw(&mut self, frame: &mut Frame<'_>, now: Duration) {
        let whole = frame.area();
        self.make_detail(usize::from(whole.width));
        let wanted = self.wanted();
        if wanted.detail.is_none() && self.focus == Pane::Detail {
            self.focus = Pane::Tree;
        }
        if wanted.tree.is_none() && self.focus == Pane::Tree {
            self.focus = Pane::List;
        }
        self.areas = Areas::of(whole, wanted, self.focus, self.is_alone);
        self.scroll();
        let (theme, seen, buffer) = (self.theme, &self.seen, frame.buffer_mut());
        header::draw(&self.about, seen, self.is_paused, theme, self.areas.header, buffer);
        for (pane, area) in &self.areas.panes {
            let has_focus = *pane == self.focus;
            match pane {
                Pane::List => {
                    let standing = list::Standing {
                        chosen: self.place(),
                        top: self.list_top,
                        has_focus,
                        follows: self.follows,
                        filter: &safe(&self.typed),
                        broken_only: self.filter.broken_only,
                        now,
                    };
                    list::draw(seen, standing, theme, *area, buffer);
                }
                Pane::Tree => {
                    self.opened.iter().for_each(|opened| tree::draw(opened, has_focus, theme, *area, buffer));
                }
                Pane::Detail => self
                    .detail
                    .iter()
                    .for_each(|detail| detail.draw(self.detail_top, has_focus, theme, *area, buffer)),
                Pane::Queues => {
                    let from = self.queues_top.min(seen.queues.len());
                    queues::draw(&seen.queues[from..], has_focus, theme, *area, buffer);
                }
            }
        }
        footer::draw(self.footer(), theme, self.areas.footer, buffer);
        if self.shows_help {
            help::draw(theme, whole, buffer);
        }
    }

    fn footer(&self) -> Footer<'_> {
        let notice = self.seen.notices.last().filter(|notice| self.noticed.as_ref() != Some(*notice));
        match (&self.said, notice) {
            _ if self.is_typing => Footer::Typing(&self.typed),
            (Some((text, _)), _) => Footer::Said { text, is_warning: false },
            (None, Some(notice)) => Footer::Said { text: notice, is_warning: true },
            (None, None) => Footer::Keys(self.focus),
        }
    }

    /// Scrolls each pane so that it shows what is chosen.
    fn scroll(&mut self) {
        let rows = |areas: &Areas, pane, rules| {
            areas.get(pane).map_or(0, |area| usize::from(area.height).saturating_sub(rules))
        };
        let list_rows = rows(&self.areas, Pane::List, 1);
        self.list_top = window(self.list_top, self.place(), list_rows, self.seen.shown.len());
        let tree_rows = rows(&self.areas, Pane::Tree, 2);
        if let Some(opened) = &mut self.opened {
            opened.top = window(opened.top, opened.chosen, tree_rows, opened.len());
        }
        let detail_rows = rows(&self.areas, Pane::Detail, 1);
        let lines = self.detail.as_ref().map_or(0, |detail| detail.lines.len());
        self.detail_top = self.detail_top.min(lines.saturating_sub(detail_rows.max(1)));
    }

    /// Makes the lines of the pane below the tree anew, if something changed of what they
    /// follow from.
    fn make_detail(&mut self, width: usize) {
        let Some(opened) = &self.opened else {
            (self.detail, self.detail_of) = (None, None);
            return;
        };
        let finding = self.seen.finding_of(&opened.passage);
        let span = opened.chosen_span().filter(|_| self.shows_span);
        let key = DetailKey {
            passage: opened.passage.id,
            version: opened.passage.version,
            finding: finding.map(|known| (known.finding.id.clone(), known.version, known.is_resolved)),
            span,
            width,
        };
        if self.detail_of.as_ref() == Some(&key) {
            return;
        }
        let view = View { width: width.max(40), ..self.view.clone() };
        let report = opened.chosen_report().filter(|_| span.is_some());
        self.detail = match (report, finding) {
            (Some((trace, span)), _) => {
                let facts = self.facts.as_ref().and_then(|(_, facts)| facts.as_ref());
                Some(DetailLines::of_span(trace, span, facts, &view, self.theme))
            }
            (None, Some(known)) => Some(DetailLines::of_finding(known, &view, self.theme, self.has_colour)),
            (None, None) => {
                let saw_broker = !self.seen.queues.is_empty();
                DetailLines::of_unproven(&opened.passage, saw_broker, &view, self.theme)
            }
        };
        self.detail_of = Some(key);
    }
}
