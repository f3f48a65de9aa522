//! Tests the contract for all result stores, and features of result files. `results_on_s3.rs` tests S3.

use std::io::{Read, Write};
use std::time::Duration;

use crate::database::Database;
use crate::fixture::Fixture;
use clew_model::RequestId;
use clew_store::{PublishedResult, ResultMetadata, ResultStore, StoreError, StoredResult};
use futures_util::TryStreamExt;
use rstest::rstest;

pub(crate) fn record(published: &PublishedResult) -> ResultMetadata {
    ResultMetadata {
        name: published.name.clone(),
        rows: 1,
        bytes: published.bytes,
        sha256: published.sha256.clone(),
        limitations: None,
    }
}

/// Publishes a result on a blocking thread, as a worker does.
pub(crate) async fn publish(results: &ResultStore, bytes: Vec<u8>) -> PublishedResult {
    try_publish(results, bytes).await.unwrap()
}

pub(crate) async fn try_publish(results: &ResultStore, bytes: Vec<u8>) -> Result<PublishedResult, String> {
    let results = results.clone();
    let writing = tokio::task::spawn_blocking(move || {
        let mut writer = results.create_writer(&RequestId::generate(), 1).map_err(|error| error.to_string())?;
        for chunk in bytes.chunks(256 * 1024) {
            writer.write_all(chunk).map_err(|error| error.to_string())?;
        }
        writer.publish().map_err(|error| error.to_string())
    });
    writing.await.unwrap()
}

/// Reads a byte range of a result.
pub(crate) async fn read_range(
    results: &ResultStore,
    record: &ResultMetadata,
    from: u64,
    to: u64,
) -> Result<Vec<u8>, String> {
    match results.open_result(record).await.map_err(|error| error.to_string())? {
        StoredResult::File(mut file) => {
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).unwrap();
            Ok(bytes[usize::try_from(from).unwrap()..usize::try_from(to).unwrap()].to_vec())
        }
        StoredResult::Object(object) => {
            let chunks: Vec<_> =
                object.into_chunk_stream(from..to).try_collect().await.map_err(|error| error.to_string())?;
            Ok(chunks.concat())
        }
    }
}

pub(crate) async fn read_all(results: &ResultStore, record: &ResultMetadata) -> Result<Vec<u8>, String> {
    read_range(results, record, 0, record.bytes).await
}

/// Generates bytes without short repetitions.
pub(crate) fn bytes(count: usize) -> Vec<u8> {
    (0_u64..).flat_map(|at| at.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes()).take(count).collect()
}

/// Checks the contract with an empty result store. Includes a multipart upload with more than two parts.
pub(crate) async fn check_contract(results: &ResultStore) {
    for count in [0, 7, 11 << 20] {
        let written = bytes(count);
        let published = publish(results, written.clone()).await;
        let record = record(&published);
        assert_eq!(record.bytes, count as u64);
        assert!(read_all(results, &record).await.unwrap() == written, "{count}");
        let (from, to) = (count / 3, count / 2);
        results.open_result(&record).await.unwrap().verify_content().await.unwrap();
        assert!(read_range(results, &record, from as u64, to as u64).await.unwrap() == written[from..to], "{count}");
        let longer = ResultMetadata { bytes: record.bytes + 1, ..record.clone() };
        let opened = results.open_result(&longer).await;
        assert!(matches!(opened, Err(StoreError::ResultCorrupt { .. })), "{opened:?}");
        results.remove_result(&published.name).await.unwrap();
        let opened = results.open_result(&record).await;
        assert!(matches!(opened, Err(StoreError::ResultMissing { .. })), "{opened:?}");
        results.remove_result(&published.name).await.unwrap();
    }
    check_invalid_names(results).await;
    check_garbage_collection(results).await;
}

async fn check_invalid_names(results: &ResultStore) {
    for name in ["../master.key", "/etc/passwd", "", ".hidden", "a/b"] {
        let record = ResultMetadata { name: name.into(), rows: 0, bytes: 0, sha256: String::new(), limitations: None };
        assert!(matches!(results.open_result(&record).await, Err(StoreError::ResultMissing { .. })), "{name:?}");
        assert!(results.remove_result(name).await.is_err(), "{name:?}");
    }
}

async fn check_garbage_collection(results: &ResultStore) {
    let (referenced_result, unreferenced_result) =
        (publish(results, b"a".to_vec()).await, publish(results, b"b".to_vec()).await);
    let referenced = vec![referenced_result.name.clone()];
    assert_eq!(results.collect_garbage(referenced.clone(), Duration::from_mins(10)).await.unwrap(), 0);
    assert_eq!(results.collect_garbage(referenced, Duration::ZERO).await.unwrap(), 1);
    assert!(results.open_result(&record(&referenced_result)).await.is_ok());
    assert!(results.open_result(&record(&unreferenced_result)).await.is_err());
}

#[rstest]
#[tokio::test]
async fn files_fulfil_the_result_contract(#[values(Database::Sqlite, Database::PostgreSql)] database: Database) {
    check_contract(Fixture::new(database).await.store.result_store()).await;
}

#[rstest]
#[tokio::test]
async fn dropped_writer_leaves_no_file(#[values(Database::Sqlite, Database::PostgreSql)] database: Database) {
    let fixture = Fixture::new(database).await;
    let files = || std::fs::read_dir(fixture.dir().join("results")).unwrap().count();
    publish(fixture.store.result_store(), b"1,app\r\n".to_vec()).await;
    let mut unfinished = fixture.store.result_store().create_writer(&RequestId::generate(), 1).unwrap();
    unfinished.write_all(b"half").unwrap();
    assert_eq!(files(), 2);
    drop(unfinished);
    assert_eq!(files(), 1);
    let killed = fixture.dir().join("results/.realtime_session-of-a-worker-that-was-killed.tmp");
    std::fs::write(&killed, "half").unwrap();
    assert_eq!(fixture.store.result_store().collect_garbage(vec![], Duration::ZERO).await.unwrap(), 2);
    assert_eq!(files(), 0);
    assert!(fixture.dir().join("master.key").exists());
}

#[rstest]
#[tokio::test]
async fn changed_or_truncated_file_is_not_opened(#[values(Database::Sqlite, Database::PostgreSql)] database: Database) {
    let fixture = Fixture::new(database).await;
    let results = fixture.store.result_store();
    let published = publish(results, b"1,app\r\n".to_vec()).await;
    let path = fixture.dir().join("results").join(&published.name);
    results.open_result(&record(&published)).await.unwrap();
    for damaged in ["1,apq\r\n", "1,ap"] {
        std::fs::write(&path, damaged).unwrap();
        let opened = results.open_result(&record(&published)).await;
        assert!(matches!(opened, Err(StoreError::ResultCorrupt { .. })), "{opened:?}");
    }
}
