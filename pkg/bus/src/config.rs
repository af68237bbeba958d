use homestay_config::Secret;
use homestay_error::{Error, Result};
use serde::{Deserialize, Serialize};

/// How Kafka is reached, and what its topics are made with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KafkaConfig {
    /// Addresses to begin with, `host:port,host:port`.
    pub brokers: String,
    /// Put before the names of topics and consumer groups: several systems on one broker.
    pub topic_prefix: String,
    /// Partitions of a topic that `homestay migrate` makes: the most replicas of a consumer that work at once.
    pub partitions: i32,
    /// Copies of a topic that `homestay migrate` makes, at most the number of brokers.
    pub replication: i32,
    /// How a connection is secured.
    pub security: Security,
    /// File with the certificates that the brokers' are signed with (PEM); empty: the system's.
    pub ca_file: String,
    /// How a client proves who it is, with `sasl_…` as security.
    pub sasl_mechanism: Mechanism,
    /// Name to log in with.
    pub sasl_username: String,
    /// Password to log in with.
    pub sasl_password: Secret,
}

impl Default for KafkaConfig {
    fn default() -> Self {
        Self {
            brokers: String::new(),
            topic_prefix: String::new(),
            partitions: 6,
            replication: 1,
            security: Security::Plaintext,
            ca_file: String::new(),
            sasl_mechanism: Mechanism::ScramSha512,
            sasl_username: String::new(),
            sasl_password: Secret::default(),
        }
    }
}

/// How a connection to Kafka is secured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Security {
    /// Not at all.
    Plaintext,
    /// Encrypted.
    Tls,
    /// With a login.
    SaslPlaintext,
    /// Encrypted, with a login.
    SaslTls,
}

impl Security {
    fn encrypts(self) -> bool {
        matches!(self, Self::Tls | Self::SaslTls)
    }

    fn logs_in(self) -> bool {
        matches!(self, Self::SaslPlaintext | Self::SaslTls)
    }
}

/// How a client proves to Kafka who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mechanism {
    /// Name and password as they are.
    #[serde(rename = "PLAIN")]
    Plain,
    /// Challenge and response with SHA-256.
    #[serde(rename = "SCRAM-SHA-256")]
    ScramSha256,
    /// Challenge and response with SHA-512.
    #[serde(rename = "SCRAM-SHA-512")]
    ScramSha512,
}

impl KafkaConfig {
    /// Checks what no type can.
    ///
    /// # Errors
    /// [`homestay_error::Code::InvalidArgument`] naming the key that is wrong.
    pub fn validate(&self) -> Result<()> {
        if self.brokers.trim().is_empty() {
            return Err(Error::invalid(
                "brokers",
                "must name a broker, such as kafka:9092",
            ));
        }
        if let Some(wrong) = self.addresses().find(|address| !is_address(address)) {
            return Err(Error::invalid(
                "brokers",
                format!("must be host:port with commas between them, not {wrong:?}"),
            ));
        }
        if !self.topic_prefix.bytes().all(is_name) || self.topic_prefix.len() > 100 {
            return Err(Error::invalid(
                "topic_prefix",
                "must be at most 100 letters, digits, dots, dashes or underscores",
            ));
        }
        if !(1..=1000).contains(&self.partitions) {
            return Err(Error::invalid("partitions", "must be between 1 and 1000"));
        }
        if !(1..=9).contains(&self.replication) {
            return Err(Error::invalid("replication", "must be between 1 and 9"));
        }
        if self.security.logs_in() {
            if self.sasl_username.is_empty() {
                return Err(Error::invalid("sasl_username", "is needed for the login"));
            }
            if self.sasl_password.is_empty() {
                return Err(Error::invalid("sasl_password", "is needed for the login"));
            }
        }
        if !self.ca_file.is_empty() && !self.security.encrypts() {
            return Err(Error::invalid(
                "ca_file",
                "is of no use: security is neither tls nor sasl_tls",
            ));
        }
        if cfg!(not(feature = "kafka-tls")) {
            const BUILD: &str = "this program was built without the cargo feature kafka-tls";
            if self.security.encrypts() {
                return Err(Error::invalid("security", format!("cannot encrypt: {BUILD}")));
            }
            if self.security.logs_in() && self.sasl_mechanism != Mechanism::Plain {
                return Err(Error::invalid(
                    "sasl_mechanism",
                    format!("must be PLAIN: {BUILD}"),
                ));
            }
        }
        Ok(())
    }

