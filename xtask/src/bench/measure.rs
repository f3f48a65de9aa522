//! Pairs of runs in turn, and what they come to.

use std::time::{Duration, Instant};

use std::path::Path;

use clew_testkit::{Load, Server};

use super::subjects::Subject;
use crate::error::XtaskError;
use crate::steps::Step;

/// Pairs of a quick run.
const QUICK: usize = 3;

/// A subject with its times, pair by pair.
pub(super) struct Measured {
    pub(super) subject: Subject,
    pub(super) clew: Vec<Duration>,
    pub(super) peer: Vec<Duration>,
}

/// Runs Clew and its peer in turn, so that whatever the machine does besides slows both. A first run of Clew that is not counted
/// warms what both read.
pub(super) async fn in_turn(
    subject: &Subject,
    clew: &Path,
    server: &Server,
    load: &Load,
    quick: bool,
) -> Result<Measured, XtaskError> {
    let step = Step::start(format!("{} beside {}", subject.name(), subject.statement));
    let (clew, peer) = (subject.clew(clew, server), subject.peer(server));
    let (text, count) = subject.counted;
    let (expected, lines) = (count(load.size()), (subject.peer_lines)(load.size()));
    let mut measured = Measured { subject: *subject, clew: Vec::new(), peer: Vec::new() };
    clew.answer().await?;
    for pair in 1..=if quick { QUICK } else { subject.pairs } {
        step.detail(&format!("pair {pair}"));
        let start = Instant::now();
        let answer = clew.answer().await?;
        measured.clew.push(start.elapsed());
        let found = answer.matches(text).count();
        if found != expected {
            return Err(XtaskError::Count { command: clew.shown(), found, expected });
        }
        let start = Instant::now();
        let answer = peer.answer().await?;
        measured.peer.push(start.elapsed());
        let found = answer.lines().count();
        if found < lines {
            return Err(XtaskError::Count { command: peer.shown(), found, expected: lines });
        }
    }
    step.done_with(&format!("{:.1} times", middle(&measured.ratios())));
    Ok(measured)
}

impl Measured {
    /// How many times longer the peer took, by pair.
    pub(super) fn ratios(&self) -> Vec<f64> {
        self.peer.iter().zip(&self.clew).map(|(peer, clew)| peer.as_secs_f64() / clew.as_secs_f64()).collect()
    }
}

/// The median; 0 of nothing.
pub(super) fn middle(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let half = sorted.len() / 2;
    match (sorted.len() % 2, half.checked_sub(1).and_then(|low| sorted.get(low)), sorted.get(half)) {
        (0, Some(low), Some(high)) => low.midpoint(*high),
        (_, _, Some(middle)) => *middle,
        _ => 0.0,
    }
}

/// Smallest and largest.
pub(super) fn spread(values: &[f64]) -> (f64, f64) {
    let smallest = values.iter().copied().fold(f64::INFINITY, f64::min);
    (smallest, values.iter().copied().fold(0.0, f64::max))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_is_the_median() {
        for (values, median) in [(&[3.0, 1.0, 2.0][..], 2.0), (&[4.0, 1.0, 2.0, 3.0], 2.5), (&[7.0], 7.0), (&[], 0.0)] {
            assert!((middle(values) - median).abs() < f64::EPSILON, "{values:?}");
        }
        assert_eq!(spread(&[3.0, 1.0, 2.0]), (1.0, 3.0));
    }
}
