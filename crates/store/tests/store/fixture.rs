//! A store in a folder of its own, with a clock that tests move.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use clew_model::{AccessKeyId, InstanceId, NewInstance, NewNode, NodeId, NodeRole, ProjectId, RequestId, Selection};
use clew_store::{Clock, FirstTenant, Founded, NewTask, Store};
use secrecy::SecretString;
use tempfile::TempDir;

pub const SECRET_KEY: &str = "the-secret-key-of-the-first-access-key";
pub const NODE_PASSWORD: &str = "the-password-of-a-node";

pub struct Fixture {
    pub store: Store,
    pub founded: Founded,
    pub folder: TempDir,
    now: Arc<AtomicI64>,
}

pub fn tenant() -> FirstTenant {
    FirstTenant {
        region: "here-1".into(),
        domain_name: "acme".into(),
        user_name: "admin".into(),
        password_hash: "$argon2id$…".into(),
        access_key: "AKTEST00000000000000".parse::<AccessKeyId>().unwrap(),
        secret_key: SecretString::from(SECRET_KEY),
    }
}

impl Fixture {
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (store, founded) = Store::initialise(&folder.path().join("data"), tenant()).await.unwrap();
        let now = Arc::new(AtomicI64::new(1_000_000));
        let clock = now.clone();
        Self { store: store.with_clock(Clock::new(move || clock.load(Ordering::SeqCst))), founded, folder, now }
    }

    pub fn dir(&self) -> std::path::PathBuf {
        self.folder.path().join("data")
    }

    pub fn pass(&self, milliseconds: i64) {
        self.now.fetch_add(milliseconds, Ordering::SeqCst);
    }

    pub fn new_task(&self, node: &NodeId) -> NewTask {
        NewTask {
            request_id: RequestId::generate(),
            project_id: self.founded.project_id.clone(),
            instance_id: InstanceId::generate(),
            node_id: node.clone(),
            selection: Selection { user: Some("app".into()), ..Selection::default() },
        }
    }
}

pub fn new_instance(project: &ProjectId, name: &str, urls: &[&str]) -> NewInstance {
    let role = |at| if at == 0 { NodeRole::Master } else { NodeRole::Slave };
    NewInstance {
        id: None,
        project_id: project.clone(),
        name: name.to_owned(),
        enterprise_project_id: "0".into(),
        tags: Vec::new(),
        nodes: urls
            .iter()
            .enumerate()
            .map(|(at, url)| NewNode { id: None, role: role(at), url: url.parse().unwrap() })
            .collect(),
    }
}

/// All bytes of all files below a folder.
pub fn all_bytes(folder: &Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(all_bytes(&path));
        } else {
            let bytes = std::fs::read(&path).unwrap();
            files.push((path, bytes));
        }
    }
    files.sort();
    files
}