    fn addresses(&self) -> impl Iterator<Item = &str> {
        self.brokers.split(',').map(str::trim)
    }
}

fn is_address(text: &str) -> bool {
    text.rsplit_once(':').is_some_and(|(host, port)| {
        let host = host
            .strip_prefix('[')
            .and_then(|h| h.strip_suffix(']'))
            .unwrap_or(host);
        let known = |b: u8| is_name(b) || b == b':';
        !host.is_empty() && host.bytes().all(known) && port.parse::<u16>().is_ok_and(|port| port > 0)
    })
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(change: impl FnOnce(&mut KafkaConfig)) -> KafkaConfig {
        let mut config = KafkaConfig {
            brokers: "kafka-0:9092, [::1]:9093".to_owned(),
            ..KafkaConfig::default()
        };
        change(&mut config);
        config
    }

    fn login(change: impl FnOnce(&mut KafkaConfig)) -> KafkaConfig {
        config(|c| {
            c.security = Security::SaslPlaintext;
            c.sasl_mechanism = Mechanism::Plain;
            c.sasl_username = "homestay".to_owned();
            c.sasl_password = Secret::new("geheim");
            change(c);
        })
    }

    #[test]
    fn what_is_wrong_is_named_by_its_key() {
        type Case = (KafkaConfig, Option<&'static str>);
        let cases: Vec<Case> = vec![
            (config(|_| ()), None),
            (login(|_| ()), None),
            (config(|c| c.brokers.clear()), Some("brokers")),
            (config(|c| c.brokers = "kafka".to_owned()), Some("brokers")),
            (config(|c| c.brokers = "kafka:0".to_owned()), Some("brokers")),
            (config(|c| c.brokers = "a:1,,b:2".to_owned()), Some("brokers")),
            (config(|c| c.brokers = "http://a:1".to_owned()), Some("brokers")),
            (
                config(|c| c.topic_prefix = "a b".to_owned()),
                Some("topic_prefix"),
            ),
            (config(|c| c.partitions = 0), Some("partitions")),
            (config(|c| c.replication = 10), Some("replication")),
            (config(|c| c.ca_file = "ca.pem".to_owned()), Some("ca_file")),
            (login(|c| c.sasl_username.clear()), Some("sasl_username")),
            (
                login(|c| c.sasl_password = Secret::default()),
                Some("sasl_password"),
            ),
        ];
        for (config, wrong) in cases {
            let found = config.validate().err();
            let field = found.as_ref().and_then(Error::field_name);
            assert_eq!(field, wrong, "{config:?}");
        }
    }

    #[test]
    fn encryption_and_scram_are_refused_by_a_build_without_them() {
        let wrong = |config: KafkaConfig| {
            let found = config.validate().err();
            found.and_then(|e| e.field_name().map(str::to_owned))
        };
        let tls = wrong(config(|c| c.security = Security::Tls));
        let scram = wrong(login(|c| c.sasl_mechanism = Mechanism::ScramSha256));
        let (no_tls, no_scram) = if cfg!(feature = "kafka-tls") {
            (None, None)
        } else {
            (Some("security"), Some("sasl_mechanism"))
        };
        assert_eq!((tls.as_deref(), scram.as_deref()), (no_tls, no_scram));
    }

    #[test]
    fn unknown_names_are_refused_and_the_password_is_not_shown() {
        for text in [
            r#"{"security":"ssl"}"#,
            r#"{"sasl_mechanism":"GSSAPI"}"#,
            r#"{"broker":"a:1"}"#,
        ] {
            assert!(serde_json::from_str::<KafkaConfig>(text).is_err(), "{text}");
        }
        let shown = format!(
            "{:?} {}",
            login(|_| ()),
            serde_json::to_string(&login(|_| ())).unwrap()
        );
        assert!(!shown.contains("geheim"), "{shown}");
    }
}
