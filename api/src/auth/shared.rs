//! HS256 tokens: verified, and made for `stagedoor token` and `stagedoor dev`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jsonwebtoken::errors::Error;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};

use super::{Claims, Policy, Role};
use crate::config::Secret;

/// Fewest bytes of a secret that cannot be guessed from one token (RFC 7518, section 3.2).
const SOUND_SECRET: usize = 32;

/// The secret, ready for use.
pub(crate) struct SharedSecret {
    decoding: DecodingKey,
    encoding: EncodingKey,
    validation: Validation,
    policy: Policy,
}

impl SharedSecret {
    /// Prepares the secret.
    pub(crate) fn new(secret: &Secret, policy: Policy) -> Self {
        let bytes = secret.expose();
        if bytes.len() < SOUND_SECRET {
            tracing::warn!("auth.secret is shorter than {SOUND_SECRET} bytes and can be guessed");
        }
        Self {
            decoding: DecodingKey::from_secret(bytes),
            encoding: EncodingKey::from_secret(bytes),
            validation: policy.validation(Algorithm::HS256),
            policy,
        }
    }

    /// The claims of a token that holds.
    pub(crate) fn verify(&self, token: &str) -> Result<Claims, Error> {
        decode(token, &self.decoding, &self.validation).map(|data| data.claims)
    }

    /// A token for a user.
    pub(crate) fn issue(
        &self,
        user: &str,
        roles: &[Role],
        valid: Duration,
    ) -> Result<String, Error> {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs();
        let claims = Claims {
            sub: user.to_owned(),
            roles: roles.iter().map(|role| role.name().to_owned()).collect(),
            exp: now.saturating_add(valid.as_secs()),
            iat: Some(now),
            iss: self.policy.issuer.clone(),
            aud: self.policy.audience.clone().map(Into::into),
        };
        encode(&Header::new(Algorithm::HS256), &claims, &self.encoding)
    }
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::errors::ErrorKind;
    use serde_json::{Value, json};

    use super::*;
    use crate::config::Settings;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    fn shared(settings: &Settings) -> SharedSecret {
        SharedSecret::new(&Secret::new(SECRET.into()), Policy::new(settings))
    }

    fn now() -> u64 {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_secs()
    }

    fn signed(claims: &Value, secret: &str, algorithm: Algorithm) -> String {
        let key = EncodingKey::from_secret(secret.as_bytes());
        encode(&Header::new(algorithm), claims, &key).unwrap()
    }

    fn refused(claims: &Value) -> ErrorKind {
        let token = signed(claims, SECRET, Algorithm::HS256);
        shared(&Settings::default())
            .verify(&token)
            .unwrap_err()
            .kind()
            .clone()
    }

    #[test]
    fn a_token_says_who_it_was_made_for() {
        let shared = shared(&Settings::default());
        let token = shared
            .issue("u1", &[Role::Fan, Role::Admin], Duration::from_secs(60))
            .unwrap();
        let claims = shared.verify(&token).unwrap();
        assert_eq!(
            (claims.sub.as_str(), claims.roles),
            ("u1", vec!["fan".into(), "admin".into()])
        );
    }

    #[test]
    fn a_forged_token_is_refused() {
        let shared = shared(&Settings::default());
        let claims = json!({"sub": "u1", "exp": now() + 60});
        let other = signed(
            &claims,
            "another secret, as long as the first",
            Algorithm::HS256,
        );
        assert!(shared.verify(&other).is_err());
        let stronger = signed(&claims, SECRET, Algorithm::HS512);
        assert!(
            shared.verify(&stronger).is_err(),
            "the algorithm is ours to choose"
        );
        let own = signed(&claims, SECRET, Algorithm::HS256);
        let unsigned = format!("eyJhbGciOiJub25lIn0.{}.", own.split('.').nth(1).unwrap());
        assert!(shared.verify(&unsigned).is_err());
        shared.verify(&own).unwrap();
    }

    #[test]
    fn time_is_checked_at_both_ends() {
        assert_eq!(
            refused(&json!({"sub": "u1", "exp": now() - 60})),
            ErrorKind::ExpiredSignature
        );
        let early = json!({"sub": "u1", "exp": now() + 600, "nbf": now() + 60});
        assert_eq!(refused(&early), ErrorKind::ImmatureSignature);
        assert!(matches!(
            refused(&json!({"sub": "u1"})),
            ErrorKind::MissingRequiredClaim(_) | ErrorKind::Json(_)
        ));
    }

    #[test]
    fn issuer_and_audience_count_where_they_are_configured() {
        let mut settings = Settings::default();
        settings.auth.issuer = Some("us".into());
        settings.auth.audience = Some("stagedoor".into());
        let strict = shared(&settings);
        let own = strict.issue("u1", &[], Duration::from_secs(60)).unwrap();
        strict.verify(&own).unwrap();
        for claims in [
            json!({"sub": "u1", "exp": now() + 60}),
            json!({"sub": "u1", "exp": now() + 60, "iss": "us", "aud": "others"}),
            json!({"sub": "u1", "exp": now() + 60, "iss": "them", "aud": "stagedoor"}),
        ] {
            assert!(
                strict
                    .verify(&signed(&claims, SECRET, Algorithm::HS256))
                    .is_err(),
                "{claims}"
            );
        }
        let open = shared(&Settings::default());
        open.verify(&own).unwrap();
    }
}
