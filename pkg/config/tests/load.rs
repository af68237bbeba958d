//! What counts when, and what a person is told who mistyped.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use homestay_config::{ConfigError, Secret, load, redacted_yaml};
use serde::{Deserialize, Serialize};

const DEFAULTS: &str = r#"
demo: true
data_dir: .homestay
order:
  close_after: 30m
  listen: 127.0.0.1:8888
  limit: 20
  ratio: 0.5
  mode: fast
  origins: []
  secret: ""
"#;

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    demo: bool,
    data_dir: PathBuf,
    order: Order,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Order {
    #[serde(with = "humantime_serde")]
    close_after: Duration,
    listen: SocketAddr,
    limit: u32,
    ratio: f64,
    mode: Mode,
    origins: Vec<String>,
    secret: Secret,
    #[serde(default, with = "humantime_serde")]
    grace: Option<Duration>,
}

#[derive(Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Mode {
    Fast,
    Slow,
}

fn with(file: Option<&str>, variables: &[(&str, &str)]) -> Result<Settings, ConfigError> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = file.map(|text| {
        let path = folder.path().join("homestay.yaml");
        std::fs::write(&path, text).expect("a file");
        path
    });
    let variables = variables
        .iter()
        .map(|&(name, value)| (name.to_owned(), value.to_owned()));
    load(DEFAULTS, path.as_deref(), variables)
}

fn refusal(file: Option<&str>, variables: &[(&str, &str)]) -> String {
    with(file, variables)
        .expect_err("settings that are wrong")
        .to_string()
}

#[test]
fn the_file_goes_before_the_defaults_and_the_environment_before_both() {
    let settings = with(
        Some("order: {close_after: 10m, limit: 7}\n"),
        &[("HOMESTAY__ORDER__CLOSE_AFTER", "5s"), ("PATH", "/bin")],
    )
    .expect("settings");

    assert_eq!(settings.order.close_after, Duration::from_secs(5));
    assert_eq!(settings.order.limit, 7);
    assert_eq!(
        settings.order.listen,
        "127.0.0.1:8888".parse().expect("an address")
    );
    assert!(settings.demo);
}

#[test]
fn variables_are_read_as_what_the_setting_wants() {
    let settings = with(
        None,
        &[
            ("HOMESTAY__DEMO", "false"),
            ("HOMESTAY__DATA_DIR", "/tmp/007"),
            ("HOMESTAY__ORDER__LIMIT", "12"),
            ("HOMESTAY__ORDER__RATIO", "0.25"),
            ("HOMESTAY__ORDER__MODE", "slow"),
            ("HOMESTAY__ORDER__ORIGINS", "https://a.example, https://b.example"),
            ("HOMESTAY__ORDER__SECRET", "00123"),
            ("HOMESTAY__ORDER__GRACE", "1500ms"),
        ],
    )
    .expect("settings");

    assert!(!settings.demo);
    assert_eq!(settings.data_dir, PathBuf::from("/tmp/007"));
    assert_eq!(settings.order.limit, 12);
    assert!((settings.order.ratio - 0.25).abs() < f64::EPSILON);
    assert_eq!(settings.order.mode, Mode::Slow);
    assert_eq!(settings.order.origins, ["https://a.example", "https://b.example"]);
    assert_eq!(settings.order.secret.expose(), "00123");
    assert_eq!(settings.order.grace, Some(Duration::from_millis(1500)));
}

#[test]
fn an_unknown_key_is_named_with_what_set_it() {
    let text = refusal(Some("order: {clos_after: 5s}\n"), &[]);
    assert!(text.starts_with("order.clos_after: unknown key"), "{text}");
    assert!(
        text.contains("close_after") && text.contains("homestay.yaml"),
        "{text}"
    );

    for (name, key) in [
        ("HOMESTAY__ORDER__CLOS_AFTER", "order.clos_after"),
        ("HOMESTAY__ODER__CLOSE_AFTER", "oder"),
        ("HOMESTAY__", ""),
        ("HOMESTAY__ORDER__", "order."),
        ("HOMESTAY__A.B", "a.b"),
    ] {
        let text = refusal(None, &[(name, "5s")]);
        assert!(text.starts_with(&format!("{key}: unknown key")), "{name}: {text}");
        assert!(text.contains(name), "{name}: {text}");
    }
}

