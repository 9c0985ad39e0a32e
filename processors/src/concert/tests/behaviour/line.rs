//! One line of a behaviour script.

use crate::concert::Command;
use crate::concert::records::PutConcert;
use crate::concert::tests::harness::{CONCERT, best, concert, general, hold, release};
use crate::id::{Id, scoped_hash};

/// A line: when, what, and what should come of it.
#[derive(Debug)]
pub(super) struct Line {
    /// The line without what is expected.
    pub(super) text: String,
    pub(super) at_ms: i64,
    pub(super) act: Act,
    pub(super) expected: String,
}

/// What happens in a line.
#[derive(Debug)]
pub(super) enum Act {
    /// Somebody sends a command, and waits until a time if one is given.
    Send(Box<Command>, Option<i64>),
    /// Somebody sends something that is no command.
    Rubbish,
    /// Somebody looks at the seats of sections.
    Look(Vec<String>),
    /// Nothing but time.
    Pass,
}

/// Reads a line.
pub(super) fn parse(line: &str) -> Result<Line, String> {
    let (text, expected) = line.split_once("=>").ok_or("no =>")?;
    let words: Vec<&str> = text.split_whitespace().collect();
    let [time, rest @ ..] = words.as_slice() else {
        return Err("it is empty".to_owned());
    };
    Ok(Line {
        text: words.join(" "),
        at_ms: time_ms(time)?,
        act: act(rest)?,
        expected: expected.trim().to_owned(),
    })
}

/// Reads `10s`, `9.999s`, `24h`, `1d+10s`.
fn time_ms(text: &str) -> Result<i64, String> {
    let wrong = || format!("{text:?} is no time");
    let one = |part: &str| {
        let unit = part.chars().last().ok_or_else(wrong)?;
        let unit_ms = match unit {
            's' => 1_000,
            'h' => 3_600_000,
            'd' => 86_400_000,
            _ => return Err(wrong()),
        };
        let number = &part[..part.len() - 1];
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let whole: i64 = whole.parse().map_err(|_| wrong())?;
        let millis: i64 = format!("{fraction:0<3}").parse().map_err(|_| wrong())?;
        Ok(whole * unit_ms + millis * unit_ms / 1_000)
    };
    text.split('+').map(one).sum()
}

fn act(words: &[&str]) -> Result<Act, String> {
    match words {
        ["pass"] => return Ok(Act::Pass),
        ["rubbish"] => return Ok(Act::Rubbish),
        ["look", sections @ ..] => return Ok(Act::Look(owned(sections))),
        _ => {}
    }
    let [sender, verb, rest @ ..] = words else {
        return Err("no command".to_owned());
    };
    let (user, key) = sender.split_once('/').ok_or("no sender and key")?;
    let (rest, until) = match rest {
        [rest @ .., "until", time] => (rest, Some(time_ms(time)?)),
        rest => (rest, None),
    };
    let command = command(user, key, verb, rest)?;
    Ok(Act::Send(Box::new(command), until))
}

fn command(user: &str, key: &str, verb: &str, rest: &[&str]) -> Result<Command, String> {
    Ok(match (verb, rest) {
        ("holds", seats) => hold(user, key, seats),
        ("best", [quantity, section, split @ ..]) => {
            let section = Some(*section).filter(|section| *section != "anywhere");
            best(user, key, number(quantity)?, section, *split == ["split"])
        }
        ("general", [quantity, section]) => general(user, key, section, number(quantity)?),
        ("releases", [made]) => {
            let (owner, of) = made.split_once('/').ok_or("no reservation")?;
            let id = Id::reservation(CONCERT, scoped_hash(owner, of));
            release(user, key, &id.to_string())
        }
        ("puts", ["it"]) => Command::PutConcert(concert(user, key)),
        ("puts", ["another"]) => Command::PutConcert(PutConcert {
            hold_seconds: 11,
            ..concert(user, key)
        }),
        _ => return Err(format!("{verb:?} is no command")),
    })
}

fn number(text: &str) -> Result<i32, String> {
    text.parse().map_err(|_| format!("{text:?} is no number"))
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}
