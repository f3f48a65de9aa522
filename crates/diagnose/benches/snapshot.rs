//! Benchmark that measures how many session list rows Clew encodes per second: `cargo bench -p clew-diagnose --bench snapshot`.
//!
//! Each benchmark iteration joins 10,000 sessions with 2,500 open transactions.
//! Each benchmark iteration filters, encodes, sorts and writes the joined rows.
//! The benchmark case `as listed` keeps the rows in the order of the process list.
//! The benchmark case `reordered` sorts the rows by transaction duration.

#![allow(missing_docs, reason = "criterion's macros generate undocumented items")]
#![allow(clippy::expect_used, reason = "benchmark: an impossible error aborts it")]

use std::collections::HashMap;
use std::hint::black_box;
use std::io::Cursor;

use clew_diagnose::{RowSorter, SessionFilter, SortOrder, csv};
use clew_model::{Session, SessionRow, SessionSelection, SortDirection, SortKey, Transaction};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const SESSION_COUNT: u64 = 10_000;

fn build_sessions() -> Vec<Session> {
    let session = |id: u64| Session {
        id,
        user: b"shop_app".to_vec(),
        host: format!("10.0.{}.{}:{}", id / 250 % 250, id % 250, 10_000 + id % 50_000).into_bytes(),
        database: Some(b"shop".to_vec()),
        command: if id.is_multiple_of(4) { b"Query".to_vec() } else { b"Sleep".to_vec() },
        seconds: id * 7_919 % 3_600,
        state: Some(Vec::new()),
        statement: (id.is_multiple_of(4))
            .then(|| format!("UPDATE orders SET state = 'paid' WHERE id = {id}").into_bytes()),
    };
    (1..=SESSION_COUNT).map(session).collect()
}

fn build_transactions() -> HashMap<u64, Transaction> {
    let transaction = |session_id: u64| Transaction {
        session_id,
        id: 421_000_000_000_000 + session_id,
        state: "RUNNING".into(),
        seconds: session_id * 104_729 % 600,
        rows_locked: 3,
        tables_locked: Some(1),
        rows_modified: 2,
        ..Transaction::default()
    };
    (1..=SESSION_COUNT).step_by(4).map(|id| (id, transaction(id))).collect()
}

fn write_session_list(
    sessions: &[Session],
    transactions: &HashMap<u64, Transaction>,
    selection: &SessionSelection,
) -> Vec<u8> {
    let (filter, order) = (SessionFilter::new(selection.clone()), SortOrder::new(selection));
    let mut sorter = RowSorter::new(Cursor::new(Vec::new()));
    let mut encoded = Vec::new();
    for session in sessions {
        let row = SessionRow { session, transaction: transactions.get(&session.id) };
        if filter.matches(&row) {
            encoded.clear();
            csv::encode_row(&mut encoded, &row, true);
            sorter.push(order.compute_sort_rank(&row), &encoded).expect("memory takes every row");
        }
    }
    let mut out = Vec::new();
    let mut rows = sorter.into_sorted_rows().expect("memory takes every row");
    rows.write_row_range(0, usize::MAX, &mut out, b"", None).expect("memory takes every row");
    out
}

fn bench_session_list(criterion: &mut Criterion) {
    let (sessions, transactions) = (build_sessions(), build_transactions());
    let listed = SessionSelection::default();
    let sort_key = SortKey::TransactionDuration;
    let reordered =
        SessionSelection { sort_key, sort_direction: SortDirection::Descending, ..SessionSelection::default() };
    let mut group = criterion.benchmark_group("snapshot");
    group.throughput(Throughput::Elements(SESSION_COUNT));
    for (name, selection) in [("as listed", listed), ("reordered", reordered)] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| black_box(write_session_list(&sessions, &transactions, black_box(&selection))));
        });
    }
    group.finish();
}

criterion_group!(benches, bench_session_list);
criterion_main!(benches);
