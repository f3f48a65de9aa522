//! The kernel signals a server process when the thread that spawned it exits (`PR_SET_PDEATHSIG`).

use std::io;
use std::path::Path;
use std::process::{Child, Command};

use rustix::process::{Pid, Signal, kill_process};

/// Dropping the value kills the process.
#[derive(Debug)]
pub(crate) struct Process(Child);

impl Process {
    pub(crate) fn new(child: Child) -> Self {
        Self(child)
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    pub(crate) fn has_exited(&mut self) -> io::Result<bool> {
        self.0.try_wait().map(|ended| ended.is_some())
    }

    /// The kernel still accepts TCP connections for a process paused with SIGSTOP.
    pub(crate) fn pause(&self) -> io::Result<()> {
        self.send_signal(Signal::STOP)
    }

    pub(crate) fn resume(&self) -> io::Result<()> {
        self.send_signal(Signal::CONT)
    }

    pub(crate) fn kill(&mut self) -> io::Result<()> {
        self.0.kill()?;
        self.0.wait().map(|_| ())
    }

    pub(crate) fn stop_with_sigquit(&mut self) -> io::Result<()> {
        self.stop_with_signal(Signal::QUIT)
    }

    pub(crate) fn stop_with_sigint(&mut self) -> io::Result<()> {
        self.stop_with_signal(Signal::INT)
    }

    pub(crate) fn child_pids(&self) -> io::Result<Vec<Pid>> {
        let id = self.0.id();
        let listed = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children"))?;
        Ok(listed.split_whitespace().filter_map(|child| child.parse().ok().and_then(Pid::from_raw)).collect())
    }

    pub(crate) fn stop_with_sigterm(&mut self) -> io::Result<()> {
        self.stop_with_signal(Signal::TERM)
    }

    fn stop_with_signal(&mut self, signal: Signal) -> io::Result<()> {
        if !self.has_exited()? {
            self.send_signal(signal)?;
        }
        self.0.wait().map(|_| ())
    }

    fn send_signal(&self, signal: Signal) -> io::Result<()> {
        let pid = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.ok_or_else(|| io::Error::other("the server has no process id"))?, signal)?;
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}

/// The kernel sends SIGKILL to the process when the thread that spawned it exits.
pub(crate) fn build_command_with_sigkill_on_parent_exit(program: &Path) -> Command {
    build_command_with_parent_death_signal("KILL", program)
}

/// The kernel sends SIGTERM to the process when the thread that spawned it exits.
/// SIGTERM, unlike SIGKILL, lets the process stop its own child processes before it exits.
pub(crate) fn build_command_with_sigterm_on_parent_exit(program: &Path) -> Command {
    build_command_with_parent_death_signal("TERM", program)
}

fn build_command_with_parent_death_signal(signal: &str, program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", signal, "--"]).arg(program);
    command
}
