//! Benchmark of SQL normalization throughput in bytes per second: `cargo bench -p clew-diagnose --bench template`.
//!
//! The benchmark case `mix` resembles the SQL workload of a busy online store.
//! `docs/decisions/0014-sql-templates-match-mysql-digests.md` reports the throughput of the benchmark case `mix`.
//! The benchmark cases `short`, `list`, `rows` and `comments` each normalize one kind of SQL statement from `mix`.
//! To reduce measurement noise on a busy machine, append `-- --sample-size 200` to the `cargo bench` command.
//! On a busy machine, compare the fastest results of several benchmark runs.

#![allow(missing_docs, reason = "criterion's macros generate undocumented items")]

use std::hint::black_box;

use clew_diagnose::build_statement_template;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const SHORT_STATEMENTS: [&str; 12] = [
    "SELECT c FROM sbtest1 WHERE id=5021",
    "UPDATE sbtest1 SET k=k+1 WHERE id=4998",
    "SELECT DISTINCT c FROM sbtest1 WHERE id BETWEEN 4912 AND 5011 ORDER BY c",
    "select u.id, u.email, u.display_name, u.created_at from users u where u.email = 'ada.lovelace@example.org' and u.deleted_at is null limit 1",
    "SELECT `orders`.* FROM `orders` WHERE `orders`.`customer_id` = 81723 AND `orders`.`status` IN ('paid', 'shipped', 'returned') ORDER BY `orders`.`created_at` DESC LIMIT 20 OFFSET 40",
    "INSERT INTO order_items (order_id, sku, quantity, price_cents, note) VALUES (918273, 'SKU-00412-BLUE', 3, 12999, NULL)",
    "update accounts set balance = balance - 120.50, updated_at = now() where id = 77123 and balance >= 120.50",
    "SELECT o.id, c.name, SUM(i.price_cents * i.quantity) AS total FROM orders o JOIN customers c ON c.id = o.customer_id LEFT JOIN order_items i ON i.order_id = o.id WHERE o.created_at >= '2026-11-01 00:00:00' AND c.country = 'NL' GROUP BY o.id, c.name HAVING total > 10000 ORDER BY total DESC LIMIT 50",
    "delete from sessions where expires_at < '2026-11-24 17:00:00' limit 1000",
    "SET autocommit=0",
    "COMMIT",
    "SELECT JSON_EXTRACT(payload, '$.customer.address.city') FROM events WHERE kind = 'checkout' AND payload->>'$.total' > 100 /* trace: 4bf92f3577b34da6a3ce929d0e0e4736 */",
];

fn build_long_in_list_statement() -> String {
    let keys: Vec<_> = (0..2_000_u64).map(|key| (key * 7_919 + 1_000_003).to_string()).collect();
    format!("SELECT id, title, body FROM articles WHERE id IN ({}) AND published = 1", keys.join(", "))
}

fn build_bulk_insert_statement() -> String {
    let rows: Vec<_> = (0..300)
        .map(|row| {
            format!(
                "({row}, 'reader {row}', 'reader{row}@example.org', '2026-11-{:02} 12:00:00', NULL, 'It was the best of times, it was the worst of times, \
                 it was the age of wisdom, it was the age of foolishness')",
                row % 28 + 1
            )
        })
        .collect();
    format!("INSERT INTO readers (id, name, email, joined_at, left_at, remark) VALUES {}", rows.join(", "))
}

fn build_statement_with_comments() -> String {
    "/* app=shop, controller=orders, action=show, request_id=4bf92f3577b34da6 */ SELECT o.*, -- everything\n  c.name # of whom\nFROM orders o /* the big one */ \
     JOIN customers c ON c.id = o.customer_id\n    WHERE o.id = 918273 /* that's it */"
        .to_owned()
}

fn bench_statement_templates(criterion: &mut Criterion) {
    let kinds = [
        ("list", vec![build_long_in_list_statement()]),
        ("rows", vec![build_bulk_insert_statement()]),
        ("comments", vec![build_statement_with_comments()]),
    ];
    let one_by_one: Vec<String> = SHORT_STATEMENTS.iter().map(|statement| (*statement).to_owned()).collect();
    // Short statements and long statements each account for half of the bytes in `mix`.
    let mut mix = Vec::new();
    for _ in 0..40 {
        mix.extend(one_by_one.clone());
        mix.push(build_statement_with_comments());
    }
    mix.extend([build_long_in_list_statement(), build_bulk_insert_statement()]);
    let mut group = criterion.benchmark_group("template");
    for (name, statements) in [("mix", mix), ("short", one_by_one)].into_iter().chain(kinds) {
        group.throughput(Throughput::Bytes(statements.iter().map(|statement| statement.len() as u64).sum()));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                for statement in &statements {
                    black_box(build_statement_template(black_box(statement.as_bytes())));
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, bench_statement_templates);
criterion_main!(benches);