#[test]
fn a_bad_value_is_named_with_its_key_and_what_set_it() {
    for (key, value) in [
        ("order.close_after", "x"),
        ("order.close_after", ""),
        ("order.listen", "localhost"),
        ("order.limit", "many"),
        ("order.limit", "-1"),
        ("order.limit", "1.5"),
        ("order.limit", "4294967296"),
        ("order.limit", "true"),
        ("order.ratio", "NaN"),
        ("order.mode", "faster"),
        ("order.grace", "soon"),
        ("demo", "yes"),
        ("order", "5s"),
    ] {
        let name = format!("HOMESTAY__{}", key.replace('.', "__").to_uppercase());
        let text = refusal(None, &[(&name, value)]);
        assert!(
            text.starts_with(&format!("{key}: ")) && text.contains(&name),
            "{key}={value}: {text}"
        );
    }
    for (file, key) in [
        ("order: {close_after: x}", "order.close_after"),
        ("order: {close_after: 5}", "order.close_after"),
        ("order: {limit: 1.5}", "order.limit"),
        ("order: {limit: {a: 1}}", "order.limit"),
        ("order: {origins: [a, 2]}", "order.origins[1]"),
        ("order: {mode: 1}", "order.mode"),
        ("demo: 1", "demo"),
        ("order:", "order"),
        ("order: []", "order"),
    ] {
        let text = refusal(Some(file), &[]);
        assert!(
            text.starts_with(&format!("{key}: ")) && text.contains("homestay.yaml"),
            "{file}: {text}"
        );
    }
    assert_eq!(
        ConfigError::bad("order.limit", "must be even").key(),
        "order.limit"
    );
    assert_eq!(
        refusal(None, &[("HOMESTAY__ORDER__CLOSE_AFTER", "x")]),
        r#"order.close_after: invalid value "x", expected a duration (set in HOMESTAY__ORDER__CLOSE_AFTER)"#
    );
    let text = refusal(None, &[("HOMESTAY__ORDER__LIMIT__MAX", "1")]);
    assert!(
        text.starts_with("order.limit: ") && text.contains("HOMESTAY__ORDER__LIMIT__MAX"),
        "{text}"
    );
}

#[test]
fn a_missing_key_is_named() {
    let error = load::<Settings>(
        "demo: true\ndata_dir: x\norder: {limit: 1}\n",
        None,
        std::iter::empty(),
    )
    .expect_err("settings without a key");

    assert!(
        error.to_string().starts_with("order.close_after: is missing"),
        "{error}"
    );
}

#[test]
fn a_file_that_is_missing_or_not_yaml_is_named() {
    let missing = load::<Settings>(DEFAULTS, Some("/nowhere/at.yaml".as_ref()), std::iter::empty())
        .expect_err("no such file");
    assert!(missing.to_string().contains("/nowhere/at.yaml"), "{missing}");
    for file in ["order: [", "- a\n- b\n", "just words"] {
        let text = refusal(Some(file), &[]);
        assert!(
            text.starts_with("cannot read the settings: ") && text.contains("homestay.yaml"),
            "{text}"
        );
    }
}

#[test]
fn a_secret_is_never_printed() {
    let settings = with(None, &[("HOMESTAY__ORDER__SECRET", "hunter22")]).expect("settings");
    let yaml = redacted_yaml(&settings);
    let printed = format!("{settings:?} {} {yaml}", settings.order.secret);
    assert!(!printed.contains("hunter22"), "{printed}");
    assert!(
        yaml.contains("secret: '***'") && yaml.contains("close_after: 30m"),
        "{yaml}"
    );

    let text = refusal(Some("order: {secret: 991199}\n"), &[]);
    assert!(
        text.starts_with("order.secret: ") && !text.contains("991199"),
        "{text}"
    );
    assert!(with(None, &[]).expect("settings").order.secret.is_empty());
}
