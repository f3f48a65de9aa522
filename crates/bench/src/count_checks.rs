//! Checks row and connection counts, which do not depend on the speed of the machine.

use std::path::Path;
use std::time::Duration;

use clew_devtools::DevtoolsError;
use clew_devtools::progress::print_line;
use tokio::time::{Instant, sleep};

use crate::error::{BenchError, wrong_count_error};

pub(super) fn count_occurrences_in_file(file: &Path, text: &str) -> Result<u64, BenchError> {
    let bytes = std::fs::read(file).map_err(DevtoolsError::file_error("read", file))?;
    Ok(count_occurrences(&bytes, text))
}

pub(super) fn count_occurrences(bytes: &[u8], text: &str) -> u64 {
    String::from_utf8_lossy(bytes).matches(text).count() as u64
}

pub(super) fn ensure_expected_count(subject: &str, found: u64, expected: u64) -> Result<(), BenchError> {
    if found == expected { Ok(()) } else { Err(wrong_count_error(subject, found, expected)) }
}

/// Returns the number of connections that are still open.
pub(super) async fn wait_until_connections_close(
    limit: Duration,
    connections: impl AsyncFn() -> Result<u64, BenchError>,
) -> Result<u64, BenchError> {
    let start = Instant::now();
    loop {
        let open = connections().await?;
        if open == 0 || start.elapsed() > limit {
            return Ok(open);
        }
        sleep(Duration::from_millis(5)).await;
    }
}

#[derive(Debug, Default)]
pub(super) struct ResourceCounts(Vec<ResourceCount>);

#[derive(Debug)]
struct ResourceCount {
    subject: String,
    found: u64,
    minimum: u64,
    maximum: u64,
}

impl ResourceCounts {
    pub(super) fn expect_exact_count(&mut self, subject: &str, found: u64, expected: u64) {
        self.0.push(ResourceCount { subject: subject.to_owned(), found, minimum: expected, maximum: expected });
    }

    pub(super) fn expect_max_count(&mut self, subject: &str, found: u64, maximum: u64) {
        self.0.push(ResourceCount { subject: subject.to_owned(), found, minimum: 0, maximum });
    }

    pub(super) fn verify_counts(&self) -> Result<(), DevtoolsError> {
        for check in &self.0 {
            let suffix = if check.is_within_expected_range() {
                String::new()
            } else {
                format!(", {}", check.format_expected_count())
            };
            print_line(&format!("{:>10}  {}{suffix}", check.found, check.subject));
        }
        let failed = self.0.iter().filter(|check| !check.is_within_expected_range());
        let failed: Vec<String> = failed
            .map(|check| format!("{}: {}, {}", check.subject, check.found, check.format_expected_count()))
            .collect();
        if failed.is_empty() { Ok(()) } else { Err(DevtoolsError::Checks(failed.join("; "))) }
    }
}

impl ResourceCount {
    fn is_within_expected_range(&self) -> bool {
        (self.minimum..=self.maximum).contains(&self.found)
    }

    fn format_expected_count(&self) -> String {
        let verb = if self.minimum == self.maximum { "must be" } else { "must be at most" };
        format!("{verb} {}", self.maximum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_counts_fail_by_name() {
        let mut checks = ResourceCounts::default();
        checks.expect_exact_count("rows", 5, 5);
        checks.verify_counts().unwrap();
        checks.expect_max_count("allocations", 4, 5);
        checks.verify_counts().unwrap();
        checks.expect_max_count("allocations", 6, 5);
        checks.expect_exact_count("bytes", 5, 6);
        let error = checks.verify_counts().unwrap_err().to_string();
        assert!(error.contains("bytes: 5, must be 6") && !error.contains("rows"), "{error}");
        assert!(error.contains("allocations: 6, must be at most 5") && !error.contains(": 4"), "{error}");
    }
}
