//! One layer of configuration, and how layers become settings.

use std::path::Path;

use toml::{Table, Value};

use super::keys::{CLIENT_PREFIX, Key, Kind, find, nearest};
use super::{ConfigError, Secret, Settings, environment};

/// Values from one origin, by their full key.
#[derive(Clone)]
pub(crate) struct Layer {
    origin: String,
    values: Table,
}

impl Layer {
    /// An empty layer.
    pub(crate) fn new(origin: impl Into<String>) -> Self {
        Self {
            origin: origin.into(),
            values: Table::new(),
        }
    }

    /// Whether the key is set here.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// Whether nothing is set here.
    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Sets a known key from text, as flags and the environment have it.
    pub(crate) fn set_text(
        &mut self,
        key: &Key,
        text: &str,
        shown: &str,
    ) -> Result<(), ConfigError> {
        let value = match key.kind {
            Kind::Text | Kind::Secret => Value::String(text.to_owned()),
            Kind::Whole => {
                let whole = text.trim().parse().ok().filter(|number: &i64| *number >= 0);
                Value::Integer(whole.ok_or_else(|| self.wrong(shown, "a whole number"))?)
            }
        };
        self.values.insert(key.name.to_owned(), value);
        Ok(())
    }

    /// Sets a key by its name, known or one of the client's.
    pub(crate) fn set_named(&mut self, name: &str, text: &str) -> Result<(), ConfigError> {
        if name.starts_with(CLIENT_PREFIX) {
            self.set_client(name, text.to_owned());
            return Ok(());
        }
        let key = find(name).ok_or_else(|| self.unknown(name))?;
        self.set_text(key, text, name)
    }

    /// Sets a key if there is a value: flags are optional.
    pub(crate) fn set_some(&mut self, name: &str, value: Option<&str>) -> Result<(), ConfigError> {
        value.map_or(Ok(()), |value| self.set_named(name, value))
    }

    /// Sets a secret.
    pub(crate) fn set_secret(&mut self, key: &Key, secret: &Secret) {
        let text = String::from_utf8_lossy(secret.expose()).into_owned();
        self.values.insert(key.name.to_owned(), Value::String(text));
    }

    /// Sets a raw setting of the Kafka client; `name` has the client's prefix.
    pub(crate) fn set_client(&mut self, name: &str, value: String) {
        self.values.insert(name.to_owned(), Value::String(value));
    }

    /// Reads a TOML file.
    pub(crate) fn from_file(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|error| ConfigError::Unreadable {
            path: path.to_owned(),
            reason: error.to_string(),
        })?;
        let table: Table = text
            .parse()
            .map_err(|error: toml::de::Error| ConfigError::NotToml {
                path: path.to_owned(),
                reason: error.to_string(),
            })?;
        let mut layer = Self::new(path.display().to_string());
        layer.take("", table)?;
        Ok(layer)
    }

    /// Flattens a table into full keys. Below the client's table everything is taken as it is, and
    /// `kafka.security.protocol` may be written with or without quotes.
    fn take(&mut self, prefix: &str, table: Table) -> Result<(), ConfigError> {
        for (name, value) in table {
            let full = format!("{prefix}{name}");
            if let Value::Table(inner) = value {
                self.take(&format!("{full}."), inner)?;
            } else if full.starts_with(CLIENT_PREFIX) {
                let text = client_text(&value).ok_or_else(|| self.wrong(&full, "one value"))?;
                self.set_client(&full, text);
            } else {
                self.take_known(&full, value)?;
            }
        }
        Ok(())
    }

    fn take_known(&mut self, name: &str, value: Value) -> Result<(), ConfigError> {
        let key = find(name).ok_or_else(|| self.unknown(name))?;
        let fits = match key.kind {
            Kind::Text | Kind::Secret => value.is_str(),
            Kind::Whole => value.as_integer().is_some_and(|number| number >= 0),
        };
        if !fits {
            let expected = if key.kind == Kind::Whole {
                "a whole number"
            } else {
                "text"
            };
            return Err(self.wrong(name, expected));
        }
        self.values.insert(name.to_owned(), value);
        Ok(())
    }

    fn unknown(&self, name: &str) -> ConfigError {
        let nearest = nearest(name).map(str::to_owned);
        ConfigError::UnknownKey {
            key: name.to_owned(),
            origin: self.origin.clone(),
            nearest,
        }
    }

    fn wrong(&self, key: &str, expected: &str) -> ConfigError {
        let (key, expected) = (key.to_owned(), expected.to_owned());
        ConfigError::WrongValue {
            key,
            origin: self.origin.clone(),
            expected,
        }
    }
}

fn client_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Float(number) => Some(number.to_string()),
        Value::Boolean(flag) => Some(flag.to_string()),
        Value::Datetime(_) | Value::Array(_) | Value::Table(_) => None,
    }
}

