//! The names of the targets a process can run.

/// All targets, in the order of their admin ports (design.md §3).
pub const ALL: [&str; 14] = [
    "order-api",
    "order-rpc",
    "order-mq",
    "payment-api",
    "payment-rpc",
    "payment-mq",
    "travel-api",
    "travel-rpc",
    "travel-mq",
    "usercenter-api",
    "usercenter-rpc",
    "mqueue-api",
    "mqueue-rpc",
    "mqueue-mq",
];

/// Checks a list of targets. Embedded, a process is whole: its domains share one folder.
///
/// # Errors
/// A sentence naming the target that does not exist, or that a part of them needs servers to meet in.
pub fn check(wanted: &[String]) -> Result<(), String> {
    if let Some(unknown) = wanted.iter().find(|name| !ALL.contains(&name.as_str())) {
        return Err(format!(
            "no target is called {unknown:?}; there are {}",
            ALL.join(", ")
        ));
    }
    if wanted.is_empty() || ALL.iter().all(|name| wanted.iter().any(|w| w == name)) {
        return Ok(());
    }
    Err(format!(
        "{} cannot run apart from the others: in the embedded mode all targets share one data folder and run in one process",
        wanted.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_all_or_refused_by_name() {
        assert!(check(&[]).is_ok());
        assert!(check(&ALL.map(str::to_owned)).is_ok());
        assert!(
            check(&["order-rcp".to_owned()])
                .unwrap_err()
                .contains("order-rcp")
        );
        assert!(check(&["order-rpc".to_owned()]).is_err());
    }
}
