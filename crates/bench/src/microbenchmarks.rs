//! Runs Criterion microbenchmarks of SQL templates, session snapshots, CSV encoding, signatures and policies.

use clew_devtools::command::Command;
use clew_devtools::progress::{self, Step};
use clew_devtools::workspace;

use crate::error::BenchError;

pub(super) const MICROBENCHMARK_FILTER: &str = "micro";

/// With a measurement time of three seconds, Criterion produces stable medians.
const CRITERION_OPTIONS: [&str; 5] = ["--bench", "--warm-up-time", "1", "--measurement-time", "3"];

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MicrobenchmarkResult {
    pub(super) name: String,
    pub(super) time: String,
    /// Median throughput with its unit, or an empty string if the benchmark does not measure throughput.
    pub(super) throughput: String,
}

pub(super) async fn run_microbenchmarks() -> Result<Vec<MicrobenchmarkResult>, BenchError> {
    progress::print_heading("Microbenchmarks (criterion)");
    let arguments = ["bench", "--no-run", "--workspace", "--benches"];
    let programs = workspace::build_programs("Building the microbenchmarks", &arguments).await?;
    let mut results = Vec::new();
    for program in programs.iter().filter(|program| program.kind == "bench") {
        let step = Step::start(&program.name);
        let bench = Command::new(&program.path).current_dir(workspace::root_dir()).args(CRITERION_OPTIONS);
        let parsed = parse_criterion_output(&bench.output().await?);
        step.complete_with_result(&format!("{} results", parsed.len()));
        results.extend(parsed);
    }
    Ok(results)
}

/// Parses Criterion's output, including long benchmark names that are on a separate line before the times.
fn parse_criterion_output(output: &str) -> Vec<MicrobenchmarkResult> {
    let mut results: Vec<MicrobenchmarkResult> = Vec::new();
    let mut previous = "";
    for line in output.lines() {
        if let Some((name, time)) = line.split_once("time:") {
            let name = if name.trim().is_empty() { previous.trim() } else { name.trim() };
            results.push(MicrobenchmarkResult {
                name: name.to_owned(),
                time: parse_criterion_median(time),
                throughput: String::new(),
            });
        } else if let (Some((_, throughput)), Some(last)) = (line.split_once("thrpt:"), results.last_mut()) {
            // Criterion prints the change since the previous run on a second `thrpt:` line.
            if last.throughput.is_empty() {
                last.throughput = parse_criterion_median(throughput);
            }
        }
        previous = line;
    }
    results.retain(|result| !result.time.is_empty());
    results
}

/// Returns the median from Criterion's output, such as `1.25 ms` from `[1.20 ms 1.25 ms 1.31 ms]`.
fn parse_criterion_median(values: &str) -> String {
    let words: Vec<&str> = values.trim().trim_matches(['[', ']']).split_whitespace().collect();
    match words.as_slice() {
        [_, _, value, unit, _, _] => format!("{value} {unit}"),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn criterion_output_is_parsed() {
        let output = "Benchmarking template/mix: Warming up\n\
             template/mix            time:   [296.10 µs 297.20 µs 298.90 µs]\n\
             \u{20}                       thrpt:  [290.01 MiB/s 296.11 MiB/s 297.00 MiB/s]\n\
             \u{20}                change:\n\
             \u{20}                       time:   [-1.2% +0.1% +0.9%] (p = 0.80 > 0.05)\n\
             \u{20}                       thrpt:  [-1.2% +0.1% +0.9%]\n\
             signature/verification of a request with five headers\n\
             \u{20}                       time:   [1.2 µs 1.3 µs 1.4 µs]\n";
        let result = |name: &str, time: &str, throughput: &str| MicrobenchmarkResult {
            name: name.to_owned(),
            time: time.to_owned(),
            throughput: throughput.to_owned(),
        };
        let expected = [
            result("template/mix", "297.20 µs", "296.11 MiB/s"),
            result("signature/verification of a request with five headers", "1.3 µs", ""),
        ];
        assert_eq!(parse_criterion_output(output), expected);
    }
}
