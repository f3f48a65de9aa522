//! Types for benchmark cases, their targets and the `--only` filter.

use clew_devtools::DevtoolsError;

#[derive(Debug, Clone, Copy)]
pub(super) struct BenchmarkCase {
    pub(super) name: &'static str,
    pub(super) metric: &'static str,
    pub(super) baseline: &'static str,
    pub(super) comparison: Comparison,
    pub(super) target: MedianTarget,
    pub(super) unit: &'static str,
    pub(super) pairs: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Ratio,
    Speedup,
    Difference,
    /// The target applies to Clew's measured value. The report also shows the baseline value.
    Absolute,
    /// Percentage by which Clew's measured value is lower than the baseline value.
    PercentDecrease,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum MedianTarget {
    AtMost(f64),
    AtLeast(f64),
}

impl Comparison {
    pub(super) fn compare(self, clew: f64, baseline: f64) -> f64 {
        match self {
            Self::Ratio => clew / baseline,
            Self::Speedup => baseline / clew,
            Self::Difference => clew - baseline,
            Self::Absolute => clew,
            Self::PercentDecrease => (baseline - clew) / baseline * 100.0,
        }
    }
}

impl MedianTarget {
    pub(super) fn is_met_by_median(self, value: f64) -> bool {
        match self {
            Self::AtMost(maximum) => value <= maximum,
            Self::AtLeast(minimum) => value >= minimum,
        }
    }
}

/// Selects benchmark cases by name prefix. An empty filter selects all cases.
#[derive(Debug, Clone, Default)]
pub(super) struct BenchmarkFilter(Vec<String>);

impl BenchmarkFilter {
    pub(super) fn new(prefixes: Vec<String>, case_names: &[&'static str]) -> Result<Self, DevtoolsError> {
        match prefixes.iter().find(|prefix| !case_names.iter().any(|name| name.starts_with(prefix.as_str()))) {
            Some(unknown) => {
                let names = case_names.join(" ");
                Err(DevtoolsError::Failed(format!("no benchmark case starts with {unknown}; the cases are: {names}")))
            }
            None => Ok(Self(prefixes)),
        }
    }

    pub(super) fn includes_benchmark(&self, name: &str) -> bool {
        self.0.is_empty() || self.0.iter().any(|prefix| name.starts_with(prefix.as_str()))
    }

    pub(super) fn includes_any_benchmark(&self, cases: &[BenchmarkCase]) -> bool {
        cases.iter().any(|case| self.includes_benchmark(case.name))
    }

    pub(super) fn includes_all_benchmarks(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comparisons_follow_their_formulas() {
        let comparisons = [
            Comparison::Ratio,
            Comparison::Speedup,
            Comparison::Difference,
            Comparison::Absolute,
            Comparison::PercentDecrease,
        ];
        let values = comparisons.map(|comparison| comparison.compare(2.0, 8.0));
        for (value, expected) in values.iter().zip([0.25, 4.0, -6.0, 2.0, 75.0]) {
            assert!((value - expected).abs() < f64::EPSILON, "{values:?}");
        }
        assert!(
            MedianTarget::AtMost(1.03).is_met_by_median(1.03) && !MedianTarget::AtMost(1.03).is_met_by_median(1.031)
        );
        assert!(
            MedianTarget::AtLeast(40.0).is_met_by_median(40.0) && !MedianTarget::AtLeast(40.0).is_met_by_median(39.9)
        );
    }

    #[test]
    fn filter_selects_cases_by_name_prefix() {
        let names = ["download-32", "download-1", "status"];
        let filter = BenchmarkFilter::new(vec!["download".into()], &names).unwrap();
        assert!(
            filter.includes_benchmark("download-1")
                && filter.includes_benchmark("download-32")
                && !filter.includes_benchmark("status")
        );
        assert!(BenchmarkFilter::new(Vec::new(), &names).unwrap().includes_benchmark("status"));
        let unknown = BenchmarkFilter::new(vec!["upload".into()], &names).unwrap_err().to_string();
        assert!(unknown.contains("upload") && unknown.contains("download-32"), "{unknown}");
    }
}
