//! Criterion microbenchmarks of the workspace: lexer, join, CSV, signatures, policies.

use crate::command::Command;
use crate::error::XtaskError;
use crate::progress::{self, Step};
use crate::workspace;

/// Name of all microbenchmarks for `--only`.
pub(super) const NAME: &str = "micro";

/// Criterion options. The measurement time is sufficient for a stable median.
const OPTIONS: [&str; 5] = ["--bench", "--warm-up-time", "1", "--measurement-time", "3"];

/// Result of a benchmark in criterion's output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MicroResult {
    pub(super) name: String,
    /// Median time.
    pub(super) time: String,
    /// Median throughput; empty if the benchmark does not define one.
    pub(super) throughput: String,
}

/// Runs all microbenchmarks of the workspace, one program after the other.
pub(super) async fn measure() -> Result<Vec<MicroResult>, XtaskError> {
    progress::heading("Microbenchmarks (criterion)");
    let arguments = ["bench", "--no-run", "--workspace", "--benches"];
    let programs = workspace::build("Building the microbenchmarks", &arguments).await?;
    let mut results = Vec::new();
    for program in programs.iter().filter(|program| program.kind == "bench") {
        let step = Step::start(&program.name);
        let bench = Command::new(&program.path).current_dir(workspace::root()).args(OPTIONS);
        let parsed = parse(&bench.output().await?);
        step.done_with(&format!("{} results", parsed.len()));
        results.extend(parsed);
    }
    Ok(results)
}

/// Parses criterion's output. A long name has its own line before the times.
fn parse(output: &str) -> Vec<MicroResult> {
    let mut results: Vec<MicroResult> = Vec::new();
    let mut previous = "";
    for line in output.lines() {
        if let Some((name, time)) = line.split_once("time:") {
            let name = if name.trim().is_empty() { previous.trim() } else { name.trim() };
            results.push(MicroResult { name: name.to_owned(), time: median(time), throughput: String::new() });
        } else if let (Some((_, throughput)), Some(last)) = (line.split_once("thrpt:"), results.last_mut()) {
            // A second line contains the change since the previous run, in percent.
            if last.throughput.is_empty() {
                last.throughput = median(throughput);
            }
        }
        previous = line;
    }
    results.retain(|result| !result.time.is_empty());
    results
}

/// Returns the second of three values, such as `[1.20 ms 1.25 ms 1.31 ms]`; empty if the values have no units.
fn median(values: &str) -> String {
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
        let result = |name: &str, time: &str, throughput: &str| MicroResult {
            name: name.to_owned(),
            time: time.to_owned(),
            throughput: throughput.to_owned(),
        };
        let expected = [
            result("template/mix", "297.20 µs", "296.11 MiB/s"),
            result("signature/verification of a request with five headers", "1.3 µs", ""),
        ];
        assert_eq!(parse(output), expected);
    }
}
