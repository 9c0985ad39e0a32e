//! Identity: who calls, from the bearer token of a request.

mod claims;
mod jwks;
mod principal;
mod shared;

pub(crate) use claims::{Claims, Role};
pub(crate) use principal::{Admin, Organiser, Principal};
pub(crate) use shared::SharedSecret;

use jsonwebtoken::{Algorithm, Validation};

use crate::config::{ConfigError, Settings};
use crate::problem::{Code, Problem};
use jwks::Jwks;

/// Allowed difference of clocks, in seconds.
const LEEWAY: u64 = 5;

/// How tokens are verified.
pub(crate) enum Verifier {
    /// HS256 with a secret that whoever makes tokens shares.
    Shared(Box<SharedSecret>),
    /// Public keys of an identity provider.
    Provider(Box<Jwks>),
}

impl Verifier {
    /// The verifier that the settings ask for.
    ///
    /// # Errors
    /// Without a secret and without keys nobody could be told from anybody.
    pub(crate) fn new(settings: &Settings) -> Result<Self, ConfigError> {
        let policy = Policy::new(settings);
        match (&settings.auth.secret, &settings.auth.jwks_url) {
            (Some(secret), _) => Ok(Self::Shared(Box::new(SharedSecret::new(secret, policy)))),
            (None, Some(url)) => Ok(Self::Provider(Box::new(Jwks::new(url.clone(), policy)?))),
            (None, None) => Err(ConfigError::Missing {
                key: "auth.secret".into(),
                remedy: "STAGEDOOR_AUTH_SECRET, STAGEDOOR_AUTH_SECRET_FILE or auth.jwks_url".into(),
            }),
        }
    }

    /// Who a token speaks for.
    pub(crate) async fn verify(&self, token: &str) -> Result<Principal, Problem> {
        let claims = match self {
            Self::Shared(shared) => shared.verify(token).map_err(|error| refusal(&error))?,
            Self::Provider(keys) => keys.verify(token).await?,
        };
        Principal::new(claims)
    }
}

/// Which claims a token must have. `exp` always; issuer and audience where they are configured.
#[derive(Debug, Clone)]
pub(crate) struct Policy {
    issuer: Option<String>,
    audience: Option<String>,
}

impl Policy {
    /// The policy of the settings.
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            issuer: settings.auth.issuer.clone(),
            audience: settings.auth.audience.clone(),
        }
    }

    /// The algorithm is fixed by the key and never by the token, which anybody can write.
    fn validation(&self, algorithm: Algorithm) -> Validation {
        let mut validation = Validation::new(algorithm);
        validation.leeway = LEEWAY;
        validation.validate_nbf = true;
        validation.validate_aud = self.audience.is_some();
        let mut required = vec!["exp", "sub"];
        if let Some(issuer) = &self.issuer {
            validation.set_issuer(&[issuer]);
            required.push("iss");
        }
        if let Some(audience) = &self.audience {
            validation.set_audience(&[audience]);
            required.push("aud");
        }
        validation.set_required_spec_claims(&required);
        validation
    }
}

/// The answer to a token that does not hold. An honest client learns what to do; the rest is
/// only logged, since whoever forges one needs no help.
fn refusal(error: &jsonwebtoken::errors::Error) -> Problem {
    use jsonwebtoken::errors::ErrorKind;
    let detail = if matches!(error.kind(), ErrorKind::ExpiredSignature) {
        "the token has expired; get a new one"
    } else if matches!(error.kind(), ErrorKind::ImmatureSignature) {
        "the token is not valid yet"
    } else if matches!(
        error.kind(),
        ErrorKind::InvalidIssuer | ErrorKind::InvalidAudience
    ) {
        "the token is meant for another service"
    } else {
        "the token is not valid"
    };
    Problem::new(Code::Unauthenticated, detail).because(error.to_string())
}
