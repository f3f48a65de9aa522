//! Pairs of runs in turn, and what they come to.

use super::rows::Row;
use crate::error::XtaskError;
use crate::steps::Step;

/// A row with the figures of both sides, pair by pair.
#[derive(Debug)]
pub(super) struct Figures {
    pub(super) row: Row,
    pub(super) clew: Vec<f64>,
    pub(super) peer: Vec<f64>,
    /// What is seen besides.
    pub(super) notes: Vec<String>,
}

/// Measures a row: Clew and its peer in turn, so that whatever the machine does besides slows both, and each goes first every other
/// time. A first run of both is not counted: it warms what they read.
pub(super) async fn in_turn(
    row: Row,
    mut clew: impl AsyncFnMut() -> Result<f64, XtaskError>,
    mut peer: impl AsyncFnMut() -> Result<f64, XtaskError>,
) -> Result<Figures, XtaskError> {
    let step = Step::start(row.name);
    step.detail("warming up");
    clew().await?;
    peer().await?;
    let mut figures = Figures::new(row);
    for pair in 0..row.pairs {
        step.detail(&format!("pair {} of {}: {}", pair + 1, row.pairs, figures.shown()));
        if pair % 2 == 0 {
            figures.clew.push(clew().await?);
            figures.peer.push(peer().await?);
        } else {
            figures.peer.push(peer().await?);
            figures.clew.push(clew().await?);
        }
    }
    step.done_with(&figures.shown());
    Ok(figures)
}

impl Figures {
    pub(super) fn new(row: Row) -> Self {
        Self { row, clew: Vec::new(), peer: Vec::new(), notes: Vec::new() }
    }

    pub(super) fn noting(mut self, note: String) -> Self {
        self.notes.push(note);
        self
    }

    /// What each pair comes to.
    pub(super) fn values(&self) -> Vec<f64> {
        self.clew.iter().zip(&self.peer).map(|(clew, peer)| self.row.compared.value(*clew, *peer)).collect()
    }

    pub(super) fn is_reached(&self) -> bool {
        self.row.reach.is_reached_by(middle(&self.values()))
    }

    /// The median, and the smallest and largest.
    pub(super) fn shown(&self) -> String {
        shown(&self.values())
    }
}

/// A median with the smallest and the largest, in as many digits as say something.
pub(super) fn shown(values: &[f64]) -> String {
    if values.is_empty() {
        return String::new();
    }
    let (smallest, largest) = spread(values);
    let middle = middle(values);
    let digits = match middle.abs() {
        size if size >= 1000.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 0.5 => 2,
        _ => 4,
    };
    format!("{middle:.digits$} ({smallest:.digits$} to {largest:.digits$})")
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
fn spread(values: &[f64]) -> (f64, f64) {
    let smallest = values.iter().copied().fold(f64::INFINITY, f64::min);
    (smallest, values.iter().copied().fold(f64::NEG_INFINITY, f64::max))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::rows::{Compared, Reach};

    #[test]
    fn the_middle_is_the_median() {
        for (values, median) in [(&[3.0, 1.0, 2.0][..], 2.0), (&[4.0, 1.0, 2.0, 3.0], 2.5), (&[7.0], 7.0), (&[], 0.0)] {
            assert!((middle(values) - median).abs() < f64::EPSILON, "{values:?}");
        }
        assert_eq!(spread(&[3.0, -1.0, 2.0]), (-1.0, 3.0));
        assert_eq!(shown(&[0.0451, 0.0442, 0.05]), "0.0451 (0.0442 to 0.0500)");
    }

    #[tokio::test]
    async fn each_side_goes_first_every_other_time_and_the_first_run_is_not_counted() {
        let row = Row {
            name: "row",
            measure: "",
            against: "",
            compared: Compared::Share,
            reach: Reach::AtMost(0.5),
            unit: "s",
            pairs: 4,
        };
        let order = std::cell::RefCell::new(String::new());
        let (mut clews, mut peers) = (0.0, 100.0);
        let clew = async || {
            order.borrow_mut().push('c');
            clews += 1.0;
            Ok(clews)
        };
        let peer = async || {
            order.borrow_mut().push('p');
            peers += 1.0;
            Ok(peers)
        };
        let figures = in_turn(row, clew, peer).await.unwrap();
        assert_eq!(order.into_inner(), "cpcppccppc");
        assert_eq!((figures.clew, figures.peer), (vec![2.0, 3.0, 4.0, 5.0], vec![102.0, 103.0, 104.0, 105.0]));
    }
}
