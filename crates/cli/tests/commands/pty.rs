//! Runs `clew` in a pseudo-terminal.

use std::fs::File;
use std::io::{Read, Write};
use std::process::Stdio;
use std::time::Duration;

use rustix::fs::{Mode, OFlags, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use tokio::process::Child;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::run::{CommandOutput, clew};

/// Timeout of a command.
const TIMEOUT: Duration = Duration::from_mins(1);

/// Opens a pseudo-terminal. Returns the controlling end and the end for a process.
pub(crate) fn pseudo_terminal() -> (File, File) {
    let near = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&near).unwrap();
    unlockpt(&near).unwrap();
    let name = ptsname(&near, Vec::new()).unwrap();
    let far = open(name.as_c_str(), OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
    (near.into(), far.into())
}

/// A `clew` process whose stdin and stderr are a pseudo-terminal. Its stdout is a pipe.
pub(crate) struct TerminalSession {
    keyboard: File,
    screen: UnboundedReceiver<Vec<u8>>,
    seen: String,
    process: Child,
}

impl TerminalSession {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let (keyboard, far) = pseudo_terminal();
        let mut command = clew(arguments);
        command.env("CLEW_DB_PASSWORD", "");
        command.stdin(Stdio::from(far.try_clone().unwrap())).stderr(Stdio::from(far)).stdout(Stdio::piped());
        let process = command.spawn().unwrap();
        // Dropping the command closes the process end of the terminal in this process.
        drop(command);
        let mut lines = keyboard.try_clone().unwrap();
        let (show, screen) = unbounded_channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 1024];
            // The read fails when the process end is closed.
            while let Ok(count @ 1..) = lines.read(&mut buffer) {
                if show.send(buffer[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self { keyboard, screen, seen: String::new(), process }
    }

    /// Waits for a text on the terminal. Returns all text received so far.
    pub(crate) async fn wait_for(mut self, words: &str) -> (String, Self) {
        while !self.seen.contains(words) {
            let more = tokio::time::timeout(TIMEOUT, self.screen.recv()).await.unwrap();
            let more = more.unwrap_or_else(|| panic!("the process exited after {:?}", self.seen));
            self.seen.push_str(&String::from_utf8_lossy(&more));
        }
        (self.seen.clone(), self)
    }

    /// Types a text, and waits for the process to exit.
    pub(crate) async fn type_and_exit(mut self, text: &str) -> CommandOutput {
        self.keyboard.write_all(text.as_bytes()).unwrap();
        let output = tokio::time::timeout(TIMEOUT, self.process.wait_with_output()).await.unwrap().unwrap();
        while let Some(more) = self.screen.recv().await {
            self.seen.push_str(&String::from_utf8_lossy(&more));
        }
        CommandOutput {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: self.seen,
        }
    }
}
