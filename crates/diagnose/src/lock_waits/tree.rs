//! Renders the wait graph as a text tree, with waiters below their root blockers.

use std::collections::{HashMap, HashSet, VecDeque};

use super::display;
use super::graph::{LockWait, ParticipantDetail, RootBlocker, WaitGraph, WaitParticipant};
use crate::terminal::{bytes_to_single_line, display_width, truncate_to_width};

/// Layout of the rendered tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TreeLayout {
    /// Maximum width of a line, in terminal columns.
    pub width: usize,
    /// Maximum number of rendered root blockers. A summary line counts the omitted root blockers.
    pub roots: usize,
    /// Maximum number of rendered waiters per blocker. A summary line counts the omitted waiters.
    /// Waiters that block other waiters, and a single remaining waiter, are rendered even beyond the maximum.
    pub siblings: usize,
}

impl Default for TreeLayout {
    fn default() -> Self {
        Self { width: 80, roots: 10, siblings: 3 }
    }
}

/// Kind of line in the rendered tree. The kind determines the color of the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TreeLineKind {
    /// Root blocker, or heading of a cycle.
    Root,
    /// Waiting session or transaction.
    Waiter,
    /// Line with details of a session, below the line that identifies the session.
    Detail,
    /// SQL statement of a session, shown on a separate line below the session.
    Statement,
    /// Line that summarizes omitted root blockers or waiters.
    Folded,
    /// Waiting session without a detected blocker.
    Unexplained,
}

/// Line of the rendered tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeLine {
    /// Kind of the line.
    pub kind: TreeLineKind,
    /// Session or transaction that the tree line describes; `None` for other lines, such as summaries.
    pub party: Option<WaitParticipant>,
    /// Sanitized text of the line. The text is at most [`TreeLayout::width`] columns wide.
    pub text: String,
}

const MAX_INDENT_COLUMNS: usize = 24;

/// Renders the wait graph as a text tree, highest-ranked root blocker first.
///
/// Waiting sessions without a detected blocker are rendered last.
/// Each waiter is rendered at most once, at the smallest possible depth below its highest-ranked root blocker.
#[must_use]
pub fn render_tree(graph: &WaitGraph, layout: TreeLayout) -> Vec<TreeLine> {
    let mut renderer = TreeRenderer { graph, layout, forest: WaitForest::new(graph), lines: Vec::new() };
    for (at, root) in graph.roots.iter().enumerate().take(layout.roots) {
        renderer.render_root_blocker(at + 1, root);
    }
    if let Some(next) = graph.roots.get(layout.roots) {
        let text = format!(
            "{} more root blockers; maximum number of waiters: {}",
            graph.roots.len() - layout.roots,
            next.holds
        );
        renderer.push_line(TreeLineKind::Folded, None, &text);
    }
    for unexplained in &graph.unexplained {
        let text = format!("session {}, {}: {}", unexplained.session, unexplained.state, unexplained.why);
        let party = WaitParticipant::Session(unexplained.session);
        renderer.push_wrapped_text(TreeLineKind::Unexplained, party, &bytes_to_single_line(text.as_bytes()));
    }
    renderer.lines
}

/// Spanning forest of the wait graph. The parent of a waiter is one of its blockers.
struct WaitForest<'a> {
    waiters: HashMap<WaitParticipant, Vec<&'a LockWait>>,
    children: HashMap<WaitParticipant, Vec<&'a LockWait>>,
    descendants: HashMap<WaitParticipant, usize>,
}

