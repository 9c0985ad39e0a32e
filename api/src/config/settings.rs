//! The settings of a running instance, with their defaults and bounds.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::log::{LogKind, LogSync};
use super::{ConfigError, Secret};

/// Everything that can be configured. Times are milliseconds.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    /// Where other instances reach this one; the host name where not given.
    pub(crate) advertised_host: Option<String>,
    /// Port for other instances; the listening one where not given.
    pub(crate) advertised_port: Option<u16>,
    /// Name of the application: consumer group, transactional ids, internal topics.
    pub(crate) application_id: String,
    /// Who may call.
    pub(crate) auth: Auth,
    /// Kafka's addresses.
    pub(crate) bootstrap_servers: Option<String>,
    /// Block cache and write buffers of the stores.
    pub(crate) cache_bytes: Option<usize>,
    /// How long a request waits for its result, and how long a command may take to the log.
    pub(crate) command_timeout_ms: u64,
    /// Upper bound of the time between commits.
    pub(crate) commit_interval_ms: u64,
    /// Directory of the stores.
    pub(crate) data: PathBuf,
    /// What ingress writes into a concert that does not say.
    pub(crate) defaults: Defaults,
    /// Partitions of `reservation.events`; at most 4 where nothing is said, because every commit
    /// writes to all of them.
    pub(crate) event_partitions: Option<i32>,
    /// Address to listen on.
    pub(crate) host: String,
    /// Stable name of this instance; makes it a static member of its group.
    pub(crate) instance_id: Option<String>,
    /// Raw settings of the Kafka client.
    #[serde(skip)]
    pub(crate) kafka: BTreeMap<String, String>,
    /// Bounds under overload.
    pub(crate) limits: Limits,
    /// What everything is written to.
    pub(crate) log: LogKind,
    /// When the embedded log is on the disk.
    pub(crate) log_sync: LogSync,
    /// Most records of one commit.
    pub(crate) max_batch_records: usize,
    /// Partitions of topics that are made.
    pub(crate) partitions: i32,
    /// Port to listen on; 0 picks a free one.
    pub(crate) port: u16,
    /// Replicas of topics that are made.
    pub(crate) replication_factor: i32,
    /// Secret of the application, which all its instances share.
    pub(crate) secret: Option<Secret>,
    /// After how long without a heartbeat an instance counts as dead.
    pub(crate) session_timeout_ms: u64,
    /// From the signal to the end of the process.
    pub(crate) shutdown_timeout_ms: u64,
    /// Stream threads.
    pub(crate) threads: usize,
    /// Prefix of every topic.
    pub(crate) topic_prefix: String,
    /// After how long the broker aborts an open transaction.
    pub(crate) transaction_timeout_ms: u64,
}

/// Verification of tokens.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Auth {
    /// Shared secret of HS256 tokens.
    pub(crate) secret: Option<Secret>,
    /// Where the public keys of an identity provider are.
    pub(crate) jwks_url: Option<String>,
    /// Required `iss`.
    pub(crate) issuer: Option<String>,
    /// Required `aud`.
    pub(crate) audience: Option<String>,
}

/// What ingress writes into a concert that does not say.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Defaults {
    /// How long a hold lasts.
    pub(crate) hold_seconds: i32,
    /// Most seats of one user.
    pub(crate) max_seats_per_user: i32,
}

/// Bounds under overload.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Limits {
    /// Most connections at once.
    pub(crate) connections: usize,
    /// Most requests that wait for their results at once.
    pub(crate) parked: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            advertised_host: None,
            advertised_port: None,
            application_id: "stagedoor".into(),
            auth: Auth::default(),
            bootstrap_servers: None,
            cache_bytes: None,
            command_timeout_ms: 10_000,
            commit_interval_ms: 100,
            data: PathBuf::from("stagedoor-data"),
            defaults: Defaults::default(),
            event_partitions: None,
            host: "0.0.0.0".into(),
            instance_id: None,
            kafka: BTreeMap::new(),
            limits: Limits::default(),
            log: LogKind::default(),
            log_sync: LogSync::default(),
            max_batch_records: 10_000,
            partitions: 32,
            port: 8080,
            replication_factor: 1,
            secret: None,
            session_timeout_ms: 10_000,
            shutdown_timeout_ms: 30_000,
            threads: 1,
            topic_prefix: "stagedoor.".into(),
            transaction_timeout_ms: 5_000,
        }
    }
}

impl Default for Defaults {
    fn default() -> Self {
        Self {
            hold_seconds: 300,
            max_seats_per_user: 4,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 30_000,
            parked: 20_000,
        }
    }
}

impl Settings {
    /// How long a request waits.
    pub(crate) const fn command_timeout(&self) -> Duration {
        Duration::from_millis(self.command_timeout_ms)
    }

    /// From the signal to the end.
    pub(crate) const fn shutdown_timeout(&self) -> Duration {
        Duration::from_millis(self.shutdown_timeout_ms)
    }

    /// The application's secret: its own, or one derived from the secret of the tokens, which all
    /// instances share as well.
    pub(crate) fn application_secret(&self) -> Result<Vec<u8>, ConfigError> {
        if let Some(secret) = &self.secret {
            return Ok(secret.expose().to_vec());
        }
        let missing = || ConfigError::Missing {
            key: "secret".into(),
            remedy: "STAGEDOOR_SECRET or STAGEDOOR_SECRET_FILE, the same for every instance".into(),
        };
        let shared = self.auth.secret.as_ref().ok_or_else(missing)?;
        let mut hash = Sha256::new();
        hash.update(b"stagedoor application secret\0");
        hash.update(shared.expose());
        Ok(hash.finalize().to_vec())
    }

