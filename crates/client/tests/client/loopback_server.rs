//! Loopback server that records requests and sends scripted replies, including faults.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clew_client::{Client, ClientConfig, Credentials, ProjectRef, RequestId, Settings};
use clew_model::{InstanceId, NodeId, ProjectId};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

pub(crate) const ACCESS_KEY: &str = "AKEXAMPLE0000000000";
pub(crate) const SECRET_KEY: &str = "SKEXAMPLE000000000000000000000000000000";

/// Recorded request.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) target: String,
    /// Header names are in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// Scripted reply, with an optional connection fault.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    fault: Fault,
}

#[derive(Debug, Clone, Copy)]
enum Fault {
    None,
    /// Sends no response.
    NoResponse,
    /// Closes the connection without a response.
    Close,
    /// Closes the connection after this number of bytes of the body.
    CutAfter(usize),
    /// Stalls after this number of bytes of the body.
    StallAfter(usize),
}

impl Reply {
    pub(crate) fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: Vec::new(), body: body.into(), fault: Fault::None }
    }

    pub(crate) fn no_response() -> Self {
        Self { fault: Fault::NoResponse, ..Self::new(200, "") }
    }

    pub(crate) fn close() -> Self {
        Self { fault: Fault::Close, ..Self::new(200, "") }
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn cut_after(self, bytes: usize) -> Self {
        Self { fault: Fault::CutAfter(bytes), ..self }
    }

    pub(crate) fn stall_after(self, bytes: usize) -> Self {
        Self { fault: Fault::StallAfter(bytes), ..self }
    }
}

/// Server that runs until it is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) endpoint: String,
    requests: Arc<Mutex<Vec<Request>>>,
    accepting: JoinHandle<()>,
}

impl Server {
    /// Starts a server. `reply` receives each request and its number, from 0.
    pub(crate) async fn start(reply: impl Fn(&Request, usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (reply, recorded) = (Arc::new(reply), requests.clone());
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (reply, recorded) = (reply.clone(), recorded.clone());
                tokio::spawn(async move { serve(stream, &*reply, &recorded).await });
            }
        });
        Self { endpoint, requests, accepting }
    }

    /// Starts a server that sends the replies in order, and then repeats the last reply.
    pub(crate) async fn with_replies(replies: Vec<Reply>) -> Self {
        Self::start(move |_, number| replies[number.min(replies.len() - 1)].clone()).await
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn serve(
    mut stream: TcpStream,
    reply: &(impl Fn(&Request, usize) -> Reply + Send + Sync),
    requests: &Mutex<Vec<Request>>,
) {
    while let Some(request) = read_request(&mut stream).await {
        let number = {
            let mut requests = requests.lock().unwrap();
            requests.push(request.clone());
            requests.len() - 1
        };
        let reply = reply(&request, number);
        match reply.fault {
            Fault::Close => return,
            Fault::NoResponse => std::future::pending().await,
            _ => {}
        }
        let mut lines = vec![format!("HTTP/1.1 {} Scripted", reply.status)];
        lines.extend(reply.headers.iter().map(|(name, value)| format!("{name}: {value}")));
        if !reply.headers.iter().any(|(name, _)| *name == "transfer-encoding") {
            lines.push(format!("content-length: {}", reply.body.len()));
        }
        let head = format!("{}\r\n\r\n", lines.join("\r\n"));
        let sent = match reply.fault {
            Fault::CutAfter(bytes) | Fault::StallAfter(bytes) => &reply.body[..bytes],
            _ => &reply.body[..],
        };
        if stream.write_all(head.as_bytes()).await.is_err() || stream.write_all(sent).await.is_err() {
            return;
        }
        match reply.fault {
            Fault::CutAfter(_) => return,
            Fault::StallAfter(_) => std::future::pending().await,
            _ => {}
        }
    }
}

async fn read_request(stream: &mut TcpStream) -> Option<Request> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    let mut lines = head.lines();
    let mut first = lines.next().unwrap().split(' ');
    let (method, target) = (first.next().unwrap().to_owned(), first.next().unwrap().to_owned());
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some(Request { method, target, headers, body: String::from_utf8(body).unwrap() })
}

pub(crate) fn project() -> ProjectId {
    "054e292c9880d4992f02c0196d3ea468".parse().unwrap()
}

pub(crate) fn instance() -> InstanceId {
    "6754902da1f447269c6979b0590102a5in07".parse().unwrap()
}

pub(crate) fn node() -> NodeId {
    "941d21130b3c4899ad1a752a0945befdno07".parse().unwrap()
}

pub(crate) fn request_id() -> RequestId {
    "realtime_session-0627a175-a4d4-44cd-b78a-51dc3ef8ba9a-98e9".into()
}

pub(crate) fn access_key() -> Credentials {
    Credentials::access_key(ACCESS_KEY.parse().unwrap(), SECRET_KEY.into())
}

/// Returns settings with short delays, and with timeouts that are suitable for a busy machine.
pub(crate) fn fast_settings() -> Settings {
    Settings {
        connect_timeout: Duration::from_secs(20),
        response_timeout: Duration::from_secs(20),
        max_attempts: 3,
        initial_backoff: Duration::from_millis(1),
        max_backoff: Duration::from_millis(5),
        max_interruptions: 3,
        poll_interval: Duration::from_millis(1),
    }
}

pub(crate) fn config(server: &Server) -> ClientConfig {
    config_for(&server.endpoint, access_key(), ProjectRef::Project(project()))
}

/// Returns a configuration with short delays.
pub(crate) fn config_for(endpoint: &str, credentials: Credentials, project: ProjectRef) -> ClientConfig {
    ClientConfig { settings: fast_settings(), ..ClientConfig::new(endpoint, credentials, project) }
}

pub(crate) fn client(server: &Server) -> Client {
    Client::new(config(server)).unwrap()
}
