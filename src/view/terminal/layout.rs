//! Which panes a window has room for, and where they are.

use ratatui::layout::Rect;

/// A part of the window that keys can go to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Pane {
    #[default]
    List,
    Tree,
    Detail,
    Queues,
}

/// How much each pane has to show, in rows without its rule; `None` where it has nothing to
/// be there for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    pub list: usize,
    pub tree: Option<usize>,
    pub detail: Option<usize>,
    pub queues: Option<usize>,
}

/// Where everything is.
#[derive(Clone, Default, Debug)]
pub struct Areas {
    pub header: Rect,
    pub footer: Rect,
    /// From the top.
    pub panes: Vec<(Pane, Rect)>,
}

impl Areas {
    /// From this many rows on there is room for the list and the tree together.
    const TWO: usize = 12;
    /// From this many rows on there is room for all.
    const ALL: usize = 22;

    pub fn of(window: Rect, wanted: Wanted, focus: Pane, is_alone: bool) -> Self {
        let header = Rect { height: window.height.min(1), ..window };
        let has_footer = window.height > 2;
        let footer = Rect { y: window.bottom().saturating_sub(1), height: u16::from(has_footer), ..window };
        let rows = usize::from(window.height).saturating_sub(1 + usize::from(has_footer));
        let heights = if is_alone { vec![(focus, rows)] } else { heights(rows, wanted, focus) };
        let mut top = header.bottom();
        let mut panes = Vec::new();
        for (pane, height) in heights {
            let height = u16::try_from(height).unwrap_or(u16::MAX);
            panes.push((pane, Rect { y: top, height, ..window }));
            top += height;
        }
        Self { header, footer, panes }
    }

    pub fn get(&self, pane: Pane) -> Option<Rect> {
        self.panes.iter().find(|(here, _)| *here == pane).map(|(_, area)| *area)
    }
}

/// The height of each pane, with its rule.
fn heights(rows: usize, wanted: Wanted, focus: Pane) -> Vec<(Pane, usize)> {
    let Some(in_tree) = wanted.tree else {
        return with_queues(rows, wanted, vec![(Pane::List, 0)]);
    };
    if rows < Areas::TWO {
        return vec![(focus, rows)];
    }
    let list = (rows * 3 / 10).min(wanted.list + 1).clamp(4, 12);
    if rows < Areas::ALL {
        let below = if focus == Pane::List { Pane::Tree } else { focus };
        if below == Pane::Tree && wanted.detail.is_some() && rows - list >= 10 {
            let tree = (in_tree + 2).clamp(5, rows - list - 4);
            return vec![(Pane::List, list), (Pane::Tree, tree), (Pane::Detail, rows - list - tree)];
        }
        return vec![(Pane::List, list), (below, rows - list)];
    }
    let left = rows - list - queue_rows(wanted);
    let detail = wanted.detail.map_or(0, |lines| (lines + 1).min(left * 6 / 10).max(3));
    // What the tree does not need the finding may have.
    let tree = if detail > 0 { (in_tree + 2).clamp(5, left - detail) } else { left };
    let detail = if detail > 0 { left - tree } else { 0 };
    let mut panes = vec![(Pane::List, list), (Pane::Tree, tree)];
    if detail > 0 {
        panes.push((Pane::Detail, detail));
    }
    with_queues(rows, wanted, panes)
}

/// How many rows the queues take where there is room for all.
fn queue_rows(wanted: Wanted) -> usize {
    wanted.queues.map_or(0, |queues| 1 + queues.clamp(1, 3))
}

/// The panes, with the queues below them; one that has no height gets what is left.
fn with_queues(rows: usize, wanted: Wanted, mut panes: Vec<(Pane, usize)>) -> Vec<(Pane, usize)> {
    let queues = if rows >= Areas::TWO { queue_rows(wanted) } else { 0 };
    for (_, height) in &mut panes {
        if *height == 0 {
            *height = rows - queues;
        }
    }
    if queues > 0 {
        panes.push((Pane::Queues, queues));
    }
    panes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_panes_fill_every_window() {
        for (width, height) in (0..100).flat_map(|height| [(60, height), (200, height)]) {
            let window = Rect { x: 0, y: 0, width, height };
            for bits in 0..8 {
                let wanted = Wanted {
                    list: 7,
                    tree: (bits & 1 > 0).then_some(40),
                    detail: (bits & 3 == 3).then_some(12),
                    queues: (bits & 4 > 0).then_some(2),
                };
                for focus in [Pane::List, Pane::Tree, Pane::Detail, Pane::Queues] {
                    for is_alone in [false, true] {
                        let areas = Areas::of(window, wanted, focus, is_alone);
                        let panes: u16 = areas.panes.iter().map(|(_, area)| area.height).sum();
                        assert_eq!(areas.header.height + panes + areas.footer.height, height);
                        assert!(areas.panes.iter().all(|(_, area)| area.bottom() <= height));
                    }
                }
            }
        }
    }
}
