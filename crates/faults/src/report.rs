//! What a run came to, as a table.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use crate::diary::Event;
use crate::fault::Fault;
use crate::load::{Answer, Asked, seen};
use crate::witness::Row;

/// What came of a run.
#[derive(Debug)]
pub struct Report {
    pub(crate) seed: u64,
    pub(crate) lines: Vec<Line>,
    /// How often each reason was given.
    pub(crate) reasons: BTreeMap<String, usize>,
    /// Collections in the database that no client was told of: their answers were lost, or said nothing.
    pub(crate) untold: usize,
    pub(crate) downloaded: usize,
    /// Before the clean-up, and after it.
    pub(crate) orphans: (usize, usize),
    /// What workers swept while it went on.
    pub(crate) swept: u64,
    pub(crate) broken: Vec<String>,
}

/// What was asked for under one fault.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    fault: Fault,
    /// How often it was brought about.
    events: usize,
    asked: usize,
    accepted: usize,
    refused: usize,
    uncertain: usize,
    finished: usize,
    failed: usize,
    /// Of those that were accepted: taken up more than once.
    taken_up_again: usize,
}

/// Broken promises that are shown one by one.
const SHOWN: usize = 20;

impl Report {
    /// Each promise that was not kept, in a sentence. None is what is wanted.
    #[must_use]
    pub fn broken(&self) -> &[String] {
        &self.broken
    }
}

impl Line {
    /// The lines of all faults, in their order.
    pub(crate) fn of(faults: &[Fault], asked: &[Asked], rows: &[Row], events: &[Event]) -> Vec<Self> {
        let rows: HashMap<&str, &Row> = rows.iter().map(|row| (row.request_id.as_str(), row)).collect();
        let line = |(phase, fault): (usize, &Fault)| {
            let of_phase = || asked.iter().filter(|asked| asked.phase == phase);
            let is = |answer: fn(&Answer) -> bool| of_phase().filter(|asked| answer(&asked.answer)).count();
            let found: Vec<&Row> = seen(asked)
                .filter(|(of, _)| *of == phase)
                .filter_map(|(_, seen)| rows.get(seen.accepted.id.as_str()).copied())
                .collect();
            let with = |status: &str| found.iter().filter(|row| row.status == status).count();
            Self {
                fault: *fault,
                events: events.iter().filter(|event| event.fault == *fault).count(),
                asked: of_phase().count(),
                accepted: is(|answer| matches!(answer, Answer::Accepted(_))),
                refused: is(|answer| matches!(answer, Answer::Refused)),
                uncertain: is(|answer| matches!(answer, Answer::Uncertain)),
                finished: with("finished"),
                failed: with("error"),
                taken_up_again: found.iter().filter(|row| row.attempts > 1).count(),
            }
        };
        faults.iter().enumerate().map(line).collect()
    }

    fn numbers(&self) -> [usize; 8] {
        let Self { events, asked, accepted, refused, uncertain, finished, failed, taken_up_again, .. } = *self;
        [events, asked, accepted, refused, uncertain, finished, failed, taken_up_again]
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| fault | times | asked | accepted | refused | uncertain | finished | error | taken up again |")?;
        writeln!(f, "|---|---|---|---|---|---|---|---|---|")?;
        let mut sums = [0; 8];
        for line in &self.lines {
            let numbers = line.numbers();
            for (sum, number) in sums.iter_mut().zip(numbers) {
                *sum += number;
            }
            writeln!(f, "| {} | {} |", line.fault, numbers.map(|number| number.to_string()).join(" | "))?;
        }
        writeln!(f, "| all | {} |", sums.map(|sum| sum.to_string()).join(" | "))?;
        let reasons: Vec<String> = self.reasons.iter().map(|(reason, count)| format!("{reason}: {count}")).collect();
        writeln!(f, "\nReasons of errors: {}", reasons.join("; "))?;
        writeln!(f, "Collections that nobody was told of, all of them ended: {}", self.untold)?;
        writeln!(f, "Results downloaded once more at the end, each equal to its recorded hash: {}", self.downloaded)?;
        let (before, after) = self.orphans;
        writeln!(
            f,
            "Results that no collection names: {before}, after the clean-up {after}; swept before: {}",
            self.swept
        )?;
        writeln!(f, "Promises broken: {} (seed {})", self.broken.len(), self.seed)?;
        for broken in self.broken.iter().take(SHOWN) {
            writeln!(f, "- {broken}")?;
        }
        if self.broken.len() > SHOWN {
            writeln!(f, "- and {} more", self.broken.len() - SHOWN)?;
        }
        Ok(())
    }
}
