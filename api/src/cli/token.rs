//! `stagedoor token`: a token for a user, on standard output and nothing else.

use std::time::Duration;

use clap::Args;

use super::options::ConfigArgs;
use crate::auth::{Role, Verifier};
use crate::exit::Failure;

/// Options of `token`.
#[derive(Debug, Args)]
pub(crate) struct TokenArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// User id: the token's subject.
    #[arg(long)]
    user: String,
    /// Role; may be given several times.
    #[arg(long, value_enum, default_value = "fan")]
    role: Vec<Role>,
    /// How long it holds.
    #[arg(long, value_name = "SECONDS", default_value_t = 24 * 60 * 60)]
    seconds: u64,
}

/// Prints the token.
#[expect(clippy::print_stdout, reason = "the token is what the command is for")]
pub(crate) fn run(args: &TokenArgs) -> Result<(), Failure> {
    if args.user.is_empty() || args.user.len() > 255 {
        return Err(Failure::Usage("--user takes 1 to 255 bytes".into()));
    }
    let settings = args.config.resolve(&args.config.layer()?)?;
    let Verifier::Shared(shared) = Verifier::new(&settings)? else {
        let text = "tokens are made by the provider behind auth.jwks_url; ask it for one";
        return Err(Failure::Configuration(text.into()));
    };
    let token = shared.issue(&args.user, &args.role, Duration::from_secs(args.seconds));
    println!(
        "{}",
        token.map_err(|error| Failure::Problem(error.to_string()))?
    );
    Ok(())
}
