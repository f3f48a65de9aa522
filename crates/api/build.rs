//! Embeds the gzip-compressed web page (`web/dist`) in the binary.
//! If `web/dist` contains no built page, the binary serves build instructions instead of the page.
//!
//! Existing crates that embed files lack compression or have dependencies with unapproved licenses.
#![allow(clippy::print_stdout, reason = "it is how a build script talks to cargo")]

use std::fmt::Write;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use flate2::{Compression, GzBuilder};

fn main() -> io::Result<()> {
    let dist = Path::new("../../web/dist");
    // If `web/dist` is missing, cargo reruns this script and recompiles the crate on every build.
    // Errors are ignored because a missing folder only slows down builds.
    let _ = fs::create_dir_all(dist);
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={}", dist.display());
    let out = std::env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("cargo named no OUT_DIR"))?;
    let out = PathBuf::from(out);
    let compressed = out.join("page");
    if compressed.exists() {
        fs::remove_dir_all(&compressed)?;
    }
    fs::create_dir_all(&compressed)?;
    let mut paths = Vec::new();
    if dist.join("index.html").is_file() {
        compress_directory(dist, &compressed, "", &mut paths)?;
    }
    // Sorted for reproducible builds.
    paths.sort();
    fs::write(out.join("page.rs"), generate_embedded_file_table(&paths))
}

fn compress_directory(from: &Path, to: &Path, prefix: &str, paths: &mut Vec<String>) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let from = entry?.path();
        let Some(name) = from.file_name().and_then(|name| name.to_str()) else { continue };
        let (to, path) = (to.join(name), format!("{prefix}{name}"));
        if from.is_dir() {
            fs::create_dir_all(&to)?;
            compress_directory(&from, &to, &format!("{path}/"), paths)?;
        } else if from.extension().is_none_or(|extension| extension != "map") {
            let mut compressed = GzBuilder::new().write(File::create(&to)?, Compression::best());
            io::copy(&mut File::open(&from)?, &mut compressed)?;
            compressed.finish()?;
            paths.push(path);
        }
    }
    Ok(())
}

fn generate_embedded_file_table(paths: &[String]) -> String {
    let mut table = String::from("&[\n");
    for path in paths {
        let file = format!("include_bytes!(concat!(env!(\"OUT_DIR\"), {:?}))", format!("/page/{path}"));
        let _ = writeln!(table, "    ({path:?}, {file}.as_slice()),");
    }
    table + "]\n"
}
