//! Progress on stderr; nothing where stderr is no terminal.

use std::time::Duration;

use indicatif::{HumanBytes, ProgressBar, ProgressStyle};

/// A line that tells how far a collection is. It is gone once this is dropped.
#[derive(Debug)]
pub(super) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    pub(super) fn start() -> Self {
        let bar = ProgressBar::new_spinner();
        // The time goes on by itself: a server may answer only when the collection has ended.
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}, {elapsed}") {
            bar.set_style(style);
        }
        bar.set_message("asking the server");
        bar.enable_steady_tick(Duration::from_millis(100));
        Self { bar }
    }

    pub(super) fn collecting(&self) {
        self.bar.set_message("collecting");
    }

    pub(super) fn downloading(&self, bytes: u64, total: Option<u64>) {
        let total = total.map_or(String::new(), |total| format!(" of {}", HumanBytes(total)));
        self.bar.set_message(format!("downloading, {}{total}", HumanBytes(bytes)));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
