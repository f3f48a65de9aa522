//! Shows the progress of a collection task on stderr if stderr is a terminal.

use indicatif::{HumanBytes, ProgressBar};

use crate::output::new_progress_spinner;

/// Progress line of a collection task. Dropping the value clears the line.
#[derive(Debug)]
pub(super) struct CollectionProgress {
    bar: ProgressBar,
}

impl CollectionProgress {
    pub(super) fn start() -> Self {
        let bar = new_progress_spinner();
        bar.set_message("requesting a collection");
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
