//! Puts the built page, `web/dist`, into the program, compressed as browsers take it. Where nobody has built the page, the program holds none,
//! and says how to build it.
//!
//! A crate that embeds folders would do the same, but would hold the files as they are, or need one whose licence Clew does not take.
#![allow(clippy::print_stdout, reason = "it is how a build script talks to cargo")]

use std::fmt::Write;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use flate2::{Compression, GzBuilder};

fn main() -> io::Result<()> {
    let built = Path::new("../../web/dist");
    // A path that is not there would make cargo run this, and compile the crate, each time anew. Where it cannot be made, that is all.
    let _ = fs::create_dir_all(built);
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={}", built.display());
    let out = std::env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("cargo named no OUT_DIR"))?;
    let out = PathBuf::from(out);
    let compressed = out.join("page");
    if compressed.exists() {
        fs::remove_dir_all(&compressed)?;
    }
    fs::create_dir_all(&compressed)?;
    let mut names = Vec::new();
    if built.join("index.html").is_file() {
        compress(built, &compressed, "", &mut names)?;
    }
    // The same page gives the same program.
    names.sort();
    fs::write(out.join("page.rs"), table(&names))
}

/// Every file under the same name, compressed. Maps are for those who work on the page, and have it.
fn compress(from: &Path, to: &Path, under: &str, names: &mut Vec<String>) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let from = entry?.path();
        let Some(name) = from.file_name().and_then(|name| name.to_str()) else { continue };
        let (to, path) = (to.join(name), format!("{under}{name}"));
        if from.is_dir() {
            fs::create_dir_all(&to)?;
            compress(&from, &to, &format!("{path}/"), names)?;
        } else if from.extension().is_none_or(|extension| extension != "map") {
            let mut compressed = GzBuilder::new().write(File::create(&to)?, Compression::best());
            io::copy(&mut File::open(&from)?, &mut compressed)?;
            compressed.finish()?;
            names.push(path);
        }
    }
    Ok(())
}

/// Names and contents, as an expression.
fn table(names: &[String]) -> String {
    let mut table = String::from("&[\n");
    for name in names {
        let file = format!("include_bytes!(concat!(env!(\"OUT_DIR\"), {:?}))", format!("/page/{name}"));
        let _ = writeln!(table, "    ({name:?}, {file}.as_slice()),");
    }
    table + "]\n"
}
