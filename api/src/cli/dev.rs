//! `stagedoor dev`: a log of its own, the service and a demo concert in one process.

use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use uuid::Uuid;

use super::options::ConfigArgs;
use super::{crowd, demo, serve};
use crate::app::App;
use crate::auth::{Role, Verifier};
use crate::config::{ConfigError, Layer, Settings};
use crate::exit::Failure;
use crate::service::{Service, fresh_name};
use crate::telemetry::logs;

/// Few, because every task costs a start some time; a real installation has 32.
const PARTITIONS: &str = "8";

/// File of the secret that tokens are signed with, in the data directory.
const SECRET: &str = "dev-secret";

/// How long printed tokens hold.
const VALID: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Options of `dev`.
#[derive(Debug, Args)]
pub(crate) struct DevArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Directory of everything; it survives a restart.
    #[arg(long, value_name = "DIR", default_value = "stagedoor-data")]
    data: PathBuf,
    /// Port to listen on.
    #[arg(long, default_value = "8080")]
    port: String,
    /// Keep nothing: a directory that is removed at the end.
    #[arg(long, conflicts_with = "data")]
    ephemeral: bool,
    /// Simulated visitors that come as soon as the concert is on sale.
    #[arg(long, value_name = "VISITORS", default_value_t = 0)]
    crowd: u64,
}

/// Runs until SIGINT or SIGTERM.
pub(crate) fn run(args: &DevArgs) -> Result<(), Failure> {
    logs::start(true);
    let ephemeral = args
        .ephemeral
        .then(tempfile::tempdir)
        .transpose()
        .map_err(failed("."))?;
    let data = ephemeral
        .as_ref()
        .map_or(args.data.clone(), |it| it.path().to_owned());
    std::fs::create_dir_all(&data).map_err(failed(&data.display().to_string()))?;
    let settings = settings(args, &data)?;
    settings.check_log()?;
    serve::runtime()?.block_on(sell(settings, &data, args.crowd))
}

async fn sell(settings: Settings, data: &Path, visitors: u64) -> Result<(), Failure> {
    let end = serve::end_signal()?;
    let service = Service::start(settings, true).await?;
    let base = format!("http://127.0.0.1:{}", service.address.port());
    let organiser = token(&service.app, "organiser", Role::Organiser)?;
    // A user of its own for every start, since holds of the last one may still live.
    let fan = token(&service.app, &fresh_name("fan"), Role::Fan)?;
    let app = service.app.clone();
    let tokens: crowd::Tokens = Arc::new(move |user| token(&app, user, Role::Fan));
    let text = welcome(&base, data, &organiser, &fan);
    let (tell, failed) = tokio::sync::oneshot::channel();
    let opening = tokio::spawn(async move {
        if let Err(failure) = open_doors(&base, &organiser, &text, visitors, &tokens).await {
            // Nobody listens if the end has come first.
            drop(tell.send(failure));
        }
    });
    let mut reason = None;
    let closed = service
        .run_until(async {
            tokio::select! {
                () = end => {}
                Ok(failure) = failed => reason = Some(failure),
            }
        })
        .await;
    opening.abort();
    closed.and(reason.map_or(Ok(()), Err))
}

/// Puts the concert on sale, says so, and lets the crowd in.
async fn open_doors(
    base: &str,
    organiser: &str,
    welcome: &str,
    visitors: u64,
    tokens: &crowd::Tokens,
) -> Result<(), Failure> {
    demo::put_on_sale(base, organiser).await?;
    say(welcome);
    if visitors > 0 {
        say(&crowd::visit(base, visitors, tokens).await?);
    }
    Ok(())
}

fn settings(args: &DevArgs, data: &Path) -> Result<Settings, Failure> {
    let secret = dev_secret(&data.join(SECRET));
    secret.map_err(failed(&data.display().to_string()))?;
    let mut flags = args.config.layer()?;
    for (name, value) in [
        ("log", "embedded"),
        ("host", "127.0.0.1"),
        ("port", &args.port),
    ] {
        flags.set_named(name, value)?;
    }
    describe(data, &mut flags)?;
    Ok(args.config.resolve(&flags)?)
}

/// Adds what `dev` has settled for a data directory of its own, for everybody who looks at it.
pub(super) fn describe(data: &Path, flags: &mut Layer) -> Result<(), ConfigError> {
    flags.set_named("data", &data.display().to_string())?;
    if let Ok(secret) = std::fs::read_to_string(data.join(SECRET)) {
        flags.set_named("partitions", PARTITIONS)?;
        // One process writes to all of them either way.
        flags.set_named("event_partitions", PARTITIONS)?;
        flags.set_named("auth.secret", &secret)?;
    }
    Ok(())
}

/// A secret that is made once, so that tokens survive a restart as the data does.
fn dev_secret(path: &Path) -> io::Result<String> {
    match std::fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let secret = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
            let mut options = std::fs::OpenOptions::new();
            let mut file = options
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(path)?;
            file.write_all(secret.as_bytes())?;
            Ok(secret)
        }
        kept => kept,
    }
}

fn token(app: &App, user: &str, role: Role) -> Result<String, Failure> {
    let Verifier::Shared(shared) = app.verifier() else {
        return Err(Failure::Configuration(
            "dev makes its own tokens; unset auth.jwks_url".into(),
        ));
    };
    shared
        .issue(user, &[role], VALID)
        .map_err(|error| Failure::Problem(error.to_string()))
}

fn failed(place: &str) -> impl Fn(io::Error) -> Failure {
    move |error| {
        let remedy = "choose another directory with --data";
        Failure::Configuration(format!("cannot use {place}: {error}; {remedy}"))
    }
}

/// What people need next, and the command to try, ready to paste.
fn welcome(base: &str, data: &Path, organiser: &str, fan: &str) -> String {
    let concert = demo::CONCERT;
    let key = fresh_name("try");
    format!(
        "
Stagedoor is selling seats.

  concert    {base}/v1/concerts/{concert}
  seats      {base}/v1/concerts/{concert}/seats
  API        {base}/openapi.json
  health     {base}/readyz?verbose
  metrics    {base}/metrics
  data       {data}

  organiser token   {organiser}

Hold two seats:

  curl -i {base}/v1/concerts/{concert}/reservations \\
    -H 'Authorization: Bearer {fan}' \\
    -H 'Idempotency-Key: {key}' \\
    -H 'Content-Type: application/json' \\
    -d '{{\"best\":{{\"quantity\":2}}}}'

A token for anybody:

  curl {base}/v1/dev/tokens -H 'Content-Type: application/json' \\
    -d '{{\"user\":\"u1\",\"roles\":[\"fan\"]}}'

This is one machine and one process, with a log of its own in the data directory. To run on a Kafka,
with as many instances as it takes:

  stagedoor serve --bootstrap-servers HOST:PORT

Ctrl-C stops it.",
        data = data.display()
    )
}

#[expect(clippy::print_stdout, reason = "dev talks to people")]
fn say(text: &str) {
    println!("{text}");
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_secret_is_kept_and_nobody_else_may_read_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("dev-secret");
        let secret = dev_secret(&path).unwrap();
        assert_eq!(dev_secret(&path).unwrap(), secret);
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }

    #[test]
    fn the_printed_command_has_everything_it_needs() {
        let text = welcome("http://127.0.0.1:1", Path::new("d"), "org", "fan");
        let parts = [
            "serve --bootstrap-servers",
            "Bearer fan",
            "Idempotency-Key: try-",
            r#"'{"best":{"quantity":2}}'"#,
        ];
        for part in parts {
            assert!(text.contains(part), "{part}");
        }
    }
}
