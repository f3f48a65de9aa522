//! Alternates runs of Clew and a baseline program, and computes statistics on the pairs of runs.

use clew_devtools::progress::Step;

use crate::benchmark_case::BenchmarkCase;
use crate::error::BenchError;

#[derive(Debug)]
pub(super) struct Measurement {
    pub(super) case: BenchmarkCase,
    pub(super) clew: Vec<f64>,
    pub(super) baseline: Vec<f64>,
    pub(super) notes: Vec<String>,
}

/// Runs Clew and the baseline alternately so that background load affects both equally.
/// Clew and the baseline program take turns in running first. Each program starts with an unmeasured warm-up run.
pub(super) async fn measure_paired_runs(
    case: BenchmarkCase,
    mut clew: impl AsyncFnMut() -> Result<f64, BenchError>,
    mut baseline: impl AsyncFnMut() -> Result<f64, BenchError>,
) -> Result<Measurement, BenchError> {
    let step = Step::start(case.name);
    step.set_spinner_text("warming up");
    clew().await?;
    baseline().await?;
    let mut measurement = Measurement::new(case);
    for pair in 0..case.pairs {
        step.set_spinner_text(&format!("pair {} of {}: {}", pair + 1, case.pairs, measurement.format_summary()));
        if pair % 2 == 0 {
            measurement.clew.push(clew().await?);
            measurement.baseline.push(baseline().await?);
        } else {
            measurement.baseline.push(baseline().await?);
            measurement.clew.push(clew().await?);
        }
    }
    step.complete_with_result(&measurement.format_summary());
    Ok(measurement)
}

impl Measurement {
    pub(super) fn new(case: BenchmarkCase) -> Self {
        Self { case, clew: Vec::new(), baseline: Vec::new(), notes: Vec::new() }
    }

    pub(super) fn with_note(mut self, note: String) -> Self {
        self.notes.push(note);
        self
    }

    pub(super) fn compare_each_pair(&self) -> Vec<f64> {
        let pairs = self.clew.iter().zip(&self.baseline);
        pairs.map(|(clew, baseline)| self.case.comparison.compare(*clew, *baseline)).collect()
    }

    pub(super) fn median_meets_target(&self) -> bool {
        self.case.target.is_met_by_median(calculate_median(&self.compare_each_pair()))
    }

    pub(super) fn format_summary(&self) -> String {
        format_median_and_range(&self.compare_each_pair())
    }
}

pub(super) fn format_median_and_range(values: &[f64]) -> String {
    if values.is_empty() {
        return String::new();
    }
    let (minimum, maximum) = find_min_max(values);
    let median = calculate_median(values);
    let digits = match median.abs() {
        size if size >= 1000.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 0.5 => 2,
        _ => 4,
    };
    format!("{median:.digits$} ({minimum:.digits$} to {maximum:.digits$})")
}

/// Returns 0 for an empty slice.
pub(super) fn calculate_median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let half = sorted.len() / 2;
    match (sorted.len() % 2, half.checked_sub(1).and_then(|low| sorted.get(low)), sorted.get(half)) {
        (0, Some(low), Some(high)) => low.midpoint(*high),
        (_, _, Some(middle)) => *middle,
        _ => 0.0,
    }
}

fn find_min_max(values: &[f64]) -> (f64, f64) {
    let minimum = values.iter().copied().fold(f64::INFINITY, f64::min);
    (minimum, values.iter().copied().fold(f64::NEG_INFINITY, f64::max))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::benchmark_case::{Comparison, MedianTarget};

    #[test]
    fn median_and_range_are_formatted() {
        let cases = [(&[3.0, 1.0, 2.0][..], 2.0), (&[4.0, 1.0, 2.0, 3.0], 2.5), (&[7.0], 7.0), (&[], 0.0)];
        for (values, expected) in cases {
            assert!((calculate_median(values) - expected).abs() < f64::EPSILON, "{values:?}");
        }
        assert_eq!(find_min_max(&[3.0, -1.0, 2.0]), (-1.0, 3.0));
        assert_eq!(format_median_and_range(&[0.0451, 0.0442, 0.05]), "0.0451 (0.0442 to 0.0500)");
    }

    #[tokio::test]
    async fn programs_alternate_and_the_warm_up_is_not_counted() {
        let case = BenchmarkCase {
            name: "case",
            metric: "",
            baseline: "",
            comparison: Comparison::Ratio,
            target: MedianTarget::AtMost(0.5),
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
        let measurement = measure_paired_runs(case, clew, baseline).await.unwrap();
        assert_eq!(order.into_inner(), "cbcbbccbbc");
        let expected = (vec![2.0, 3.0, 4.0, 5.0], vec![102.0, 103.0, 104.0, 105.0]);
        assert_eq!((measurement.clew, measurement.baseline), expected);
    }
}
