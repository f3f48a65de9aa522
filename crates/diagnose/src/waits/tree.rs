//! Text tree of the graph: waiters below their root blockers.

use std::collections::{HashMap, HashSet, VecDeque};

use super::display;
use super::graph::{Party, PartyDetail, Root, Wait, WaitGraph};
use crate::terminal::{display_width, one_line, truncate};

/// Layout of the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TreeLayout {
    /// Maximum width of a line, in columns.
    pub width: usize,
    /// Maximum number of roots; the rest is counted.
    pub roots: usize,
    /// Maximum number of waiters below a party; the rest is counted. Waiters that block others are always included.
    pub siblings: usize,
}

impl Default for TreeLayout {
    fn default() -> Self {
        Self { width: 80, roots: 10, siblings: 3 }
    }
}

/// Kind of a line, which determines its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TreeLineKind {
    /// Root blocker, or the heading of a cycle.
    Root,
    /// Waiting party.
    Waiter,
    /// Details of the party above.
    Detail,
    /// Statement of the party above.
    Statement,
    /// Number of omitted parties.
    Folded,
    /// Waiting session without a detected blocker.
    Unexplained,
}

/// A line of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeLine {
    /// Kind of the line.
    pub kind: TreeLineKind,
    /// Party that the line describes.
    pub party: Option<Party>,
    /// Text, at most [`TreeLayout::width`] columns wide and safe for a terminal.
    pub text: String,
}

/// Maximum indentation, in columns. Deeper lines state their depth instead.
const MAX_INDENT: usize = 24;

/// Renders the graph, worst root first. Every waiter occurs once, at its minimum depth. Empty without waits.
#[must_use]
pub fn render_tree(graph: &WaitGraph, layout: TreeLayout) -> Vec<TreeLine> {
    let mut renderer = TreeRenderer { graph, layout, forest: Forest::new(graph), lines: Vec::new() };
    for (at, root) in graph.roots.iter().enumerate().take(layout.roots) {
        renderer.draw_root(at + 1, root);
    }
    if let Some(next) = graph.roots.get(layout.roots) {
        let text = format!(
            "{} more root blockers, of which none holds more than {}",
            graph.roots.len() - layout.roots,
            next.holds
        );
        renderer.push_line(TreeLineKind::Folded, None, &text);
    }
    for unexplained in &graph.unexplained {
        let text = format!("session {}, {}: {}", unexplained.session, unexplained.state, unexplained.why);
        let party = Party::Session(unexplained.session);
        renderer.push_wrapped(TreeLineKind::Unexplained, party, &one_line(text.as_bytes()));
    }
    renderer.lines
}

/// Spanning forest of the graph: one parent for each waiter.
struct Forest<'a> {
    /// All waits by blocker, including those that are not in the forest.
    waiters: HashMap<Party, Vec<&'a Wait>>,
    children: HashMap<Party, Vec<&'a Wait>>,
    /// Number of descendants of each party.
    descendants: HashMap<Party, usize>,
}

impl<'a> Forest<'a> {
    fn new(graph: &'a WaitGraph) -> Self {
        let mut waiters: HashMap<Party, Vec<&Wait>> = HashMap::new();
        for wait in &graph.waits {
            waiters.entry(wait.blocker).or_default().push(wait);
        }
        let mut visited: HashSet<Party> = graph.roots.iter().flat_map(|root| root.parties.iter().copied()).collect();
        let mut forest = Self { waiters, children: HashMap::new(), descendants: HashMap::new() };
        for root in &graph.roots {
            let mut order = Vec::new();
            let mut pending: VecDeque<Party> = root.parties.iter().copied().collect();
            while let Some(blocker) = pending.pop_front() {
                for &wait in
                    forest.waiters.get(&blocker).into_iter().flatten().filter(|wait| visited.insert(wait.waiter))
                {
                    forest.children.entry(blocker).or_default().push(wait);
                    order.push(wait);
                    pending.push_back(wait.waiter);
                }
            }
            for wait in order.into_iter().rev() {
                let count = forest.descendants.get(&wait.waiter).copied().unwrap_or(0);
                *forest.descendants.entry(wait.blocker).or_insert(0) += count + 1;
            }
        }
        forest.sort();
        forest
    }

