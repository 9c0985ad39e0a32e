//! The table of known keys: name, kind, and what it means. Flags, environment and file share it.

/// What a value has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Any text.
    Text,
    /// A whole number, not negative.
    Whole,
    /// Text that no log shows; in the environment also by `…_FILE`.
    Secret,
}

/// One known key.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Key {
    /// Name in the file; a dot stands for a table.
    pub(crate) name: &'static str,
    /// What its value has to be.
    pub(crate) kind: Kind,
}

/// The table whose keys are handed to the Kafka client as they are.
pub(crate) const CLIENT_PREFIX: &str = "kafka.";

const fn key(name: &'static str, kind: Kind) -> Key {
    Key { name, kind }
}

/// Every known key.
pub(crate) const KEYS: &[Key] = &[
    key("advertised_host", Kind::Text),
    key("advertised_port", Kind::Whole),
    key("application_id", Kind::Text),
    key("auth.audience", Kind::Text),
    key("auth.issuer", Kind::Text),
    key("auth.jwks_url", Kind::Text),
    key("auth.secret", Kind::Secret),
    key("bootstrap_servers", Kind::Text),
    key("cache_bytes", Kind::Whole),
    key("command_timeout_ms", Kind::Whole),
    key("commit_interval_ms", Kind::Whole),
    key("data", Kind::Text),
    key("defaults.hold_seconds", Kind::Whole),
    key("defaults.max_seats_per_user", Kind::Whole),
    key("event_partitions", Kind::Whole),
    key("host", Kind::Text),
    key("instance_id", Kind::Text),
    key("limits.connections", Kind::Whole),
    key("limits.parked", Kind::Whole),
    key("log", Kind::Text),
    key("log_sync", Kind::Text),
    key("max_batch_records", Kind::Whole),
    key("partitions", Kind::Whole),
    key("port", Kind::Whole),
    key("replication_factor", Kind::Whole),
    key("secret", Kind::Secret),
    key("session_timeout_ms", Kind::Whole),
    key("shutdown_timeout_ms", Kind::Whole),
    key("threads", Kind::Whole),
    key("topic_prefix", Kind::Text),
    key("transaction_timeout_ms", Kind::Whole),
];

/// The known key of that name.
pub(crate) fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// The known key that looks most like `name`, if one does at all.
pub(crate) fn nearest(name: &str) -> Option<&'static str> {
    let alike = |key: &Key| strsim::jaro_winkler(key.name, name);
    let best = KEYS.iter().max_by(|a, b| alike(a).total_cmp(&alike(b)))?;
    (alike(best) > 0.7).then_some(best.name)
}

/// Name of the environment variable of a key.
pub(crate) fn variable(name: &str) -> String {
    format!("STAGEDOOR_{}", name.replace('.', "_").to_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_key_is_found_and_nonsense_has_none() {
        assert_eq!(nearest("bootstrap_server"), Some("bootstrap_servers"));
        assert_eq!(nearest("auth.jwks"), Some("auth.jwks_url"));
        assert_eq!(nearest("comand_timeout_ms"), Some("command_timeout_ms"));
        assert_eq!(nearest("zzz"), None);
    }

    #[test]
    fn no_two_keys_share_a_variable() {
        let mut variables: Vec<String> = KEYS.iter().map(|key| variable(key.name)).collect();
        variables.sort();
        variables.dedup();
        assert_eq!(variables.len(), KEYS.len());
    }
}
