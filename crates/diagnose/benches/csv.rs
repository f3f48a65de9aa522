//! Benchmark of CSV encoding throughput in bytes per second: `cargo bench -p clew-diagnose --bench csv`.
//!
//! The benchmark cases `idle` and `busy` encode typical rows of short strings and numbers.
//! The benchmark case `copied` encodes a row with a 1 KiB SQL statement that requires no CSV quotes.
//! The benchmark case `quoted` encodes a row with a 1 KiB SQL statement that contains commas.
//! The benchmark case `doubled` encodes a row with a 1 KiB SQL statement that contains double quotes.
//! The benchmark case `cleaned` encodes a row with a 1 KiB SQL statement that contains non-ASCII and NUL bytes.

#![allow(missing_docs, reason = "criterion's macros generate undocumented items")]

use std::hint::black_box;

use clew_diagnose::csv;
use clew_model::{Session, SessionRow, Transaction};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

fn build_idle_session() -> Session {
    Session {
        id: 40_917,
        user: b"shop_app".to_vec(),
        host: b"10.0.12.107:51234".to_vec(),
        database: Some(b"shop".to_vec()),
        command: b"Sleep".to_vec(),
        seconds: 17,
        state: Some(Vec::new()),
        statement: None,
    }
}

fn build_running_session(statement: &str) -> Session {
    let state = Some(b"Sending data".to_vec());
    Session { command: b"Query".to_vec(), state, statement: Some(statement.into()), ..build_idle_session() }
}

fn build_open_transaction() -> Transaction {
    Transaction {
        session_id: 40_917,
        id: 421_948_831_113_064,
        state: "LOCK WAIT".into(),
        seconds: 12,
        lock_wait_seconds: Some(3),
        rows_locked: 2,
        tables_locked: Some(1),
        rows_modified: 0,
    }
}

fn bench_csv_encoding(criterion: &mut Criterion) {
    let kib = |piece: &str| build_running_session(&piece.repeat(1024 / piece.len()));
    let transaction = build_open_transaction();
    let rows = [
        ("idle", build_idle_session(), None),
        ("busy", build_running_session("UPDATE orders SET state = 'paid' WHERE id = 918273"), Some(&transaction)),
        ("copied", kib("SELECT * FROM orders WHERE id = 918273 AND state = 'paid' UNION "), None),
        ("quoted", kib("INSERT INTO orders (id, state) VALUES (918273, 'paid'), (1, '');"), None),
        ("doubled", kib("SELECT \"a\" FROM orders WHERE \"state\" = \"paid\" OR \"b\" IN (\"c\") --"), None),
        ("cleaned", kib("SELECT '会话 诊断' FROM `表` WHERE `名` = 'Grüße' \0"), None),
    ];
    let mut group = criterion.benchmark_group("csv");
    for (name, session, transaction) in &rows {
        let row = SessionRow { session, transaction: *transaction };
        let mut out = Vec::new();
        csv::encode_row(&mut out, &row, true);
        group.throughput(Throughput::Bytes(out.len() as u64));
        group.bench_function(*name, |bencher| {
            bencher.iter(|| {
                out.clear();
                csv::encode_row(&mut out, black_box(&row), true);
                black_box(out.len())
            });
        });
    }
    group.finish();
}

criterion_group!(benches, bench_csv_encoding);
criterion_main!(benches);
