//! Report of a fault injection run.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use crate::fault::{Fault, FaultEvent};
use crate::task_rows::TaskRow;
use crate::workload::{RequestOutcome, RequestRecord, iter_accepted_collection_requests};

/// Result of a fault injection run.
#[derive(Debug)]
pub struct FaultInjectionReport {
    pub(crate) seed: u64,
    pub(crate) summaries: Vec<FaultSummary>,
    pub(crate) failure_counts: BTreeMap<String, usize>,
    /// Number of collection tasks in the database whose ids the client never received.
    pub(crate) unconfirmed: usize,
    pub(crate) downloaded: usize,
    /// Number of orphaned results before and after the final cleanup of the result store.
    pub(crate) orphans: (usize, usize),
    pub(crate) removed_orphan_count: u64,
    pub(crate) violations: Vec<String>,
}

#[derive(Debug, Clone)]
pub(crate) struct FaultSummary {
    fault: Fault,
    injections: usize,
    requested: usize,
    accepted: usize,
    refused: usize,
    uncertain: usize,
    finished: usize,
    failed: usize,
    /// Number of accepted collections for which the workers made more than one attempt.
    retried: usize,
}

const MAX_PRINTED_VIOLATIONS: usize = 20;

impl FaultInjectionReport {
    /// Returns a message for each invariant violation. The slice is empty if no invariant was violated.
    #[must_use]
    pub fn violations(&self) -> &[String] {
        &self.violations
    }
}

impl FaultSummary {
    pub(crate) fn summarize_faults(
        faults: &[Fault],
        requests: &[RequestRecord],
        rows: &[TaskRow],
        events: &[FaultEvent],
    ) -> Vec<Self> {
        let rows: HashMap<&str, &TaskRow> = rows.iter().map(|row| (row.request_id.as_str(), row)).collect();
        let summarize_fault = |(fault_index, fault): (usize, &Fault)| {
            let requests_of_fault = || requests.iter().filter(|request| request.fault_index == fault_index);
            let count =
                |is: fn(&RequestOutcome) -> bool| requests_of_fault().filter(|request| is(&request.outcome)).count();
            let accepted_rows: Vec<&TaskRow> = iter_accepted_collection_requests(requests)
                .filter(|(index, _)| *index == fault_index)
                .filter_map(|(_, record)| rows.get(record.accepted.id.as_str()).copied())
                .collect();
            let with_status = |status: &str| accepted_rows.iter().filter(|row| row.status == status).count();
            Self {
                fault: *fault,
                injections: events.iter().filter(|event| event.fault == *fault).count(),
                requested: requests_of_fault().count(),
                accepted: count(|outcome| matches!(outcome, RequestOutcome::Accepted(_))),
                refused: count(|outcome| matches!(outcome, RequestOutcome::Refused)),
                uncertain: count(|outcome| matches!(outcome, RequestOutcome::Uncertain)),
                finished: with_status("finished"),
                failed: with_status("error"),
                retried: accepted_rows.iter().filter(|row| row.attempts > 1).count(),
            }
        };
        faults.iter().enumerate().map(summarize_fault).collect()
    }

    fn counts_in_column_order(&self) -> [usize; 8] {
        let Self { injections, requested, accepted, refused, uncertain, finished, failed, retried, .. } = *self;
        [injections, requested, accepted, refused, uncertain, finished, failed, retried]
    }
}

impl fmt::Display for FaultInjectionReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| fault | injections | requested | accepted | refused | uncertain | finished | failed | retried |"
        )?;
        writeln!(f, "|---|---|---|---|---|---|---|---|---|")?;
        let mut sums = [0; 8];
        for summary in &self.summaries {
            let counts = summary.counts_in_column_order();
            for (sum, count) in sums.iter_mut().zip(counts) {
                *sum += count;
            }
            writeln!(f, "| {} | {} |", summary.fault, counts.map(|count| count.to_string()).join(" | "))?;
        }
        writeln!(f, "| all | {} |", sums.map(|sum| sum.to_string()).join(" | "))?;
        let failures: Vec<String> =
            self.failure_counts.iter().map(|(label, count)| format!("{label}: {count}")).collect();
        writeln!(f, "\nFailures by reason: {}", failures.join("; "))?;
        writeln!(f, "Collections without a response to the client, all completed: {}", self.unconfirmed)?;
        writeln!(f, "Results downloaded again at the end, each equal to its recorded hash: {}", self.downloaded)?;
        let (before, after) = self.orphans;
        writeln!(
            f,
            "Orphaned results: {before}, after the final cleanup {after}; removed by workers during the run: {}",
            self.removed_orphan_count
        )?;
        writeln!(f, "Violated invariants: {} (seed {})", self.violations.len(), self.seed)?;
        for violation in self.violations.iter().take(MAX_PRINTED_VIOLATIONS) {
            writeln!(f, "- {violation}")?;
        }
        if self.violations.len() > MAX_PRINTED_VIOLATIONS {
            writeln!(f, "- and {} more", self.violations.len() - MAX_PRINTED_VIOLATIONS)?;
        }
        Ok(())
    }
}
