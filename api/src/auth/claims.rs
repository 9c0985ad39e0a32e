//! What a token says.

use serde::{Deserialize, Serialize};

/// What its subject may do, besides what everybody may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    /// Buys seats.
    Fan,
    /// Puts concerts on sale.
    Organiser,
    /// Operates the service.
    Admin,
}

/// The claims that matter here; others are ignored.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Claims {
    /// User id.
    pub(crate) sub: String,
    /// Role names. A provider's own roles may stand among them and mean nothing.
    #[serde(default)]
    pub(crate) roles: Vec<String>,
    /// End of validity, in Unix seconds.
    pub(crate) exp: u64,
    /// Made at, in Unix seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) iat: Option<u64>,
    /// Issuer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) iss: Option<String>,
    /// Audience: one or several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) aud: Option<serde_json::Value>,
}

impl Role {
    /// Its name in a token.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Fan => "fan",
            Self::Organiser => "organiser",
            Self::Admin => "admin",
        }
    }

    /// The role of that name.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        [Self::Fan, Self::Organiser, Self::Admin]
            .into_iter()
            .find(|role| role.name() == name)
    }
}
