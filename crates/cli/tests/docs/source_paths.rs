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

/// Documents abbreviate `crates/store/src/collection_tasks.rs` to `store/src/collection_tasks.rs` or `store/collection_tasks.rs`.
fn exists(root: &Path, source_path: &str) -> bool {
    let below_crate = source_path.split_once('/').map(|(name, rest)| format!("crates/{name}/src/{rest}"));
    [Some(source_path.to_owned()), Some(format!("crates/{source_path}")), below_crate]
        .into_iter()
        .flatten()
        .any(|path| root.join(path).exists())
}

fn is_beside_or_below(root: &Path, path: &str, name: &str) -> bool {
    let beside = path.rsplit_once('/').map_or("", |(directory, _)| directory);
    let below = path.trim_end_matches(".rs").trim_end_matches('/');
    [beside, below].iter().any(|directory| exists(root, &format!("{directory}/{name}")))
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
        for line in text.lines() {
            // A name without a directory is a file beside or below the path before it.
            let mut last_path = None;
            for code in line.split('`').skip(1).step_by(2).filter(|code| !code.contains([' ', '*', '<'])) {
                let is_rust_file = Path::new(code).extension().is_some_and(|extension| extension == "rs");
                let found = match last_path {
                    _ if code.contains('/') => {
                        let found = exists(&root, code);
                        last_path = found.then_some(code);
                        found
                    }
                    Some(path) => is_beside_or_below(&root, path, code),
                    None => continue,
                };
                count += usize::from(is_rust_file);
                if is_rust_file && !found {
                    missing.push(format!("{}: {code}", document.display()));
                }
            }
        }
    }
    assert!(count >= MIN_SOURCE_PATHS, "{count}");
    assert!(missing.is_empty(), "{missing:#?}");
}