    /// Sorts siblings: most descendants first, then longest wait.
    fn sort(&mut self) {
        let descendants = &self.descendants;
        let rank = |wait: &&Wait| {
            let holds = descendants.get(&wait.waiter).copied().unwrap_or(0);
            (std::cmp::Reverse((holds, wait.seconds)), wait.waiter)
        };
        self.children.values_mut().for_each(|waits| waits.sort_by_key(rank));
    }

    fn children(&self, party: Party) -> &[&'a Wait] {
        self.children.get(&party).map_or(&[], Vec::as_slice)
    }
}

/// Pending part of the drawing, on a stack.
enum DrawStep<'a> {
    Waiter(&'a Wait, Indent),
    Folded(Party, String, Indent),
}

/// Indentation of a party's lines.
#[derive(Clone)]
struct Indent {
    /// Prefix of the lines below.
    child_prefix: String,
    /// Prefix of the first line.
    prefix: String,
    depth: usize,
}

impl Indent {
    fn root() -> Self {
        Self { child_prefix: "   ".to_owned(), prefix: String::new(), depth: 0 }
    }

    fn child(&self, is_last: bool) -> Self {
        let depth = self.depth + 1;
        if display_width(&self.child_prefix) >= MAX_INDENT {
            let rest: String = self.child_prefix.chars().take(MAX_INDENT).collect();
            return Self { prefix: format!("{rest}└ {depth} deep: "), child_prefix: rest, depth };
        }
        let (branch, continuation) = if is_last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        Self {
            prefix: format!("{}{branch}", self.child_prefix),
            child_prefix: format!("{}{continuation}", self.child_prefix),
            depth,
        }
    }
}

struct TreeRenderer<'a> {
    graph: &'a WaitGraph,
    layout: TreeLayout,
    forest: Forest<'a>,
    lines: Vec<TreeLine>,
}

impl<'a> TreeRenderer<'a> {
    fn draw_root(&mut self, number: usize, root: &Root) {
        let holds = format!("holds {}, unblocks up to {}", root.holds, root.frees);
        if let [party] = root.parties.as_slice() {
            let head = self.party_line(*party, None);
            self.push_heading(*party, &format!("{number}. {head}"), &holds);
            self.push_details(*party, "   ");
            self.draw_descendants(*party, &Indent::root());
        } else {
            let Some(&first) = root.parties.first() else { return };
            let count = root.parties.len();
            self.push_heading(first, &format!("{number}. cycle of {count}, each waits for another of them"), &holds);
            for (at, &party) in root.parties.iter().enumerate() {
                let indent = Indent::root().child(at + 1 == count);
                let wait_in_cycle = self.graph.waits_of(party).iter().find(|wait| root.parties.contains(&wait.blocker));
                self.draw_party(party, wait_in_cycle, &indent);
                self.draw_descendants(party, &indent);
            }
        }
        let waiters = root.parties.iter().filter_map(|party| self.forest.waiters.get(party)).flatten();
        let others: HashSet<Party> =
            waiters.map(|wait| wait.waiter).filter(|waiter| !root.parties.contains(waiter)).collect();
        let others = others.len();
        let drawn: usize = root.parties.iter().map(|&party| self.forest.children(party).len()).sum();
        if others > drawn {
            let text = format!("   holds {} more, shown above", others - drawn);
            self.push_line(TreeLineKind::Folded, root.parties.first().copied(), &text);
        }
    }

    /// Draws all descendants of a party. Iterative, because chains can be long.
    fn draw_descendants(&mut self, party: Party, indent: &Indent) {
        let mut pending = self.child_steps(party, indent);
        while let Some(step) = pending.pop() {
            match step {
                DrawStep::Waiter(wait, indent) => {
                    self.draw_party(wait.waiter, Some(wait), &indent);
                    pending.extend(self.child_steps(wait.waiter, &indent));
                }
                DrawStep::Folded(party, text, indent) => {
                    self.push_line(TreeLineKind::Folded, Some(party), &format!("{}{text}", indent.prefix));
                }
            }
        }
    }