/// Settings from flags over `environment` over `file` over defaults.
pub(crate) fn resolve(
    flags: &Layer,
    environment: impl Iterator<Item = (String, String)>,
    file: Option<&Path>,
) -> Result<Settings, ConfigError> {
    let mut merged = Table::new();
    if let Some(path) = file {
        merged.extend(Layer::from_file(path)?.values);
    }
    merged.extend(environment::layer(environment)?.values);
    merged.extend(flags.values.clone());
    let (client, known): (Table, Table) = merged
        .into_iter()
        .partition(|(name, _)| name.starts_with(CLIENT_PREFIX));
    let mut settings: Settings =
        serde_path_to_error::deserialize(nest(known)).map_err(|error| ConfigError::OutOfRange {
            key: error.path().to_string(),
            reason: error.into_inner().message().to_owned(),
        })?;
    settings.kafka = client
        .into_iter()
        .filter_map(|(name, value)| {
            Some((
                name.strip_prefix(CLIENT_PREFIX)?.to_owned(),
                value.as_str()?.to_owned(),
            ))
        })
        .collect();
    settings.check()?;
    Ok(settings)
}

/// Shows which keys are set and never their values, some of which are secrets.
impl std::fmt::Debug for Layer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let keys: Vec<&String> = self.values.keys().collect();
        write!(f, "{}: {keys:?}", self.origin)
    }
}

/// Full keys back into tables.
fn nest(flat: Table) -> Table {
    let mut root = Table::new();
    for (name, value) in flat {
        let Some((group, rest)) = name.split_once('.') else {
            root.insert(name, value);
            continue;
        };
        let group = root
            .entry(group)
            .or_insert_with(|| Value::Table(Table::new()));
        if let Value::Table(table) = group {
            table.insert(rest.to_owned(), value);
        }
    }
    root
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::super::keys::KEYS;
    use super::*;

    fn file(text: &str) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    }

    fn environment(variables: &[(&str, &str)]) -> impl Iterator<Item = (String, String)> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        variables.iter().map(owned).collect::<Vec<_>>().into_iter()
    }

    fn flags(pairs: &[(&str, &str)]) -> Layer {
        let mut layer = Layer::new("the command line");
        for (name, value) in pairs {
            layer.set_named(name, value).unwrap();
        }
        layer
    }

    #[test]
    fn flags_win_over_environment_over_file_over_defaults() {
        let file = file("port = 1\nhost = \"file\"\ndata = \"file\"\n");
        let variables = [("STAGEDOOR_PORT", "2"), ("STAGEDOOR_HOST", "environment")];
        let settings = resolve(
            &flags(&[("port", "3")]),
            environment(&variables),
            Some(file.path()),
        )
        .unwrap();
        assert_eq!(settings.port, 3);
        assert_eq!(settings.host, "environment");
        assert_eq!(settings.data.to_str(), Some("file"));
        assert_eq!(settings.application_id, "stagedoor");
    }

    #[test]
    fn an_unknown_key_is_refused_with_the_nearest() {
        let file = file("[auth]\nsecrett = \"x\"\n");
        let error = resolve(&flags(&[]), environment(&[]), Some(file.path())).unwrap_err();
        assert!(
            error.to_string().contains("did you mean \"auth.secret\"?"),
            "{error}"
        );
        let error = Layer::new("the command line")
            .set_named("prot", "1")
            .unwrap_err();
        assert!(
            error.to_string().contains("did you mean \"port\"?"),
            "{error}"
        );
    }

    #[test]
    fn a_value_of_another_kind_is_refused_and_the_key_named() {
        let file = file("port = \"eighty\"\n");
        let error = resolve(&flags(&[]), environment(&[]), Some(file.path())).unwrap_err();
        assert!(error.to_string().contains("port"), "{error}");
        let error =
            resolve(&flags(&[]), environment(&[("STAGEDOOR_PORT", "-1")]), None).unwrap_err();
        assert!(error.to_string().contains("STAGEDOOR_PORT"), "{error}");
        let error = resolve(&flags(&[("port", "70000")]), environment(&[]), None).unwrap_err();
        assert!(error.to_string().starts_with("port "), "{error}");
    }

    #[test]
    fn raw_settings_reach_the_client_from_every_layer() {
        let file = file("[kafka]\n\"linger.ms\" = 1\nsecurity.protocol = \"SSL\"\n");
        let variables = [("STAGEDOOR_KAFKA_SECURITY_PROTOCOL", "PLAINTEXT")];
        let flags = flags(&[("kafka.socket.nagle.disable", "true")]);
        let settings = resolve(&flags, environment(&variables), Some(file.path())).unwrap();
        let expected = [
            ("linger.ms", "1"),
            ("security.protocol", "PLAINTEXT"),
            ("socket.nagle.disable", "true"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(settings.kafka.into_iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn every_known_key_reaches_the_settings() {
        for key in KEYS {
            let mut layer = Layer::new("a test");
            // 10 is within the bounds of every number and none of the defaults.
            let other = if key.name == "log" { "embedded" } else { "10" };
            layer.set_text(key, other, key.name).unwrap();
            let unset = resolve(&Layer::new("a test"), environment(&[]), None).unwrap();
            let mut table = nest(layer.values.clone());
            table.retain(|_, _| true);
            let set: Settings = table
                .try_into()
                .unwrap_or_else(|e| panic!("{}: {e}", key.name));
            assert_ne!(set, unset, "{} changes nothing", key.name);
        }
    }
}
