//! A reader that does what a test tells it, by the host of the node.

use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use clew_model::{Failure, NodeUrl, Selection};
use clew_mysql::Statements;
use clew_tasks::{NodeReader, ReadFuture, Rows};
use tokio::sync::Semaphore;

/// What reading a node does.
#[derive(Clone)]
pub(crate) enum Script {
    /// Gives these rows at once.
    Rows(Vec<&'static str>),
    /// Waits for the gate, then gives one row.
    Gate(Arc<Semaphore>),
    /// Never ends.
    Hang,
    /// Never ends, and always has something to do.
    Busy,
    /// Fails.
    Fail(Failure),
    /// Panics while reading.
    PanicReading,
    /// Panics while the rows are written.
    PanicWriting,
    /// Writes half a row; then the system says this (`errno`).
    FailWriting(i32),
    /// Writes only once it is told to, and then this many bytes. What came of it is sent back.
    HeldWriting(WaitingWrite, usize),
}

/// The test's end of a write that waits for it. A test that fails drops it, and the write ends.
pub(crate) struct HeldWrite {
    go: Sender<()>,
    ended: Receiver<io::Result<()>>,
    write: WaitingWrite,
}

/// The writer's end: what it waits for, and where it tells what came of it.
#[derive(Clone)]
pub(crate) struct WaitingWrite(Arc<Mutex<Option<WriterEnd>>>);

type WriterEnd = (Receiver<()>, Sender<io::Result<()>>);

impl HeldWrite {
    pub(crate) fn new() -> Self {
        let (go, going) = channel();
        let (end, ended) = channel();
        Self { go, ended, write: WaitingWrite(Arc::new(Mutex::new(Some((going, end))))) }
    }

    /// What to tell the reader: one row of this many bytes.
    pub(crate) fn script(&self, bytes: usize) -> Script {
        Script::HeldWriting(self.write.clone(), bytes)
    }

    /// Whether a thread waits to write.
    pub(crate) fn is_waiting(&self) -> bool {
        self.write.0.lock().unwrap().is_none()
    }

    /// Lets it write.
    pub(crate) fn go_on(&self) {
        self.go.send(()).unwrap();
    }

    /// What came of it. Blocks.
    pub(crate) fn outcome(&self) -> io::Result<()> {
        self.ended.recv().unwrap()
    }
}

impl WaitingWrite {
    fn write(&self, bytes: usize, out: &mut dyn Write) -> io::Result<()> {
        let (going, end) = self.0.lock().unwrap().take().unwrap();
        going.recv().map_err(io::Error::other)?;
        let written = out.write_all(&vec![b'x'; bytes]);
        let told = written.as_ref().map_err(|error| io::Error::other(error.to_string())).copied();
        end.send(told).unwrap();
        written
    }
}

/// What was asked of one host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) started: usize,
    pub(crate) running: usize,
    pub(crate) most_at_once: usize,
    pub(crate) selections: Vec<Selection>,
    pub(crate) statements: Vec<Statements>,
}

#[derive(Default)]
pub(crate) struct ScriptedReader {
    scripts: Mutex<HashMap<String, Script>>,
    seen: Arc<Mutex<HashMap<String, Seen>>>,
}

impl ScriptedReader {
    pub(crate) fn new(scripts: impl IntoIterator<Item = (&'static str, Script)>) -> Arc<Self> {
        let scripts = scripts.into_iter().map(|(host, script)| (host.to_owned(), script)).collect();
        Arc::new(Self { scripts: Mutex::new(scripts), seen: Arc::default() })
    }

    /// From now on the host does this.
    pub(crate) fn now(&self, host: &str, script: Script) {
        self.scripts.lock().unwrap().insert(host.to_owned(), script);
    }

    /// Reads that ran at once, at most, of all hosts.
    pub(crate) fn most_at_once(&self) -> usize {
        self.seen(ALL).most_at_once
    }

    pub(crate) fn seen(&self, host: &str) -> Seen {
        self.seen.lock().unwrap().get(host).cloned().unwrap_or_default()
    }
}

/// Stands for all hosts together.
const ALL: &str = "*";

/// Counts a read as running until it is dropped, however that happens.
struct Running(Arc<Mutex<HashMap<String, Seen>>>, String);

impl Running {
    fn begin(all: &Arc<Mutex<HashMap<String, Seen>>>, host: &str) -> Self {
        let mut seen = all.lock().unwrap();
        let seen = seen.entry(host.to_owned()).or_default();
        seen.started += 1;
        seen.running += 1;
        seen.most_at_once = seen.most_at_once.max(seen.running);
        Self(all.clone(), host.to_owned())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_mut(&self.1).unwrap().running -= 1;
    }
}

impl NodeReader for ScriptedReader {
    fn read<'a>(&'a self, node: &'a NodeUrl, selection: &'a Selection, statements: Statements) -> ReadFuture<'a> {
        Box::pin(async move {
            let _running = [ALL, &node.host].map(|host| Running::begin(&self.seen, host));
            {
                let mut all = self.seen.lock().unwrap();
                let seen = all.get_mut(&node.host).unwrap();
                seen.selections.push(selection.clone());
                seen.statements.push(statements);
            }
            let script = self.scripts.lock().unwrap()[&node.host].clone();
            match script {
                Script::Rows(rows) => {
                    Ok(Rows::new(rows.len() as u64, move |out| out.write_all(rows.concat().as_bytes())))
                }
                Script::Gate(gate) => {
                    gate.acquire().await.unwrap().forget();
                    Ok(Rows::new(1, |out| out.write_all(b"1\r\n")))
                }
                Script::Hang => std::future::pending().await,
                Script::Busy => loop {
                    tokio::task::consume_budget().await;
                },
                Script::Fail(failure) => Err(failure),
                Script::PanicReading => panic!("told to panic while reading"),
                Script::PanicWriting => Ok(Rows::new(1, |out| {
                    out.write_all(b"half a row").unwrap();
                    panic!("told to panic while writing")
                })),
                Script::FailWriting(errno) => Ok(Rows::new(1, move |out| {
                    out.write_all(b"half a row")?;
                    Err(io::Error::from_raw_os_error(errno))
                })),
                Script::HeldWriting(held, bytes) => Ok(Rows::new(1, move |out| held.write(bytes, out))),
            }
        })
    }
}
