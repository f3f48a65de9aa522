//! The graph as text: under each root blocker those who wait for it, and under them those who wait for them.

use std::collections::{HashMap, HashSet, VecDeque};

use super::describe;
use super::graph::{Party, PartyFacts, Root, Wait, WaitGraph};
use crate::terminal::{columns, cut, one_line};

/// How the tree is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TreeLayout {
    /// Columns of a line.
    pub width: usize,
    /// How many roots are shown before the rest is counted.
    pub roots: usize,
    /// How many that wait for the same party are shown before the rest is counted. Those who hold others are always shown.
    pub siblings: usize,
}

impl Default for TreeLayout {
    fn default() -> Self {
        Self { width: 80, roots: 10, siblings: 3 }
    }
}

/// What a line says; a terminal may colour by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TreeLineKind {
    /// A root blocker, or the heading of a cycle.
    Root,
    /// Somebody who waits.
    Waiter,
    /// More about the party above.
    Detail,
    /// A statement of the party above.
    Statement,
    /// How many are not shown.
    Folded,
    /// A session that waits for nobody knows whom.
    Unexplained,
}

/// A line of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeLine {
    /// What it says.
    pub kind: TreeLineKind,
    /// Whom it is about.
    pub party: Option<Party>,
    /// The line, no wider than asked for and safe for a terminal.
    pub text: String,
}

/// Beyond this many columns the tree does not move right any more; the depth is written instead.
const DEEPEST_INDENT: usize = 24;

/// Draws the graph, the worst root first. Every waiter stands once, as near to a root as it can. No lines if nobody waits.
#[must_use]
pub fn tree(graph: &WaitGraph, layout: TreeLayout) -> Vec<TreeLine> {
    let mut drawing = Drawing { graph, layout, forest: Forest::new(graph), lines: Vec::new() };
    for (at, root) in graph.roots.iter().enumerate().take(layout.roots) {
        drawing.root(at + 1, root);
    }
    if let Some(next) = graph.roots.get(layout.roots) {
        let text = format!(
            "{} more root blockers, of which none holds more than {}",
            graph.roots.len() - layout.roots,
            next.holds
        );
        drawing.line(TreeLineKind::Folded, None, &text);
    }
    for unexplained in &graph.unexplained {
        let text = format!("session {}, {}: {}", unexplained.session, unexplained.state, unexplained.why);
        let party = Party::Session(unexplained.session);
        drawing.wrapped(TreeLineKind::Unexplained, party, &one_line(text.as_bytes()));
    }
    drawing.lines
}

/// Under whom each waiter stands.
struct Forest<'a> {
    /// Everybody's waiters, wherever they stand.
    waiters: HashMap<Party, Vec<&'a Wait>>,
    under: HashMap<Party, Vec<&'a Wait>>,
    /// How many stand below each.
    below: HashMap<Party, usize>,
}

impl<'a> Forest<'a> {
    fn new(graph: &'a WaitGraph) -> Self {
        let mut waiters: HashMap<Party, Vec<&Wait>> = HashMap::new();
        for wait in &graph.waits {
            waiters.entry(wait.blocker).or_default().push(wait);
        }
        let mut met: HashSet<Party> = graph.roots.iter().flat_map(|root| root.parties.iter().copied()).collect();
        let mut forest = Self { waiters, under: HashMap::new(), below: HashMap::new() };
        for root in &graph.roots {
            let mut order = Vec::new();
            let mut open: VecDeque<Party> = root.parties.iter().copied().collect();
            while let Some(blocker) = open.pop_front() {
                for &wait in forest.waiters.get(&blocker).into_iter().flatten().filter(|wait| met.insert(wait.waiter)) {
                    forest.under.entry(blocker).or_default().push(wait);
                    order.push(wait);
                    open.push_back(wait.waiter);
                }
            }
            for wait in order.into_iter().rev() {
                let below = forest.below.get(&wait.waiter).copied().unwrap_or(0);
                *forest.below.entry(wait.blocker).or_insert(0) += below + 1;
            }
        }
        forest.sort();
        forest
    }

