//! Benchmark cases, their targets and the `--only` filter. The module that measures a case defines it.

use crate::error::XtaskError;

/// Definition of a benchmark case. Each pair of runs measures Clew and its baseline.
#[derive(Debug, Clone, Copy)]
pub(super) struct BenchCase {
    /// Name for `--only`.
    pub(super) name: &'static str,
    /// Measured operation of Clew.
    pub(super) metric: &'static str,
    /// Operation that Clew is compared with.
    pub(super) baseline: &'static str,
    /// Comparison of the two values of a pair.
    pub(super) comparison: Comparison,
    /// Target of the median.
    pub(super) target: Target,
    /// Unit of both values.
    pub(super) unit: &'static str,
    /// Number of pairs.
    pub(super) pairs: usize,
}

/// Formula that reduces a pair of values to one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    /// Clew's value divided by the baseline's.
    Ratio,
    /// The baseline's value divided by Clew's.
    Speedup,
    /// Clew's value minus the baseline's.
    Difference,
    /// Clew's value. The report shows the baseline's value for information.
    Absolute,
    /// Decrease from the baseline's value to Clew's, in percent.
    PercentDecrease,
}

/// Limit of the median.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Target {
    AtMost(f64),
    AtLeast(f64),
}

impl Comparison {
    pub(super) fn value(self, clew: f64, peer: f64) -> f64 {
        match self {
            Self::Ratio => clew / peer,
            Self::Speedup => peer / clew,
            Self::Difference => clew - peer,
            Self::Absolute => clew,
            Self::PercentDecrease => (peer - clew) / peer * 100.0,
        }
    }
}

impl Target {
    pub(super) fn is_met_by(self, value: f64) -> bool {
        match self {
            Self::AtMost(maximum) => value <= maximum,
            Self::AtLeast(minimum) => value >= minimum,
        }
    }
}

/// Name prefixes given by `--only`. An empty filter includes every case.
#[derive(Debug, Clone, Default)]
pub(super) struct CaseFilter(Vec<String>);

impl CaseFilter {
    /// Creates a filter. Fails if a prefix matches no case name.
    pub(super) fn new(prefixes: Vec<String>, case_names: &[&'static str]) -> Result<Self, XtaskError> {
        match prefixes.iter().find(|prefix| !case_names.iter().any(|name| name.starts_with(prefix.as_str()))) {
            Some(unknown) => Err(XtaskError::UnknownCase { name: unknown.clone(), names: case_names.join(" ") }),
            None => Ok(Self(prefixes)),
        }
    }

    pub(super) fn includes(&self, name: &str) -> bool {
        self.0.is_empty() || self.0.iter().any(|prefix| name.starts_with(prefix.as_str()))
    }

    pub(super) fn includes_any(&self, cases: &[BenchCase]) -> bool {
        cases.iter().any(|case| self.includes(case.name))
    }

    pub(super) fn includes_all(&self) -> bool {
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
        let values = comparisons.map(|comparison| comparison.value(2.0, 8.0));
        for (value, expected) in values.iter().zip([0.25, 4.0, -6.0, 2.0, 75.0]) {
            assert!((value - expected).abs() < f64::EPSILON, "{values:?}");
        }
        assert!(Target::AtMost(1.03).is_met_by(1.03) && !Target::AtMost(1.03).is_met_by(1.031));
        assert!(Target::AtLeast(40.0).is_met_by(40.0) && !Target::AtLeast(40.0).is_met_by(39.9));
    }

    #[test]
    fn filter_selects_cases_by_name_prefix() {
        let names = ["download-32", "download-1", "status"];
        let filter = CaseFilter::new(vec!["download".into()], &names).unwrap();
        assert!(filter.includes("download-1") && filter.includes("download-32") && !filter.includes("status"));
        assert!(CaseFilter::new(Vec::new(), &names).unwrap().includes("status"));
        let unknown = CaseFilter::new(vec!["upload".into()], &names).unwrap_err().to_string();
        assert!(unknown.contains("upload") && unknown.contains("download-32"), "{unknown}");
    }
}
