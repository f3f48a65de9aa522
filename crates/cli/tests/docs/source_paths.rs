//! Checks that every source file that a document names exists.

use std::path::{Path, PathBuf};

/// Minimum number of named source files, so that this test notices if it no longer finds them.
const MIN_SOURCE_PATHS: usize = 100;

fn markdown_files(directory: &Path, files: &mut Vec<PathBuf>) {
    for path in std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            markdown_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            files.push(path);
        }
    }
}

/// Documents abbreviate `crates/store/src/tasks.rs` to `store/src/tasks.rs` or `store/tasks.rs`.
fn exists(root: &Path, source_path: &str) -> bool {
    let below_crate = source_path.split_once('/').map(|(name, rest)| format!("crates/{name}/src/{rest}"));
    [Some(source_path.to_owned()), Some(format!("crates/{source_path}")), below_crate]
        .into_iter()
        .flatten()
        .any(|path| root.join(path).exists())
}

#[test]
fn source_files_named_by_documents_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut documents: Vec<PathBuf> =
        ["ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "README.md"].map(|name| root.join(name)).into();
    markdown_files(&root.join("docs"), &mut documents);
    let (mut count, mut missing) = (0, Vec::new());
    for document in documents {
        let text = std::fs::read_to_string(&document).unwrap();
        for code in text.lines().flat_map(|line| line.split('`').skip(1).step_by(2)) {
            let is_rust_file = Path::new(code).extension().is_some_and(|extension| extension == "rs");
            let is_path = code.contains('/') && is_rust_file && !code.contains([' ', '*', '<']);
            if is_path {
                count += 1;
                if !exists(&root, code) {
                    missing.push(format!("{}: {code}", document.display()));
                }
            }
        }
    }
    assert!(count >= MIN_SOURCE_PATHS, "{count}");
    assert!(missing.is_empty(), "{missing:#?}");
}
