//! What a row of the table is, and which rows are wanted. The rows themselves stand with what measures them.

use crate::error::XtaskError;

/// A row. Its figures come from pairs of runs: Clew's and its peer's.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    /// What `--only` takes.
    pub(super) name: &'static str,
    /// What of Clew.
    pub(super) measure: &'static str,
    /// What it is compared with.
    pub(super) against: &'static str,
    /// How a pair is compared.
    pub(super) compared: Compared,
    /// What the median must be (issue 5).
    pub(super) reach: Reach,
    /// What both sides are counted in.
    pub(super) unit: &'static str,
    /// How many pairs.
    pub(super) pairs: usize,
}

/// What a pair comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compared {
    /// Clew's over the peer's.
    Share,
    /// The peer's over Clew's.
    TimesFaster,
    /// Clew's less the peer's.
    More,
    /// Clew's alone; the peer's stands beside it.
    Alone,
    /// By how many percent Clew's is below the peer's.
    PercentLess,
}

/// What the median must be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Reach {
    AtMost(f64),
    AtLeast(f64),
}

impl Compared {
    pub(super) fn value(self, clew: f64, peer: f64) -> f64 {
        match self {
            Self::Share => clew / peer,
            Self::TimesFaster => peer / clew,
            Self::More => clew - peer,
            Self::Alone => clew,
            Self::PercentLess => (peer - clew) / peer * 100.0,
        }
    }
}

impl Reach {
    pub(super) fn is_reached_by(self, value: f64) -> bool {
        match self {
            Self::AtMost(most) => value <= most,
            Self::AtLeast(least) => value >= least,
        }
    }
}

/// What was asked for by `--only`: names of rows, or their first letters. Nothing is everything.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted(Vec<String>);

impl Wanted {
    /// Fails on a name that no row has.
    pub(super) fn new(only: Vec<String>, known: &[&'static str]) -> Result<Self, XtaskError> {
        match only.iter().find(|start| !known.iter().any(|name| name.starts_with(start.as_str()))) {
            Some(unknown) => Err(XtaskError::NoRow { name: unknown.clone(), known: known.join(" ") }),
            None => Ok(Self(only)),
        }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.is_empty() || self.0.iter().any(|start| name.starts_with(start.as_str()))
    }

    pub(super) fn has_any(&self, rows: &[Row]) -> bool {
        rows.iter().any(|row| self.has(row.name))
    }

    pub(super) fn is_everything(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_compared_as_the_table_says() {
        let compared = [Compared::Share, Compared::TimesFaster, Compared::More, Compared::Alone, Compared::PercentLess];
        let values = compared.map(|compared| compared.value(2.0, 8.0));
        for (value, expected) in values.iter().zip([0.25, 4.0, -6.0, 2.0, 75.0]) {
            assert!((value - expected).abs() < f64::EPSILON, "{values:?}");
        }
        assert!(Reach::AtMost(1.03).is_reached_by(1.03) && !Reach::AtMost(1.03).is_reached_by(1.031));
        assert!(Reach::AtLeast(40.0).is_reached_by(40.0) && !Reach::AtLeast(40.0).is_reached_by(39.9));
    }

    #[test]
    fn rows_are_wanted_by_the_start_of_their_names() {
        let known = ["download-32", "download-1", "status"];
        let wanted = Wanted::new(vec!["download".into()], &known).unwrap();
        assert!(wanted.has("download-1") && wanted.has("download-32") && !wanted.has("status"));
        assert!(Wanted::new(Vec::new(), &known).unwrap().has("status"));
        let unknown = Wanted::new(vec!["upload".into()], &known).unwrap_err().to_string();
        assert!(unknown.contains("upload") && unknown.contains("download-32"), "{unknown}");
    }
}
