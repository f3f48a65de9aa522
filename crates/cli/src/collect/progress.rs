//! Shows the progress of a collection task on stderr if stderr is a terminal.

use std::time::Duration;

use indicatif::{HumanBytes, ProgressBar, ProgressStyle};

/// Progress line of a collection task. Dropping the value clears the line.
#[derive(Debug)]
pub(super) struct CollectionProgress {
    bar: ProgressBar,
}

impl CollectionProgress {
    pub(super) fn start() -> Self {
        let bar = ProgressBar::new_spinner();
        // A timer updates the elapsed time, because a long poll may not return until the collection completes.
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}, {elapsed}") {
            bar.set_style(style);
        }
        bar.set_message("requesting a collection");
        bar.enable_steady_tick(Duration::from_millis(100));
        Self { bar }
    }

    pub(super) fn show_collecting_message(&self) {
        self.bar.set_message("collecting");
    }

    pub(super) fn show_download_progress(&self, bytes: u64, total: Option<u64>) {
        let total = total.map_or(String::new(), |total| format!(" of {}", HumanBytes(total)));
        self.bar.set_message(format!("downloading, {}{total}", HumanBytes(bytes)));
    }
}

impl Drop for CollectionProgress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
