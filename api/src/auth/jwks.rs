//! Tokens of an identity provider: its public keys are fetched, kept, and fetched again in bounds.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, decode, decode_header};
use tokio::sync::Mutex;

use super::{Claims, Policy, refusal};
use crate::config::ConfigError;
use crate::problem::{Code, Problem};

/// After how long keys are fetched again although they work: a withdrawn key must stop working.
const FRESH: Duration = Duration::from_secs(600);

/// Least time between two fetches: tokens with made-up key ids must not turn into requests.
const BETWEEN_FETCHES: Duration = Duration::from_secs(10);

/// How long the provider has to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// The keys of a provider.
pub(crate) struct Jwks {
    url: String,
    client: reqwest::Client,
    policy: Policy,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    keys: Arc<HashMap<String, Key>>,
    fetched: Option<Instant>,
    tried: Option<Instant>,
}

struct Key {
    decoding: DecodingKey,
    algorithm: Algorithm,
}

impl Jwks {
    /// Keys at a URL; nothing is fetched before the first token.
    pub(crate) fn new(url: String, policy: Policy) -> Result<Self, ConfigError> {
        let client = reqwest::Client::builder()
            .timeout(PATIENCE)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| ConfigError::WrongValue {
                key: "auth.jwks_url".into(),
                origin: "the configuration".into(),
                expected: format!("usable: {error}"),
            })?;
        Ok(Self {
            url,
            client,
            policy,
            kept: Mutex::default(),
        })
    }

    /// The claims of a token that holds.
    pub(crate) async fn verify(&self, token: &str) -> Result<Claims, Problem> {
        let header = decode_header(token).map_err(|error| refusal(&error))?;
        let id = header.kid.unwrap_or_default();
        let keys = self.keys_with(&id).await?;
        let key = keys.get(&id).ok_or_else(|| {
            Problem::new(Code::Unauthenticated, "the token is not valid").because("unknown key id")
        })?;
        let validation = self.policy.validation(key.algorithm);
        decode(token, &key.decoding, &validation)
            .map(|data| data.claims)
            .map_err(|error| refusal(&error))
    }

    /// The kept keys, fetched again if they are old or lack `id`. While the provider is down the
    /// old ones go on working.
    async fn keys_with(&self, id: &str) -> Result<Arc<HashMap<String, Key>>, Problem> {
        let mut kept = self.kept.lock().await;
        let fresh = kept.fetched.is_some_and(|at| at.elapsed() < FRESH);
        let tried = kept.tried.is_some_and(|at| at.elapsed() < BETWEEN_FETCHES);
        if (!fresh || !kept.keys.contains_key(id)) && !tried {
            kept.tried = Some(Instant::now());
            match self.fetch().await {
                Ok(keys) => {
                    kept.keys = Arc::new(keys);
                    kept.fetched = Some(Instant::now());
                }
                Err(error) => tracing::warn!(url = self.url, %error, "cannot fetch the keys"),
            }
        }
        if kept.fetched.is_none() {
            return Err(Problem::unavailable(
                "tokens cannot be verified at the moment",
            ));
        }
        Ok(Arc::clone(&kept.keys))
    }

    async fn fetch(&self) -> Result<HashMap<String, Key>, reqwest::Error> {
        let answer = self
            .client
            .get(&self.url)
            .send()
            .await?
            .error_for_status()?;
        let set: JwkSet = answer.json().await?;
        Ok(set.keys.iter().filter_map(usable).collect())
    }
}

/// Signature keys of known asymmetric algorithms. A symmetric key in a public document would be
/// no secret, so it is not taken.
fn usable(jwk: &Jwk) -> Option<(String, Key)> {
    let for_signatures = jwk
        .common
        .public_key_use
        .as_ref()
        .is_none_or(|it| *it == PublicKeyUse::Signature);
    let named = jwk
        .common
        .key_algorithm
        .and_then(|named| named.to_string().parse().ok());
    let algorithm = algorithm_of(&jwk.algorithm, named)?;
    let decoding = DecodingKey::from_jwk(jwk).ok().filter(|_| for_signatures)?;
    Some((
        jwk.common.key_id.clone().unwrap_or_default(),
        Key {
            decoding,
            algorithm,
        },
    ))
}

fn algorithm_of(key: &AlgorithmParameters, named: Option<Algorithm>) -> Option<Algorithm> {
    if let AlgorithmParameters::RSA(_) = key {
        return named.or(Some(Algorithm::RS256));
    }
    if let AlgorithmParameters::OctetKeyPair(_) = key {
        return Some(Algorithm::EdDSA);
    }
    let AlgorithmParameters::EllipticCurve(key) = key else {
        return None;
    };
    let curves = [
        (EllipticCurve::P256, Algorithm::ES256),
        (EllipticCurve::P384, Algorithm::ES384),
    ];
    curves
        .into_iter()
        .find(|(curve, _)| *curve == key.curve)
        .map(|(_, algorithm)| algorithm)
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
    use axum::{Json, Router, routing::get};
    use jsonwebtoken::{EncodingKey, Header, encode};
    use serde_json::json;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::config::Settings;
    use crate::http::server::{Bounds, serve};

    /// A pair of keys that lives as long as a test.
    fn pair() -> EncodingKey {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        EncodingKey::from_ec_der(pair.to_pkcs8v1().unwrap().as_ref())
    }

    fn settings() -> Settings {
        let mut settings = Settings::default();
        settings.auth.issuer = Some("provider".into());
        settings.auth.audience = Some("stagedoor".into());
        settings
    }

    fn token(key: &EncodingKey, kid: &str) -> String {
        let header = Header {
            kid: Some(kid.into()),
            ..Header::new(Algorithm::ES256)
        };
        let exp = jsonwebtoken::get_current_timestamp() + 60;
        let claims = json!({"sub": "u1", "exp": exp, "iss": "provider", "aud": ["stagedoor", "x"]});
        encode(&header, &claims, key).unwrap()
    }

    async fn provider(key: &EncodingKey) -> String {
        let mut jwk = Jwk::from_encoding_key(key, Algorithm::ES256).unwrap();
        jwk.common.key_id = Some("k1".into());
        let document = JwkSet { keys: vec![jwk] };
        let router = Router::new().route("/jwks", get(move || async move { Json(document) }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/jwks", listener.local_addr().unwrap());
        let bounds = Bounds {
            connections: 8,
            header_read: Duration::from_secs(5),
            finish: Duration::from_secs(1),
        };
        tokio::spawn(serve(listener, router, bounds, CancellationToken::new()));
        url
    }

    #[tokio::test]
    async fn a_token_of_the_provider_holds_and_an_unknown_key_does_not() {
        let key = pair();
        let keys = Jwks::new(provider(&key).await, Policy::new(&settings())).unwrap();
        assert_eq!(keys.verify(&token(&key, "k1")).await.unwrap().sub, "u1");
        let unknown = keys.verify(&token(&key, "k2")).await.unwrap_err();
        assert_eq!(unknown.code(), Code::Unauthenticated);
        let forged = keys.verify(&token(&pair(), "k1")).await.unwrap_err();
        assert_eq!(forged.code(), Code::Unauthenticated);
    }

    #[tokio::test]
    async fn a_provider_that_never_answered_is_no_reason_to_refuse_the_token() {
        let url = "http://127.0.0.1:1/jwks".to_owned();
        let keys = Jwks::new(url, Policy::new(&settings())).unwrap();
        assert_eq!(
            keys.verify(&token(&pair(), "k1")).await.unwrap_err().code(),
            Code::Unavailable
        );
    }
}