impl<'a> WaitForest<'a> {
    fn new(graph: &'a WaitGraph) -> Self {
        let mut waiters: HashMap<WaitParticipant, Vec<&LockWait>> = HashMap::new();
        for wait in &graph.waits {
            waiters.entry(wait.blocker).or_default().push(wait);
        }
        let mut visited: HashSet<WaitParticipant> =
            graph.roots.iter().flat_map(|root| root.parties.iter().copied()).collect();
        let mut forest = Self { waiters, children: HashMap::new(), descendants: HashMap::new() };
        for root in &graph.roots {
            let mut order = Vec::new();
            let mut pending: VecDeque<WaitParticipant> = root.parties.iter().copied().collect();
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
        forest.sort_children();
        forest
    }

    fn sort_children(&mut self) {
        let descendants = &self.descendants;
        let rank = |wait: &&LockWait| {
            let holds = descendants.get(&wait.waiter).copied().unwrap_or(0);
            (std::cmp::Reverse((holds, wait.seconds)), wait.waiter)
        };
        self.children.values_mut().for_each(|waits| waits.sort_by_key(rank));
    }

    fn child_wait_edges(&self, party: WaitParticipant) -> &[&'a LockWait] {
        self.children.get(&party).map_or(&[], Vec::as_slice)
    }
}

enum RenderStep<'a> {
    Waiter(&'a LockWait, TreeIndent),
    Folded(WaitParticipant, String, TreeIndent),
}

#[derive(Clone)]
struct TreeIndent {
    child_prefix: String,
    prefix: String,
    depth: usize,
}

impl TreeIndent {
    fn root_indent() -> Self {
        Self { child_prefix: "   ".to_owned(), prefix: String::new(), depth: 0 }
    }

