//! Benchmark report as a Markdown page.

use std::fmt::Write;
use std::path::PathBuf;

use clew_devtools::DevtoolsError;
use clew_devtools::command::Command;
use clew_devtools::workspace;

use crate::benchmark_case::{Comparison, MedianTarget};
use crate::error::BenchError;
use crate::microbenchmarks::MicrobenchmarkResult;
use crate::paired_runs::{Measurement, format_median_and_range};

/// `missing` lists the benchmark cases that could not be measured.
pub(super) fn render_report(
    environment: &str,
    measurements: &[Measurement],
    micro: &[MicrobenchmarkResult],
    missing: &[&str],
) -> String {
    let mut page = format!(
        "# Benchmark results\n\n{environment}\nEach pair of benchmark runs compares Clew with a baseline program. \
         The program that runs first alternates from pair to pair. \
         Values are medians with minimum and maximum. The target applies to the median of the pairs.\n\n\
         | case | metric | baseline | target | median of pairs | pairs | Clew | baseline value | target met |\n\
         |---|---|---|---|---|---|---|---|---|\n"
    );
    for measurement in measurements {
        page.push_str(&render_measurement_row(measurement));
    }
    let notes =
        measurements.iter().flat_map(|measurement| measurement.notes.iter().map(|note| (measurement.case.name, note)));
    for (at, (name, note)) in notes.enumerate() {
        let _ = writeln!(page, "{}- {name}: {note}", if at == 0 { "\n" } else { "" });
    }
    if !missing.is_empty() {
        let _ = writeln!(page, "\nNot measured because of an error: {}", missing.join(", "));
    }
    if !micro.is_empty() {
        page.push_str("\n| criterion, median | time | throughput |\n|---|---|---|\n");
    }
    for MicrobenchmarkResult { name, time, throughput } in micro {
        let _ = writeln!(page, "| {name} | {time} | {throughput} |");
    }
    page
}

fn render_measurement_row(measurement: &Measurement) -> String {
    let case = &measurement.case;
    let unit = match case.comparison {
        Comparison::Ratio | Comparison::Speedup => " x".to_owned(),
        Comparison::Difference | Comparison::Absolute => format!(" {}", case.unit),
        Comparison::PercentDecrease => " %".to_owned(),
    };
    let target = match case.target {
        MedianTarget::AtMost(maximum) => format!("≤ {maximum}{unit}"),
        MedianTarget::AtLeast(minimum) => format!("≥ {minimum}{unit}"),
    };
    let is_met = if measurement.median_meets_target() { "yes" } else { "no" };
    format!(
        "| {} | {} | {} | {target} | {}{unit} | {} | {} {} | {} {} | {is_met} |\n",
        case.name,
        case.metric,
        case.baseline,
        measurement.format_summary(),
        measurement.compare_each_pair().len(),
        format_median_and_range(&measurement.clew),
        case.unit,
        format_median_and_range(&measurement.baseline),
        case.unit,
    )
}

pub(super) async fn save_report(page: &str) -> Result<PathBuf, BenchError> {
    let date = Command::new("date").args(["-u", "+%Y-%m-%d"]).output().await?;
    let directory = workspace::root_dir().join("bench").join("results");
    let path = directory.join(format!("{}.md", date.trim()));
    std::fs::create_dir_all(&directory)
        .and_then(|()| std::fs::write(&path, page))
        .map_err(DevtoolsError::file_error("write", &path))?;
    Ok(path)
}