    /// Refuses addresses of a Kafka beside a log that needs none: one of them is a mistake.
    pub(crate) fn check_log(&self) -> Result<(), ConfigError> {
        match (self.log, &self.bootstrap_servers) {
            (LogKind::Kafka, _) => self.require_bootstrap_servers().map(drop),
            (LogKind::Embedded, None) => Ok(()),
            (LogKind::Embedded, Some(_)) => Err(wrong(
                "bootstrap_servers",
                "absent beside log=embedded, which is no Kafka; keep one of them".into(),
            )),
        }
    }

    /// Kafka's addresses, which a log on Kafka cannot do without.
    pub(crate) fn require_bootstrap_servers(&self) -> Result<&str, ConfigError> {
        self.bootstrap_servers
            .as_deref()
            .ok_or_else(|| ConfigError::Missing {
                key: "bootstrap_servers".into(),
                remedy: "--bootstrap-servers or STAGEDOOR_BOOTSTRAP_SERVERS; or log=embedded for \
                         a log of its own on this machine"
                    .into(),
            })
    }

    /// Refuses what would only fail later, and worse.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let signed = |number: i32| u64::try_from(number).unwrap_or(0);
        let bounds = [
            ("command_timeout_ms", self.command_timeout_ms, 100, 120_000),
            ("commit_interval_ms", self.commit_interval_ms, 1, 10_000),
            (
                "defaults.hold_seconds",
                signed(self.defaults.hold_seconds),
                10,
                3_600,
            ),
            (
                "defaults.max_seats_per_user",
                signed(self.defaults.max_seats_per_user),
                1,
                100,
            ),
            (
                "limits.connections",
                self.limits.connections as u64,
                1,
                1_000_000,
            ),
            ("limits.parked", self.limits.parked as u64, 1, 1_000_000),
            (
                "max_batch_records",
                self.max_batch_records as u64,
                1,
                1_000_000,
            ),
            ("partitions", signed(self.partitions), 1, 10_000),
            (
                "event_partitions",
                signed(self.event_partitions.unwrap_or(1)),
                1,
                10_000,
            ),
            (
                "replication_factor",
                signed(self.replication_factor),
                1,
                100,
            ),
            ("session_timeout_ms", self.session_timeout_ms, 100, 600_000),
            (
                "shutdown_timeout_ms",
                self.shutdown_timeout_ms,
                1_000,
                600_000,
            ),
            ("threads", self.threads as u64, 1, 256),
            (
                "transaction_timeout_ms",
                self.transaction_timeout_ms,
                100,
                900_000,
            ),
        ];
        for (key, value, least, most) in bounds {
            if !(least..=most).contains(&value) {
                return Err(wrong(key, format!("between {least} and {most}")));
            }
        }
        self.check_auth()
    }

    fn check_auth(&self) -> Result<(), ConfigError> {
        let auth = &self.auth;
        if auth
            .secret
            .as_ref()
            .is_some_and(|secret| secret.expose().is_empty())
        {
            return Err(wrong("auth.secret", "a secret; it is empty".into()));
        }
        if auth.jwks_url.is_some() && auth.secret.is_some() {
            let expected = "given together with auth.jwks_url; keep one of them".to_owned();
            return Err(wrong("auth.secret", expected));
        }
        // A provider signs tokens for others, too: without these two any of them would do here.
        if auth.jwks_url.is_some() && (auth.issuer.is_none() || auth.audience.is_none()) {
            let remedy = "auth.issuer and auth.audience beside auth.jwks_url".to_owned();
            return Err(ConfigError::Missing {
                key: "auth.issuer or auth.audience".into(),
                remedy,
            });
        }
        Ok(())
    }
}

fn wrong(key: &str, expected: String) -> ConfigError {
    ConfigError::WrongValue {
        key: key.to_owned(),
        origin: "the configuration".into(),
        expected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_application_secret_is_never_the_secret_of_the_tokens() {
        let mut settings = Settings::default();
        assert!(matches!(
            settings.application_secret(),
            Err(ConfigError::Missing { .. })
        ));
        settings.auth.secret = Some(Secret::new("tokens".into()));
        assert_ne!(settings.application_secret().unwrap(), b"tokens");
        settings.secret = Some(Secret::new("own".into()));
        assert_eq!(settings.application_secret().unwrap(), b"own");
    }

    #[test]
    fn a_value_out_of_bounds_is_refused_by_name() {
        let settings = Settings {
            partitions: 0,
            ..Settings::default()
        };
        assert!(
            settings
                .check()
                .unwrap_err()
                .to_string()
                .contains("partitions")
        );
    }

    #[test]
    fn keys_of_a_provider_need_issuer_and_audience() {
        let mut settings = Settings::default();
        settings.auth.jwks_url = Some("https://example.test/jwks".into());
        assert!(settings.check().is_err());
        settings.auth.issuer = Some("https://example.test".into());
        settings.auth.audience = Some("stagedoor".into());
        settings.check().unwrap();
        settings.auth.secret = Some(Secret::new("x".into()));
        assert!(settings.check().is_err());
    }
}
