//! `stagedoor replay`: the state that the command log gives, compared (`verify`) or put in place
//! (`reset`).

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::Value;
use stagedoor_audit::Verified;

use super::history::{HistoryArgs, failed};
use super::progress::Bar;
use super::serve::runtime;
use crate::config::Secret;
use crate::exit::Failure;
use crate::telemetry::logs;

/// Options of `replay`.
#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    #[command(subcommand)]
    command: ReplayCommand,
}

#[derive(Debug, Subcommand)]
enum ReplayCommand {
    /// Compute every task from offset 0 and compare it with what its changelog holds.
    ///
    /// A running service is not asked for anything. Exit code 1 if anything differs; the first
    /// row that does is named.
    Verify(Box<VerifyArgs>),
    /// Compute tasks of a running instance from offset 0 and put the outcome in their place.
    ///
    /// Store and changelog of a task are replaced. The task stops meanwhile, and no other.
    Reset(ResetArgs),
}

#[derive(Debug, Args)]
struct VerifyArgs {
    #[command(flatten)]
    history: HistoryArgs,
}

#[derive(Debug, Args)]
struct ResetArgs {
    /// The instance that serves the tasks.
    #[arg(long, env = "STAGEDOOR_URL", default_value = "http://127.0.0.1:8080")]
    url: String,
    /// Task to rebuild, such as 0_3; may be given several times. All of the instance where none is.
    #[arg(long)]
    task: Vec<String>,
    /// File with a token of the role admin; STAGEDOOR_TOKEN where none is given.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// How long all of it may take.
    #[arg(long, value_name = "SECONDS", default_value_t = 3_600)]
    timeout: u64,
}

/// Runs one of the two.
pub(crate) fn run(args: &ReplayArgs) -> Result<(), Failure> {
    logs::start(false);
    match &args.command {
        ReplayCommand::Verify(args) => verify(args),
        ReplayCommand::Reset(args) => {
            let limit = Duration::from_secs(args.timeout);
            runtime()?.block_on(async {
                let reset = tokio::time::timeout(limit, reset(args)).await;
                reset.unwrap_or_else(|_| {
                    let text = "not over in time; it goes on in the service: see /v1/admin/tasks";
                    Err(Failure::TryAgain(text.into()))
                })
            })
        }
    }
}

#[expect(
    clippy::print_stdout,
    reason = "the outcome is what the command is for"
)]
fn verify(args: &VerifyArgs) -> Result<(), Failure> {
    let history = args.history.open()?;
    let bar = Bar::new();
    let progress = |step| bar.advance(step);
    let mut different = 0;
    let verified = stagedoor_audit::verify(&history.sources(&progress), &mut |task| {
        different += usize::from(!task.is_same());
        bar.suspend(|| println!("{}", line(task)));
    });
    bar.clear();
    verified.map_err(|error| failed(&error))?;
    match different {
        0 => Ok(()),
        more => Err(Failure::Problem(format!(
            "{more} tasks differ from their command log; replay reset mends them"
        ))),
    }
}

fn line(task: &Verified) -> String {
    let mut text = format!(
        "{}: {} records to offset {}: {}",
        task.task,
        task.records,
        task.position.next_offset,
        if task.is_same() { "same" } else { "different" }
    );
    text.push_str(&format!("\n  replay    {}", task.replayed));
    if task.changelog != task.replayed {
        text.push_str(&format!("\n  changelog {}", task.changelog));
    }
    match (task.store, task.store_elsewhere) {
        (Some(store), _) if store != task.replayed => {
            text.push_str(&format!("\n  store     {store}"));
        }
        (None, Some(at)) => text.push_str(&format!(
            "\n  store     is at offset {} and was not compared",
            at.next_offset
        )),
        _ => {}
    }
    for found in &task.differences {
        let (side, store, key) = (found.side, found.store, &found.key);
        text.push_str(&format!(
            "\n  first different row of the {side}: {store} {key:?}"
        ));
    }
    text
}

/// How often the progress is asked for.
const LOOK: Duration = Duration::from_millis(200);

