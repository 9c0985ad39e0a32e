//! Behaviour scripts: `time command => events, answer`, one line a command, over the production
//! runtime.
//!
//! Every script is played three times: straight, with a `kill -9` between any two lines, and with
//! the stores lost and restored between any two lines. What is said and what is stored at the end
//! must be the same each time.
//!
//! ```text
//! 10s       ann/k1 holds A-1-1 A-1-2      => SeatsHeld A-1-1 A-1-2, ok
//! 10s       bob/k1 holds A-1-1            => seat_taken A-1-1 instead A-1-3
//! 19.999s   ann/k2 releases ann/k1        => HoldReleased A-1-1 A-1-2, ok
//! 19.999s   look A                        => 000000000000000
//! 1d+20s    pass                          =>
//! ```

mod line;
mod stage;

use line::Line;
use stage::Stage;

/// What happens between any two lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Between {
    Nothing,
    Crash,
    LostStores,
}

/// Plays a script of the usual concert, which is on sale from 10 s on.
#[track_caller]
pub(super) fn plays(script: &str) {
    let lines: Vec<Line> = script
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(|line| line::parse(line).unwrap_or_else(|why| panic!("{line:?}: {why}")))
        .collect();
    let straight = play(&lines, Between::Nothing);
    for between in [Between::Crash, Between::LostStores] {
        let again = play(&lines, between);
        assert_eq!(again, straight, "the state at the end, with {between:?}");
    }
}

/// Plays the lines and returns what is stored at the end.
#[track_caller]
fn play(lines: &[Line], between: Between) -> String {
    let mut stage = Stage::new();
    let mut told = String::new();
    for line in lines {
        let outcome = stage.play(line);
        let as_expected = outcome == line.expected;
        let mark = if as_expected { ' ' } else { '!' };
        told.push_str(&format!("{mark} {} => {outcome}\n", line.text));
        assert!(
            as_expected,
            "with {between:?} between the lines:\n{told}  should be {}",
            line.expected
        );
        match between {
            Between::Nothing => {}
            Between::Crash => stage.crash(),
            Between::LostStores => stage.lose_stores(),
        }
    }
    stage.stored()
}

#[test]
fn a_script_that_expects_otherwise_fails_with_what_was_said() {
    let played = std::panic::catch_unwind(|| {
        plays("10s ann/k1 holds A-1-1 => SeatsHeld A-1-2, ok");
    });
    let panic = played.unwrap_err();
    let text = panic.downcast_ref::<String>().unwrap();
    assert!(
        text.contains("! 10s ann/k1 holds A-1-1 => SeatsHeld A-1-1, ok"),
        "{text}"
    );
}

#[test]
fn a_line_that_is_none_is_refused_with_its_reason() {
    for (text, why) in [
        ("10s ann/k1 holds A-1-1", "no =>"),
        ("soon ann/k1 holds A-1-1 => ok", "\"soon\" is no time"),
        ("10s ann holds A-1-1 => ok", "no sender and key"),
        ("10s ann/k1 steals A-1-1 => ok", "\"steals\" is no command"),
    ] {
        let error = line::parse(text).unwrap_err();
        assert!(error.contains(why), "{text}: {error}");
    }
}
