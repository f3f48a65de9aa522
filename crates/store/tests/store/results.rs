//! Result files: whole or not at all.

use std::io::{Read, Write};
use std::time::Duration;

use crate::fixture::Fixture;
use clew_model::RequestId;
use clew_store::{PublishedResult, ResultRecord, StoreError};

fn record(published: &PublishedResult) -> ResultRecord {
    ResultRecord { name: published.name.clone(), rows: 1, bytes: published.bytes, sha256: published.sha256.clone() }
}

impl Fixture {
    fn publish(&self, bytes: &[u8]) -> PublishedResult {
        let mut writer = self.store.results().create(&RequestId::generate(), 1).unwrap();
        writer.write_all(bytes).unwrap();
        writer.publish().unwrap()
    }

    fn files(&self) -> usize {
        std::fs::read_dir(self.dir().join("results")).unwrap().count()
    }
}

#[tokio::test]
async fn a_published_result_reads_back_and_one_thrown_away_leaves_nothing() {
    let fixture = Fixture::new().await;
    let published = fixture.publish(b"1,app\r\n");
    assert_eq!(published.bytes, 7);
    let mut text = String::new();
    fixture.store.results().open(&record(&published)).unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, "1,app\r\n");
    let mut unfinished = fixture.store.results().create(&RequestId::generate(), 1).unwrap();
    unfinished.write_all(b"half").unwrap();
    assert_eq!(fixture.files(), 2);
    drop(unfinished);
    assert_eq!(fixture.files(), 1);
}

#[tokio::test]
async fn a_changed_cut_or_missing_file_is_never_handed_out() {
    let fixture = Fixture::new().await;
    let published = fixture.publish(b"1,app\r\n");
    let path = fixture.dir().join("results").join(&published.name);
    let results = fixture.store.results();
    results.open(&record(&published)).unwrap();
    std::fs::write(&path, b"1,apq\r\n").unwrap();
    let changed = results.open(&record(&published));
    assert!(matches!(changed, Err(StoreError::ResultCorrupt { .. })), "{changed:?}");
    std::fs::write(&path, b"1,ap").unwrap();
    assert!(matches!(results.open(&record(&published)), Err(StoreError::ResultCorrupt { .. })));
    results.remove(&published.name).unwrap();
    assert!(matches!(results.open(&record(&published)), Err(StoreError::ResultMissing { .. })));
    results.remove(&published.name).unwrap();
}

#[tokio::test]
async fn names_never_lead_out_of_the_folder() {
    let fixture = Fixture::new().await;
    for name in ["../master.key", "/etc/passwd", "", ".hidden", "a/b"] {
        let record = ResultRecord { name: name.into(), rows: 0, bytes: 0, sha256: String::new() };
        assert!(matches!(fixture.store.results().open(&record), Err(StoreError::ResultMissing { .. })), "{name:?}");
        assert!(fixture.store.results().remove(name).is_err(), "{name:?}");
    }
    assert!(fixture.dir().join("master.key").exists());
}

#[tokio::test]
async fn the_sweep_takes_what_no_task_names_once_it_is_old() {
    let fixture = Fixture::new().await;
    let (kept, orphan) = (fixture.publish(b"a"), fixture.publish(b"b"));
    let results = fixture.store.results();
    let killed = fixture.dir().join("results/.realtime_session-of-a-worker-that-was-killed.tmp");
    std::fs::write(&killed, "half").unwrap();
    assert_eq!(results.sweep(std::slice::from_ref(&kept.name), Duration::from_mins(10)).unwrap(), 0);
    assert_eq!(results.sweep(std::slice::from_ref(&kept.name), Duration::ZERO).unwrap(), 2);
    assert!(!killed.exists());
    assert!(results.open(&record(&kept)).is_ok());
    assert!(results.open(&record(&orphan)).is_err());
}