    fn child_steps(&self, party: Party, indent: &Indent) -> Vec<DrawStep<'a>> {
        let waits = self.forest.children(party);
        let holders = waits.iter().take_while(|wait| !self.forest.children(wait.waiter).is_empty()).count();
        // A line that counts one waiter is no shorter than the waiter's line.
        let shown = match holders.max(self.layout.siblings) {
            shown if shown + 1 >= waits.len() => waits.len(),
            shown => shown,
        };
        let (shown, folded) = waits.split_at_checked(shown).unwrap_or((waits, &[]));
        let mut steps: Vec<DrawStep<'a>> = Vec::new();
        for (at, &wait) in shown.iter().enumerate() {
            steps.push(DrawStep::Waiter(wait, indent.child(folded.is_empty() && at + 1 == shown.len())));
        }
        if let Some(first) = folded.first() {
            let longest = folded.iter().filter_map(|wait| wait.seconds).max().unwrap_or(0);
            let text = format!("{} more wait for {party}, up to {}", folded.len(), display::format_duration(longest));
            steps.push(DrawStep::Folded(first.waiter, text, indent.child(true)));
        }
        steps.reverse();
        steps
    }

    fn party_line(&self, party: Party, wait: Option<&Wait>) -> String {
        self.graph.facts(party).map_or_else(|| party.to_string(), |facts| display::party_summary(facts, wait))
    }

    fn draw_party(&mut self, party: Party, wait: Option<&Wait>, indent: &Indent) {
        let head = self.party_line(party, wait);
        self.push_line(TreeLineKind::Waiter, Some(party), &format!("{}{head}", indent.prefix));
        let holds_others = !self.forest.children(party).is_empty();
        let before = format!("{}{}", indent.child_prefix, if holds_others { "│  " } else { "   " });
        if let Some(wait) = wait {
            self.push_line(TreeLineKind::Detail, Some(party), &format!("{before}{}", display::wait_summary(wait)));
        }
        self.push_statement(party, &before);
    }

    /// Details that matter for the decision to kill a root.
    fn push_details(&mut self, party: Party, before: &str) {
        let Some(facts) = self.graph.facts(party) else { return };
        if let Some(transaction) = display::transaction_summary(facts) {
            self.push_line(TreeLineKind::Detail, Some(party), &format!("{before}{transaction}"));
        }
        for statement in &facts.last_statements {
            self.push_line(TreeLineKind::Statement, Some(party), &format!("{before}ran: {}", one_line(statement)));
        }
        self.push_statement(party, before);
    }

    fn push_statement(&mut self, party: Party, before: &str) {
        let statement = self.graph.facts(party).and_then(PartyDetail::statement);
        if let Some(statement) = statement {
            // A statement may have megabytes; no line shows more than this.
            let head = statement.get(..self.layout.width * 8).unwrap_or(statement);
            self.push_line(TreeLineKind::Statement, Some(party), &format!("{before}{}", one_line(head)));
        }
    }

    /// Line with right-aligned text, or two lines if it does not fit.
    fn push_heading(&mut self, party: Party, left: &str, right: &str) {
        let gap = self.layout.width.saturating_sub(display_width(left) + display_width(right));
        if gap >= 2 {
            self.push_line(TreeLineKind::Root, Some(party), &format!("{left}{}{right}", " ".repeat(gap)));
        } else {
            self.push_line(TreeLineKind::Root, Some(party), left);
            self.push_line(TreeLineKind::Detail, Some(party), &format!("   {right}"));
        }
    }

    /// Text wrapped at word boundaries.
    fn push_wrapped(&mut self, kind: TreeLineKind, party: Party, text: &str) {
        let mut line = String::new();
        for word in text.split(' ') {
            if display_width(&line) + display_width(word) + 1 > self.layout.width && !line.trim().is_empty() {
                self.push_line(kind, Some(party), &line);
                line = String::from("  ");
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        self.push_line(kind, Some(party), &line);
    }

    fn push_line(&mut self, kind: TreeLineKind, party: Option<Party>, text: &str) {
        self.lines.push(TreeLine { kind, party, text: truncate(text, self.layout.width) });
    }
}
