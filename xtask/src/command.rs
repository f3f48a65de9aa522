//! Programs that tasks run: loudly, with the terminal to themselves, or quietly, with their last line beside the step.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::process::Child;
use tokio::sync::mpsc;

use crate::error::XtaskError;
use crate::processes;
use crate::steps::Step;

/// A program, its arguments and its surroundings.
#[derive(Debug, Clone)]
pub(crate) struct Command {
    program: OsString,
    arguments: Vec<OsString>,
    variables: Vec<(OsString, Option<OsString>)>,
    folder: Option<PathBuf>,
}

/// Lines of output that are shown of a program that failed.
const LAST_LINES: usize = 40;
/// Before a download is tried again.
const PAUSE: Duration = if cfg!(test) { Duration::from_millis(1) } else { Duration::from_secs(3) };

impl Command {
    pub(crate) fn new(program: impl Into<OsString>) -> Self {
        Self { program: program.into(), arguments: Vec::new(), variables: Vec::new(), folder: None }
    }

    pub(crate) fn args<A: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    pub(crate) fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.variables.push((name.into(), Some(value.into())));
        self
    }

    pub(crate) fn envs<const N: usize>(self, variables: [(&str, &str); N]) -> Self {
        variables.into_iter().fold(self, |command, (name, value)| command.env(name, value))
    }

    pub(crate) fn without_env(mut self, name: impl Into<OsString>) -> Self {
        self.variables.push((name.into(), None));
        self
    }

    pub(crate) fn in_folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// As it would be typed, without the variables: they may hold secrets.
    pub(crate) fn shown(&self) -> String {
        let mut words = vec![word(&self.program)];
        words.extend(self.arguments.iter().map(|argument| word(argument)));
        words.join(" ")
    }

    /// Runs with the terminal to itself. Fails if the program does.
    pub(crate) async fn run(&self) -> Result<(), XtaskError> {
        let status = self.prepared().status().await.map_err(|cause| self.not_started(cause))?;
        if status.success() { Ok(()) } else { Err(XtaskError::Failed { command: self.shown(), status }) }
    }

    /// Runs with its last line beside `step`, for at most `limit`. Fails with the last lines if the program does.
    pub(crate) async fn run_in(&self, step: &Step, limit: Duration) -> Result<(), XtaskError> {
        let mut child = self.piped()?;
        let mut last_lines = LastLines::default();
        let ended = tokio::time::timeout(limit, follow(&mut child, step, &mut last_lines)).await;
        step.detail("");
        match ended {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => {
                Err(XtaskError::FailedQuietly { command: self.shown(), status, output: last_lines.shown() })
            }
            Ok(Err(cause)) => Err(self.not_started(cause)),
            Err(_) => {
                // Nothing can be done about a program that cannot even be killed.
                let _ = child.kill().await;
                Err(XtaskError::TooLong { command: self.shown(), limit, output: last_lines.shown() })
            }
        }
    }

    /// Downloads fail now and then for reasons that pass: up to three tries.
    pub(crate) async fn retry_in(&self, step: &Step, limit: Duration) -> Result<(), XtaskError> {
        const TRIES: u32 = 3;
        for attempt in 1..TRIES {
            match self.run_in(step, limit).await {
                Ok(()) => return Ok(()),
                Err(error @ XtaskError::Start { .. }) => return Err(error),
                Err(error) => step.note(&format!("try {attempt} of {TRIES} failed: {error}")),
            }
            tokio::time::sleep(PAUSE).await;
        }
        self.run_in(step, limit).await
    }

    /// What it writes on stdout; its stderr goes to the terminal. Fails if the program does.
    pub(crate) async fn answer(&self) -> Result<String, XtaskError> {
        // Not `output()`: that keeps stderr to itself, whatever it was told.
        let child = self.prepared().stdout(Stdio::piped()).spawn().map_err(|cause| self.not_started(cause))?;
        let output = child.wait_with_output().await.map_err(|cause| self.not_started(cause))?;
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        } else {
            Err(XtaskError::Failed { command: self.shown(), status: output.status })
        }
    }

    /// Runs with stdout to a file, and says how long that took, from start to end. Fails if the program does.
    pub(crate) async fn time_to_file(&self, output: &Path) -> Result<Duration, XtaskError> {
        let file = File::create(output).map_err(|cause| XtaskError::File {
            doing: "create",
            path: output.to_owned(),
            cause,
        })?;
        let mut command = self.prepared();
        command.stdout(file);
        let start = Instant::now();
        let status = command.status().await.map_err(|cause| self.not_started(cause))?;
        let took = start.elapsed();
        if status.success() { Ok(took) } else { Err(XtaskError::Failed { command: self.shown(), status }) }
    }

    /// What it writes on stdout, and the most memory that it had by then, in KiB: looked at after each piece, so that what is not
    /// seen is only what it did after the last. Fails if the program does.
    pub(crate) async fn answer_and_peak(&self) -> Result<(Vec<u8>, u64), XtaskError> {
        let failed = |cause| self.not_started(cause);
        let mut child = self.prepared().stdout(Stdio::piped()).spawn().map_err(failed)?;
        let (pid, stdout) = (child.id(), child.stdout.take());
        let (mut answer, mut peak) = (Vec::new(), 0);
        if let Some(mut stdout) = stdout {
            while stdout.read_buf(&mut answer).await.map_err(failed)? > 0 {
                peak = pid.and_then(processes::peak_kib).unwrap_or(0).max(peak);
            }
        }
        let status = child.wait().await.map_err(failed)?;
        if status.success() { Ok((answer, peak)) } else { Err(XtaskError::Failed { command: self.shown(), status }) }
    }

    /// Reads its answer as JSON.
    pub(crate) fn answer_as<T: DeserializeOwned>(&self, answer: &str) -> Result<T, XtaskError> {
        serde_json::from_str(answer).map_err(|cause| XtaskError::Answer {
            command: self.shown(),
            cause: cause.to_string(),
            // The answer may hold secrets, so it is not shown.
            answer: String::new(),
        })
    }

    /// What it writes on stdout, if it runs and ends well. Says nothing either way.
    pub(crate) async fn answer_if_it_works(&self) -> Option<String> {
        let output = self.prepared().stderr(Stdio::null()).output().await.ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Starts it with stdout to be read by the caller and stderr in `log`. It ends when the child is dropped, and with this
    /// process; Ctrl-C on the terminal does not reach it, so that it can be stopped in order.
    pub(crate) fn start(&self, log: File) -> Result<Child, XtaskError> {
        let tied = Self { program: "setpriv".into(), arguments: Vec::new(), ..self.clone() }
            .args(["--pdeathsig", "TERM", "--"])
            .args([&self.program])
            .args(&self.arguments);
        let mut command = tied.prepared();
        command.process_group(0).stdout(Stdio::piped()).stderr(log);
        command.spawn().map_err(|cause| self.not_started(cause))
    }

    fn piped(&self) -> Result<Child, XtaskError> {
        self.prepared().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(|cause| self.not_started(cause))
    }

    fn prepared(&self) -> tokio::process::Command {
        let mut command = tokio::process::Command::new(&self.program);
        command.args(&self.arguments).stdin(Stdio::null()).kill_on_drop(true);
        for (name, value) in &self.variables {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        command
    }

    fn not_started(&self, cause: std::io::Error) -> XtaskError {
        XtaskError::Start { command: self.shown(), cause }
    }
}

/// A word as a shell takes it.
fn word(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./=:,+@%".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        word.into_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// The end of a program's output.
#[derive(Debug, Default)]
struct LastLines(VecDeque<String>);

impl LastLines {
    fn push(&mut self, line: String) {
        if self.0.len() == LAST_LINES {
            self.0.pop_front();
        }
        self.0.push_back(line);
    }

    fn shown(&self) -> String {
        self.0.iter().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
    }
}

/// Reads both outputs until they end, then the exit status.
async fn follow(child: &mut Child, step: &Step, last_lines: &mut LastLines) -> std::io::Result<ExitStatus> {
    let (lines, mut read) = mpsc::channel(64);
    if let Some(stdout) = child.stdout.take() {
        tokio::spawn(send_lines(stdout, lines.clone()));
    }
    if let Some(stderr) = child.stderr.take() {
        tokio::spawn(send_lines(stderr, lines));
    }
    while let Some(line) = read.recv().await {
        step.detail(&line);
        last_lines.push(line);
    }
    child.wait().await
}

async fn send_lines(output: impl AsyncRead + Unpin, lines: mpsc::Sender<String>) {
    let mut output = BufReader::new(output);
    let mut line = Vec::new();
    while output.read_until(b'\n', &mut line).await.is_ok_and(|read| read > 0) {
        let text = String::from_utf8_lossy(&line);
        // A program that redraws its line ends it with CR; what counts is the last drawing.
        let shown = text.trim_end().rsplit('\r').next().unwrap_or_default().to_owned();
        line.clear();
        if !shown.is_empty() && lines.send(shown).await.is_err() {
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        Command::new("sh").args(["-c", script])
    }

    #[test]
    fn a_command_is_shown_as_it_would_be_typed() {
        assert_eq!(shell("echo 'a b'; exit").shown(), r"sh -c 'echo '\''a b'\''; exit'");
        assert_eq!(Command::new("cargo").args(["build", ""]).env("SECRET", "x").shown(), "cargo build ''");
    }

    #[tokio::test]
    async fn a_failure_shows_the_last_words_of_both_outputs() {
        let step = Step::start("failing");
        let error = shell("echo to stdout; echo to stderr >&2; exit 3").run_in(&step, Duration::from_mins(1)).await;
        let shown = error.unwrap_err().to_string();
        assert!(
            shown.contains("to stdout") && shown.contains("to stderr") && shown.contains("exit status: 3"),
            "{shown}"
        );
    }

    #[tokio::test]
    async fn only_the_last_lines_are_kept() {
        let step = Step::start("chattering");
        let error = shell("seq 1000; exit 1").run_in(&step, Duration::from_mins(1)).await.unwrap_err().to_string();
        assert!(error.contains(" 1000") && error.contains(" 961") && !error.contains(" 960"), "{error}");
    }

    #[tokio::test]
    async fn a_program_that_takes_too_long_is_ended() {
        let step = Step::start("hanging");
        let error = shell("echo begun; exec sleep 600").run_in(&step, Duration::from_secs(2)).await.unwrap_err();
        assert!(matches!(&error, XtaskError::TooLong { output, .. } if output.contains("begun")), "{error}");
    }

    #[tokio::test]
    async fn a_download_that_fails_twice_is_tried_a_third_time() {
        let folder = tempfile::tempdir().unwrap();
        let step = Step::start("trying");
        let third = shell("echo x >> tries; test $(wc -l < tries) -eq 3").in_folder(folder.path());
        third.retry_in(&step, Duration::from_mins(1)).await.unwrap();
        let never = shell("echo x >> never; false").in_folder(folder.path());
        never.retry_in(&step, Duration::from_mins(1)).await.unwrap_err();
        assert_eq!(std::fs::read_to_string(folder.path().join("never")).unwrap().lines().count(), 3);
    }

    #[tokio::test]
    async fn a_program_that_does_not_exist_is_named() {
        let error = Command::new("no-such-program").run().await.unwrap_err().to_string();
        assert!(error.starts_with("could not start `no-such-program`"), "{error}");
    }
}
