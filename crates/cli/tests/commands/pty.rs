//! `clew` at a terminal, with somebody who reads and types.

use std::fs::File;
use std::io::{Read, Write};
use std::process::Stdio;
use std::time::Duration;

use rustix::fs::{Mode, OFlags, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use tokio::process::Child;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::run::{Ended, clew};

/// Longer than any command takes.
const HANGS: Duration = Duration::from_mins(1);

/// A terminal: the end of the person at it, and the end that a process gets.
pub(crate) fn pseudo_terminal() -> (File, File) {
    let near = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&near).unwrap();
    unlockpt(&near).unwrap();
    let name = ptsname(&near, Vec::new()).unwrap();
    let far = open(name.as_c_str(), OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
    (near.into(), far.into())
}

/// Somebody at a terminal that `clew` reads from and writes its messages to. Its output proper goes into a pipe.
pub(crate) struct Typist {
    keyboard: File,
    screen: UnboundedReceiver<Vec<u8>>,
    seen: String,
    process: Child,
}

impl Typist {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let (keyboard, far) = pseudo_terminal();
        let mut command = clew(arguments);
        command.env("CLEW_DB_PASSWORD", "");
        command.stdin(Stdio::from(far.try_clone().unwrap())).stderr(Stdio::from(far)).stdout(Stdio::piped());
        let process = command.spawn().unwrap();
        // The command keeps the far end open, and with it the screen.
        drop(command);
        let mut lines = keyboard.try_clone().unwrap();
        let (show, screen) = unbounded_channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 1024];
            // Fails once the far end is closed.
            while let Ok(count @ 1..) = lines.read(&mut buffer) {
                if show.send(buffer[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self { keyboard, screen, seen: String::new(), process }
    }

    /// Waits for these words, and returns everything that came up to them.
    pub(crate) async fn sees(mut self, words: &str) -> (String, Self) {
        while !self.seen.contains(words) {
            let more = tokio::time::timeout(HANGS, self.screen.recv()).await.unwrap();
            let more = more.unwrap_or_else(|| panic!("it ended after {:?}", self.seen));
            self.seen.push_str(&String::from_utf8_lossy(&more));
        }
        (self.seen.clone(), self)
    }

    /// Types, and waits for the end.
    pub(crate) async fn types(mut self, text: &str) -> Ended {
        self.keyboard.write_all(text.as_bytes()).unwrap();
        let output = tokio::time::timeout(HANGS, self.process.wait_with_output()).await.unwrap().unwrap();
        while let Some(more) = self.screen.recv().await {
            self.seen.push_str(&String::from_utf8_lossy(&more));
        }
        Ended { code: output.status.code(), stdout: String::from_utf8(output.stdout).unwrap(), stderr: self.seen }
    }
}
