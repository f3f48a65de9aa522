//! What criterion measures in this workspace: lexer, join, CSV, signatures, policies.

use crate::command::Command;
use crate::error::XtaskError;
use crate::steps::{self, Step};
use crate::workspace;

/// What `--only` takes for them.
pub(super) const NAME: &str = "micro";

/// Long enough for a median that stays.
const OPTIONS: [&str; 5] = ["--bench", "--warm-up-time", "1", "--measurement-time", "3"];

/// One benchmark, as criterion tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Micro {
    pub(super) name: String,
    /// The median.
    pub(super) time: String,
    /// The median, where one is told.
    pub(super) throughput: String,
}

/// Runs every benchmark of the workspace, one program after the other.
pub(super) async fn measure() -> Result<Vec<Micro>, XtaskError> {
    steps::heading("Criterion");
    let arguments = ["bench", "--no-run", "--workspace", "--benches"];
    let programs = workspace::build("Building the benchmarks", &arguments).await?;
    let mut measured = Vec::new();
    for program in programs.iter().filter(|program| program.kind == "bench") {
        let step = Step::start(&program.name);
        let bench = Command::new(&program.path).in_folder(workspace::root()).args(OPTIONS);
        let found = parse(&bench.answer().await?);
        step.done_with(&format!("{} figures", found.len()));
        measured.extend(found);
    }
    Ok(measured)
}

/// Criterion's lines. A long name stands on a line of its own.
fn parse(answer: &str) -> Vec<Micro> {
    let mut measured: Vec<Micro> = Vec::new();
    let mut before = "";
    for line in answer.lines() {
        if let Some((name, time)) = line.split_once("time:") {
            let name = if name.trim().is_empty() { before.trim() } else { name.trim() };
            measured.push(Micro { name: name.to_owned(), time: median(time), throughput: String::new() });
        } else if let (Some((_, throughput)), Some(last)) = (line.split_once("thrpt:"), measured.last_mut()) {
            // What changed since a run before stands further below, without a unit.
            if last.throughput.is_empty() {
                last.throughput = median(throughput);
            }
        }
        before = line;
    }
    measured.retain(|micro| !micro.time.is_empty());
    measured
}

/// The second of three figures, such as `[1.20 ms 1.25 ms 1.31 ms]`; nothing where they have no units.
fn median(figures: &str) -> String {
    let words: Vec<&str> = figures.trim().trim_matches(['[', ']']).split_whitespace().collect();
    match words.as_slice() {
        [_, _, figure, unit, _, _] => format!("{figure} {unit}"),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn criterion_is_understood() {
        let answer = "Benchmarking template/mix: Warming up\n\
             template/mix            time:   [296.10 µs 297.20 µs 298.90 µs]\n\
             \u{20}                       thrpt:  [290.01 MiB/s 296.11 MiB/s 297.00 MiB/s]\n\
             \u{20}                change:\n\
             \u{20}                       time:   [-1.2% +0.1% +0.9%] (p = 0.80 > 0.05)\n\
             \u{20}                       thrpt:  [-1.2% +0.1% +0.9%]\n\
             signature/of a status question with five headers\n\
             \u{20}                       time:   [1.2 µs 1.3 µs 1.4 µs]\n";
        let micro = |name: &str, time: &str, throughput: &str| Micro {
            name: name.to_owned(),
            time: time.to_owned(),
            throughput: throughput.to_owned(),
        };
        let expected = [
            micro("template/mix", "297.20 µs", "296.11 MiB/s"),
            micro("signature/of a status question with five headers", "1.3 µs", ""),
        ];
        assert_eq!(parse(answer), expected);
    }
}