async fn reset(args: &ResetArgs) -> Result<(), Failure> {
    let instance = Instance {
        client: client()?,
        url: args.url.trim_end_matches('/').to_owned(),
        token: token(args)?,
    };
    let tasks = match args.task.is_empty() {
        false => args.task.clone(),
        true => instance
            .tasks()
            .await?
            .into_iter()
            .map(|task| task.name)
            .collect(),
    };
    if tasks.is_empty() {
        return Err(Failure::TryAgain(
            "the instance serves no task at the moment".into(),
        ));
    }
    // One after the other: the tasks of an instance share its threads.
    for task in tasks {
        instance.rebuild(&task).await?;
    }
    Ok(())
}

/// A running instance.
struct Instance {
    client: reqwest::Client,
    url: String,
    token: Secret,
}

/// A task as the instance shows it.
struct Task {
    name: String,
    asked: bool,
    /// Passed and total offsets, while it is replayed.
    done: Option<(u64, u64)>,
}

impl Instance {
    #[expect(clippy::print_stdout, reason = "people wait for it")]
    async fn rebuild(&self, task: &str) -> Result<(), Failure> {
        let path = format!("/v1/admin/tasks/{task}/rebuild");
        self.send(self.client.post(format!("{}{path}", self.url)))
            .await?;
        let bar = Bar::new();
        loop {
            let tasks = self.tasks().await?;
            let Some(found) = tasks.into_iter().find(|found| found.name == task) else {
                let text = format!("{task} has gone to another instance; ask that one again");
                return Err(Failure::TryAgain(text));
            };
            if !found.asked {
                break;
            }
            if let Some((done, until)) = found.done {
                bar.set(done, until);
            }
            tokio::time::sleep(LOOK).await;
        }
        bar.clear();
        println!("{task} rebuilt");
        Ok(())
    }

    async fn tasks(&self) -> Result<Vec<Task>, Failure> {
        let url = format!("{}/v1/admin/tasks", self.url);
        let body = self.send(self.client.get(url)).await?;
        let tasks = body.get("tasks").and_then(Value::as_array);
        let read = |task: &Value| {
            let number = |name: &str| task.get(name).and_then(Value::as_u64);
            Some(Task {
                name: task.get("task")?.as_str()?.to_owned(),
                asked: task.get("rebuild_asked")?.as_bool()?,
                done: number("done").zip(number("until")),
            })
        };
        Ok(tasks.into_iter().flatten().filter_map(read).collect())
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Value, Failure> {
        let token = String::from_utf8_lossy(self.token.expose()).into_owned();
        let answer = request.bearer_auth(token).send().await;
        let answer = answer.map_err(|error| Failure::TryAgain(format!("{}: {error}", self.url)))?;
        let status = answer.status();
        let body: Value = answer.json().await.unwrap_or_default();
        if status.is_success() {
            return Ok(body);
        }
        let detail = body
            .get("detail")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let text = format!("{} says {status}: {detail}", self.url);
        Err(match status.as_u16() {
            401 | 403 => Failure::Configuration(text),
            404 => Failure::Usage(text),
            503 | 504 => Failure::TryAgain(text),
            _ => Failure::Problem(text),
        })
    }
}

fn client() -> Result<reqwest::Client, Failure> {
    let client = reqwest::Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(30))
        .build();
    client.map_err(|error| Failure::Problem(error.to_string()))
}

/// The token, which no command line shows to everybody on the machine.
fn token(args: &ResetArgs) -> Result<Secret, Failure> {
    let text = match &args.token_file {
        Some(path) => std::fs::read_to_string(path).map_err(|error| {
            Failure::Configuration(format!("cannot read {}: {error}", path.display()))
        })?,
        None => std::env::var("STAGEDOOR_TOKEN").unwrap_or_default(),
    };
    let text = text.trim();
    if text.is_empty() {
        let remedy =
            "set STAGEDOOR_TOKEN or --token-file; `stagedoor token --role admin` makes one";
        return Err(Failure::Configuration(format!(
            "there is no token; {remedy}"
        )));
    }
    Ok(Secret::new(text.to_owned()))
}
