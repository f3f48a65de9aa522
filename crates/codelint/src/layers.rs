//! Checks that each crate depends only on crates in lower layers.

use serde::Deserialize;

/// Crate names, grouped by layer from the lowest layer to the highest.
const CRATE_LAYERS: [&[&str]; 6] = [
    &["clew-codelint", "clew-http", "clew-model", "clew-testkit", "xtask"],
    &["clew-devtools", "clew-diagnose", "clew-iam"],
    &["clew-client", "clew-mysql", "clew-store"],
    &["clew-worker"],
    &["clew-api"],
    &["clew", "clew-bench", "clew-chaos"],
];

const CRATES_WITHOUT_IO: [&str; 3] = ["clew-model", "clew-diagnose", "clew-iam"];
const IO_CRATES: [&str; 5] = ["axum", "hyper", "reqwest", "sqlx", "tokio"];

#[derive(Debug, Deserialize)]
pub(super) struct CargoMetadata {
    packages: Vec<Package>,
}

#[derive(Debug, Deserialize)]
struct Package {
    name: String,
    dependencies: Vec<Dependency>,
}

#[derive(Debug, Deserialize)]
struct Dependency {
    name: String,
    /// Dependency kind in cargo's metadata: `None` for a normal dependency, otherwise `dev` or `build`.
    kind: Option<String>,
}

pub(super) fn find_layer_violations(metadata: &CargoMetadata) -> Vec<String> {
    let mut violations = Vec::new();
    for package in &metadata.packages {
        let Some(layer) = find_crate_layer(&package.name) else {
            violations.push(format!(
                "{} has no layer; fix: add it to CRATE_LAYERS in crates/codelint/src/layers.rs",
                package.name
            ));
            continue;
        };
        for dependency in package.dependencies.iter().filter(|dependency| dependency.kind.is_none()) {
            if find_crate_layer(&dependency.name).is_some_and(|lower| lower >= layer) {
                violations
                    .push(format!("{} depends on {}, which is not in a lower layer", package.name, dependency.name));
            }
            if CRATES_WITHOUT_IO.contains(&package.name.as_str()) && IO_CRATES.contains(&dependency.name.as_str()) {
                violations
                    .push(format!("{} depends on {}, but it must work without I/O", package.name, dependency.name));
            }
        }
    }
    violations
}

fn find_crate_layer(package: &str) -> Option<usize> {
    CRATE_LAYERS.iter().position(|layer| layer.contains(&package))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn violations(package: &str, dependency: &str, kind: Option<&str>) -> Vec<String> {
        let dependency = Dependency { name: dependency.into(), kind: kind.map(str::to_owned) };
        find_layer_violations(&CargoMetadata {
            packages: vec![Package { name: package.into(), dependencies: vec![dependency] }],
        })
    }

    #[test]
    fn dependencies_on_higher_or_equal_layers_are_violations() {
        assert_eq!(violations("clew-store", "clew-model", None).len(), 0);
        assert_eq!(violations("clew-store", "clew-api", None).len(), 1);
        assert_eq!(violations("clew-store", "clew-mysql", None).len(), 1);
        assert_eq!(violations("clew-store", "clew-api", Some("dev")).len(), 0);
        assert_eq!(violations("clew-new", "serde", None).len(), 1, "a crate without a layer");
    }

    #[test]
    fn pure_crates_do_no_io() {
        assert_eq!(violations("clew-iam", "tokio", None).len(), 1);
        assert_eq!(violations("clew-store", "tokio", None).len(), 0);
    }
}