    fn child_indent(&self, is_last: bool) -> Self {
        let depth = self.depth + 1;
        if display_width(&self.child_prefix) >= MAX_INDENT_COLUMNS {
            let rest: String = self.child_prefix.chars().take(MAX_INDENT_COLUMNS).collect();
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
    forest: WaitForest<'a>,
    lines: Vec<TreeLine>,
}

impl<'a> TreeRenderer<'a> {
    fn render_root_blocker(&mut self, number: usize, root: &RootBlocker) {
        let summary = format!("blocks {}, unblocks up to {}", root.holds, root.frees);
        if let [party] = root.parties.as_slice() {
            let head = self.format_participant_line(*party, None);
            self.push_root_blocker_heading(*party, &format!("{number}. {head}"), &summary);
            self.push_root_blocker_details(*party, "   ");
            self.render_descendants(*party, &TreeIndent::root_indent());
        } else {
            let Some(&first) = root.parties.first() else { return };
            let count = root.parties.len();
            self.push_root_blocker_heading(
                first,
                &format!("{number}. cycle of {count} parties that wait for each other"),
                &summary,
            );
            for (at, &party) in root.parties.iter().enumerate() {
                let indent = TreeIndent::root_indent().child_indent(at + 1 == count);
                let wait_in_cycle =
                    self.graph.find_waits_by_waiter(party).iter().find(|wait| root.parties.contains(&wait.blocker));
                self.render_participant(party, wait_in_cycle, &indent);
                self.render_descendants(party, &indent);
            }
        }
        let waiters = root.parties.iter().filter_map(|party| self.forest.waiters.get(party)).flatten();
        let others: HashSet<WaitParticipant> =
            waiters.map(|wait| wait.waiter).filter(|waiter| !root.parties.contains(waiter)).collect();
        let others = others.len();
        let drawn: usize = root.parties.iter().map(|&party| self.forest.child_wait_edges(party).len()).sum();
        if others > drawn {
            let text = format!("   blocks {} more, shown above", others - drawn);
            self.push_line(TreeLineKind::Folded, root.parties.first().copied(), &text);
        }
    }

    /// Uses a stack instead of recursion, because a wait chain can contain thousands of sessions.
    fn render_descendants(&mut self, party: WaitParticipant, indent: &TreeIndent) {
        let mut pending = self.build_child_render_steps(party, indent);
        while let Some(step) = pending.pop() {
            match step {
                RenderStep::Waiter(wait, indent) => {
                    self.render_participant(wait.waiter, Some(wait), &indent);
                    pending.extend(self.build_child_render_steps(wait.waiter, &indent));
                }
                RenderStep::Folded(party, text, indent) => {
                    self.push_line(TreeLineKind::Folded, Some(party), &format!("{}{text}", indent.prefix));
                }
            }
        }
    }

    fn build_child_render_steps(&self, party: WaitParticipant, indent: &TreeIndent) -> Vec<RenderStep<'a>> {
        let waits = self.forest.child_wait_edges(party);
        let holders = waits.iter().take_while(|wait| !self.forest.child_wait_edges(wait.waiter).is_empty()).count();
        // A summary line that replaces only one waiter would save no space.
        let shown = match holders.max(self.layout.siblings) {
            shown if shown + 1 >= waits.len() => waits.len(),
            shown => shown,
        };
        let (shown, folded) = waits.split_at_checked(shown).unwrap_or((waits, &[]));
        let mut steps: Vec<RenderStep<'a>> = Vec::new();
        for (at, &wait) in shown.iter().enumerate() {
            steps.push(RenderStep::Waiter(wait, indent.child_indent(folded.is_empty() && at + 1 == shown.len())));
        }
        if let Some(first) = folded.first() {
            let longest = folded.iter().filter_map(|wait| wait.seconds).max().unwrap_or(0);
            let text = format!("{} more wait for {party}, up to {}", folded.len(), display::format_duration(longest));
            steps.push(RenderStep::Folded(first.waiter, text, indent.child_indent(true)));
        }
        steps.reverse();
        steps
    }

    fn format_participant_line(&self, party: WaitParticipant, wait: Option<&LockWait>) -> String {
        self.graph
            .participant_detail(party)
            .map_or_else(|| party.to_string(), |facts| display::format_wait_participant(facts, wait))
    }

    fn render_participant(&mut self, party: WaitParticipant, wait: Option<&LockWait>, indent: &TreeIndent) {
        let head = self.format_participant_line(party, wait);
        self.push_line(TreeLineKind::Waiter, Some(party), &format!("{}{head}", indent.prefix));
        let holds_others = !self.forest.child_wait_edges(party).is_empty();
        let before = format!("{}{}", indent.child_prefix, if holds_others { "│  " } else { "   " });
        if let Some(wait) = wait {
            self.push_line(TreeLineKind::Detail, Some(party), &format!("{before}{}", display::format_lock_wait(wait)));
        }
        self.push_running_statement(party, &before);
    }

    fn push_root_blocker_details(&mut self, party: WaitParticipant, before: &str) {
        let Some(facts) = self.graph.participant_detail(party) else { return };
        if let Some(transaction) = display::format_transaction(facts) {
            self.push_line(TreeLineKind::Detail, Some(party), &format!("{before}{transaction}"));
        }
        for statement in &facts.last_statements {
            self.push_line(
                TreeLineKind::Statement,
                Some(party),
                &format!("{before}ran: {}", bytes_to_single_line(statement)),
            );
        }
        self.push_running_statement(party, before);
    }

    fn push_running_statement(&mut self, party: WaitParticipant, before: &str) {
        let statement = self.graph.participant_detail(party).and_then(ParticipantDetail::running_statement);
        if let Some(statement) = statement {
            // A statement can have several megabytes, so the function converts only the part that fits on the line.
            let head = statement.get(..self.layout.width * 8).unwrap_or(statement);
            self.push_line(TreeLineKind::Statement, Some(party), &format!("{before}{}", bytes_to_single_line(head)));
        }
    }

    fn push_root_blocker_heading(&mut self, party: WaitParticipant, left: &str, right: &str) {
        let gap = self.layout.width.saturating_sub(display_width(left) + display_width(right));
        if gap >= 2 {
            self.push_line(TreeLineKind::Root, Some(party), &format!("{left}{}{right}", " ".repeat(gap)));
        } else {
            self.push_line(TreeLineKind::Root, Some(party), left);
            self.push_line(TreeLineKind::Detail, Some(party), &format!("   {right}"));
        }
    }

    fn push_wrapped_text(&mut self, kind: TreeLineKind, party: WaitParticipant, text: &str) {
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

    fn push_line(&mut self, kind: TreeLineKind, party: Option<WaitParticipant>, text: &str) {
        self.lines.push(TreeLine { kind, party, text: truncate_to_width(text, self.layout.width) });
    }
}
