//! Reads scripts, and says what is wrong with one and where.

use std::str::FromStr;

use super::{Arm, Ask, Command, Plan, Poison, Script, Seating, Size, Step};

/// Reads a script as it was printed.
///
/// # Errors
/// A sentence with the number of the line that cannot be read.
pub(crate) fn parse(text: &str) -> Result<Script, String> {
    let mut script = Script {
        seed: 0,
        size: Size {
            partitions: 1,
            instances: 1,
            threads: 1,
            batch: 100,
        },
        steps: Vec::new(),
    };
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.split('#').next().unwrap_or_default().trim();
        if !line.is_empty() {
            read_line(line, &mut script)
                .map_err(|why| format!("line {number}: {line:?}: {why}"))?;
        }
    }
    Ok(script)
}

fn read_line(line: &str, script: &mut Script) -> Result<(), String> {
    let mut words = Words(line.split_whitespace().collect());
    match words.first() {
        "seed" => script.seed = words.after_first()?,
        "size" => {
            script.size = Size {
                partitions: words.named("partitions")?,
                instances: words.named("instances")?,
                threads: words.named("threads")?,
                batch: words.named("batch")?,
            };
        }
        _ => {
            let step = step(&mut words)?;
            exists(&step, script.size)?;
            script.steps.push(step);
        }
    }
    Ok(())
}

fn exists(step: &Step, size: Size) -> Result<(), String> {
    let (instance, thread) = match step {
        Step::Turn {
            instance, thread, ..
        } => (*instance, *thread),
        Step::Arm(arm) => (arm.instance, 0),
        Step::Crash(instance)
        | Step::Sync(instance)
        | Step::PowerCut(instance)
        | Step::Wipe(instance)
        | Step::Start(instance)
        | Step::Close(instance)
        | Step::Freeze(instance)
        | Step::Thaw(instance)
        | Step::Cut(instance)
        | Step::Heal(instance) => (*instance, 0),
        Step::Send(_) | Step::Wait(_) | Step::DeliverLate | Step::Compact | Step::ForgetOffsets => {
            (0, 0)
        }
    };
    if instance >= size.instances {
        return Err(format!("there is no instance {instance}"));
    }
    if thread >= size.threads {
        return Err(format!("there is no thread {thread}"));
    }
    Ok(())
}

fn step(words: &mut Words<'_>) -> Result<Step, String> {
    Ok(match words.first() {
        "wait" => Step::Wait(words.after_first()?),
        "turn" => {
            let (instance, thread) = words.word(1)?.split_once('.').ok_or("no thread")?;
            Step::Turn {
                instance: number(instance)?,
                thread: number(thread)?,
                most: number(words.word(2)?)?,
            }
        }
        "crash" => Step::Crash(words.after_first()?),
        "sync" => Step::Sync(words.after_first()?),
        "power-cut" => Step::PowerCut(words.after_first()?),
        "wipe" => Step::Wipe(words.after_first()?),
        "start" => Step::Start(words.after_first()?),
        "close" => Step::Close(words.after_first()?),
        "freeze" => Step::Freeze(words.after_first()?),
        "thaw" => Step::Thaw(words.after_first()?),
        "cut" => Step::Cut(words.after_first()?),
        "heal" => Step::Heal(words.after_first()?),
        "deliver-late" => Step::DeliverLate,
        "compact" => Step::Compact,
        "forget-offsets" => Step::ForgetOffsets,
        "arm" => Step::Arm(Arm::parse(&words.0[1..])?),
        _ if words.0.len() < 4 => return Err("no step".to_owned()),
        _ => Step::Send(command(words)?),
    })
}

fn command(words: &mut Words<'_>) -> Result<Command, String> {
    let reply_to = words.taken("reply-to")?;
    let patience_ms = words.taken("patience")?;
    let text = |at: usize| words.word(at).map(str::to_owned);
    let rest = || -> Vec<String> { words.0[4..].iter().map(|word| (*word).to_owned()).collect() };
    let ask = match words.word(3)? {
        "puts" => Ask::Put(plan(words)?),
        "holds" => Ask::Holds(rest()),
        "both" => Ask::Both(rest()),
        "best" => Ask::Best {
            quantity: number(words.word(4)?)?,
            section: Some(text(5)?).filter(|section| section != "anywhere"),
            split: words.word(6) == Ok("split"),
        },
        "general" => Ask::General {
            quantity: number(words.word(4)?)?,
            section: text(5)?,
        },
        "releases" => Ask::Releases {
            owner: text(4)?,
            of: text(5)?,
        },
        "releases-text" => Ask::ReleasesText(text(4)?),
        "poison" => {
            let word = words.word(4)?;
            let found = Poison::ALL.iter().find(|(_, known)| *known == word);
            Ask::Poison(found.ok_or_else(|| format!("{word:?} is no poison"))?.0)
        }
        other => return Err(format!("{other:?} is no command")),
    };
    Ok(Command {
        user: text(0)?,
        key: text(1)?,
        concert: text(2)?,
        ask,
        patience_ms,
        reply_to,
    })
}

fn plan(words: &Words<'_>) -> Result<Plan, String> {
    let mut plan = Plan {
        opens_ms: words.named("opens")?,
        closes_ms: words.named("closes")?,
        limit: words.named("limit")?,
        hold_seconds: words.named("hold")?,
        crowd: words.named("crowd").unwrap_or(0),
        ..Plan::default()
    };
    for word in words.0.iter().filter(|word| word.contains(':')) {
        let parts: Vec<&str> = word.split(':').collect();
        let [id, seating, price] = parts[..] else {
            return Err(format!("{word:?} is no section"));
        };
        let seating = match seating.split_once('x') {
            Some((rows, seats)) => Seating::Rows(number(rows)?, number(seats)?),
            None => Seating::Places(number(seating)?),
        };
        plan.sections.push((id.to_owned(), seating, number(price)?));
    }
    Ok(plan)
}

/// The words of a line.
struct Words<'a>(Vec<&'a str>);

impl<'a> Words<'a> {
    fn first(&self) -> &'a str {
        self.0.first().copied().unwrap_or_default()
    }

    fn word(&self, at: usize) -> Result<&'a str, String> {
        self.0
            .get(at)
            .copied()
            .ok_or_else(|| format!("it ends after {at} words"))
    }

    fn after_first<T: FromStr>(&self) -> Result<T, String> {
        number(self.word(1)?)
    }

    /// The number behind a name.
    fn named<T: FromStr>(&self, name: &str) -> Result<T, String> {
        let at = self.0.iter().position(|word| *word == name);
        let at = at.ok_or_else(|| format!("{name} is missing"))?;
        number(self.word(at + 1)?)
    }

    /// The number behind a name that may be missing, taken out with it.
    fn taken<T: FromStr>(&mut self, name: &str) -> Result<Option<T>, String> {
        let Some(at) = self.0.iter().rposition(|word| *word == name) else {
            return Ok(None);
        };
        let value = number(self.word(at + 1)?)?;
        self.0.drain(at..at + 2);
        Ok(Some(value))
    }
}

fn number<T: FromStr>(word: &str) -> Result<T, String> {
    word.parse().map_err(|_| format!("{word:?} is no number"))
}
