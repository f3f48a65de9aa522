//! What a task tells while it works: a line per step, with the seconds that it takes. Drawn on a terminal, plain lines otherwise.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anstyle::{AnsiColor, Style};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::error::XtaskError;

/// A step that is under way. Dropped before [`Step::done`], it is said to have failed.
#[derive(Debug)]
pub(crate) struct Step {
    name: String,
    started: Instant,
    bar: ProgressBar,
    ended: AtomicBool,
}

impl Step {
    pub(crate) fn start(name: impl Into<String>) -> Self {
        let name = name.into();
        let bar =
            if drawn() { spinner(&name) } else { ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden()) };
        if !drawn() {
            say(&format!("{name} …"));
        }
        Self { name, started: Instant::now(), bar, ended: AtomicBool::new(false) }
    }

    /// What is going on inside, for example the last line of a program.
    pub(crate) fn detail(&self, text: &str) {
        self.bar.set_message(text.to_owned());
    }

    /// A line that stays.
    pub(crate) fn note(&self, text: &str) {
        self.bar.suspend(|| say(&format!("  {text}")));
    }

    pub(crate) fn done(self) {
        self.end("ok", AnsiColor::Green, "");
    }

    /// Done; `what` came of it.
    pub(crate) fn done_with(self, what: &str) {
        self.end("ok", AnsiColor::Green, &format!(": {what}"));
    }

    fn end(&self, mark: &str, colour: AnsiColor, what: &str) {
        if self.ended.swap(true, Ordering::Relaxed) {
            return;
        }
        self.bar.finish_and_clear();
        let style = if coloured() { Style::new().fg_color(Some(colour.into())).bold() } else { Style::new() };
        say(&format!("{style}{mark}{style:#}  {}{what} ({})", self.name, seconds(self.started.elapsed())));
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        self.end("--", AnsiColor::Red, ": not done");
    }
}

fn spinner(name: &str) -> ProgressBar {
    let bar = ProgressBar::new_spinner().with_prefix(name.to_owned());
    // The template is a constant that the tests read; without it the bar draws itself in its own way.
    if let Ok(style) = ProgressStyle::with_template(SPINNER) {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

const SPINNER: &str = "{spinner}   {prefix} {elapsed} {wide_msg:.dim}";

fn seconds(elapsed: Duration) -> String {
    format!("{:.1} s", elapsed.as_secs_f64())
}

/// A line on the terminal. Where nobody reads it any more, the work goes on.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// A heading between parts of a task.
pub(crate) fn heading(text: &str) {
    let style = if coloured() { Style::new().bold() } else { Style::new() };
    say(&format!("\n{style}{text}{style:#}"));
}

/// An error, at the end.
pub(crate) fn complain(error: &XtaskError) {
    let style = if coloured() { Style::new().fg_color(Some(AnsiColor::Red.into())).bold() } else { Style::new() };
    say(&format!("{style}error{style:#}: {error}"));
}

fn drawn() -> bool {
    std::io::stderr().is_terminal()
}

fn coloured() -> bool {
    drawn() && std::env::var_os("NO_COLOR").is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_can_be_read() {
        ProgressStyle::with_template(SPINNER).unwrap();
    }
}