    /// Who holds most comes first, then who waits longest.
    fn sort(&mut self) {
        let below = &self.below;
        let rank = |wait: &&Wait| {
            let holds = below.get(&wait.waiter).copied().unwrap_or(0);
            (std::cmp::Reverse((holds, wait.seconds)), wait.waiter)
        };
        self.under.values_mut().for_each(|waits| waits.sort_by_key(rank));
    }

    fn under(&self, party: Party) -> &[&'a Wait] {
        self.under.get(&party).map_or(&[], Vec::as_slice)
    }
}

/// What is still to be drawn, the next one last.
enum Step<'a> {
    Waiter(&'a Wait, Indent),
    Folded(Party, String, Indent),
}

/// Where a party's lines begin.
#[derive(Clone)]
struct Indent {
    /// What stands before lines of those below.
    rest: String,
    /// What stands before its first line.
    first: String,
    depth: usize,
}

impl Indent {
    fn root() -> Self {
        Self { rest: "   ".to_owned(), first: String::new(), depth: 0 }
    }

    fn below(&self, last: bool) -> Self {
        let depth = self.depth + 1;
        if columns(&self.rest) >= DEEPEST_INDENT {
            let rest: String = self.rest.chars().take(DEEPEST_INDENT).collect();
            return Self { first: format!("{rest}└ {depth} deep: "), rest, depth };
        }
        let (branch, beside) = if last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        Self { first: format!("{}{branch}", self.rest), rest: format!("{}{beside}", self.rest), depth }
    }
}

struct Drawing<'a> {
    graph: &'a WaitGraph,
    layout: TreeLayout,
    forest: Forest<'a>,
    lines: Vec<TreeLine>,
}

impl<'a> Drawing<'a> {
    fn root(&mut self, number: usize, root: &Root) {
        let holds = format!("holds {}, unblocks up to {}", root.holds, root.frees);
        if let [party] = root.parties.as_slice() {
            let head = self.head(*party, None);
            self.heading(*party, &format!("{number}. {head}"), &holds);
            self.details(*party, "   ");
            self.below(*party, &Indent::root());
        } else {
            let Some(&first) = root.parties.first() else { return };
            let count = root.parties.len();
            self.heading(first, &format!("{number}. cycle of {count}, each waits for another of them"), &holds);
            for (at, &party) in root.parties.iter().enumerate() {
                let indent = Indent::root().below(at + 1 == count);
                let inside = self.graph.waits_of(party).iter().find(|wait| root.parties.contains(&wait.blocker));
                self.party(party, inside, &indent);
                self.below(party, &indent);
            }
        }
        let waiters = root.parties.iter().filter_map(|party| self.forest.waiters.get(party)).flatten();
        let others: HashSet<Party> =
            waiters.map(|wait| wait.waiter).filter(|waiter| !root.parties.contains(waiter)).collect();
        let others = others.len();
        let drawn: usize = root.parties.iter().map(|&party| self.forest.under(party).len()).sum();
        if others > drawn {
            let text = format!("   holds {} more, shown above", others - drawn);
            self.line(TreeLineKind::Folded, root.parties.first().copied(), &text);
        }
    }

    /// Everybody below a party, without recursion: chains are as long as they are.
    fn below(&mut self, party: Party, indent: &Indent) {
        let mut open = self.steps(party, indent);
        while let Some(step) = open.pop() {
            match step {
                Step::Waiter(wait, indent) => {
                    self.party(wait.waiter, Some(wait), &indent);
                    open.extend(self.steps(wait.waiter, &indent));
                }
                Step::Folded(party, text, indent) => {
                    self.line(TreeLineKind::Folded, Some(party), &format!("{}{text}", indent.first));
                }
            }
        }
    }

