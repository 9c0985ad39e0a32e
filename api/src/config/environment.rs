//! The environment layer: `STAGEDOOR_AUTH_SECRET` for `auth.secret`, `…_FILE` for secrets.

use std::path::PathBuf;

use super::keys::{CLIENT_PREFIX, KEYS, Key, Kind, nearest, variable};
use super::{ConfigError, Layer, Secret};

/// Variables with our prefix that are read elsewhere: by scripts, the log, the command line, and
/// the fault points of the runtime.
const ELSEWHERE: [&str; 8] = [
    "STAGEDOOR_CACHE",
    "STAGEDOOR_CONFIG",
    "STAGEDOOR_CRASH_AT",
    "STAGEDOOR_KAFKA_SCRIPT",
    "STAGEDOOR_LOG",
    "STAGEDOOR_SWITCH_OFF",
    "STAGEDOOR_TOKEN",
    "STAGEDOOR_URL",
];

/// Prefix of variables that steer tests of the whole system.
const TEST_PREFIX: &str = "STAGEDOOR_TEST_";

/// Prefix of variables for the Kafka client: `STAGEDOOR_KAFKA_SECURITY_PROTOCOL` is its
/// `security.protocol`.
const CLIENT_VARIABLES: &str = "STAGEDOOR_KAFKA_";

/// Collects the layer from `variables`.
pub(crate) fn layer(
    variables: impl Iterator<Item = (String, String)>,
) -> Result<Layer, ConfigError> {
    let mut layer = Layer::new("the environment");
    let mut given: Vec<(String, String)> = variables
        .filter(|(name, value)| ours(name, value))
        .collect();
    given.sort();
    for (name, value) in given {
        if let Some(key) = KEYS.iter().find(|key| variable(key.name) == name) {
            layer.set_text(key, &value, &name)?;
        } else if let Some(key) = secret_file(&name) {
            read_secret(&mut layer, key, &value)?;
        } else if let Some(client) = name.strip_prefix(CLIENT_VARIABLES) {
            let setting = client.to_lowercase().replace('_', ".");
            layer.set_client(&format!("{CLIENT_PREFIX}{setting}"), value);
        } else {
            return Err(unknown(&name));
        }
    }
    Ok(layer)
}

fn ours(name: &str, value: &str) -> bool {
    name.starts_with("STAGEDOOR_")
        && !name.starts_with(TEST_PREFIX)
        && !ELSEWHERE.contains(&name)
        && !of_kubernetes(name, value)
}

/// Kubernetes describes a service called "stagedoor" in variables of the same prefix.
fn of_kubernetes(name: &str, value: &str) -> bool {
    let rest = name.trim_start_matches("STAGEDOOR_");
    let service = rest.starts_with("SERVICE_HOST") || rest.starts_with("SERVICE_PORT");
    service || (rest.starts_with("PORT") && (value.contains("://") || rest.contains("_TCP")))
}

fn secret_file(name: &str) -> Option<&'static Key> {
    let variable_name = name.strip_suffix("_FILE")?;
    KEYS.iter()
        .find(|key| key.kind == Kind::Secret && variable(key.name) == variable_name)
}

/// The file's text without the line end that editors leave.
fn read_secret(layer: &mut Layer, key: &Key, path: &str) -> Result<(), ConfigError> {
    if layer.has(key.name) {
        return Err(ConfigError::GivenTwice {
            variable: variable(key.name),
        });
    }
    let text = std::fs::read_to_string(path).map_err(|error| ConfigError::Unreadable {
        path: PathBuf::from(path),
        reason: error.to_string(),
    })?;
    layer.set_secret(
        key,
        &Secret::new(text.trim_end_matches(['\r', '\n']).to_owned()),
    );
    Ok(())
}

fn unknown(name: &str) -> ConfigError {
    let plain = name.trim_start_matches("STAGEDOOR_").to_lowercase();
    // A variable does not tell a dot from an underscore; the nearest key is the same in both.
    let nearest = nearest(&plain)
        .or_else(|| nearest(&plain.replacen('_', ".", 1)))
        .map(variable);
    ConfigError::UnknownKey {
        key: name.to_owned(),
        origin: "the environment".to_owned(),
        nearest,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn of(variables: &[(&str, &str)]) -> Result<Layer, ConfigError> {
        layer(
            variables
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        )
    }

    #[test]
    fn a_misspelt_variable_is_refused_with_the_nearest() {
        let error = of(&[("STAGEDOOR_BOOTSTRAP_SERVER", "x")])
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("did you mean \"STAGEDOOR_BOOTSTRAP_SERVERS\"?"),
            "{error}"
        );
        let error = of(&[("STAGEDOOR_AUTH_SECRETS", "x")])
            .unwrap_err()
            .to_string();
        assert!(error.contains("STAGEDOOR_AUTH_SECRET\""), "{error}");
    }

    #[test]
    fn variables_of_others_are_left_alone() {
        let others = [
            ("HOME", "/x"),
            ("STAGEDOOR_CACHE", "/x"),
            ("STAGEDOOR_TEST_ANYTHING", "x"),
            ("STAGEDOOR_SERVICE_HOST", "10.0.0.1"),
            ("STAGEDOOR_SERVICE_PORT_HTTP", "80"),
            ("STAGEDOOR_PORT", "tcp://10.0.0.1:80"),
            ("STAGEDOOR_PORT_80_TCP_ADDR", "10.0.0.1"),
        ];
        assert!(of(&others).unwrap().is_empty());
    }

    #[test]
    fn a_secret_may_stand_in_a_file_but_not_in_two_places() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "from a file").unwrap();
        let path = file.path().to_str().unwrap();
        let layer = of(&[("STAGEDOOR_AUTH_SECRET_FILE", path)]).unwrap();
        assert!(layer.has("auth.secret"));
        let twice = [
            ("STAGEDOOR_AUTH_SECRET", "x"),
            ("STAGEDOOR_AUTH_SECRET_FILE", path),
        ];
        assert!(matches!(of(&twice), Err(ConfigError::GivenTwice { .. })));
        let absent = of(&[("STAGEDOOR_AUTH_SECRET_FILE", "/no/such/file")]);
        assert!(matches!(absent, Err(ConfigError::Unreadable { .. })));
    }

    #[test]
    fn only_secrets_may_come_from_files() {
        assert!(matches!(
            of(&[("STAGEDOOR_PORT_FILE", "/x")]),
            Err(ConfigError::UnknownKey { .. })
        ));
    }
}
