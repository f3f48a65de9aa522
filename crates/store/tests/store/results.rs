//! Results: whole or not at all. What every kind of store promises, and what only files do; `results_on_s3.rs` asks the same of S3.

use std::io::{Read, Write};
use std::time::Duration;

use crate::fixture::Fixture;
use clew_model::RequestId;
use clew_store::{PublishedResult, ResultRecord, ResultStore, StoreError, StoredResult};
use futures_util::TryStreamExt;

pub(crate) fn record(published: &PublishedResult) -> ResultRecord {
    ResultRecord { name: published.name.clone(), rows: 1, bytes: published.bytes, sha256: published.sha256.clone() }
}

/// Writes a result as a worker does: on a thread that may block.
pub(crate) async fn publish(results: &ResultStore, bytes: Vec<u8>) -> PublishedResult {
    try_publish(results, bytes).await.unwrap()
}

pub(crate) async fn try_publish(results: &ResultStore, bytes: Vec<u8>) -> Result<PublishedResult, String> {
    let results = results.clone();
    let writing = tokio::task::spawn_blocking(move || {
        let mut writer = results.create(&RequestId::generate(), 1).map_err(|error| error.to_string())?;
        for piece in bytes.chunks(256 * 1024) {
            writer.write_all(piece).map_err(|error| error.to_string())?;
        }
        writer.publish().map_err(|error| error.to_string())
    });
    writing.await.unwrap()
}

/// The stored bytes, from one to before another.
pub(crate) async fn part(results: &ResultStore, record: &ResultRecord, from: u64, to: u64) -> Result<Vec<u8>, String> {
    match results.open(record).await.map_err(|error| error.to_string())? {
        StoredResult::File(mut file) => {
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).unwrap();
            Ok(bytes[usize::try_from(from).unwrap()..usize::try_from(to).unwrap()].to_vec())
        }
        StoredResult::Object(object) => {
            let pieces: Vec<_> = object.pieces(from..to).try_collect().await.map_err(|error| error.to_string())?;
            Ok(pieces.concat())
        }
    }
}

pub(crate) async fn whole(results: &ResultStore, record: &ResultRecord) -> Result<Vec<u8>, String> {
    part(results, record, 0, record.bytes).await
}

/// Bytes that do not repeat soon.
pub(crate) fn bytes(count: usize) -> Vec<u8> {
    (0_u64..).flat_map(|at| at.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes()).take(count).collect()
}

/// What every kind promises, of an empty store; more than two parts of an upload are among it.
pub(crate) async fn keeps_the_contract(results: &ResultStore) {
    for count in [0, 7, 11 << 20] {
        let written = bytes(count);
        let published = publish(results, written.clone()).await;
        let record = record(&published);
        assert_eq!(record.bytes, count as u64);
        assert!(whole(results, &record).await.unwrap() == written, "{count}");
        let (from, to) = (count / 3, count / 2);
        results.open(&record).await.unwrap().verify().await.unwrap();
        assert!(part(results, &record, from as u64, to as u64).await.unwrap() == written[from..to], "{count}");
        let longer = ResultRecord { bytes: record.bytes + 1, ..record.clone() };
        let opened = results.open(&longer).await;
        assert!(matches!(opened, Err(StoreError::ResultCorrupt { .. })), "{opened:?}");
        results.remove(&published.name).await.unwrap();
        let opened = results.open(&record).await;
        assert!(matches!(opened, Err(StoreError::ResultMissing { .. })), "{opened:?}");
        results.remove(&published.name).await.unwrap();
    }
    names_never_lead_elsewhere(results).await;
    the_sweep_takes_what_no_task_names(results).await;
}

async fn names_never_lead_elsewhere(results: &ResultStore) {
    for name in ["../master.key", "/etc/passwd", "", ".hidden", "a/b"] {
        let record = ResultRecord { name: name.into(), rows: 0, bytes: 0, sha256: String::new() };
        assert!(matches!(results.open(&record).await, Err(StoreError::ResultMissing { .. })), "{name:?}");
        assert!(results.remove(name).await.is_err(), "{name:?}");
    }
}

async fn the_sweep_takes_what_no_task_names(results: &ResultStore) {
    let (kept, orphan) = (publish(results, b"a".to_vec()).await, publish(results, b"b".to_vec()).await);
    let known = vec![kept.name.clone()];
    assert_eq!(results.sweep(known.clone(), Duration::from_mins(10)).await.unwrap(), 0);
    assert_eq!(results.sweep(known, Duration::ZERO).await.unwrap(), 1);
    assert!(results.open(&record(&kept)).await.is_ok());
    assert!(results.open(&record(&orphan)).await.is_err());
}

#[tokio::test]
async fn files_keep_the_contract_of_results() {
    keeps_the_contract(Fixture::new().await.store.results()).await;
}

#[tokio::test]
async fn a_file_thrown_away_leaves_nothing() {
    let fixture = Fixture::new().await;
    let files = || std::fs::read_dir(fixture.dir().join("results")).unwrap().count();
    publish(fixture.store.results(), b"1,app\r\n".to_vec()).await;
    let mut unfinished = fixture.store.results().create(&RequestId::generate(), 1).unwrap();
    unfinished.write_all(b"half").unwrap();
    assert_eq!(files(), 2);
    drop(unfinished);
    assert_eq!(files(), 1);
    let killed = fixture.dir().join("results/.realtime_session-of-a-worker-that-was-killed.tmp");
    std::fs::write(&killed, "half").unwrap();
    assert_eq!(fixture.store.results().sweep(vec![], Duration::ZERO).await.unwrap(), 2);
    assert_eq!(files(), 0);
    assert!(fixture.dir().join("master.key").exists());
}

#[tokio::test]
async fn a_changed_or_cut_file_is_never_handed_out() {
    let fixture = Fixture::new().await;
    let results = fixture.store.results();
    let published = publish(results, b"1,app\r\n".to_vec()).await;
    let path = fixture.dir().join("results").join(&published.name);
    results.open(&record(&published)).await.unwrap();
    for damaged in ["1,apq\r\n", "1,ap"] {
        std::fs::write(&path, damaged).unwrap();
        let opened = results.open(&record(&published)).await;
        assert!(matches!(opened, Err(StoreError::ResultCorrupt { .. })), "{opened:?}");
    }
}