    fn steps(&self, party: Party, indent: &Indent) -> Vec<Step<'a>> {
        let waits = self.forest.under(party);
        let holders = waits.iter().take_while(|wait| !self.forest.under(wait.waiter).is_empty()).count();
        // A line that says "one more" is no shorter than the one.
        let shown = match holders.max(self.layout.siblings) {
            shown if shown + 1 >= waits.len() => waits.len(),
            shown => shown,
        };
        let (shown, folded) = waits.split_at_checked(shown).unwrap_or((waits, &[]));
        let mut steps: Vec<Step<'a>> = Vec::new();
        for (at, &wait) in shown.iter().enumerate() {
            steps.push(Step::Waiter(wait, indent.below(folded.is_empty() && at + 1 == shown.len())));
        }
        if let Some(first) = folded.first() {
            let longest = folded.iter().filter_map(|wait| wait.seconds).max().unwrap_or(0);
            let text = format!("{} more wait for {party}, up to {}", folded.len(), describe::duration(longest));
            steps.push(Step::Folded(first.waiter, text, indent.below(true)));
        }
        steps.reverse();
        steps
    }

    fn head(&self, party: Party, wait: Option<&Wait>) -> String {
        self.graph.facts(party).map_or_else(|| party.to_string(), |facts| describe::party(facts, wait))
    }

    fn party(&mut self, party: Party, wait: Option<&Wait>, indent: &Indent) {
        let head = self.head(party, wait);
        self.line(TreeLineKind::Waiter, Some(party), &format!("{}{head}", indent.first));
        let holds_others = !self.forest.under(party).is_empty();
        let before = format!("{}{}", indent.rest, if holds_others { "│  " } else { "   " });
        if let Some(wait) = wait {
            self.line(TreeLineKind::Detail, Some(party), &format!("{before}{}", describe::wait(wait)));
        }
        self.statement(party, &before);
    }

    /// What tells whether a root may be ended.
    fn details(&mut self, party: Party, before: &str) {
        let Some(facts) = self.graph.facts(party) else { return };
        if let Some(transaction) = describe::transaction(facts) {
            self.line(TreeLineKind::Detail, Some(party), &format!("{before}{transaction}"));
        }
        for statement in &facts.last_statements {
            self.line(TreeLineKind::Statement, Some(party), &format!("{before}ran: {}", one_line(statement)));
        }
        self.statement(party, before);
    }

    fn statement(&mut self, party: Party, before: &str) {
        let statement = self.graph.facts(party).and_then(PartyFacts::statement);
        if let Some(statement) = statement {
            // No line shows more of it, and it may have megabytes.
            let head = statement.get(..self.layout.width * 8).unwrap_or(statement);
            self.line(TreeLineKind::Statement, Some(party), &format!("{before}{}", one_line(head)));
        }
    }

    /// A line with something at its right end, or two where both do not fit.
    fn heading(&mut self, party: Party, left: &str, right: &str) {
        let gap = self.layout.width.saturating_sub(columns(left) + columns(right));
        if gap >= 2 {
            self.line(TreeLineKind::Root, Some(party), &format!("{left}{}{right}", " ".repeat(gap)));
        } else {
            self.line(TreeLineKind::Root, Some(party), left);
            self.line(TreeLineKind::Detail, Some(party), &format!("   {right}"));
        }
    }

    /// A text of as many lines as it needs.
    fn wrapped(&mut self, kind: TreeLineKind, party: Party, text: &str) {
        let mut line = String::new();
        for word in text.split(' ') {
            if columns(&line) + columns(word) + 1 > self.layout.width && !line.trim().is_empty() {
                self.line(kind, Some(party), &line);
                line = String::from("  ");
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        self.line(kind, Some(party), &line);
    }

    fn line(&mut self, kind: TreeLineKind, party: Option<Party>, text: &str) {
        self.lines.push(TreeLine { kind, party, text: cut(text, self.layout.width) });
    }
}
