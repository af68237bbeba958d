//! The gateway's table, `deploy/etc/nginx/gateway.conf.template`: filled in for the fleet, and held against the APIs' routes.

use crate::root;

/// The five domains with an API.
pub const DOMAINS: [&str; 5] = ["order", "payment", "travel", "usercenter", "mqueue"];

/// The nginx configuration: listening on `listen`, writing to `folder`, with the API of each domain at one address a replica.
pub fn configuration(
    listen: &str,
    folder: &str,
    replicas: impl Fn(&str) -> Vec<String>,
) -> Result<String, String> {
    let path = root().join("deploy/etc/nginx/gateway.conf.template");
    let mut text =
        std::fs::read_to_string(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let mut fill = |name: &str, value: &str| text = text.replace(&format!("${{{name}}}"), value);
    fill("HOMESTAY_LISTEN", listen);
    fill("HOMESTAY_RUN", folder);
    for domain in DOMAINS {
        let servers: Vec<String> = replicas(domain)
            .iter()
            .map(|address| format!("server {address};"))
            .collect();
        fill(
            &format!("HOMESTAY_{}_API", domain.to_uppercase()),
            &servers.join(" "),
        );
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::path::Path;

    use super::*;

    fn read(path: &str) -> String {
        std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// Path prefix → API, such as `/v1/orders` → `order-api`; what is in no line is under `/`.
    fn table() -> BTreeMap<String, String> {
        let template = read("deploy/etc/nginx/gateway.conf.template");
        let (_, map) = template.split_once("map $uri $api {").expect("the table");
        let (map, _) = map.split_once("\n    }").expect("its end");
        map.lines()
            .filter_map(|line| line.trim().trim_end_matches(';').split_once(' '))
            .map(|(pattern, api)| {
                let path = match pattern {
                    "default" => "/".to_owned(),
                    _ => {
                        let path = pattern.strip_prefix("~^").expect("a pattern");
                        let path = path.strip_suffix("(/|$)").or_else(|| path.strip_suffix('$'));
                        path.expect("a whole path").replace('\\', "")
                    }
                };
                (path, api.trim().replace('_', "-"))
            })
            .collect()
    }

    /// Where the table sends a path: the longest prefix of whole segments.
    fn api_of<'a>(table: &'a BTreeMap<String, String>, path: &str) -> &'a str {
        let of = |prefix: &str| {
            path == prefix
                || path
                    .strip_prefix(prefix)
                    .is_some_and(|rest| rest.starts_with('/'))
        };
        let hit = table
            .iter()
            .filter(|(prefix, _)| of(prefix))
            .max_by_key(|(prefix, _)| prefix.len());
        hit.map_or(table["/"].as_str(), |(_, api)| api.as_str())
    }

    fn sources(folder: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                sources(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs")
                && path.file_stem().is_some_and(|stem| stem != "tests")
            {
                found.push(std::fs::read_to_string(&path).expect("a source"));
            }
        }
    }

    /// The paths in `.route("…"`, `path = "…"` and `…_PATH: &str = "…"` of an API's sources.
    fn routes(domain: &str) -> BTreeSet<String> {
        let mut texts = Vec::new();
        sources(&root().join("app").join(domain).join("api/src"), &mut texts);
        let mut routes = BTreeSet::new();
        for text in texts {
            let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
            for before in [".route( \"", ".route(\"", " path = \"", "_PATH: &str = \""] {
                for (at, _) in flat.match_indices(before) {
                    let path = flat[at + before.len()..].split('"').next().expect("a literal");
                    if path.starts_with('/') {
                        routes.insert(path.to_owned());
                    }
                }
            }
        }
        routes
    }

    #[test]
    fn the_gateway_sends_every_route_of_every_api_to_that_api() {
        let table = table();
        let mut used = BTreeSet::new();
        for domain in DOMAINS {
            let routes = routes(domain);
            assert!(routes.len() >= 2, "{domain}-api: {routes:?}");
            for path in routes {
                assert_eq!(api_of(&table, &path), format!("{domain}-api"), "{path}");
                used.extend(table.keys().filter(|prefix| path.starts_with(*prefix)).cloned());
            }
        }
        // Of the merged document, which every API serves (app/homestay/src/openapi.rs).
        used.extend(["/docs".to_owned(), "/openapi.json".to_owned(), "/".to_owned()]);
        assert_eq!(used, table.keys().cloned().collect(), "lines that no route needs");
    }

    #[test]
    fn the_ingress_has_the_same_table() {
        let ingress = read("k8s/base/ingress.yaml");
        let mut found = BTreeMap::new();
        let mut path = None;
        for line in ingress.lines().map(|line| line.trim().trim_start_matches("- ")) {
            if let Some(value) = line.strip_prefix("path: ") {
                path = Some(value.to_owned());
            } else if let (Some(name), Some(path)) = (
                line.strip_prefix("name: "),
                path.take_if(|_| line.starts_with("name: ")),
            ) {
                found.insert(path, name.to_owned());
            }
        }
        assert_eq!(found, table());
    }

    #[test]
    fn the_template_is_filled_in_completely() {
        let text = configuration("127.0.0.1:8888", "/tmp/x", |domain| {
            vec![format!("{domain}:1"), format!("{domain}:2")]
        })
        .expect("the template");

        assert!(text.contains("server order:1; server order:2;"), "{text}");
        assert!(text.contains("listen 127.0.0.1:8888;"));
        assert!(
            !text
                .lines()
                .any(|line| !line.starts_with('#') && line.contains("${")),
            "{text}"
        );
    }
}
