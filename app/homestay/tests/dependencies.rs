//! The rules between crates (ARCHITECTURE.md, Map), held against `cargo metadata`.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

struct Package {
    name: String,
    /// Folder below the workspace, such as `app/order/rpc`.
    folder: String,
    /// Names of normal and build dependencies.
    dependencies: Vec<String>,
    /// Names of dependencies that only its tests have.
    of_tests: Vec<String>,
    manifest: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

fn packages() -> Vec<Package> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let of = |package: &Value| {
        let manifest = PathBuf::from(package["manifest_path"].as_str().unwrap());
        let folder = manifest.parent().unwrap().strip_prefix(root()).unwrap();
        let names = |of_tests: bool| -> Vec<String> {
            let dependencies = package["dependencies"].as_array().unwrap().iter();
            dependencies
                .filter(|dependency| (dependency["kind"] == "dev") == of_tests)
                .map(|dependency| dependency["name"].as_str().unwrap().to_owned())
                .collect()
        };
        Package {
            name: package["name"].as_str().unwrap().to_owned(),
            folder: folder.to_str().unwrap().to_owned(),
            dependencies: names(false),
            of_tests: names(true),
            manifest: std::fs::read_to_string(&manifest).unwrap(),
        }
    };
    metadata["packages"].as_array().unwrap().iter().map(of).collect()
}

/// Every breach as a line, so that a failing test says what to mend.
fn assert_none(breaches: &[String]) {
    assert!(breaches.is_empty(), "\n{}\n", breaches.join("\n"));
}

#[test]
fn a_package_is_named_after_its_folder() {
    let breaches: Vec<String> = packages()
        .iter()
        .filter(|package| {
            let parts: Vec<&str> = package.folder.split('/').collect();
            let wanted = match parts.as_slice() {
                ["app", "homestay"] => "homestay".to_owned(),
                ["app", domain, target] => format!("{domain}-{target}"),
                // Cargo's convention for the program behind `cargo xtask`.
                ["deploy", "xtask"] => "xtask".to_owned(),
                ["pkg" | "deploy", name] => format!("homestay-{name}"),
                _ => String::new(),
            };
            package.name != wanted
        })
        .map(|package| format!("{} is called {}", package.folder, package.name))
        .collect();
    assert_none(&breaches);
}

#[test]
fn domains_meet_only_in_pkg() {
    let packages = packages();
    let of_domains: Vec<&str> = packages
        .iter()
        .filter(|p| p.folder.starts_with("app/"))
        .map(|p| p.name.as_str())
        .collect();
    let breaches: Vec<String> = packages
        .iter()
        .filter(|package| package.name != "homestay")
        .flat_map(|package| {
            let all = package.dependencies.iter().chain(&package.of_tests);
            let wrong = all.filter(|name| of_domains.contains(&name.as_str()));
            wrong.map(|name| format!("{} depends on {name}", package.name))
        })
        .collect();
    assert_none(&breaches);
}

#[test]
fn only_rpc_crates_open_a_database_and_only_api_crates_speak_http() {
    let breaches: Vec<String> = packages()
        .iter()
        .filter(|package| package.name != "homestay")
        .flat_map(|package| {
            let uses = |name: &str| package.dependencies.iter().any(|dependency| dependency == name);
            let mut wrong = Vec::new();
            if package.folder.starts_with("app/")
                && !package.name.ends_with("-rpc")
                && (uses("homestay-db") || uses("sqlx") || uses("homestay-outbox"))
            {
                wrong.push(format!("{} uses the database", package.name));
            }
            // The testkit plays payment providers.
            let speaks_http =
                ["homestay-http", "homestay-service", "homestay-testkit"].contains(&package.name.as_str());
            if !package.name.ends_with("-api") && !speaks_http && uses("axum") {
                wrong.push(format!("{} uses axum", package.name));
            }
            wrong
        })
        .collect();
    assert_none(&breaches);
}

#[test]
fn every_version_stands_in_the_workspace_and_every_package_has_its_lints() {
    let breaches: Vec<String> = packages()
        .iter()
        .flat_map(|package| {
            let mut section = "";
            let mut wrong = Vec::new();
            for line in package.manifest.lines().map(str::trim) {
                if line.starts_with('[') {
                    section = line;
                } else if section.ends_with("dependencies]") && !line.is_empty() && !line.starts_with('#') {
                    let inherits = line.contains(".workspace = true") || line.contains("workspace = true");
                    if !inherits {
                        wrong.push(format!("{}: {line}", package.folder));
                    }
                }
            }
            for inherited in [
                "[lints]\nworkspace = true",
                "edition.workspace = true",
                "rust-version.workspace = true",
                "license.workspace = true",
                "publish.workspace = true",
            ] {
                if !package.manifest.contains(inherited) {
                    wrong.push(format!("{}: lacks {inherited:?}", package.folder));
                }
            }
            wrong
        })
        .collect();
    assert_none(&breaches);
}

#[test]
fn every_source_file_has_fewer_than_500_lines() {
    fn walk(folder: &Path, breaches: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, breaches);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let lines = std::fs::read_to_string(&path).unwrap().lines().count();
                if lines >= 500 {
                    breaches.push(format!("{}: {lines} lines", path.display()));
                }
            }
        }
    }
    let mut breaches = Vec::new();
    for folder in ["app", "pkg", "deploy"] {
        walk(&root().join(folder), &mut breaches);
    }
    assert_none(&breaches);
}

#[test]
fn the_workspace_has_only_the_folders_it_should() {
    let breaches: Vec<String> = std::fs::read_dir(root())
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_type().unwrap().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .filter(|name| {
            !name.starts_with('.') && !["app", "pkg", "deploy", "k8s", "target"].contains(&name.as_str())
        })
        .collect();
    assert_none(&breaches);
}
