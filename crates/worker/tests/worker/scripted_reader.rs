//! Reader that follows a script per host.

use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use clew_model::{Failure, NodeUrl, SessionSelection};
use clew_worker::{NodeReader, ReadFuture, SessionRows};
use tokio::sync::Semaphore;

/// Behavior of the reads of a host.
#[derive(Clone)]
pub(crate) enum Script {
    /// Returns the rows immediately.
    Rows(Vec<&'static str>),
    /// Waits for a permit, then returns one row.
    Gate(Arc<Semaphore>),
    /// Never completes.
    Hang,
    /// Never completes, and is always ready to be polled.
    Busy,
    /// Fails.
    Fail(Failure),
    /// Panics while reading.
    PanicReading,
    /// Panics while the rows are written.
    PanicWriting,
    /// Writes half a row, then fails with the given `errno`.
    FailWriting(i32),
    /// Blocks until released, writes the given number of bytes, and reports the outcome.
    BlockWriting(BlockedWrite, usize),
}

/// Handle of a blocked write. Dropping it, as in a failing test, ends the write.
pub(crate) struct HeldWrite {
    release: Sender<()>,
    outcome: Receiver<io::Result<()>>,
    write: BlockedWrite,
}

/// Writer's side of a blocked write.
#[derive(Clone)]
pub(crate) struct BlockedWrite(Arc<Mutex<Option<WriterEnd>>>);

type WriterEnd = (Receiver<()>, Sender<io::Result<()>>);

impl HeldWrite {
    pub(crate) fn new() -> Self {
        let (release, released) = channel();
        let (report, outcome) = channel();
        Self { release, outcome, write: BlockedWrite(Arc::new(Mutex::new(Some((released, report))))) }
    }

    /// Script of a read whose write is blocked: one row of `bytes` bytes.
    pub(crate) fn script(&self, bytes: usize) -> Script {
        Script::BlockWriting(self.write.clone(), bytes)
    }

    /// Returns true once a writer is blocked.
    pub(crate) fn is_waiting(&self) -> bool {
        self.write.0.lock().unwrap().is_none()
    }

    /// Releases the write.
    pub(crate) fn release(&self) {
        self.release.send(()).unwrap();
    }

    /// Waits for the outcome of the write. Blocks.
    pub(crate) fn outcome(&self) -> io::Result<()> {
        self.outcome.recv().unwrap()
    }
}

impl BlockedWrite {
    fn write(&self, bytes: usize, out: &mut dyn Write) -> io::Result<()> {
        let (released, report) = self.0.lock().unwrap().take().unwrap();
        released.recv().map_err(io::Error::other)?;
        let written = out.write_all(&vec![b'x'; bytes]);
        let outcome = written.as_ref().map_err(|error| io::Error::other(error.to_string())).copied();
        report.send(outcome).unwrap();
        written
    }
}

/// Statistics of the reads of a host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ReadStats {
    pub(crate) started: usize,
    pub(crate) running: usize,
    pub(crate) max_concurrent: usize,
    pub(crate) selections: Vec<SessionSelection>,
    pub(crate) masked: Vec<bool>,
}

#[derive(Default)]
pub(crate) struct ScriptedReader {
    scripts: Mutex<HashMap<String, Script>>,
    stats: Arc<Mutex<HashMap<String, ReadStats>>>,
}

impl ScriptedReader {
    pub(crate) fn new(scripts: impl IntoIterator<Item = (&'static str, Script)>) -> Arc<Self> {
        let scripts = scripts.into_iter().map(|(host, script)| (host.to_owned(), script)).collect();
        Arc::new(Self { scripts: Mutex::new(scripts), stats: Arc::default() })
    }

    /// Replaces the script of a host.
    pub(crate) fn set_script(&self, host: &str, script: Script) {
        self.scripts.lock().unwrap().insert(host.to_owned(), script);
    }

    /// Maximum number of concurrent reads, over all hosts.
    pub(crate) fn max_concurrent(&self) -> usize {
        self.stats(ALL).max_concurrent
    }

    pub(crate) fn stats(&self, host: &str) -> ReadStats {
        self.stats.lock().unwrap().get(host).cloned().unwrap_or_default()
    }
}

/// Key of the statistics over all hosts.
const ALL: &str = "*";

/// Guard that counts a read as running until it is dropped.
struct Running(Arc<Mutex<HashMap<String, ReadStats>>>, String);

impl Running {
    fn start(all: &Arc<Mutex<HashMap<String, ReadStats>>>, host: &str) -> Self {
        let mut stats = all.lock().unwrap();
        let stats = stats.entry(host.to_owned()).or_default();
        stats.started += 1;
        stats.running += 1;
        stats.max_concurrent = stats.max_concurrent.max(stats.running);
        Self(all.clone(), host.to_owned())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_mut(&self.1).unwrap().running -= 1;
    }
}

impl NodeReader for ScriptedReader {
    fn read_sessions<'a>(&'a self, node: &'a NodeUrl, selection: &'a SessionSelection, masked: bool) -> ReadFuture<'a> {
        Box::pin(async move {
            let _running = [ALL, &node.host].map(|host| Running::start(&self.stats, host));
            {
                let mut all = self.stats.lock().unwrap();
                let stats = all.get_mut(&node.host).unwrap();
                stats.selections.push(selection.clone());
                stats.masked.push(masked);
            }
            let script = self.scripts.lock().unwrap()[&node.host].clone();
            match script {
                Script::Rows(rows) => {
                    Ok(SessionRows::new(rows.len() as u64, move |out| out.write_all(rows.concat().as_bytes())))
                }
                Script::Gate(gate) => {
                    gate.acquire().await.unwrap().forget();
                    Ok(SessionRows::new(1, |out| out.write_all(b"1\r\n")))
                }
                Script::Hang => std::future::pending().await,
                Script::Busy => loop {
                    tokio::task::consume_budget().await;
                },
                Script::Fail(failure) => Err(failure),
                Script::PanicReading => panic!("scripted panic during the read"),
                Script::PanicWriting => Ok(SessionRows::new(1, |out| {
                    out.write_all(b"half a row").unwrap();
                    panic!("scripted panic during the write")
                })),
                Script::FailWriting(errno) => Ok(SessionRows::new(1, move |out| {
                    out.write_all(b"half a row")?;
                    Err(io::Error::from_raw_os_error(errno))
                })),
                Script::BlockWriting(held, bytes) => Ok(SessionRows::new(1, move |out| held.write(bytes, out))),
            }
        })
    }
}
