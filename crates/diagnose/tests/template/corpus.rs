//! Statements of `corpus.txt`: grouped like MySQL's digests, and without literals, even if truncated.

use std::collections::{BTreeMap, BTreeSet};

use clew_diagnose::build_statement_template;
use clew_testkit::{DatabaseServer, DatabaseServerOptions, Flavor};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use proptest::prelude::*;

use crate::digest_differences::DIFFERENCES;

const CORPUS: &str = include_str!("corpus.txt");

/// Expands the alternatives of a line to statements.
fn expand_choices(line: &str) -> Vec<String> {
    let Some((before, rest)) = line.split_once('«') else { return vec![line.to_owned()] };
    let (choices, after) = rest.split_once('»').unwrap_or_else(|| panic!("« without » in {line}"));
    let after = expand_choices(after);
    choices.split('¦').flat_map(|choice| after.iter().map(move |after| format!("{before}{choice}{after}"))).collect()
}

fn corpus() -> BTreeSet<String> {
    CORPUS.lines().filter(|line| !line.is_empty() && !line.starts_with("##")).flat_map(expand_choices).collect()
}

/// Reads the hash and the text of a statement's MySQL digest. Returns `None` for an invalid statement.
async fn digest(connection: &mut Conn, statement: &str) -> Option<(String, String)> {
    let query = "SELECT STATEMENT_DIGEST(?), STATEMENT_DIGEST_TEXT(?)";
    connection.exec_first(query, (statement, statement)).await.ok().flatten()
}

fn template_text(statement: &str) -> String {
    String::from_utf8(build_statement_template(statement.as_bytes())).unwrap()
}

/// Returns the groups whose statements do not all have the same second value.
fn split_groups(groups: &BTreeMap<String, Vec<(&str, String)>>) -> Vec<String> {
    let is_split = |members: &&Vec<(&str, String)>| members.iter().any(|(_, other)| *other != members[0].1);
    groups.values().filter(is_split).map(|members| format!("{members:#?}")).collect()
}

#[tokio::test]
async fn templates_group_statements_like_digests_server() {
    let arguments = ["--max-digest-length=65536", "--performance-schema-digests-size=200"];
    let options =
        DatabaseServerOptions { arguments: arguments.map(Into::into).to_vec(), ..DatabaseServerOptions::default() };
    let server = DatabaseServer::start(Flavor::MySql, &options).await.unwrap();
    server.run_statements(&["CREATE DATABASE clew"]).await.unwrap();
    let mut connection = server.connect_as_root().await.unwrap();
    connection.query_drop("USE clew").await.unwrap();

    let corpus = corpus();
    let mut digests = BTreeMap::new();
    for statement in &corpus {
        if let Some(digest) = digest(&mut connection, statement).await {
            digests.insert(statement.as_str(), digest);
        }
    }
    connection.disconnect().await.unwrap();
    assert!(digests.len() >= 1_500, "only {} of {} statements are valid for MySQL", digests.len(), corpus.len());

    let mut listed = BTreeSet::new();
    for difference in DIFFERENCES {
        for (outlier, other) in difference.statements {
            let digest =
                |statement| &digests.get(statement).unwrap_or_else(|| panic!("not in the corpus: {statement}")).0;
            let (one_digest, one_template) =
                (digest(outlier) == digest(other), template_text(outlier) == template_text(other));
            assert_ne!(one_digest, one_template, "{}: no longer differs for {outlier} and {other}", difference.kind);
            assert!(difference.why.len() > 20, "{}: the reason is missing", difference.kind);
            listed.insert(*outlier);
        }
    }

    let (mut by_digest, mut by_template) = (BTreeMap::new(), BTreeMap::new());
    for (&statement, (hash, text)) in digests.iter().filter(|(statement, _)| !listed.contains(*statement)) {
        let template = template_text(statement);
        by_digest.entry(text.clone()).or_insert_with(Vec::new).push((statement, template.clone()));
        by_template.entry(template).or_insert_with(Vec::new).push((statement, hash.clone()));
    }
    let (apart, together) = (split_groups(&by_digest), split_groups(&by_template));
    assert!(apart.is_empty(), "one digest, several templates: {}", apart.join("\n"));
    assert!(together.is_empty(), "one template, several digests: {}", together.join("\n"));
}

/// Replacement for every string and number.
const TEXT: &str = "QJXZKWVB";
const NUMBER: &str = "5308417269";

/// Replaces the literals of a valid statement.
fn plant_literals(statement: &str) -> String {
    let mut planted = String::new();
    let mut rest = statement;
    while let Some(first) = rest.chars().next() {
        let touches_word =
            planted.ends_with(|char: char| char.is_alphanumeric() || matches!(char, '_' | '$' | '@' | '.' | '`'));
        let length = match first {
            '\'' | '"' | '`' => rest[1..].find(first).map_or(rest.len(), |end| end + 2),
            '0'..='9' if !touches_word => rest.find(|char: char| !char.is_ascii_digit()).unwrap_or(rest.len()),
            _ => first.len_utf8(),
        };
        let is_hexadecimal = planted.ends_with(['x', 'X', 'b', 'B']) && length > 2;
        match first {
            '\'' | '"' if is_hexadecimal => planted.extend([&rest[..1], NUMBER, &rest[..1]]),
            '\'' | '"' => planted.extend([&rest[..1], TEXT, &rest[..1]]),
            '0'..='9'
                if !touches_word && !rest[length..].starts_with(|char: char| char.is_alphabetic() || char == '_') =>
            {
                planted.push_str(NUMBER);
            }
            _ => planted.push_str(&rest[..length]),
        }
        rest = &rest[length..];
    }
    planted
}

fn assert_no_leak(statement: &[u8]) {
    let template = build_statement_template(statement);
    assert!(
        !contains_fragment(&template),
        "{} of {}",
        String::from_utf8_lossy(&template),
        String::from_utf8_lossy(statement)
    );
}

/// Returns true if the bytes contain three consecutive characters of a planted literal.
fn contains_fragment(bytes: &[u8]) -> bool {
    let lower = bytes.to_ascii_lowercase();
    let (text, number) = (TEXT.to_ascii_lowercase(), NUMBER.as_bytes());
    lower.windows(3).any(|window| {
        number.windows(3).any(|piece| piece == window) || text.as_bytes().windows(3).any(|piece| piece == window)
    })
}

#[test]
fn truncated_corpus_statements_leak_no_literal() {
    let corpus = corpus();
    assert!(corpus.len() >= 1_500, "only {}", corpus.len());
    let mut literals = 0;
    for statement in &corpus {
        let planted = plant_literals(statement);
        literals += planted.matches(TEXT).count() + planted.matches(NUMBER).count();
        for end in 0..=planted.len() {
            assert_no_leak(&planted.as_bytes()[..end]);
        }
        let once = build_statement_template(statement.as_bytes());
        assert_eq!(build_statement_template(&once), once, "the template of {statement} is not idempotent");
    }
    assert!(literals >= 1_200, "only {literals} literals");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, ..ProptestConfig::default() })]

    #[test]
    fn literals_among_random_bytes_do_not_leak(
        before in proptest::collection::vec(any::<u8>().prop_filter("opens nothing", |byte| !b"'\"`#/-*@$\\[".contains(byte)), 0..20),
        after in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        // Random bytes may contain a fragment.
        prop_assume!(!contains_fragment(&before) && !contains_fragment(&after));
        let literal = format!(" '{TEXT}' , {NUMBER} , 0x{NUMBER} ");
        assert_no_leak(&[&before, literal.as_bytes(), &after].concat());
    }
}
