//! Prints progress to stderr: one line per step, with the duration of the step.
//! Shows a spinner on a terminal, and plain lines if stderr is redirected.

use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anstyle::{AnsiColor, Style};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Step of a development task. Dropping an unfinished step reports the step as failed.
#[derive(Debug)]
pub struct Step {
    name: String,
    started: Instant,
    bar: ProgressBar,
    is_finished: AtomicBool,
}

impl Step {
    /// Starts a step and prints its name.
    pub fn start(name: impl Into<String>) -> Self {
        let name = name.into();
        let bar = if stderr_is_terminal() {
            create_spinner(&name)
        } else {
            ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden())
        };
        if !stderr_is_terminal() {
            print_line(&format!("{name} …"));
        }
        Self { name, started: Instant::now(), bar, is_finished: AtomicBool::new(false) }
    }

    /// Sets the text next to the spinner, for example the last output line of a program.
    pub fn set_spinner_text(&self, text: &str) {
        self.bar.set_message(text.to_owned());
    }

    /// Prints a line above the spinner.
    pub fn print_note(&self, text: &str) {
        self.bar.suspend(|| print_line(&format!("  {text}")));
    }

    /// Finishes the step.
    pub fn complete(self) {
        self.print_step_outcome("ok", AnsiColor::Green, "");
    }

    /// Marks the step as successful and prints its result.
    pub fn complete_with_result(self, result: &str) {
        self.print_step_outcome("ok", AnsiColor::Green, &format!(": {result}"));
    }

    fn print_step_outcome(&self, mark: &str, color: AnsiColor, suffix: &str) {
        if self.is_finished.swap(true, Ordering::Relaxed) {
            return;
        }
        self.bar.finish_and_clear();
        let style = bold_style(Some(color));
        let duration = format_seconds(self.started.elapsed());
        print_line(&format!("{style}{mark}{style:#}  {}{suffix} ({duration})", self.name));
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        self.print_step_outcome("--", AnsiColor::Red, ": failed");
    }
}

fn create_spinner(name: &str) -> ProgressBar {
    let bar = ProgressBar::new_spinner().with_prefix(name.to_owned());
    // A unit test checks that the template is valid.
    if let Ok(style) = ProgressStyle::with_template(SPINNER_TEMPLATE) {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

const SPINNER_TEMPLATE: &str = "{spinner}   {prefix} {elapsed} {wide_msg:.dim}";

fn format_seconds(elapsed: Duration) -> String {
    format!("{:.1} s", elapsed.as_secs_f64())
}

/// Prints a line to stderr. Ignores write errors so that the task continues after its terminal is closed.
pub fn print_line(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Prints a bold heading to stderr.
pub fn print_heading(text: &str) {
    let style = bold_style(None);
    print_line(&format!("\n{style}{text}{style:#}"));
}

/// Prints an error message to stderr.
pub fn print_error(error: &impl Display) {
    let style = bold_style(Some(AnsiColor::Red));
    print_line(&format!("{style}error{style:#}: {error}"));
}

fn stderr_is_terminal() -> bool {
    std::io::stderr().is_terminal()
}

fn bold_style(color: Option<AnsiColor>) -> Style {
    let is_color_enabled = stderr_is_terminal() && std::env::var_os("NO_COLOR").is_none();
    if is_color_enabled { Style::new().fg_color(color.map(Into::into)).bold() } else { Style::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spinner_template_is_valid() {
        ProgressStyle::with_template(SPINNER_TEMPLATE).unwrap();
    }
}
