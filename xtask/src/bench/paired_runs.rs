//! Paired runs of Clew and its baseline, and their statistics.

use super::cases::BenchCase;
use crate::error::XtaskError;
use crate::progress::Step;

/// Values of a case: one value of Clew and one of the baseline per pair.
#[derive(Debug)]
pub(super) struct Measurement {
    pub(super) case: BenchCase,
    pub(super) clew: Vec<f64>,
    pub(super) baseline: Vec<f64>,
    /// Further observations for the report.
    pub(super) notes: Vec<String>,
}

/// Measures a case with alternating runs, so that background load affects both sides.
/// The two sides take turns in running first. A first, unmeasured pair warms the caches.
pub(super) async fn run_pairs(
    case: BenchCase,
    mut clew: impl AsyncFnMut() -> Result<f64, XtaskError>,
    mut baseline: impl AsyncFnMut() -> Result<f64, XtaskError>,
) -> Result<Measurement, XtaskError> {
    let step = Step::start(case.name);
    step.detail("warming up");
    clew().await?;
    baseline().await?;
    let mut measurement = Measurement::new(case);
    for pair in 0..case.pairs {
        step.detail(&format!("pair {} of {}: {}", pair + 1, case.pairs, measurement.summary()));
        if pair % 2 == 0 {
            measurement.clew.push(clew().await?);
            measurement.baseline.push(baseline().await?);
        } else {
            measurement.baseline.push(baseline().await?);
            measurement.clew.push(clew().await?);
        }
    }
    step.done_with(&measurement.summary());
    Ok(measurement)
}

impl Measurement {
    pub(super) fn new(case: BenchCase) -> Self {
        Self { case, clew: Vec::new(), baseline: Vec::new(), notes: Vec::new() }
    }

    pub(super) fn with_note(mut self, note: String) -> Self {
        self.notes.push(note);
        self
    }

    /// Returns the comparison value of each pair.
    pub(super) fn values(&self) -> Vec<f64> {
        let pairs = self.clew.iter().zip(&self.baseline);
        pairs.map(|(clew, baseline)| self.case.comparison.value(*clew, *baseline)).collect()
    }

    pub(super) fn meets_target(&self) -> bool {
        self.case.target.is_met_by(median(&self.values()))
    }

    /// Formats the median, minimum and maximum of the comparison values.
    pub(super) fn summary(&self) -> String {
        format_median(&self.values())
    }
}

/// Formats the median, minimum and maximum. The median's magnitude determines the number of digits.
pub(super) fn format_median(values: &[f64]) -> String {
    if values.is_empty() {
        return String::new();
    }
    let (minimum, maximum) = min_max(values);
    let median = median(values);
    let digits = match median.abs() {
        size if size >= 1000.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 0.5 => 2,
        _ => 4,
    };
    format!("{median:.digits$} ({minimum:.digits$} to {maximum:.digits$})")
}

/// Returns the median, or 0 for an empty slice.
pub(super) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let half = sorted.len() / 2;
    match (sorted.len() % 2, half.checked_sub(1).and_then(|low| sorted.get(low)), sorted.get(half)) {
        (0, Some(low), Some(high)) => low.midpoint(*high),
        (_, _, Some(middle)) => *middle,
        _ => 0.0,
    }
}

fn min_max(values: &[f64]) -> (f64, f64) {
    let minimum = values.iter().copied().fold(f64::INFINITY, f64::min);
    (minimum, values.iter().copied().fold(f64::NEG_INFINITY, f64::max))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::cases::{Comparison, Target};

    #[test]
    fn median_and_range_are_formatted() {
        let cases = [(&[3.0, 1.0, 2.0][..], 2.0), (&[4.0, 1.0, 2.0, 3.0], 2.5), (&[7.0], 7.0), (&[], 0.0)];
        for (values, expected) in cases {
            assert!((median(values) - expected).abs() < f64::EPSILON, "{values:?}");
        }
        assert_eq!(min_max(&[3.0, -1.0, 2.0]), (-1.0, 3.0));
        assert_eq!(format_median(&[0.0451, 0.0442, 0.05]), "0.0451 (0.0442 to 0.0500)");
    }

    #[tokio::test]
    async fn sides_alternate_and_the_warm_up_is_not_counted() {
        let case = BenchCase {
            name: "case",
            metric: "",
            baseline: "",
            comparison: Comparison::Ratio,
            target: Target::AtMost(0.5),
            unit: "s",
            pairs: 4,
        };
        let order = std::cell::RefCell::new(String::new());
        let (mut clew_runs, mut baseline_runs) = (0.0, 100.0);
        let clew = async || {
            order.borrow_mut().push('c');
            clew_runs += 1.0;
            Ok(clew_runs)
        };
        let baseline = async || {
            order.borrow_mut().push('b');
            baseline_runs += 1.0;
            Ok(baseline_runs)
        };
        let measurement = run_pairs(case, clew, baseline).await.unwrap();
        assert_eq!(order.into_inner(), "cbcbbccbbc");
        let expected = (vec![2.0, 3.0, 4.0, 5.0], vec![102.0, 103.0, 104.0, 105.0]);
        assert_eq!((measurement.clew, measurement.baseline), expected);
    }
}
