//! Creates a database with the current release's schema and rows in every table, for upgrade tests.
//!
//! ```sh
//! CLEW_MASTER_KEY=0707… cargo run -p clew-store --example fixture_database -- FOLDER [postgres://…]
//! ```

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

#[path = "../tests/store/all_tables.rs"]
#[allow(dead_code, reason = "the tests do more with it")]
mod all_tables;

use std::path::PathBuf;

use clew_model::AuditOrigin;
use clew_store::{InitialTenant, Store, StoreLocation};

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let data_dir: PathBuf = arguments.next().unwrap().into();
    let location = StoreLocation { data_dir, metadata_url: arguments.next().map(|url| url.parse().unwrap()) };
    let tenant = InitialTenant {
        region: "here-1".into(),
        domain_name: "acme".into(),
        user_name: "admin".into(),
        password_hash: "$argon2id$admin".into(),
        access_key: "AKTEST00000000000000".parse().unwrap(),
        secret_key: "the-secret-key-of-the-first-access-key".into(),
    };
    let (store, initial_ids) =
        Store::initialize(&AuditOrigin::for_local_account("fixture"), location, tenant).await.unwrap();
    all_tables::fill(&store, &initial_ids).await;
    all_tables::verify(&store).await;
    store.close().await;
}
